"""Objects of one picture are witnesses of whether a label is wrong, and of nothing else: scenes of look-alikes."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from numpy.typing import NDArray

from tests.given import given_set
from tests.labels.test_ambiguity import naive_fit, naive_votes, softmax, without_prior
from tests.pipeline.test_overlaps import BOXES, parts
from tests.read_sets import copied
from tests.ui.pages import opened, words
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.doubtful_labels import forecast
from url_viz.labels.votes import fit_ridge, vote_shares
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.overlaps import CROWD, overlap_groups, overlaps
from url_viz.pipeline.twins import SAME_BOX, source_groups
from url_viz.store.columns.imported_columns import Import, write_import
from url_viz.store.columns.source_columns import BOX_COLUMNS, OBJECTS, PICTURE
from url_viz.store.columns.user_files import Values
from url_viz.store.tables.tables import Graph, no_twins

SCENES, OBJECTS_EACH = 16, 8
PLACE = np.tile(np.arange(OBJECTS_EACH), SCENES)
SCENE = np.repeat(np.arange(SCENES), OBJECTS_EACH)
WRONG = OBJECTS_EACH * np.array([3, 5, 7, 9, 11, 13])
"""Objects under the label of the other class, one a scene."""
DOUBLE = WRONG[0] + 2
"""An object that has a second box nearly on its place."""
COW = np.where(np.isin(np.arange(len(SCENE)), WRONG), 1, PLACE % 2)
NAMES = [f"{('zebra', 'cow')[COW[row]]}/s{SCENE[row]:02d}_{PLACE[row]}.jpg" for row in range(len(SCENE))]


WRONG_NAMES = [NAMES[row] for row in WRONG]


def boxes() -> NDArray[np.float64]:
    """Eight boxes side by side; the one after DOUBLE is nearly on its place."""
    found = np.column_stack([40.0 * PLACE, np.zeros(len(PLACE)), *np.full((2, len(PLACE)), 30.0)])
    found[DOUBLE + 1] = found[DOUBLE] + [3, 0, 0, 0]
    return found


def with_boxes(image_set: ImageSet, names: list[str] = NAMES) -> ImageSet:
    """The set as one of objects in pictures, in the order of the `names`."""
    row = [names.index(path) for path in image_set.table()["path"]]
    said = pd.DataFrame(boxes()[row], columns=BOX_COLUMNS[:4])
    said = said.assign(picture=[f"{SCENE[one]}.jpg" for one in row], box_margin=0.1)
    columns = {str(name): Values.from_series(said[name]) for name in said}
    write_import(
        image_set.core.store.paths, Import(OBJECTS, "boxes.json", image_set.core.ids, image_set.core.contents, columns)
    )
    image_set.labels.set_apart(PICTURE)
    return image_set


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """What makes a cow is another thing in each scene: nothing of other scenes tells it."""
    dice = np.random.default_rng(0)
    scene, cow = dice.normal(size=(2, SCENES, 48))
    noise, sign = dice.normal(size=(len(SCENE), 48)), np.where(PLACE % 2, 1, -1)[:, None]
    rows = scene[SCENE] + 0.6 * sign * cow[SCENE] + 0.5 * noise
    return with_boxes(given_set(tmp_path_factory.mktemp("read"), NAMES, rows))


@pytest.fixture
def objects(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / "photos", home=tmp_path / "home")


def scores(image_set: ImageSet) -> "pd.Series[float]":
    check = image_set.labels.check()
    assert check is not None
    return check.pictures.set_index("path")["score"][NAMES]


def test_votes_and_ridge_by_hand() -> None:
    """Rows 0 to 2 are of one picture, 0 and 1 on one place; 2 has the label of the other class."""
    whitened = np.array([[-1.0], [-0.9], [-0.8], [0.5], [0.9], [1.0]])
    position = np.array([[1, 2, 3], [0, 2, 3], [1, 0, 3], [4, 5, 2], [5, 3, 2], [4, 3, 2]], np.int32)
    similarity = np.tile(np.array([0.9, 0.8, 0.5], np.float32), (6, 1))
    label = np.array([0, 0, 1, 1, 1, 1], np.int32)
    picture = np.array([0, 0, 0, 1, 2, 3])
    box = np.array([(0, 0, 10, 10), (2, 0, 10, 10), (6, 0, 10, 10), *[(0, 0, 10, 10)] * 3])
    place = overlap_groups(box, picture, least=SAME_BOX)  # IoU 8/12 of 0 and 1, 6/14 of 1 and 2
    graph = Graph(np.arange(6), position, similarity, no_twins(6))
    lists = apart_graph(graph, whitened, place)
    assert lists.position[:3].tolist() == [[2, 3, -1], [2, 3, -1], [1, 0, 3]]
    votes, _ = vote_shares(lists.position, lists.similarity, label, 2)
    all_votes = 1 + np.exp(-1) + np.exp(-4)
    assert votes[:3, 1] == pytest.approx([1, 1, np.exp(-4) / all_votes]), "row 2 is told to be of the other class"
    group = source_groups(graph.twins, place)
    values = {
        row: value
        for rows, block in fit_ridge(whitened, label, group, 2).without_twins()
        for row, value in zip(rows, block, strict=True)
    }
    # Without row 2 the others sum to .5, their squares to 3.87; class 1 has three rows, which sum to 2.4.
    slope, constant = np.linalg.solve([[3.87 + 3, 0.5], [0.5, 5 + 3]], [2.4, 3])
    assert values[2][1] == pytest.approx(-0.8 * slope + constant)
    # Without rows 0 and 1 the others sum to 1.6, their squares to 2.7; all four are of class 1.
    slope, constant = np.linalg.solve([[2.7 + 3, 1.6], [1.6, 4 + 3]], [1.6, 4])
    assert values[0][1] == pytest.approx(-slope + constant)


@pytest.mark.slow
def test_each_label_is_judged_as_a_loop_does(objects: ImageSet) -> None:
    """By all objects but those on its place, in its picture and in others; its own label and theirs unseen."""
    graph, whitened = objects.core.graph, objects.core.whitened.rows
    assert graph is not None
    table = objects.table()
    row = table["path"].map(NAMES.index).to_numpy()
    label = COW[row].astype(np.int32)
    twins = {frozenset(pair) for pair in graph.twins.pair.tolist()}
    group = np.arange(len(row))
    for one, other in combinations(range(len(row)), 2):
        share = overlaps(*boxes()[row[[one, other]], None])[0, 0]
        if (SCENE[row[one]] == SCENE[row[other]] and share >= SAME_BOX) or frozenset((one, other)) in twins:
            group[group == group[other]] = group[one]
    assert np.bincount(group).max() == 2
    nearest = np.argsort(-(whitened @ whitened.T).astype(float) + 9 * (group[:, None] == group), axis=1)[:, :64]
    nearest = nearest[:, : (group[:, None] != group).sum(axis=1).min()]
    similarity = np.take_along_axis((whitened.astype(np.float32) @ whitened.T.astype(np.float32)), nearest, 1)
    lists = Graph(np.arange(len(row)), nearest.astype(np.int32), similarity, no_twins(len(row)))
    votes, fit = naive_votes(lists, label, 2), naive_fit(whitened, label, group, 2)
    prior = np.bincount(label) / len(label)
    value = np.log(without_prior(fit, prior, 1)) + 2.5 * without_prior(votes, prior, 1)
    doubt = 1 - softmax(value)[np.arange(len(label)), label] ** 0.1
    assert scores(objects)[table["path"]].to_numpy() == pytest.approx(doubt, abs=2e-3)
    assert set(scores(objects).nlargest(len(WRONG)).index) == set(WRONG_NAMES)


@pytest.mark.slow
def test_they_are_witnesses_of_nothing_else_and_what_the_user_chose_is_strict(objects: ImageSet) -> None:
    by_picture, before = objects.table(), scores(objects)
    order, evaluated, sources = objects.order(), objects.evaluate(), objects.core.source_groups
    assert evaluated is not None
    assert len(np.unique(sources)) <= SCENES
    patients = pd.DataFrame({"path": NAMES, "scene": [f"number {one}" for one in SCENE]})
    objects.columns.add(IncomingFile("study.csv", patients.to_csv(index=False).encode()))
    objects.labels.set_apart("scene")
    assert np.array_equal(objects.core.source_groups, sources)
    assert objects.order() == order
    again = objects.evaluate()
    assert again is not None
    assert again.pictures.recall == evaluated.pictures.recall
    pd.testing.assert_frame_equal(objects.table()[by_picture.columns], by_picture)
    assert (before[WRONG_NAMES] > 1.8 * scores(objects)[WRONG_NAMES]).all()
    objects.labels.set_apart(None)
    assert scores(objects)[WRONG_NAMES].to_numpy() == pytest.approx(before[WRONG_NAMES].to_numpy(), abs=0.1)
    assert objects.evaluate().pictures.recall > evaluated.pictures.recall  # type: ignore[union-attr]


@pytest.mark.slow
def test_worth_takes_the_suggestions_from_the_same_witnesses(
    objects: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many of the changed labels are wrong is told as in Review; strict witnesses tell another number."""
    monkeypatch.setattr(LabelAgreement, "is_known", True)  # without siblings no class is known here
    wrong = objects.table().set_index("path")["id"][WRONG_NAMES].tolist()
    told = {}
    for choice in (PICTURE, "scene"):
        if choice == "scene":
            patients = pd.DataFrame({"path": NAMES, "scene": [f"number {one}" for one in SCENE]})
            objects.columns.add(IncomingFile("study.csv", patients.to_csv(index=False).encode()))
        objects.labels.set_apart(choice)
        check = objects.labels.check()
        assert check is not None
        place = check.pictures.index[check.pictures["id"].isin(wrong)]
        told[choice] = forecast(check.pictures["wrong"].to_numpy(np.float64)).among(place.to_numpy()).value
        objects.labels.give(dict.fromkeys(wrong, "zebra"))
        found = objects.labels.worth(seeds=2)
        assert (found.answered, found.followed) == (len(WRONG), len(WRONG))
        assert found.wrong.value == pytest.approx(told[choice], rel=0.02)
        objects.decisions.undo()
    assert told[PICTURE] > 2 * told["scene"]


@pytest.mark.slow
def test_a_picture_of_cows_under_zebra_is_one_line_though_siblings_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cow looks like one in all scenes; in the third there are cows alone, all with the label of the other class."""
    cow = np.where(SCENE == 3, 1, PLACE % 2)
    label = [("zebra", "cow")[one] if scene != 3 else "zebra" for one, scene in zip(cow, SCENE, strict=True)]
    names = [f"{one}/s{scene:02d}_{place}.jpg" for one, scene, place in zip(label, SCENE, PLACE, strict=True)]
    dice = np.random.default_rng(0)
    scene, direction, noise = (dice.normal(size=(count, 48)) for count in (SCENES, 1, len(SCENE)))
    rows = scene[SCENE] + np.where(cow, 1, -1)[:, None] * direction + 0.5 * noise
    objects = with_boxes(given_set(tmp_path, names, rows), names)
    found = objects.labels.wrong_together()
    assert found is not None
    wrong = {int(one) for one, at in zip(objects.table()["id"], objects.table()["path"], strict=True) if "/s03" in at}
    assert set(found["id"]) == wrong
    line = "1 class of a picture may be wrong as a whole: all 8 zebra in 3.jpg look like cow"
    assert [one.words for one in objects.findings() if one.kind == "wrong-together"] == [line]
    assert set(objects.reviews.open(ReviewSpec("wrong-together")).ids.tolist()) == wrong
    monkeypatch.setenv("URL_VIZ_HOME", str(objects.workspace.root))
    assert line in words(opened(objects, "review"))
    table = {"view.review": ReviewSpec("suspects"), "view.review.as_table": True}
    at = opened(objects, "review", **table)
    assert not at.exception
    assert "Objects of the same picture are neighbours here, too" in at.header[0].help
    objects.labels.set_apart(None)
    assert objects.labels.wrong_together() is None
    assert "Objects of the same picture" not in opened(objects, "review", **table).header[0].help


@pytest.mark.parametrize("crowd", [0, CROWD])
@given(rows=BOXES)
def test_groups_are_what_a_loop_over_pairs_joins(rows: list[tuple[float, ...]], crowd: int) -> None:
    box, picture = parts(rows)
    group = np.arange(len(box))
    for one, other in combinations(range(len(box)), 2):
        is_there = picture[one] == picture[other] >= 0
        if is_there and overlaps(box[[one]], box[[other]])[0, 0] >= SAME_BOX:
            group[group == group[other]] = group[one]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("url_viz.pipeline.overlaps.CROWD", crowd)
        found = overlap_groups(box, picture, least=SAME_BOX)
    assert (np.equal.outer(found, found) == np.equal.outer(group, group)).all()
    assert len(found) == 0 or np.unique(found).tolist() == list(range(found.max() + 1))
