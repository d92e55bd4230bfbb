"""Findings of objects, by their rules: double boxes, tiny and cut ones, classes that only context tells apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.columns.set_table import findings_of, set_table
from tests.findings.test_findings import check, told
from url_viz.columns.filters import ReviewSpec, Scope, passes_all, scope_as_query, scope_from_query
from url_viz.findings.findings import Finding
from url_viz.findings.object_findings import (
    LEGIBLE,
    box_context,
    classes_wrong_together,
    double_boxes,
    legible,
    objects_separated_by_context,
    outside,
    tiny,
    together_in_words,
)
from url_viz.findings.reasons import NAMES, Reasons
from url_viz.labels.label_issues import LIKELY
from url_viz.pipeline.overlaps import overlaps

BOXES = st.lists(st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 2), min_size=1, max_size=8)


def objects(
    boxes: Sequence[tuple[float, ...]],
    *,
    picture: list[str] | None = None,
    label: list[str] | None = None,
    **columns: object,
) -> pd.DataFrame:
    """Objects of one picture of 200 × 100 pixels, their crops without margin."""
    x, y, width, height = np.array(boxes, float).T
    shown = np.minimum(x + width, 200) - np.maximum(x, 0), np.minimum(y + height, 100) - np.maximum(y, 0)
    return set_table(
        len(boxes),
        {
            "label": ["cat"] * len(boxes),
            "uncertainty": 0.5,
            "picture": "a.jpg",
            "box_x": x,
            "box_y": y,
            "box_width": width,
            "box_height": height,
            "box_margin": 0.0,
            "width": shown[0],
            "height": shown[1],
        },
        {**({"picture": picture} if picture else {}), **({"label": label} if label else {}), **columns},
    )


def no_reasons(table: pd.DataFrame) -> Reasons:
    return Reasons(np.zeros((len(table), len(NAMES)), np.float32), np.ones(len(NAMES), np.float32))


def found_in(table: pd.DataFrame, **parts: Any) -> tuple[Finding, ...]:
    return findings_of(table, reasons=no_reasons(table), **parts)


class TestOverlaps:
    def test_by_hand(self) -> None:
        one = np.array([(0, 0, 10, 10), (0, 0, 4, 5)])
        other = np.array([(0, 0, 10, 10), (5, 0, 10, 10), (20, 20, 1, 1), (3, 3, 0, 0)])
        assert overlaps(one, other) == pytest.approx(np.array([[1, 50 / 150, 0, 0], [0.2, 0, 0, 0]]))

    @given(one=BOXES, other=BOXES)
    def test_counts_the_pixels_that_both_have(self, one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> None:
        def pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
            return {(x, y) for x in range(box[0], box[0] + box[2]) for y in range(box[1], box[1] + box[3])}

        naive = [[len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b)) for b in other] for a in one]
        found = overlaps(np.array(one), np.array(other))
        assert found == pytest.approx(np.array(naive))
        assert pytest.approx(found) == overlaps(np.array(other), np.array(one)).T


class TestDoubleBoxes:
    def test_of_two_classes_first_and_the_larger_box_leads(self) -> None:
        table = objects(
            [(0, 0, 40, 40), (1, 0, 40, 40), (0, 0, 40, 40), (100, 0, 30, 30), (100, 0, 30, 31)],
            picture=["a.jpg", "a.jpg", "b.jpg", "a.jpg", "a.jpg"],
            label=["cat", "cat", "cat", "cat", "dog"],
        )
        assert [of.tolist() for of in double_boxes(table)] == [[4, 3], [0, 1]]
        found = found_in(table)
        assert told(found)["double-boxes"] == "2 objects have two boxes or more, 1 of them of two classes"
        assert found[0].opens == ReviewSpec("double-boxes")
        table["decision"] = ["keep", "drop", None, "drop", None]
        assert told(found_in(table))["double-boxes"].startswith("1 object has two boxes or more, 1 of them")

    @pytest.mark.parametrize("label", [["person", "person"], ["person", "tie"]])
    def test_a_box_within_another_is_another_object(self, label: list[str]) -> None:
        for within, groups in [((20, 0, 20, 30), 0), ((0, 0, 40, 75), 0), ((0, 0, 40, 78), 1)]:  # IoU .15, .89, .93
            assert len(double_boxes(objects([(0, 0, 40, 84), within], label=label))) == groups


class TestWrongTogether:
    """Three zebras and a cow in a.jpg, two zebras in b.jpg, of which c.jpg has one."""

    TABLE = objects(
        [(20 * one, 0, 10, 10) for one in range(7)],
        picture=["a.jpg"] * 4 + ["b.jpg"] * 2 + ["c.jpg"],
        label=["zebra", "zebra", "zebra", "cow", "zebra", "zebra", "zebra"],
    )
    OTHER = np.array(["cow", "horse", "cow", "zebra", None, "cow", "cow"], object)

    def test_by_hand_and_in_words(self) -> None:
        wrong = np.array([0.6, 0.4, 0.5, 0.9, np.nan, 0.9, 0.99])
        found = classes_wrong_together(self.TABLE, wrong, self.OTHER)
        assert found["id"].tolist() == self.TABLE["id"].iloc[[0, 2, 1]].tolist()
        assert found["mean_wrong"].tolist() == pytest.approx([0.5] * 3)
        assert together_in_words(found) == ["all 3 zebra in a.jpg look like cow"]
        finding = found_in(self.TABLE, wrong_together=found)[0]
        assert finding.words == "1 class of a picture may be wrong as a whole: all 3 zebra in a.jpg look like cow"
        assert finding.opens == ReviewSpec("wrong-together")
        decided = self.TABLE.assign(decision=["keep"] * len(self.TABLE))
        assert found_in(decided, wrong_together=found) == ()

    def test_they_must_agree_on_the_other_class(self) -> None:
        wrong, other = np.full(7, 0.9), np.array(["cow", "horse", "dog", "zebra", "cow", "cow", "cow"], object)
        assert classes_wrong_together(self.TABLE, wrong, other)["picture"].unique().tolist() == ["b.jpg"]

    def test_two_boxes_on_one_object_are_one(self) -> None:
        table = self.TABLE.assign(twin_group=[0, 1, 2, 3, 4, 4, 5])
        wrong, other = np.array([0.0, 0, 0, 0, 0.9, 0.9, 0]), np.full(7, "cow", object)
        assert classes_wrong_together(table, wrong, other).empty
        found = classes_wrong_together(self.TABLE, wrong, other)
        assert together_in_words(found) == ["both zebra in b.jpg look like cow"]

    @given(
        wrong=st.lists(st.floats(0, 1, width=16), min_size=7, max_size=7),
        other=st.lists(st.sampled_from(["cow", "horse", None]), min_size=7, max_size=7),
    )
    def test_as_a_loop(self, wrong: list[float], other: list[str | None]) -> None:
        naive: list[int] = []
        for rows in ([0, 1, 2], [4, 5]):
            mean, named = np.mean([wrong[row] for row in rows]), [other[row] for row in rows]
            assume(abs(mean - LIKELY) > 1e-9)
            is_agreed = max(named.count("cow"), named.count("horse")) > len(rows) / 2
            naive += rows if mean >= LIKELY and is_agreed else []
        found = classes_wrong_together(self.TABLE, np.array(wrong), np.array(other, object))
        assert sorted(found["id"]) == sorted(self.TABLE["id"].iloc[naive])


def test_small_classes_have_few_objects() -> None:
    [small] = [each for each in found_in(objects([(0, 0, 40, 40), (0, 0, 40, 40)])) if each.kind == "small-classes"]
    assert "fewer than 5 objects: " in small.words
    assert "picture" not in small.words + small.why


def test_tiny_ones_the_smallest_first() -> None:
    table = objects([(0, 0, 40, 8), (0, 0, 15, 9), (0, 0, 9, 12)])
    assert tiny(table)["id"].tolist() == table["id"].iloc[[2, 1]].tolist()
    assert tiny(table)["suggested"].tolist() == ["9 × 12 pixels", "15 × 9 pixels"]
    assert told(found_in(table))["tiny"] == "2 objects are smaller than 16 × 16 pixels"


def test_pages_begin_without_what_is_too_small_if_anything_is_left() -> None:
    table = objects([(0, 0, 16, 16), (0, 0, 15.9, 90), (0, 0, 90, 15), (0, 0, 40, 40)])
    assert table["id"][passes_all(table, legible(table))].tolist() == table["id"].iloc[[0, 3]].tolist()
    assert legible(table.iloc[[0, 3]]) == (), "nothing to hide"
    assert legible(table.iloc[[1, 2]]) == (), "all would be hidden"
    assert legible(table.drop(columns="picture")) == (), "a column of the user's on whole pictures"
    assert scope_from_query(scope_as_query(Scope(filters=LEGIBLE))).filters == LEGIBLE, "a review is a link"


def test_boxes_that_reach_beyond_their_picture() -> None:
    inside, by_a_pixel = (160.0, 60.0, 40.0, 40.0), (0.0, -0.5, 10.0, 10.0)
    beyond = [(-5.0, 0.0, 20.0, 20.0), (0.0, -5.0, 20.0, 20.0), (190.0, 0.0, 20.0, 20.0), (0.0, 90.0, 20.0, 20.0)]
    table = objects([inside, by_a_pixel, *beyond])
    assert outside(table)["id"].tolist() == table["id"].iloc[2:].tolist()
    assert told(found_in(table))["outside"] == "4 boxes reach beyond the picture"


def test_what_the_frame_cuts_the_most_ambiguous_first() -> None:
    table = objects([(0, 0, 40, 40)] * 4, cut_by_frame=["yes", "no", "yes", None], ambiguity=[0.2, 0.9, 0.8, np.nan])
    found = {one.kind: one for one in found_in(table)}
    assert found["cut-by-frame"].words == "2 objects are cut by the frame"


def test_pictures_in_which_nothing_is_annotated_and_words_are_of_objects() -> None:
    found = found_in(objects([(0, 0, 40, 40)]), without_objects=3, failed=2)
    assert told(found)["without-objects"] == "3 pictures have no object"
    assert told(found)["unreadable"] == "2 objects or files could not be read"
    assert next(one for one in found if one.kind == "without-objects").opens is None


class TestContext:
    """Balls and oranges in forty pictures each: their crops are mixed up, a dog or a plate beside them is not."""

    def table(self, *, is_told: bool) -> pd.DataFrame:
        draw = np.random.default_rng(0)
        label, picture = [], []
        for number in range(80):
            main = ["ball", "orange"][number % 2]
            other = ["dog", "plate"][number % 2 if is_told else draw.integers(2)]
            label += [main, other]
            picture += [f"{number}.jpg"] * 2
        boxes = [(draw.uniform(0, 150), draw.uniform(0, 60), 30.0, 30.0) for _ in label]
        return objects(boxes, picture=picture, label=label)

    PAIRS = pd.DataFrame({"class_a": ["ball"], "class_b": ["orange"]})

    @pytest.mark.parametrize("is_told", [True, False])
    def test_told_if_the_pictures_say_more_than_the_crops(self, is_told: bool) -> None:
        table = self.table(is_told=is_told)
        mixed = {row: ["orange", "ball"][row // 2 % 2] for row in range(0, 160, 8)} | {2: "ball", 10: "ball"}
        found = objects_separated_by_context(table, check(table, taken=mixed), self.PAIRS)
        if is_told:
            assert set(found["id"]) == set(table["id"].iloc[list(mixed)])
            assert found["share"].iloc[0] == 1
        else:
            assert found.empty

    def test_not_where_crops_are_as_good(self) -> None:
        table = self.table(is_told=True)
        assert objects_separated_by_context(table, check(table), self.PAIRS).empty

    def test_the_classes_of_others_without_its_own(self) -> None:
        table = objects([(0, 0, 9, 9)] * 4, picture=["a", "a", "b", "b"], label=["cat", "cat", "cat", "dog"])
        cat, dog = box_context(table)[:, :2].T
        assert (np.sign(cat).tolist(), np.sign(dog).tolist()) == ([1, 1, -1, 1], [-1, -1, 1, -1])
