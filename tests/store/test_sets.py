"""Image sets are listed, named, moved, slimmed and carried elsewhere, and nothing that is kept of them is lost."""

import json
import shutil
import sqlite3
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from tests.hostile.packed import write_packed
from tests.imaging.pictures import write_folder
from tests.read_sets import moved, paths_of
from url_viz.base.errors import FolderError, ImageSetError, UrlVizError, WorkspaceError
from url_viz.base.files import sealed, unsealed
from url_viz.base.workspace import SCHEMA_VERSION, Workspace
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.scan import Scan
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.about import find_set, read_about, write_about
from url_viz.store.bundle import FORMAT, LABEL, pack, unpack
from url_viz.store.sets import (
    Agreement,
    check_agreement,
    compact,
    disk_use,
    drop_model,
    forget,
    list_sets,
    move,
    rename,
    repair,
    skipped_files,
)
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer

COUNT = 12


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, bare_model: Model) -> Path:
    """A folder of pictures and of other files, and the workspace that it was read into."""
    root = tmp_path_factory.mktemp("read") / "here"
    folder = write_folder(root / "pictures", COUNT, classes=("cat", "dog"))
    for name in ("notes.txt", "more.txt", "cat/film.mp4", "README"):
        (folder / name).write_text("words")
    embed_folder(folder, model=bare_model, workspace=root / "workspace")
    return root


@pytest.fixture
def here(read_once: Path, tmp_path: Path) -> Path:
    """A copy of it: the folder `pictures`, moved, and a workspace that knows."""
    return moved(read_once, tmp_path / "here")


def opened(here: Path, folder: Path | None = None) -> ImageSet:
    return open_image_set(folder or here / "pictures", model="tf_efficientnet_lite0", workspace=here / "workspace")


def facts(here: Path, folder: Path | None = None) -> tuple[list[object], ...]:
    table = opened(here, folder).table()
    return tuple(table[name].to_list() for name in ("id", "path", "label", "entropy", "x", "confusability"))


class TestListing:
    def test_name_pictures_parts_on_disk_and_every_passed_over_extension(self, read_once: Path) -> None:
        here = read_once
        listed = list_sets(here / "workspace").iloc[0]
        assert (listed["name"], listed["pictures"], listed["failures"]) == ("here/pictures", COUNT, 0)
        assert listed["models"] == "tf_efficientnet_lite0"
        parts = disk_use(here / "pictures", workspace=here / "workspace")
        whole = sum(f.stat().st_size for f in paths_of(here).folder.rglob("*") if f.is_file()) / 2**20
        assert parts["megabytes"].sum() == pytest.approx(whole, abs=0.03)
        assert [part.split(" ")[0] for part in parts["part"]] == ["files", "embeddings", "map", "decisions"]
        assert (parts["megabytes"].iloc[:3] > 0).all()
        table = skipped_files(here / "pictures", workspace=here / "workspace")
        assert dict(zip(table["extension"], table["files"], strict=True)) == {".txt": 2, ".mp4": 1, "no extension": 1}

    def test_what_is_passed_over_is_bounded(self, tmp_path: Path) -> None:
        paths = Workspace.at(tmp_path / "w").set_paths("0" * 16)
        with Writer(paths, tmp_path) as writer:
            writer.note_scan(Scan(tmp_path, (), other=tuple((f".x{n}", 2) for n in range(600))))
        recorded = read_about(paths).skipped
        assert len(recorded) == 501
        assert recorded[-1] == ("other extensions", 200)
        assert sum(number for _, number in recorded) == 1200


class TestNames:
    def test_a_name_is_kept_through_reading_again_and_taken_back(self, here: Path, bare_model: Model) -> None:
        assert rename(here / "pictures", "  Cats & <dogs> ", workspace=here / "workspace") == "Cats & <dogs>"
        write_folder(here / "pictures", 1, start=90)
        embed_folder(here / "pictures", model=bare_model, workspace=here / "workspace")
        assert list_sets(here / "workspace")["name"].tolist() == ["Cats & <dogs>"]
        assert rename(here / "pictures", "", workspace=here / "workspace") == "here/pictures"
        for name in ("two\nlines", "x" * 81, "\0"):
            with pytest.raises(ImageSetError, match="80 characters"):
                rename(here / "pictures", name, workspace=here / "workspace")


class TestMovedFolders:
    def test_everything_is_kept_and_nothing_is_read_again(self, here: Path, bare_model: Model) -> None:
        moved = here / "elsewhere"
        paths = paths_of(here)
        opened(here).decisions.decide(opened(here).table()["id"].head(3), "drop")
        before = facts(here)
        (here / "pictures").rename(moved)
        agreement = move(here / "pictures", moved, workspace=here / "workspace")
        assert (agreement.compared, agreement.equal) == (COUNT, COUNT)
        assert facts(here, moved) == before
        assert opened(here, moved).table()["decision"].eq("drop").sum() == 3
        version = Store(paths).version(bare_model.space.key, None)
        assert len(embed_folder(moved, model=bare_model, workspace=here / "workspace")) == COUNT
        assert Store(paths).version(bare_model.space.key, None) == version

    def test_other_pictures_are_refused_and_a_few_changed_ones_are_no_hindrance(self, here: Path) -> None:
        other = write_folder(here / "other", COUNT, classes=("cat", "dog"), start=100)
        with pytest.raises(FolderError, match="0 of 12 compared"):
            move(here / "pictures", other, workspace=here / "workspace")
        assert read_about(paths_of(here)).root == here / "pictures"
        shutil.copytree(here / "pictures", here / "copy")
        write_folder(here / "copy", 1, classes=("cat",), start=0).joinpath("cat/0000.jpg").write_bytes(b"edited")
        assert move(here / "pictures", here / "copy", workspace=here / "workspace").equal == COUNT - 1

    def test_neither_an_unknown_nor_onto_a_known_folder(self, read_once: Path) -> None:
        here = read_once
        with pytest.raises(ImageSetError, match="was not read yet"):
            move(here / "nothing", here / "pictures" / "cat", workspace=here / "workspace")
        with pytest.raises(ImageSetError, match="is an image set already"):
            move(here / "pictures", here / "pictures", workspace=here / "workspace")
        with pytest.raises(FolderError, match="does not exist"):
            move(here / "pictures", here / "nothing", workspace=here / "workspace")

    def test_new_pictures_in_the_old_place_are_an_image_set_of_their_own(self, here: Path, bare_model: Model) -> None:
        home = Workspace.at(here / "workspace")
        (here / "pictures").rename(here / "moved")
        first = embed_folder(here / "moved" / "cat", model=bare_model, workspace=home.root)
        (here / "moved" / "cat").rename(here / "cats")
        move(here / "moved" / "cat", here / "cats", workspace=home.root)
        write_folder(here / "moved" / "cat", 3, start=50)
        second = embed_folder(here / "moved" / "cat", model=bare_model, workspace=home.root)
        assert second.set_id != first.set_id
        assert len(open_image_set(here / "cats", workspace=home.root)) == len(first) == COUNT // 2


class TestSlimming:
    @pytest.fixture
    def two(self, here: Path, bare_model: Model) -> tuple[Path, Model]:
        """The folder read with two models: the second is the first under another name, for it needs no weights."""
        other = Model.__new__(Model)
        other.__dict__.update(bare_model.__dict__)
        other.space = replace(bare_model.space, backbone="another")
        embed_folder(here / "pictures", model=other, workspace=here / "workspace")
        return here, other

    def test_one_model_goes_the_other_stays_and_the_first_is_read_again_under_an_open_reader(
        self, two: tuple[Path, Model]
    ) -> None:
        here, other = two
        before, reader = facts(here), Store(paths_of(here))
        assert len(reader.embeddings(other.space.key)) == COUNT
        assert drop_model(here / "pictures", "another", workspace=here / "workspace") > 0
        assert facts(here) == before
        assert not list(paths_of(here).tables.glob(f"*{other.space.key}*"))
        with pytest.raises(ImageSetError, match="not read with 'another'"):
            drop_model(here / "pictures", "another", workspace=here / "workspace")
        with pytest.raises(ImageSetError, match="forget it"):
            drop_model(here / "pictures", "tf_efficientnet_lite0", workspace=here / "workspace")
        assert len(reader.embeddings(other.space.key)) == 0
        assert "-" in reader.version(other.space.key, None)
        embed_folder(here / "pictures", model=other, workspace=here / "workspace")
        assert len(reader.embeddings(other.space.key)) == COUNT

    def test_a_stopped_drop_leaves_litter_that_compacting_removes(self, two: tuple[Path, Model]) -> None:
        here, other = two
        with Writer(paths_of(here), here / "pictures") as writer:
            write_about(writer.paths, replace(writer.about(), spaces=writer.about().spaces[:1]))
        assert compact(here / "pictures", workspace=here / "workspace") > 0
        assert not list(paths_of(here).tables.glob(f"*{other.space.key}*"))


@pytest.fixture(scope="module")
def packed(read_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that was packed, beside it; the tests only read both."""
    here = moved(read_once, tmp_path_factory.mktemp("packed") / "here")
    image_set = opened(here)
    image_set.decisions.decide(image_set.table()["id"].head(3), "keep")
    scores = here / "why.csv"
    image_set.table()[["path"]].assign(score=1.5).to_csv(scores, index=False)
    image_set.columns.add(scores)
    with closing(sqlite3.connect(paths_of(here).folder / "decisions.db")):
        rename(here / "pictures", "Packed", workspace=here / "workspace")
        pack(here / "pictures", here / "set.tar", workspace=here / "workspace")  # while the database is open
    return here / "set.tar"


class TestPacking:
    @pytest.fixture
    def here(self, packed: Path) -> Path:
        return packed.parent

    def test_another_machine_has_it_all(self, here: Path, packed: Path, tmp_path: Path) -> None:
        there = tmp_path / "there"
        shutil.copytree(here / "pictures", there / "pictures")
        agreement = unpack(packed, root=there / "pictures", workspace=there / "workspace")
        assert agreement.equal == COUNT
        assert facts(there) == facts(here)
        table = opened(there).table()
        assert table["decision"].eq("keep").sum() == 3
        assert table["score"].eq(1.5).all()
        assert list_sets(there / "workspace")["name"].tolist() == ["Packed"]
        assert sorted(p.name for p in (there / "workspace").iterdir()) == ["sets", "unpacking.lock", "workspace.json"]

    def test_what_is_of_this_machine_or_stands_beside_decisions_is_left_out_and_made_anew(
        self, here: Path, packed: Path, tmp_path: Path
    ) -> None:
        with tarfile.open(packed) as archive:
            members = archive.getmembers()
        assert not {"decisions.json", "decisions.copy.db"} & {member.name for member in members}
        assert not [member.name for member in members if member.name.endswith((".lock", "-wal", "-shm"))]
        of_this_machine = {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members}
        assert of_this_machine == {(0, 0, "", "", 0)}, "nothing is told but the folder"
        unpack(packed, root=here / "pictures", workspace=tmp_path / "w")
        home = Workspace.at(tmp_path / "w")
        paths = home.set_paths(find_set(here / "pictures", home))
        paths.decisions.write_bytes(b"")
        with pytest.raises(WorkspaceError, match="sets repair FOLDER"):
            open_image_set(here / "pictures", model="tf_efficientnet_lite0", workspace=home.root).table()
        assert [one.done for one in repair(here / "pictures", workspace=home.root)] == ["was put back from its copy"]
        table = open_image_set(here / "pictures", model="tf_efficientnet_lite0", workspace=home.root).table()
        assert table["decision"].eq("keep").sum() == 3

    def test_nothing_is_written_over(self, here: Path, packed: Path) -> None:
        with pytest.raises(FolderError, match="exists already"):
            pack(here / "pictures", packed, workspace=here / "workspace")
        with pytest.raises(ImageSetError, match="is an image set already"):
            unpack(packed, root=here / "pictures", workspace=here / "workspace")

    @pytest.fixture
    def kept(self, here: Path, packed: Path, tmp_path: Path) -> Path:
        """What another workspace keeps of the folder, unpacked there before."""
        home = Workspace.at(tmp_path / "w")
        unpack(packed, root=here / "pictures", workspace=home.root)
        return home.set_paths(find_set(here / "pictures", home)).folder

    @pytest.mark.parametrize("whole", ["set.json", "decisions.db"])
    def test_a_damaged_set_is_not_written_over_and_one_that_was_forgotten_is(
        self, here: Path, packed: Path, kept: Path, whole: str
    ) -> None:
        for name in {"set.json", "decisions.db"} - {whole}:
            (kept / name).unlink()
        if whole == "set.json":
            for name in ("set.json", "set.copy.json"):
                (kept / name).write_text("{")
        before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
        with pytest.raises(ImageSetError, match="a damaged image set"):
            unpack(packed, root=here / "pictures", workspace=kept.parents[1])
        assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before
        (kept / whole).unlink()
        (kept / "set.copy.json").unlink(missing_ok=True)
        (kept / "litter").write_bytes(b"x")
        unpack(packed, root=here / "pictures", workspace=kept.parents[1])
        assert (kept / "set.json").exists()
        assert not (kept / "litter").exists()
        assert not (kept.parents[1] / "unpacking").exists()

    @pytest.mark.parametrize(("is_labelled", "said"), [(True, "an image set already"), (False, "began to read")])
    def test_a_set_that_is_read_meanwhile_stays(
        self, here: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_labelled: bool, said: str
    ) -> None:
        home = Workspace.at(tmp_path / "w")
        paths = home.set_paths(find_set(here / "pictures", home))
        writer, lock = Writer(paths, here / "pictures"), FileLock(paths.lock)

        def while_somebody_begins(store: Store, root: Path) -> Agreement:
            if is_labelled:
                writer.__enter__()
            else:
                paths.folder.mkdir(parents=True)
                lock.acquire()
            return check_agreement(store, root)

        monkeypatch.setattr("url_viz.store.bundle.check_agreement", while_somebody_begins)
        with pytest.raises(UrlVizError, match=said):
            unpack(packed, root=here / "pictures", workspace=home.root)
        assert paths.lock.exists()
        assert paths.about.exists() is is_labelled
        assert not paths.tables.exists()
        writer.__exit__()
        lock.release()

    def test_other_pictures_are_refused_and_leave_nothing(self, packed: Path, tmp_path: Path) -> None:
        other = write_folder(tmp_path / "other", COUNT, classes=("cat", "dog"), start=100)
        with pytest.raises(FolderError, match="holds other pictures"):
            unpack(packed, root=other, workspace=tmp_path / "w")
        assert len(list_sets(tmp_path / "w")) == 0
        assert not (tmp_path / "w" / "unpacking").exists()

    def test_a_cut_file_is_told(self, here: Path, packed: Path, tmp_path: Path) -> None:
        for length in (0, 100, 600, 5_000, 30_000):
            (tmp_path / "cut.tar").write_bytes(packed.read_bytes()[:length])
            with pytest.raises(UrlVizError, match=r"cut\.tar"):
                unpack(tmp_path / "cut.tar", root=here / "pictures", workspace=tmp_path / "w")
            assert len(list_sets(tmp_path / "w")) == 0

    def test_rows_that_lead_out_of_the_folder_are_refused(self, read_once: Path, tmp_path: Path) -> None:
        from tests.store.test_store import files

        here, rows = moved(read_once, tmp_path / "here"), files([7])
        for number, path in enumerate([b"../../secret.jpg", b"/etc/passwd", b"a/../../b.jpg"]):
            with Writer(paths_of(here), here / "pictures") as writer:
                writer.add_images(rows.set_column(1, rows.schema.field("path"), [[path]]))
            pack(here / "pictures", tmp_path / f"{number}.tar", workspace=here / "workspace")
            with pytest.raises(FolderError, match="outside its folder"):
                unpack(tmp_path / f"{number}.tar", root=here / "pictures", workspace=tmp_path / "w")

    @pytest.mark.parametrize(
        ("version", "schema", "words"),
        [(2, SCHEMA_VERSION, "newer version"), (1, SCHEMA_VERSION - 1, "schema 1.*`url-viz embed FOLDER`")],
    )
    def test_one_of_another_version_is_told(self, tmp_path: Path, version: int, schema: int, words: str) -> None:
        record = json.dumps({"format": FORMAT, "format_version": version, "schema_version": schema}).encode()
        write_packed(tmp_path / "other.tar", [(LABEL, record)])
        with pytest.raises(WorkspaceError, match=words):
            unpack(tmp_path / "other.tar", root=tmp_path, workspace=tmp_path / "w")


def test_the_commands_say_what_they_did(here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ["--workspace", str(here / "workspace")]
    folder = str(here / "pictures")

    def run(*words: str) -> str:
        assert main([*words[0].split(), *words[1:], *where]) == 0
        return capsys.readouterr().out

    assert "here/pictures" in run("sets list")
    assert "files and thumbnails" in run("sets list", folder)
    assert ".txt      2" in run("sets list", "--skipped")
    assert "called 'Mine' now" in run("sets rename", folder, "Mine")
    assert "MiB freed" in run("sets compact", folder)
    assert "--root FOLDER" in run("sets pack", folder, str(tmp_path / "set.tar"))
    shutil.copytree(folder, tmp_path / "copy")
    assert "12 of 12" in run("sets move", folder, str(tmp_path / "copy"))
    assert "12 of 12" in run("sets unpack", str(tmp_path / "set.tar"), "--root", folder)
    assert "Forgot" in run("sets forget", folder, "--yes")
    assert main(["sets", "drop-model", str(tmp_path / "copy"), "nothing", *where]) == 1
    assert "was not read with 'nothing'" in capsys.readouterr().err
    assert np.array_equal(list_sets(here / "workspace")["name"], ["Mine"])


def test_forgetting_takes_all_that_lies_there(here: Path) -> None:
    folder = paths_of(here).folder
    (folder / "decisions.db").write_bytes(b"")
    forget(here / "pictures", workspace=here / "workspace")
    assert not folder.exists()


def test_reading_again_while_a_large_set_is_forgotten_keeps_what_is_read(here: Path) -> None:
    paths = paths_of(here)
    many = paths.folder / "kept"
    many.mkdir(exist_ok=True)
    for number in range(1500):
        (many / f"{number}.arrow").touch()
    with ThreadPoolExecutor(1) as pool:
        forgetting = pool.submit(forget, here / "pictures", workspace=here / "workspace")
        while paths.about.exists():
            time.sleep(0.0005)
        with Writer(paths, here / "pictures") as writer:
            again = writer.about()
        forgetting.result()
    assert Store(paths).about() == again
    assert not many.exists()
    assert [path.name for path in (here / "workspace").glob("forgotten-*")] == []


def test_what_cannot_be_removed_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as where a file of it may not be removed
    with pytest.raises(WorkspaceError, match=r"is forgotten, but not all .* Remove '.*forgotten-"):
        forget(here / "pictures", workspace=here / "workspace")
    assert list_sets(here / "workspace").empty


def test_what_anybody_may_have_named_is_printed_without_its_escapes(
    folder: Path, workspace: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unpacked set brings its own label: names, extensions and backbones that no check of ours has seen."""
    image_set = embed_folder(folder, model=model, workspace=workspace)
    label = image_set.core.store.paths.about
    record = unsealed(label.read_text())
    wiping = "\x1b[2J\x1b]0;own\x07\u202ex\udcff"
    record |= {"name": wiping, "skipped": [[wiping, 3]]}
    record["spaces"] = [record["spaces"][0] | {"backbone": wiping}, *record["spaces"]]
    label.write_text(sealed(record))
    for words in (
        ["sets", "list"],
        ["sets", "list", "--skipped"],
        ["sets", "list", str(folder)],
        ["rank", str(folder), "--model", "none of these"],
    ):
        main([*words, "--workspace", str(workspace)])
        printed = capsys.readouterr()
        assert r"\x1b[2J\x1b]0;own\x07\u202ex\udcff" in printed.out + printed.err
        assert all(c.isprintable() or c == "\n" for c in printed.out + printed.err)
