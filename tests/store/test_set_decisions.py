"""Decisions of an image set: in its table at once, kept as files move and change, and forgotten with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.imaging.pictures import noise, write_folder
from tests.read_sets import copied
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.pipeline import near_copies, twins
from url_viz.reading import embed_folder
from url_viz.store.decisions.decisions import Judgement


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    """Six pictures, and a copy of the first."""
    folder = write_folder(module_workspace.parent / "pictures", 6, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "dog" / "copy.jpg")
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(read_once, tmp_path / "pictures", home=workspace)


def decided(image_set: ImageSet) -> dict[str, str]:
    """What the table says, by path; pictures without a decision left out."""
    table = image_set.table()
    return {path: decision for path, decision in zip(table["path"], table["decision"], strict=True) if decision}


def ids_of(image_set: ImageSet, *paths: str) -> list[int]:
    return [int(i) for i in image_set.table().set_index("path").loc[list(paths), "id"]]


def test_the_table_tells_at_once_and_the_snapshot_stays_current(image_set: ImageSet) -> None:
    other = open_image_set(image_set.root, model=image_set.source.name, workspace=image_set.workspace.root)
    before, frame = other.table(), other.core.frame
    assert other.core.frame is frame, "joined once"
    assert before["decision"].tolist() == [None] * 7
    assert before["tags"].tolist() == [""] * 7
    image_set.decisions.decide(ids_of(image_set, "cat/0000.jpg", "dog/0001.jpg"), "drop")
    image_set.decisions.tag(ids_of(image_set, "dog/0001.jpg"), "dark")
    assert decided(image_set) == decided(other) == {"cat/0000.jpg": "drop", "dog/0001.jpg": "drop"}
    assert other.table().set_index("path").at["dog/0001.jpg", "tags"] == "dark"
    assert other.is_current()
    assert other.version == image_set.version
    assert set(other.search(int(before["id"].iloc[0]), 7)["decision"]) == {"drop", None}
    other.decisions.undo()
    other.decisions.undo()
    assert image_set.table().equals(before)


def test_decisions_go_along_with_files(image_set: ImageSet, model: Model) -> None:
    """One is moved, one edited, one copied, one replaced by another picture while its own went elsewhere."""
    root, home = image_set.root, image_set.workspace.root
    keep = ids_of(image_set, "cat/0000.jpg", "cat/0002.jpg", "cat/0004.jpg")
    image_set.decisions.decide(keep, "keep")
    image_set.decisions.decide(ids_of(image_set, "dog/0001.jpg"), "drop")
    (root / "bird").mkdir()
    (root / "cat" / "0000.jpg").rename(root / "bird" / "moved.jpg")
    noise(90).save(root / "cat" / "0002.jpg")
    shutil.copy(root / "cat" / "0004.jpg", root / "bird" / "second.jpg")
    (root / "dog" / "0001.jpg").rename(root / "bird" / "third.jpg")
    noise(91).save(root / "dog" / "0001.jpg")
    again = embed_folder(root, model=model, workspace=home)
    assert decided(again) == {
        "bird/moved.jpg": "keep",
        "cat/0002.jpg": "keep",
        "cat/0004.jpg": "keep",
        "bird/third.jpg": "drop",
    }
    assert again.decisions.counts() == {"keep": 3, "drop": 1, "look-again": 0}


def test_one_of_each_twins_is_kept_and_taken_back(image_set: ImageSet) -> None:
    found = image_set.twins.groups()
    copies = found[found["kind"] == "exact"].iloc[0]
    assert copies["path"] == "cat/0000.jpg"
    assert [copies["first"], copies["second"]] == ids_of(image_set, "cat/0000.jpg", "dog/copy.jpg")
    assert image_set.twins.keep_one().count == found["size"].sum()
    table = image_set.table()
    for _, group in table.groupby("twin_group"):
        assert (group["decision"] != "drop").sum() == 1, "one of each is left"
    assert image_set.twins.keep_one().count == 0
    image_set.decisions.undo()
    assert decided(image_set) == {}


@pytest.mark.parametrize("most_pairs", [10, 3], ids=["every pair known", "thinned"])
def test_of_a_chain_of_copies_only_pairs_of_what_is_kept_go(
    most_pairs: int, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five crops, each smaller by 8 %: of every second too little is left of the other."""
    monkeypatch.setattr(twins, "MOST_PAIRS", most_pairs)
    monkeypatch.setattr(near_copies, "NEAR_BITS", 256)  # all are compared, whatever their hashes say
    monkeypatch.setattr(near_copies, "NEAR_LOWEST_BITS", 64)
    folder, picture = tmp_path / "crops", noise(3, width=300, height=200)
    folder.mkdir()
    paths = [f"{number}.jpg" for number in range(5)]
    for number, path in enumerate(paths):
        picture.crop((0, 0, round(300 * 0.92**number), round(200 * 0.92**number))).save(folder / path, quality=95)
    np.savez(tmp_path / "given.npz", paths=np.array(paths), values=np.random.default_rng(0).normal(size=(5, 8)))
    image_set = embed_folder(folder, embeddings=tmp_path / "given.npz", workspace=workspace)
    graph = image_set.core.graph
    assert graph is not None
    assert graph.twins.is_thinned == (most_pairs == 3)
    assert image_set.twins.groups()["size"].max() == (5 if most_pairs == 3 else 3)
    image_set.twins.keep_one()
    gone = [number for number, path in enumerate(paths) if decided(image_set).get(path) == "drop"]
    assert gone
    for number in gone:
        assert {number - 1, number + 1} & (set(range(5)) - set(gone)), "each that goes is a copy of one that stays"


class TestCorrectedLabels:
    """Labels that somebody gave: in the table, beside those of the folders, wherever files go."""

    def labels(self, image_set: ImageSet) -> dict[str, tuple[str | None, str | None, str | None]]:
        """Label, label as given and what was done, by path, of pictures that somebody labelled."""
        rows = image_set.table().set_index("path")[["label", "label_given", "label_checked"]]
        rows = rows[rows["label_checked"].notna()]
        return {str(path): tuple(row) for path, row in zip(rows.index, rows.to_numpy(), strict=True)}

    def test_the_table_tells_at_once_and_files_stay(self, image_set: ImageSet) -> None:
        first, second = ids_of(image_set, "cat/0000.jpg", "dog/0001.jpg")
        version = image_set.version
        done = image_set.labels.give({first: "dog", second: "dog"}, who="anna")
        assert done.sentence == "Labelled 2 pictures “dog”"
        assert self.labels(image_set) == {
            "cat/0000.jpg": ("dog", "cat", "corrected"),
            "dog/0001.jpg": ("dog", "dog", "confirmed"),
        }
        assert image_set.version != version
        assert image_set.is_current()
        assert (image_set.root / "cat" / "0000.jpg").is_file()
        assert image_set.decisions.history()["who"].tolist() == ["anna"]
        image_set.decisions.undo()
        assert self.labels(image_set) == {}

    def test_a_decision_alone_works_nothing_out_again(self, image_set: ImageSet) -> None:
        version, measured = image_set.version, image_set.core.measured
        image_set.decisions.decide(ids_of(image_set, "cat/0000.jpg"), "keep")
        assert image_set.version == version
        assert image_set.core.measured is measured

    def test_survive_a_read_and_a_move_and_belong_to_their_choice(self, image_set: ImageSet, model: Model) -> None:
        image_set.labels.give(dict.fromkeys(ids_of(image_set, "cat/0000.jpg"), "dog"))
        (image_set.root / "cat" / "0000.jpg").rename(image_set.root / "cat" / "moved.jpg")
        again = embed_folder(image_set.root, model=model, workspace=image_set.workspace.root)
        assert self.labels(again) == {"cat/moved.jpg": ("dog", "cat", "corrected")}
        again.labels.use(None)
        assert self.labels(again) == {}
        judgements = dict.fromkeys(ids_of(again, "dog/0001.jpg"), Judgement("keep", "pet"))
        again.decisions.judge(judgements, source=again.labels.source)
        assert self.labels(again) == {"dog/0001.jpg": ("pet", None, "corrected")}
        assert decided(again) == {"dog/0001.jpg": "keep"}
        again.labels.use("folders")
        assert self.labels(again) == {"cat/moved.jpg": ("dog", "cat", "corrected")}
