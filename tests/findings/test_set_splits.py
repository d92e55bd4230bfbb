"""Findings and leaks of an image set from Python: what is told is what its review asks, and goes once it is decided."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.given import dice, given_set
from tests.imaging.pictures import noise, write_folder
from tests.leaky import BLANK, COPY, LEAKS, NEAR, SMALL, WRONG, leaky_set
from url_viz.base.errors import ImageSetError
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.store.decisions.decisions import Judgement


@pytest.fixture
def image_set(leaky: ImageSet) -> ImageSet:
    return leaky


def counts(image_set: ImageSet) -> dict[str, int]:
    return {one.kind: one.count for one in image_set.findings()}


def paths_of(image_set: ImageSet, ids: np.ndarray) -> list[str]:
    return image_set.table().set_index("id").loc[ids.tolist(), "path"].tolist()


def id_of(image_set: ImageSet, path: str) -> int:
    return int(image_set.table().set_index("path")["id"][path])


EVERYTHING = {"leaks": 2, "wrong-labels": 10, "bursts": 1, "useless": 1, "unreadable": 1, "small-classes": 1}


@pytest.mark.slow
def test_one_of_everything_each_with_its_queue(image_set: ImageSet) -> None:
    found = image_set.findings()
    assert {one.kind: one.count for one in found} == EVERYTHING
    assert image_set.findings() is found, "worked out once"
    queues = {one.kind: paths_of(image_set, image_set.reviews.open(one.opens).ids) for one in found if one.opens}
    assert sorted(queues["leaks"]) == sorted(LEAKS)
    assert sorted(queues["wrong-labels"][:2]) == sorted(WRONG)
    assert queues["useless"] == [BLANK]
    assert sorted(queues["small-classes"]) == sorted(SMALL)
    assert len(queues["bursts"]) == 1


@pytest.mark.slow
def test_leaks_are_led_by_the_smaller_split(image_set: ImageSet) -> None:
    found = image_set.splits.leaks()
    assert dict(zip(found["path"], found["twin_path"], strict=True)) == LEAKS
    assert found["kind"].tolist() == ["exact", "copy"]
    assert set(found["split"]) == {"test"}
    assert set(found["twin_split"]) == {"train"}


@pytest.mark.slow
def test_the_review_of_leaks(image_set: ImageSet) -> None:
    review = image_set.reviews.open(ReviewSpec("leaks"))
    card = review.card(id_of(image_set, NEAR))
    assert (card.takes[0], card.question.text) == ("keep", "In test and train: keep which side?")
    assert card.near[0]["path"].tolist() == [NEAR, LEAKS[NEAR]]
    assert card.near[0]["mark"].tolist() == ["test", "train"]
    review.store(card.id, CardAnswer(keep=(card.id,)))
    assert review.progress().done == 1
    assert image_set.splits.leaks()["path"].tolist() == [COPY]
    assert counts(image_set)["leaks"] == 1
    again = image_set.reviews.open(ReviewSpec("leaks"))
    assert (len(again), again.next_index()) == (2, review.next_index())
    assert image_set.reviews.open(ReviewSpec("leaks"), afresh=True).ids.tolist() == [id_of(image_set, COPY)]


@pytest.mark.slow
def test_to_keep_a_picture_that_leaks_keeps_all_of_its_split(tmp_path: Path) -> None:
    """One picture of test and three of train are copies of each other."""
    copies = ["test/cat/0.jpg", *(f"train/cat/{number}.jpg" for number in range(3))]
    others = [f"{split}/dog/{number}.jpg" for split in ("test", "train") for number in range(6)]
    tiles = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    shown = Image.fromarray(tiles).resize((128, 128), Image.Resampling.NEAREST)
    for quality, path in enumerate(copies, start=80):
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        shown.save(tmp_path / "photos" / path, quality=quality)
    rows = dice(len(copies) + len(others))
    rows[: len(copies)] = rows[0] + 1e-3 * rows[: len(copies)]
    image_set = given_set(tmp_path, [*copies, *others], rows)
    test, first, second, third = (id_of(image_set, path) for path in copies)
    review = image_set.reviews.open(ReviewSpec("leaks"))
    assert review.ids.tolist() == [test]
    review.store(test, CardAnswer(keep=(second,)))
    decided = image_set.table().set_index("id")["decision"]
    assert decided[[test, first, second, third]].tolist() == ["drop", "keep", "keep", "keep"]
    assert sorted(review.state([test])[0].keep or ()) == sorted([first, second, third])
    review.store(test, CardAnswer(decision="drop", keep=()))
    assert set(image_set.table().set_index("id")["decision"][[test, first, second, third]]) == {"drop"}, "all"


@pytest.mark.slow
def test_a_leak_of_a_pair_that_joined_no_group_is_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a picture is like one of two that are alike, and not like the other."""
    alone = "url_viz.pipeline.postprocess.pair_groups"
    monkeypatch.setattr(alone, lambda twins: (np.arange(twins.rows), np.arange(twins.rows)))
    image_set = leaky_set(tmp_path)
    assert image_set.table().set_index("path").loc[[NEAR, LEAKS[NEAR]], "twin_group"].isna().all()
    review = image_set.reviews.open(ReviewSpec("leaks"))
    card = review.card(id_of(image_set, NEAR))
    assert card.near[0]["path"].tolist() == [NEAR, LEAKS[NEAR]]
    assert [row.left for row in image_set.reviews.queues() if row.kind == "leaks"] == [2]
    review.store(card.id, CardAnswer(keep=(card.id,)))
    assert review.progress().done == 1
    assert image_set.splits.leaks()["path"].tolist() == [COPY]


@pytest.mark.slow
def test_what_is_decided_is_told_no_more(image_set: ImageSet) -> None:
    for one in image_set.findings():
        if one.opens is not None:
            judgements = {int(number): Judgement("drop") for number in image_set.reviews.open(one.opens).ids}
            image_set.decisions.judge(judgements, source=image_set.labels.source)
    rest = counts(image_set)
    assert set(rest) <= {"wrong-labels", "bursts", "unreadable", "small-classes"}, (
        "of a burst one was decided; emus are gone"
    )
    image_set.decisions.undo()


def test_what_cannot_be_compared(image_set: ImageSet, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "others", 2)
    np.savez(tmp_path / "given.npz", paths=np.array(["0000.jpg", "0001.jpg"]), values=np.eye(2))
    other = embed_folder(folder, embeddings=tmp_path / "given.npz", workspace=image_set.workspace.root)
    with pytest.raises(ImageSetError, match="Near copies are told by one model"):
        image_set.splits.leaks(other)
    assert other.splits.leaks() is None
    with pytest.raises(ImageSetError, match=r"no splits to compare.*--against OTHER"):
        other.reviews.open(ReviewSpec("leaks"))


def test_against_another_set(tmp_path: Path, workspace: Path, model: Model) -> None:
    first, second = write_folder(tmp_path / "first", 3), write_folder(tmp_path / "second", 4, start=2)
    noise(1).save(second / "again.jpg", quality=95)  # another encoding of the second
    one, other = (embed_folder(folder, model=model, workspace=workspace) for folder in (first, second))
    found = one.splits.leaks(other)
    assert found[["path", "twin_path", "kind", "split", "twin_split"]].to_numpy().tolist() == [
        ["0002.jpg", "0002.jpg", "exact", "first", "second"],
        ["0001.jpg", "again.jpg", "copy", "first", "second"],
    ]


def test_splits_that_a_user_tells_make_leaks_a_finding(tmp_path: Path, workspace: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "flat", 6)
    noise(2).save(folder / "test_1.jpg", quality=95)  # another encoding of the third
    noise(50).save(folder / "test_2.jpg")
    image_set = embed_folder(folder, model=model, workspace=workspace)
    assert image_set.splits.get() is None
    for wrong in ("tset_*", "*"):
        with pytest.raises(ImageSetError, match="Give a pattern that some match"):
            image_set.splits.tell(test=wrong)
    with pytest.raises(ImageSetError, match="'camera' is no column of 2 to"):
        image_set.splits.tell(column="camera")
    assert image_set.splits.tell(test="test_*") == "Splits: train 6, test 2."
    leaks = image_set.splits.leaks()
    assert leaks[["path", "split", "twin_path"]].to_numpy().tolist() == [["test_1.jpg", "test", "0002.jpg"]]
    assert "leaks" in counts(image_set)
    table = pd.DataFrame({"path": image_set.table()["path"], "camera": ["a", "b"] * 4})
    table.to_csv(tmp_path / "cameras.csv", index=False)
    image_set.columns.keep(image_set.columns.match(tmp_path / "cameras.csv"))
    assert "camera" in image_set.splits.columns()
    assert image_set.splits.tell(column="camera") == "Splits: a 4, b 4.", "told anew"
    assert image_set.splits.get().names == ("a", "b")  # type: ignore[union-attr]


def test_splits_of_folders_are_not_told_otherwise(image_set: ImageSet) -> None:
    with pytest.raises(ImageSetError, match="names its splits already: train and test"):
        image_set.splits.tell(test="*1*")
