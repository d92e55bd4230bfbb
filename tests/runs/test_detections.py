"""A detector's predictions: who is matched to whom, by hand, by a naive loop, and what always holds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.errors import ImageSetError
from url_viz.runs.detections import (
    Matches,
    class_logits,
    detections,
    has_predictions,
    matched,
    missed,
    other_class,
    prediction_of,
)

SIDE = 10
NO_OBJECTS = pd.DataFrame(columns=["picture", "class", "score", "box_x", "box_y", "box_width", "box_height"])


def test_a_class_and_its_score_as_logits() -> None:
    said = pd.DataFrame({"predicted_class": ["b", None, "z", "a", "c"], "predicted_score": [0.5, np.nan, 0.9, 0.2, 1]})
    rows, logits = class_logits(said, ["a", "b", "c"])
    assert rows.tolist() == [0, 3, 4]
    shares = [[0.25, 0.5, 0.25], [1 / 3, 1 / 3, 1 / 3], [1e-6, 1e-6, 1]]
    assert np.exp(logits) == pytest.approx(np.array(shares)), "never less than by chance: it was the surest class"


def boxes(rows: list[tuple[float, int, int]]) -> pd.DataFrame:
    """Squares by their left edge, picture and class: two that are d apart overlap by (10 − d) / (10 + d)."""
    frame = pd.DataFrame(rows, columns=["box_x", "picture", "class"])
    return frame.assign(box_y=0, box_width=SIDE, box_height=SIDE)


def by_loop(objects: pd.DataFrame, predictions: pd.DataFrame, least: float) -> list[int]:
    """The prediction of each object, as COCO's evaluation finds it, its own class first."""
    taken: dict[int, int] = {}
    for at, (left, picture, label, *_rest) in enumerate(predictions.itertuples(index=False)):
        best: tuple[bool, float] = False, 0.0
        of = -1
        for row, (own_left, own_picture, own_label, *_others) in enumerate(objects.itertuples(index=False)):
            apart = abs(own_left - left)
            iou = max(0.0, SIDE - apart) / (SIDE + min(apart, SIDE))
            here = own_label == label, iou
            if own_picture == picture and row not in taken and iou >= least and here > best:
                best, of = here, row
        if of >= 0:
            taken[of] = at
    return [taken.get(row, -1) for row in range(len(objects))]


def test_by_hand() -> None:
    objects = boxes([(0, 0, 1), (2, 0, 2), (40, 0, 1), (0, 1, 1), (100, 0, 1)])
    predictions = boxes([(0, 2, 1), (0, 0, 2), (45, 0, 1), (1, 0, 2), (41, 0, 2), (300, 0, 1)])
    found = matched(objects, predictions)
    # the second takes the class-2 object though the other lies nearer; the fourth finds it taken; 45 overlaps by 1/3
    assert found.prediction.tolist() == [3, 1, 4, -1, -1]
    np.testing.assert_allclose(found.iou, [9 / 11, 8 / 12, 9 / 11, np.nan, np.nan])
    assert found.nearest.tolist() == [-1, 0, 2, 0, 2, -1]
    np.testing.assert_allclose(found.nearest_iou, [0, 1, 5 / 15, 9 / 11, 9 / 11, 0])


ROW = st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 2))


@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=12), st.sampled_from([0.3, 0.5]))
def test_as_a_loop_does_and_each_once(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]], least: float
) -> None:
    # no two objects lie at one place, and none is in the middle of two predictions: overlaps differ
    objects = boxes([(3 * left + 0.01 * at, *rest) for at, (left, *rest) in enumerate(first)])  # type: ignore[misc]
    predictions = boxes([(3 * left + 0.000013 * at, *rest) for at, (left, *rest) in enumerate(second)])  # type: ignore[misc]
    found = matched(objects, predictions, least_iou=least)
    assert found.prediction.tolist() == by_loop(objects, predictions, least)
    taken = found.prediction[found.prediction >= 0]
    assert len(set(taken.tolist())) == len(taken)
    assert (found.iou[found.prediction >= 0] >= least).all()
    free = np.setdiff1d(np.arange(len(second)), taken)
    for at in free[found.nearest_iou[free] >= least]:  # a prediction is free only if all that it overlaps are taken
        assert _is_taken(found, objects, predictions.iloc[at], least)


def _is_taken(found: Matches, objects: pd.DataFrame, prediction: pd.Series, least: float) -> bool:
    apart = (objects["box_x"] - prediction["box_x"]).abs()
    over = ((SIDE - apart) / (SIDE + apart) >= least) & (objects["picture"] == prediction["picture"])
    return bool((found.prediction[over] >= 0).all())


def table() -> pd.DataFrame:
    columns = {"box_x": [0.0, 50, 100, 0, 0], "box_y": 0.0, "box_width": 10.0, "box_height": 10.0}
    pictures, labels = ["a", "a", "a", "b", "c"], ["cat", "dog", "cat", "cat", None]
    rest = {"id": range(5), "path": [f"{picture}#{n}" for n, picture in enumerate(pictures)], "picture": pictures}
    more = {"label": labels, "class": ["cat", "dog", "cat", "cat", "dog"], "split": ["train"] * 3 + ["val", None]}
    return pd.DataFrame({**rest, **columns, **more, "ambiguity": [0.1, 0.9, 0.5, 0.2, 0.3]})


def predicted(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame([(*row, 0.0, 10.0, 10.0) for row in rows], columns=NO_OBJECTS.columns)


def test_what_is_found_missed_invented_and_of_another_class() -> None:
    given_ones = predicted(
        ("a", "cat", 0.9, 1.0),
        ("a", "cat", 0.8, 0.0),  # again
        ("a", "cat", 0.7, 51.0),  # another class
        ("a", "bird", 0.6, 200.0),  # invented
        ("a", "cat", 0.3, 107.0),  # near, not on it
        ("a", "cat", 0.1, 100.0),  # not sure
        ("c", "dog", 0.5, 0.0),
    )
    found = detections(table(), given_ones)
    assert found.objects["detected"].fillna("").tolist() == ["found", "found", "missed", "", "found"]
    assert found.objects["predicted_class"].fillna("").tolist() == ["cat", "cat", "", "", "dog"]
    assert (found.same, found.predictions, found.sure, found.again) == (2, 7, 6, 1)
    invented = found.invented
    assert invented["score"].tolist() == [0.6, 0.3]
    assert invented["nearest"].tolist()[1] == "a#2"
    assert invented["nearest"].isna().tolist() == [True, False]
    assert invented["iou"].tolist() == pytest.approx([0, 3 / 17])
    assert "3 objects found, 1 of them as another class; 1 missed." in found.words
    assert "1 object of splits without any prediction are not counted as missed." in found.words
    joined = pd.concat([table(), found.objects], axis=1)
    rows = joined.to_dict("records")
    said = [one and (one.words, one.box) for one in map(prediction_of, rows)]
    assert said == [
        ("predicted cat, score .90, IoU .82", (1, 0, 10, 10)),
        ("predicted cat, score .70, IoU .82", (51, 0, 10, 10)),
        ("nearest prediction: cat, score .30, IoU .18", (107, 0, 10, 10)),
        None,
        ("predicted dog, score .50, IoU 1.00", (0, 0, 10, 10)),
    ]
    assert [*map(has_predictions, rows)] == [True, True, True, False, True], "nothing was predicted in val"
    assert other_class(joined).to_numpy().tolist() == [[1, "cat"]]
    assert missed(joined)["id"].tolist() == [2]


def test_the_nearest_prediction_is_of_the_same_class_where_one_is_near_and_may_be_that_of_several() -> None:
    rows = table().assign(box_x=[0.0, 8, 100, 0, 0], split="train")
    near = predicted(("a", "bird", 0.9, 105.0), ("a", "cat", 0.5, 107.0), ("a", "cat", 0.4, 4.0))
    found = detections(rows, near).objects
    assert found["detected"].tolist() == ["missed"] * 5
    assert found["nearest_class"].fillna("").tolist() == ["cat", "cat", "cat", "", ""]
    assert found["predicted_x"].fillna(0).tolist() == [4, 4, 107, 0, 0], "not the bird, which overlaps the cat more"
    assert found["predicted_class"].isna().all(), "it is the class of what was found"
    far = detections(rows, predicted(("a", "bird", 0.9, 105.0), ("a", "cat", 0.5, 109.9))).objects
    assert far["nearest_class"].tolist()[2] == "bird", "another cat's, which hardly touches it"


def test_queues_are_ordered_by_ambiguity_those_near_a_prediction_first_and_need_predictions() -> None:
    rows = table().assign(detected="missed", predicted_class=None, predicted_iou=[0.4, 0.05, np.nan, np.nan, 0.1])
    assert missed(rows)["id"].tolist() == [4, 0, 1, 2, 3]
    rows = table().assign(detected="missed", predicted_class="bird")
    assert missed(rows)["id"].tolist() == [1, 2, 4, 3, 0]
    assert other_class(rows)["id"].tolist() == [1, 2, 3, 0]
    with pytest.raises(ImageSetError, match="has no predictions"):
        missed(table())


def test_nothing_sure_is_all_missed() -> None:
    found = detections(table().drop(columns="split"), predicted(("a", "cat", 0.1, 0.0)))
    assert found.objects["detected"].tolist() == ["missed"] * 5
    assert found.objects["predicted_score"].isna().all()
    assert found.invented.empty
