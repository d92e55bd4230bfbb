"""The versions of a set, and diffs of them: pictures that are read, changed, decided on and read again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import url_viz
from tests.conftest import SECOND
from tests.imaging.pictures import encoded, noise, write_folder
from tests.object_sets import write_objects
from tests.read_sets import copied, opened_again
from url_viz.base.errors import DamageError, FolderError, ImageSetError
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store import version_files
from url_viz.store.bundle import pack
from url_viz.store.sets import forget
from url_viz.versions.changes import CHANGES
from url_viz.versions.set_diffs import Diff, store_diff, stored_diff


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 24, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def first(read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(read_once, tmp_path / "pictures", home=workspace)


CHANGED = {
    "added": ("cat/0100.jpg", "emu/0000.jpg"),
    "removed": ("dog/0001.jpg",),
    "moved": ("dog/0002.jpg", "dog/renamed.jpg"),
    "reencoded": ("cat/0004.jpg",),
    "relabelled": ("dog/0002.jpg",),
    "replaced": ("dog/0007.jpg",),
}


def change(folder: Path) -> None:
    """Do what CHANGED says."""
    noise(100).save(folder / "cat" / "0100.jpg")
    (folder / "emu").mkdir()
    noise(101).save(folder / "emu" / "0000.jpg")
    (folder / "dog" / "0001.jpg").unlink()
    (folder / "dog" / "0003.jpg").rename(folder / "dog" / "renamed.jpg")
    (folder / "cat" / "0002.jpg").rename(folder / "dog" / "0002.jpg")
    (folder / "cat" / "0004.jpg").write_bytes(encoded(Image.open(folder / "cat" / "0004.jpg"), quality=60))
    noise(102).save(folder / "dog" / "0007.jpg")


@pytest.fixture
def second(first: ImageSet, model: Model) -> ImageSet:
    change(first.root)
    return embed_folder(first.root, model=model, workspace=first.workspace.root)


def changed(found: Diff) -> dict[str, tuple[str, ...]]:
    return {name: found.paths(name) for name in CHANGES if found.paths(name)}


class TestTwoTimes:
    """One set, read twice."""

    def test_what_changed_since(self, second: ImageSet, model: Model) -> None:
        again = embed_folder(second.root, model=model, workspace=second.workspace.root)
        table = again.versions.list()
        assert table[["number", "pictures"]].to_numpy().tolist() == [[1, 24], [2, 25]], "if it changed something"
        found = url_viz.diff(second.versions.at(1), second)
        assert changed(found) == CHANGED
        assert found.new_classes == ("emu",)
        assert found.accuracy is not None
        assert found.accuracy.pictures == 21  # of both versions, and with one label
        assert not url_viz.diff(second.versions.at(2), second).counts()

    def test_decisions_and_labels_are_those_of_the_time(self, first: ImageSet) -> None:
        ids = first.table().set_index("path")["id"]
        first.decisions.decide([int(ids["cat/0000.jpg"])], "keep")
        begun = first.versions.at("2100-01-01")
        first.labels.give({int(ids["cat/0002.jpg"]): "dog"})
        first.decisions.decide([int(ids["cat/0000.jpg"])], "drop")
        assert changed(url_viz.diff(begun, first)) == {"relabelled": ("cat/0002.jpg",), "dropped": ("cat/0000.jpg",)}
        kept = url_viz.diff(first.versions.at(1), first)
        assert ": 1 relabelled, 1 dropped." in kept.words_of_changes[0]
        assert kept.table["decision_before"].tolist() == [None, None]  # the reading was before all of it
        first.decisions.undo()
        first.decisions.undo()
        assert changed(url_viz.diff(begun, first)) == {}

    def test_another_choice_of_labels_is_a_version(self, first: ImageSet) -> None:
        first.labels.use(None)
        first.labels.use(None)
        assert first.versions.list()["number"].tolist() == [1, 2]
        assert len(url_viz.diff(first.versions.at(1), first).paths("relabelled")) == 24

    def test_what_there_is_not(self, first: ImageSet) -> None:
        with pytest.raises(ImageSetError, match=r"No version '7'.* 1 "):
            first.versions.at(7)
        with pytest.raises(ImageSetError, match="neither the number of a version nor a time"):
            first.versions.at("yesterday")

    def test_a_damaged_version_is_told_and_the_oldest_go_once_there_are_many(
        self, second: ImageSet, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = second.core.store.paths.versions / "1.parquet"
        data = bytearray(file.read_bytes())
        data[100:140] = bytes(40)
        file.write_bytes(data)
        with pytest.raises(DamageError, match=r"damaged .*It is version 1 "):
            second.versions.at(1)
        assert second.versions.list()["state"].tolist() == ["damaged", ""]
        assert second.versions.at(2).number == 2
        monkeypatch.setattr(version_files, "MOST_BYTES", 1)
        (second.root / "emu" / "0000.jpg").unlink()
        again = embed_folder(second.root, model=model, workspace=second.workspace.root)
        assert again.versions.list()["number"].tolist() == [2, 3]
        assert {path.name for path in again.core.store.paths.versions.iterdir()} == {"2.parquet", "3.parquet"}

    def test_one_of_which_nothing_can_be_said_is_listed_as_damaged(
        self, first: ImageSet, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = first.core.store.paths.versions / "1.parquet"
        file.write_bytes(file.read_bytes()[:-20])
        assert first.versions.list()[["number", "state"]].to_numpy().tolist() == [[1, "damaged"]]
        with pytest.raises(DamageError, match=r"It is version 1 of this image set"):
            first.versions.at(1)
        where = "--workspace", str(first.workspace.root), "--model", first.source.name
        assert main(["versions", "list", str(first.root), *where]) == 0
        assert "damaged" in capsys.readouterr().out
        first.labels.use(None)
        assert first.versions.list()["number"].tolist() == [1, 2], "its number is not given again"

    def test_an_older_workspace_without_versions_opens_and_begins_at_the_next_reading(
        self, first: ImageSet, model: Model
    ) -> None:
        shutil.rmtree(first.core.store.paths.versions)
        assert not len(opened_again(first).versions.list())
        again = embed_folder(first.root, model=model, workspace=first.workspace.root)
        assert len(again.versions.list()) == 1
        forget(first.root, workspace=first.workspace.root)
        assert not first.core.store.paths.folder.exists()


class TestTwoSets:
    """Two folders, of which one was a copy of the other."""

    @pytest.fixture
    def other(self, first: ImageSet, tmp_path: Path, model: Model) -> ImageSet:
        change(shutil.copytree(first.root, tmp_path / "later"))
        return embed_folder(tmp_path / "later", model=model, workspace=first.workspace.root)

    def test_a_second_model_in_one_of_them_is_no_change(
        self, first: ImageSet, tmp_path: Path, model: Model, second_model: Model
    ) -> None:
        copy = shutil.copytree(first.root, tmp_path / "copy")
        by_two = embed_folder(copy, model=model, also=second_model, workspace=first.workspace.root)
        found = url_viz.diff(first, by_two)
        assert by_two.core.second.active is not None
        assert len(found.ambiguity) == 2
        assert found.ambiguity["difference"].tolist() == pytest.approx([0, 0])
        with pytest.raises(ImageSetError, match="by one model"):
            url_viz.diff(first, open_image_set(copy, model=SECOND, workspace=first.workspace.root))

    def test_both_ways(self, first: ImageSet, other: ImageSet) -> None:
        there, back = url_viz.diff(first, other), url_viz.diff(other, first)
        assert changed(there) == CHANGED
        assert back.paths("added") == there.paths("removed")
        assert back.paths("removed") == there.paths("added")
        assert back.emptied_classes == ("emu",)
        assert back.table["path_before"].dropna().tolist() != []
        assert set(back.paths("reencoded")) == set(there.paths("reencoded"))

    def test_the_command_says_it_and_writes_it(
        self, first: ImageSet, other: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "diff.json"
        where = "--workspace", str(first.workspace.root), "--model", first.source.name
        assert main(["versions", "diff", str(first.root), str(other.root), "--out", str(out), *where]) == 0
        assert f"All of it is in {out}." in capsys.readouterr().out
        assert main(["versions", "diff", str(first.root), str(other.root), *where]) == 0
        said = capsys.readouterr().out
        assert "24 pictures before, 25 after: 2 added, 1 removed, 2 moved or renamed, 1 encoded anew" in said
        assert "Added:" in said
        assert "emu/0000.jpg" in said
        record = json.loads(out.read_text(), parse_constant=pytest.fail)
        assert {name: tuple(record[name]) for name in CHANGED} == CHANGED
        assert record["findings"]["new_classes"] == ["emu"]
        assert set(record["figures"]["accuracy"]) == {"pictures", "before", "after", "difference"}
        assert main(["versions", "diff", str(first.root), "--since", "1", *where]) == 0
        assert "nothing changed" in capsys.readouterr().out
        assert main(["versions", "list", str(first.root), *where]) == 0
        assert "24" in capsys.readouterr().out
        assert main(["versions", "diff", str(first.root), *where]) == 2

    def test_a_pack_is_to_be_unpacked_first(self, first: ImageSet, tmp_path: Path) -> None:
        pack(first.root, tmp_path / "set.tar", workspace=first.workspace.root)
        with pytest.raises(FolderError, match=r"unpack .* --root"):
            url_viz.diff(tmp_path / "set.tar", first)


def test_a_picture_that_changes_its_split_and_a_copy_that_leaks(tmp_path: Path, workspace: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "split", 12, classes=("train/cat", "train/dog", "test/cat", "test/dog"))
    embed_folder(folder, model=model, workspace=workspace)
    (folder / "train" / "cat" / "0004.jpg").rename(folder / "test" / "cat" / "0004.jpg")
    shutil.copy(folder / "train" / "dog" / "0001.jpg", folder / "test" / "dog" / "copy.jpg")
    now = embed_folder(folder, model=model, workspace=workspace)
    found = url_viz.diff(now.versions.at(1), now)
    assert changed(found) == {
        "added": ("test/dog/copy.jpg",),
        "moved": ("test/cat/0004.jpg",),
        "split_changed": ("test/cat/0004.jpg",),
    }
    assert found.new_leaks is not None
    pairs = found.new_leaks[["path", "twin_path"]].to_numpy().tolist()
    assert list(map(set, pairs)) == [{"test/dog/copy.jpg", "train/dog/0001.jpg"}]
    assert "1 new leak between splits." in found.words


def test_splits_that_were_made_are_told_as_such_and_not_picture_by_picture(first: ImageSet) -> None:
    made = first.splits.make(test=0.25)
    found = url_viz.diff(first.versions.at(1), first)
    assert changed(found) == {}
    shares = f"{made.counts['train'] / 24:.0%} train, {made.counts['test'] / 24:.0%} test".replace("%", " %")
    assert found.words[:2] == (
        "24 pictures before, 24 after: no picture changed.",
        f"Splits made: {shares}; no picture moved between existing splits.",
    )
    assert found.as_json()["figures"]["splits"] == {"before": {}, "after": made.counts}


def test_objects_by_their_boxes(first: ImageSet, tmp_path: Path, workspace: Path, model: Model) -> None:
    """The first object goes, which numbers the others of its picture anew; a box is drawn again, a class changed."""
    data = write_objects(tmp_path / "shapes")
    embed_folder(data, model=model, workspace=workspace)
    edit(tmp_path / "shapes" / "labels" / "0.txt", lambda lines: lines[1:])
    edit(tmp_path / "shapes" / "labels" / "1.txt", lambda lines: [lines[0].replace("0.24 ", "0.25 "), *lines[1:]])
    edit(tmp_path / "shapes" / "labels" / "2.txt", lambda lines: [f"0{lines[0][1:]}", *lines[1:]])
    now = embed_folder(data, model=model, workspace=workspace)
    found = url_viz.diff(now.versions.at(1), now)
    assert {name: len(paths) for name, paths in changed(found).items()} == {
        "removed": 1,
        "relabelled": 1,
        "boxes_changed": 1,
    }
    with pytest.raises(ImageSetError, match="as objects in pictures"):
        url_viz.diff(first, now)


def edit(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    file.write_text("\n".join(change(file.read_text().splitlines())))


def test_a_stored_diff_is_the_same_until_either_side_changes(second: ImageSet, model: Model) -> None:
    before, now = second.versions.at(1), second.versions.now()
    assert stored_diff(before, now) is None
    found = url_viz.diff(before, now)
    store_diff(found)
    again = open_image_set(second.root, model=model.name, workspace=second.workspace.root)
    stored = stored_diff(again.versions.at(1), again.versions.now())
    assert stored is not None
    assert stored.as_json() == found.as_json()
    assert stored.words == found.words
    for name in ("table", "on_map", "ambiguity"):
        pd.testing.assert_frame_equal(getattr(stored, name), getattr(found, name), check_dtype=False, check_exact=True)
    assert stored.new_leaks is None
    second.labels.give({int(second.table()["id"].iloc[0]): "emu"})
    assert stored_diff(second.versions.at(1), second.versions.now()) is None
    (file,) = (second.core.store.paths.derived / "diffs").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert stored_diff(before, now) is None, "what is damaged is computed again"
