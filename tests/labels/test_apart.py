"""Pictures that the user keeps apart are no witnesses for each other: by patients of four nearly alike views each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.given import given_set
from tests.read_sets import copied
from url_viz.base.errors import ImageSetError
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.apart import suggest
from url_viz.labels.label_issues import LIKELY_WRONG
from url_viz.labels.votes import fit_ridge, vote_shares
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.twins import source_groups
from url_viz.store.columns.imported_columns import write_apart
from url_viz.store.tables.tables import Graph, no_twins

pytestmark = pytest.mark.slow

PATIENTS, VIEWS = 24, 4
PATIENT = np.repeat(np.arange(PATIENTS), VIEWS)
WRONG = 5
"""The patient whose pictures all lie in the folder of the other class."""
CLASS = PATIENT % 2


def name(row: int) -> str:
    folder = CLASS[row] if PATIENT[row] != WRONG else 1 - CLASS[row]
    split = "test" if row % VIEWS == 0 and PATIENT[row] < 3 else "train"
    return f"{split}/{'cat' if folder else 'dog'}/p{PATIENT[row]:02d}_{row % VIEWS}.jpg"


NAMES = [name(row) for row in range(len(PATIENT))]
TABLE = pd.DataFrame({"path": NAMES, "patient": [f"number {one}" for one in PATIENT], "view": [1, 2, 3, 4] * PATIENTS})


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Raw cosines of about .9 within a patient, .5 within a class: no twins."""
    dice = np.random.default_rng(0)
    classes, patients, noise = (unit(dice.normal(size=(count, 64))) for count in (2, PATIENTS, len(NAMES)))
    rows = 0.7 * classes[CLASS] + 0.65 * patients[PATIENT] + 0.3 * noise
    image_set = given_set(tmp_path_factory.mktemp("read"), NAMES, rows)
    image_set.columns.add(IncomingFile("study.csv", TABLE.to_csv(index=False).encode()))
    return image_set


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / "photos", home=tmp_path / "home")


def suspects(image_set: ImageSet) -> list[str]:
    found = image_set.labels.check()
    assert found is not None
    return sorted(path.rpartition("/")[2] for path in found.of_kind(LIKELY_WRONG)["path"])


def test_votes_and_ridge_by_hand() -> None:
    """Rows 0 and 1 are of one patient, 4 and 5 of another; 2 and 3 are alone, and 2 has the other class's label."""
    whitened = np.array([[-1.0], [-0.9], [-0.5], [0.5], [0.9], [1.0]])
    position = np.array([[1, 2], [0, 2], [1, 0], [4, 5], [5, 3], [4, 3]], np.int32)
    similarity = np.tile(np.array([0.9, 0.5], np.float32), (6, 1))
    label, patient = np.array([0, 0, 1, 1, 1, 1], np.int32), np.array([0, 0, -1, -1, 3, 3], np.int32)
    graph = Graph(np.arange(6), position, similarity, no_twins(6))
    votes, _ = vote_shares(position, similarity, label, 2)
    assert votes[0] == pytest.approx([1 / (1 + np.exp(-4)), np.exp(-4) / (1 + np.exp(-4))])
    apart = apart_graph(graph, whitened, patient)
    assert apart.position.tolist() == [[2, -1], [2, -1], [1, 0], [4, 5], [3, -1], [3, -1]]
    votes, has_any = vote_shares(apart.position, apart.similarity, label, 2)
    assert votes[:, 0] == pytest.approx([0, 0, 1, 0, 0, 0])
    assert has_any.all()
    ridge = fit_ridge(whitened, label, source_groups(graph.twins, patient), 2)
    values = {row: value for rows, block in ridge.without_twins() for row, value in zip(rows, block, strict=True)}
    # Without rows 4 and 5 the other four sum to −1.9, their squares to 2.31; of class 1 rows 2 and 3, which sum to 0.
    slope, constant = np.linalg.solve([[2.31 + 3, -1.9], [-1.9, 4 + 3]], [0, 2])
    assert values[4][1] == pytest.approx(0.9 * slope + constant)
    assert not ridge.is_spread[0], "both of class 0 are of one patient"
    assert ridge.is_spread[1]


def test_all_that_has_witnesses_goes_by_it(image_set: ImageSet) -> None:
    assert suspects(image_set) == []
    order, evaluated, before = image_set.order(), image_set.evaluate(), image_set.table()
    assert order.recall is not None
    assert evaluated is not None
    assert order.recall.value == evaluated.pictures.recall == 1
    image_set.labels.set_apart("name:1")
    by_name = image_set.core.source_groups
    image_set.labels.set_apart("patient")
    assert np.array_equal(image_set.core.source_groups, by_name)
    assert image_set.labels.apart.words.endswith(f"({PATIENTS} groups)")
    assert suspects(image_set) == [f"p{WRONG:02d}_{view}.jpg" for view in range(VIEWS)]
    order, evaluated = image_set.order(), image_set.evaluate()
    assert order.recall is not None
    assert evaluated is not None
    assert order.recall.value == pytest.approx(evaluated.pictures.recall)
    assert order.recall.value < 1
    patient = image_set.table()["path"].str[-9:-6].to_numpy()
    assert (patient[evaluated.pictures.rows] != patient[evaluated.pictures.nearest]).all()
    graph = image_set.core.witnesses
    assert graph is not None
    assert (np.diff(np.unique(image_set.core.source_groups)) == 1).all()
    table = image_set.table()
    first = image_set.nearest_of_class(int(table["id"].iloc[0]), table["label"].iloc[0], 20)
    assert patient[0] not in set(first["path"].str[-9:-6])
    image_set.labels.set_apart(None)
    pd.testing.assert_frame_equal(image_set.table(), before)


def test_one_group_a_picture_changes_nothing(image_set: ImageSet) -> None:
    before, each = image_set.table(), pd.DataFrame({"path": NAMES, "one": [f"n{row}" for row in range(len(NAMES))]})
    image_set.columns.add(IncomingFile("each.csv", each.to_csv(index=False).encode()))
    image_set.labels.set_apart("one")
    pd.testing.assert_frame_equal(image_set.table()[before.columns], before)


def test_a_class_of_one_patient_alone_cannot_be_judged(image_set: ImageSet) -> None:
    kind = pd.DataFrame({"path": NAMES, "kind": np.where(PATIENT == 0, "alone", np.where(CLASS, "a", "b"))})
    image_set.columns.add(IncomingFile("kind.csv", kind.to_csv(index=False).encode()))
    image_set.labels.use("kind")
    image_set.labels.set_apart("patient")
    assert suspects(image_set) == []
    image_set.labels.set_apart("kind")
    check = image_set.labels.check()
    assert check is not None
    assert suspects(image_set) == []
    assert (check.pictures["score"] == 0).all()


def test_worth_deals_patients_to_folds(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("url_viz.evidence.worth.probe_folds", lambda group, *, seed: seen.append(group) or group % 2)
    image_set.labels.set_apart("patient")
    image_set.labels.worth(seeds=2)
    assert len(np.unique(seen[0])) == PATIENTS


def test_a_patient_in_two_splits_is_a_leak(image_set: ImageSet) -> None:
    leaks = image_set.splits.leaks()
    assert leaks is not None
    assert leaks.empty
    image_set.labels.set_apart("patient")
    leaks = image_set.splits.leaks()
    assert leaks is not None
    assert sorted(leaks["path"].str[-9:]) == ["p00_0.jpg", "p01_0.jpg", "p02_0.jpg"]
    assert (leaks["path"].str[-9:-6] == leaks["twin_path"].str[-9:-6]).all()
    assert set(leaks["kind"]) == {"kept apart"}
    assert leaks["cosine"].isna().all()
    assert not any(one.kind == "leaks" for one in image_set.findings())  # no twins to choose among


def test_the_choice_stays_with_the_set(image_set: ImageSet) -> None:
    assert image_set.labels.apart.choice is None, "twins alone"
    image_set.labels.set_apart("patient")
    image_set.labels.use("level:1")
    assert image_set.labels.apart.choice == "patient"
    assert image_set.columns.remove("study") == "Removed 'study'. Pictures of one 'patient' are no longer kept apart."
    assert (image_set.labels.apart.choice, image_set.labels.chosen) == (None, "level:1")
    with pytest.raises(
        ImageSetError, match=r"no 'patient' to keep.*level:1, level:2, name:1, name:2, none.*labels keep-apart FOLDER"
    ):
        image_set.labels.set_apart("patient")
    same = pd.DataFrame({"path": NAMES, "camera": "one"})
    image_set.columns.add(IncomingFile("same.csv", same.to_csv(index=False).encode()))
    with pytest.raises(ImageSetError, match="All pictures have the same camera"):
        image_set.labels.set_apart("camera")
    write_apart(image_set.core.store.paths, "camera")  # as after the pictures of all others have left
    assert (image_set.table()["ambiguity"].notna().all(), suspects(image_set)) == (True, [])
    assert image_set.evaluate() is None


def test_what_near_copies_run_along_is_suggested(image_set: ImageSet) -> None:
    suggestion = image_set.labels.suggested_apart()
    assert suggestion is not None
    assert suggestion.choice == "patient"
    assert suggestion.share > 0.95
    assert suggestion.by_chance < 0.2
    image_set.labels.set_apart("patient")
    assert image_set.labels.suggested_apart() is None


def test_what_the_class_says_already_is_not_suggested() -> None:
    """Ten values of two pairs each; of the class alone, by dice, or of too few values."""
    left = np.arange(0, 80, 2)
    pairs, label = np.stack([left, left + 1], axis=1), (np.arange(80) // 40).astype(np.int32)
    patient = (np.arange(80) // 4).astype(np.int32)
    found = suggest(pairs, {"patient": patient, "class": label}, label)
    assert found is not None
    assert (found.choice, found.share) == ("patient", 1)
    assert found.by_chance == pytest.approx(3 / 39)
    dice = np.random.default_rng(0).permutation(patient).astype(np.int32)
    few = np.where(patient < 5, patient, -1).astype(np.int32)
    assert suggest(pairs, {"class": label, "dice": dice, "few": few, "own": patient}, patient) is None
    assert suggest(pairs[:0], {"patient": patient}, label) is None
