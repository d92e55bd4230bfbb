"""Sets with something damaged in them: what was read stays, others are listed, and `mend` says what it laid aside."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.imaging.pictures import noise, write_folder
from tests.read_sets import copied, opened_again
from url_viz.base.errors import DamageError, FolderError, ImageSetError, UrlVizError
from url_viz.base.workspace import FileInside, SetPaths, Workspace, set_id_of
from url_viz.cli.main import main
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.model import Model
from url_viz.pipeline.stash import Stash
from url_viz.reading import embed_folder
from url_viz.recent_sets import RecentSets
from url_viz.recording import record
from url_viz.store.about import choose_second_model
from url_viz.store.bundle import pack, unpack
from url_viz.store.columns.imported_columns import FOLDERS, write_label_choice
from url_viz.store.sets import compact, list_sets, repair
from url_viz.ui.widgets.embed_job import titles


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 12, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(read_once, tmp_path / "pictures", home=workspace)


def damage(file: Path) -> None:
    """Another bit somewhere in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_a_reading_over_damaged_labels_stores_all_says_so_and_does_not_fail(
    image_set: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    image_set.labels.use("folders")
    damage(image_set.core.store.paths.labels)
    noise(100).save(image_set.root / "cat" / "new.png")
    where = "--workspace", str(image_set.workspace.root), "--model", image_set.source.name, "--one-model"
    assert main(["embed", str(image_set.root), *where]) == 0
    assert "labels.json is damaged" in capsys.readouterr().out
    assert len(opened_again(image_set)) == 13
    with pytest.raises(DamageError, match=r"labels\.json is damaged"):
        opened_again(image_set).table()


def cut_labels(paths: SetPaths) -> None:
    write_label_choice(paths, FOLDERS)
    damage(paths.labels)


def cut_table(paths: SetPaths) -> None:
    for file in (paths.tables / "images.lance" / "data").glob("*.lance"):
        file.write_bytes(file.read_bytes()[:-100])


def cut_name(paths: SetPaths) -> None:
    for file in (paths.about, paths.about_copy):
        damage(file)


class TestTwoSets:
    """A set with something damaged in it beside a whole one, read with the model's name: the app lists both."""

    @pytest.fixture
    def other(self, read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
        return copied(read_once, tmp_path / "other", home=workspace)

    @pytest.mark.parametrize("hurt", [cut_labels, cut_table])
    def test_the_damaged_one_is_listed_as_such_and_hides_no_other(
        self,
        image_set: ImageSet,
        other: ImageSet,
        hurt: Callable[[SetPaths], None],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        home = image_set.workspace
        recent = RecentSets(home)
        hurt(image_set.core.store.paths)
        by_id = {one.set_id: one for one in recent.latest(9)}
        assert (by_id[other.set_id].pictures, by_id[other.set_id].damage) == (12, "")
        assert "url-viz" in by_id[image_set.set_id].damage
        assert by_id[image_set.set_id].about.root == image_set.root
        listed = list_sets(home.root).set_index("id")["state"]
        assert listed.to_dict() == {image_set.set_id: "damaged", other.set_id: ""}
        assert main(["sets", "list", "--workspace", str(home.root)]) == 0
        said = capsys.readouterr().out
        assert str(other.root) in said
        assert f"Repair it: url-viz sets repair {image_set.root}" in said
        monkeypatch.setenv("URL_VIZ_HOME", str(home.root))
        assert titles().keys() == {image_set.set_id, other.set_id}

    def test_one_whose_folder_is_not_known_is_listed_by_its_id(
        self, image_set: ImageSet, other: ImageSet, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home = image_set.workspace
        cut_name(image_set.core.store.paths)
        rows = list_sets(home.root).set_index("id")
        assert rows.loc[image_set.set_id, ["name", "folder", "state"]].tolist() == [image_set.set_id, "", "damaged"]
        assert rows.loc[other.set_id, "pictures"] == 12
        assert main(["sets", "list", "--skipped", "--workspace", str(home.root)]) == 0
        assert main(["sets", "list", "--workspace", str(home.root)]) == 0
        assert "sets repair FOLDER" in capsys.readouterr().out


FILES = {name for name, value in vars(SetPaths).items() if isinstance(value, FileInside)}
MADE_AGAIN = {"lock", "records_lock", "derived", "stash"}
"""Files that the other machine makes itself, and that need no repair."""


@pytest.fixture(scope="module")
def filled_once(read_once: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """A set of which everything is stored that can be."""
    folder = tmp_path_factory.mktemp("filled")
    image_set = copied(read_once, folder / "pictures", home=folder / "home")
    ids, paths = image_set.core.ids.tolist(), image_set.core.store.paths
    image_set.decisions.decide(ids[:3], "keep")
    score = pd.DataFrame({"path": image_set.table()["path"], "score": 1.5})
    image_set.columns.add(IncomingFile("scores.csv", score.to_csv(index=False).encode()))
    image_set.labels.use("level:1")
    image_set.labels.set_apart("name:1")
    choose_second_model(paths, is_used=False)
    Stash(paths, [image_set.space.preprocessing]).begin()
    review = image_set.reviews.open(ReviewSpec("confusability"))
    review.skip(int(review.ids[0]))
    record(image_set, run="mine").epoch(ids, np.eye(12), number=0)
    image_set.runs.use("mine")
    return image_set


@pytest.fixture
def filled(filled_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(filled_once, tmp_path / "filled", home=workspace)


def files_below(paths: SetPaths, name: str) -> list[str]:
    path = getattr(paths, name)
    files = path.rglob("*") if path.is_dir() else [path]
    return sorted(str(file.relative_to(paths.folder)) for file in files if file.is_file() and ".lock" not in file.name)


def test_every_file_is_packed_or_made_again(filled: ImageSet, tmp_path: Path) -> None:
    paths = filled.core.store.paths
    assert not [name for name in FILES if not getattr(paths, name).exists()], "put these into the set of this test"
    pack(filled.root, tmp_path / "set.tar", workspace=filled.workspace.root)
    unpack(tmp_path / "set.tar", root=filled.root, workspace=tmp_path / "there")
    there = Workspace.at(tmp_path / "there").set_paths(set_id_of(filled.root))
    for name in FILES - MADE_AGAIN:
        assert files_below(there, name) == files_below(paths, name), name
    again = open_image_set(filled.root, model=filled.source.name, workspace=tmp_path / "there")
    assert (again.labels.chosen, again.labels.apart.choice, again.runs.chosen) == ("level:1", "name:1", "mine")
    assert again.runs.dynamics("mine") is not None
    assert again.versions.list()["number"].tolist() == filled.versions.list()["number"].tolist()
    assert len(again.reviews.kept()) == 1
    assert again.table()["score"].eq(1.5).all()


@pytest.mark.parametrize("name", sorted(FILES - MADE_AGAIN))
def test_every_file_is_verified_and_what_is_damaged_laid_aside(filled: ImageSet, name: str) -> None:
    paths, home = filled.core.store.paths, filled.workspace.root
    files = [file for file in files_below(paths, name) if not file.endswith((".json", ".txn")) or name != "tables"]
    for file in (paths.folder / one for one in files):
        file.write_bytes(file.read_bytes()[:-9])
    mended = repair(filled.root, workspace=home)
    assert {Path(one.part).name for one in mended} >= {Path(one).name for one in files} or name == "tables"
    assert mended
    assert repair(filled.root, workspace=home) == ()
    if name == "tables":  # all of them
        return
    again = opened_again(filled)
    assert len(again.table()) == 12
    assert again.labels.chosen == ("folders" if name == "labels" else "level:1")
    assert again.versions.list()["number"].tolist() == ([] if name == "versions" else [1])
    assert again.runs.names() == (() if name == "runs" else ("mine",))
    again.reviews.open(ReviewSpec("confusability"))


def flipped(file: Path, rng: np.random.Generator) -> None:
    data = bytearray(file.read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    file.write_bytes(data)


def read_all(image_set: ImageSet) -> None:
    """Everything that is read of tables, as rows or with what the user is told."""
    for read in (
        *(image_set.table, image_set.order, image_set.failures, image_set.embeddings),
        *(
            lambda: image_set.search(int(image_set.core.ids[0])),
            lambda: image_set.core.store.thumbnails(image_set.core.ids),
        ),
        *(lambda: image_set.core.graph, lambda: image_set.maps.project(image_set.core.ids)),
    ):
        with suppress(UrlVizError):
            read()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 20))])
def test_any_flipped_bit_of_a_table_is_found_by_mend_and_on_unpacking(
    filled: ImageSet, tmp_path: Path, seed: int
) -> None:
    """Reading gives rows or says so; in every file of the data of every table."""
    paths, home, rng = filled.core.store.paths, filled.workspace.root, np.random.default_rng(seed)
    shutil.copytree(paths.tables, tmp_path / "whole")
    files = sorted(paths.tables.glob("*/data/*"))
    assert {file.parts[-3].partition("-")[0] for file in files} >= {"images.lance", "embeddings", "graph", "whitened"}
    for file in files:
        flipped(file, rng)
        with suppress(UrlVizError):
            read_all(opened_again(filled))
        pack(filled.root, tmp_path / "set.tar", workspace=home)
        with pytest.raises(FolderError, match=rf"{file.name} is not as it was written.*sets repair FOLDER"):
            unpack(tmp_path / "set.tar", root=filled.root, workspace=tmp_path / "there")
        assert file.parts[-3].removesuffix(".lance") in {one.part for one in repair(filled.root, workspace=home)}
        (tmp_path / "set.tar").unlink()
        shutil.rmtree(paths.tables)
        shutil.copytree(tmp_path / "whole", paths.tables)


def test_a_damaged_choice_of_labels_is_that_of_a_new_set_again(model: Model, tmp_path: Path, workspace: Path) -> None:
    """Of a list that names classes they are the label, not the folders."""
    write_folder(tmp_path / "pictures", 6)
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    listed = tmp_path / "list.csv"
    listed.write_text("path,class\n" + "".join(f"pictures/{name},{'ab'[n % 2]}\n" for n, name in enumerate(names)))
    image_set = embed_folder(listed, model=model, workspace=workspace)
    assert image_set.labels.chosen == "class"
    damage(image_set.core.store.paths.labels)
    assert [one.part for one in repair(listed, workspace=workspace)] == ["labels.json"]
    assert opened_again(image_set).labels.chosen == "class"


def test_what_a_killed_writer_left_is_removed_once_it_is_old(filled: ImageSet) -> None:
    paths, home = filled.core.store.paths, filled.workspace.root
    folders = (paths.folder, paths.columns, paths.versions, paths.reviews, paths.runs / "mine")
    old, fresh = ([folder / f".{name}.x.parquet.abcdefgh" for folder in folders] for name in ("old", "fresh"))
    for clean in (compact, repair):
        for file in (*old, *fresh):
            file.write_bytes(b"half")
        for file in old:
            os.utime(file, (1e9, 1e9))
        clean(filled.root, workspace=home)
        assert not [file for file in old if file.exists()]
        assert all(file.exists() for file in fresh), "another process may be writing them"


def test_a_label_whose_column_was_laid_aside_is_chosen_again(filled: ImageSet) -> None:
    names = pd.DataFrame({"path": filled.table()["path"], "breed": ["a", "b"] * 6})
    filled.columns.add(IncomingFile("breeds.csv", names.to_csv(index=False).encode()))
    filled.labels.use("breed")
    file = filled.core.store.paths.columns / "breeds.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    repair(filled.root, workspace=filled.workspace.root)
    with pytest.raises(ImageSetError, match=r"'breed', which is gone.*labels use FOLDER folders"):
        opened_again(filled).table()
    [listed] = RecentSets(filled.workspace).latest(9)
    assert (listed.pictures, "labels use FOLDER folders" in listed.damage) == (12, True)
    assert main(["labels", "use", str(filled.root), "folders", "--workspace", str(filled.workspace.root)]) == 0
    assert opened_again(filled).table()["label"].notna().all()
