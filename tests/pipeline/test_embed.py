"""A run reads what is new and nothing else, every file has one outcome, and a killed run loses little."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from filelock import FileLock

from tests.conftest import EMBEDDING_SIZE
from tests.imaging.pictures import noise, write_folder
from tests.pipeline.reader import Counting, Reader, is_consistent, names
from tests.processes import await_stored, reading, stored_files
from url_viz.base.errors import NoImagesError, WorkspaceError
from url_viz.base.progress import silent
from url_viz.base.workspace import Workspace
from url_viz.imaging.places import image_id
from url_viz.imaging.scan import Scan, ScannedFile, Walk, scan
from url_viz.models.model import Model
from url_viz.models.runtime import Runtime
from url_viz.pipeline import embed as of_embed
from url_viz.pipeline.embed import embed, make_plan
from url_viz.pipeline.embedded import EmbeddedFiles, Embedding, Row
from url_viz.store.tables.tables import IMAGES, Embeddings
from url_viz.store.tables.writer import Writer


class Beside(Counting):
    """A runtime that begins so many batches before the first is done, as one on a GPU does."""

    def __init__(self, runtime: Runtime, ahead: int) -> None:
        super().__init__(runtime)
        self._ahead = ahead

    @property
    def ahead(self) -> int:
        return self._ahead


class TestWhatIsRead:
    """Only what is new or changed is opened."""

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [1, 2, 15, pytest.param(70, marks=pytest.mark.torture)])
    def test_any_number_of_pictures(self, read: Reader, count: int) -> None:
        write_folder(read.folder, count)
        image_set = read()
        assert len(image_set) == read.embedded == read.opened == count
        is_consistent(image_set, read.model)

    @pytest.mark.slow
    def test_batches_under_way_beside_each_other_change_nothing(self, read: Reader, tmp_path: Path) -> None:
        files = sorted(write_folder(read.folder, 35).rglob("*.jpg"))
        for number in (0, 20, 34):
            shutil.copy(files[number], read.folder / f"copy-{number}.jpg")
        (read.folder / "broken.jpg").write_bytes(b"none")
        tables = {}
        for ahead in (0, 3):
            model = Model(read.model.source, read.model.space, Beside(read.model.runtime, ahead))
            beside = Reader(read.folder, tmp_path / f"home-{ahead}", model)
            image_set = beside()
            assert beside.embedded == 35, "copies are embedded once, also while the first is under way"
            told = [step for step in beside.progress if step.stage == "read"]
            assert (told[-1].done, told[-1].total, told[-1].failures) == (39, 39, 1)
            assert len(image_set.failures()) == 1
            is_consistent(image_set, model)
            tables[ahead] = image_set.table()[["id", "path", "uncertainty", "entropy", "confusability"]]
        pd.testing.assert_frame_equal(tables[0], tables[3], rtol=1e-3)

    def test_later_runs_open_what_changed_alone(self, read: Reader) -> None:
        write_folder(read.folder, 4)
        first = read()
        again = read()
        assert (read.opened, read.embedded) == (0, 0)
        assert first.table().equals(again.table())
        assert np.array_equal(first.embeddings(), again.embeddings())

        os.utime(read.folder / "0001.jpg", ns=(1, 1))  # touched
        again = read()
        assert (read.opened, read.embedded) == (1, 0)
        assert first.table().equals(again.table())

        noise(99, width=80, height=80).save(read.folder / "0002.jpg")
        write_folder(read.folder, 2, start=4)
        changed = read()
        assert (read.opened, read.embedded, len(changed)) == (3, 3, 6)
        assert changed.table()["width"].tolist() == [64, 64, 80, 64, 64, 64]
        before, after = first.table()["entropy"], changed.table()["entropy"].head(4)
        assert (before != after).tolist() == [False, False, True, False]
        is_consistent(changed, read.model)

        away = read.folder.parent / "away.jpg"
        shutil.move(read.folder / "0001.jpg", away)
        assert names(read()) == ["0000.jpg", "0002.jpg", "0003.jpg", "0004.jpg", "0005.jpg"]
        shutil.move(away, read.folder / "0001.jpg")
        back = read()
        assert (len(back), read.embedded) == (6, 0)
        is_consistent(back, read.model)

    def test_a_moved_file_keeps_its_embedding_and_is_not_decoded(self, read: Reader) -> None:
        """The stored thumbnail is marked: had the file been decoded again, a new one would stand there."""
        write_folder(read.folder, 3)
        before = read()
        _mark_thumbnail(read.writer(before), "0001.jpg")
        (read.folder / "sub").mkdir()
        (read.folder / "0001.jpg").rename(read.folder / "sub" / "moved.jpg")
        after = read()
        assert (read.opened, read.embedded) == (1, 0)
        assert names(after) == ["0000.jpg", "0002.jpg", "sub/moved.jpg"]
        moved = image_id(b"sub/moved.jpg")
        assert after.core.store.thumbnails([moved]) == {moved: b"marked"}
        assert np.array_equal(after.embeddings()[2], before.embeddings()[1])

    @pytest.mark.slow
    def test_many_files_that_change_places_keep_their_own_thumbnails(
        self, read: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every file takes the content of the next: rows are replaced while others still stand on them."""
        monkeypatch.setattr(of_embed, "FIRST_FLUSH_PICTURES", 16)
        count = 40  # more than are stored at once
        pictures = [noise(i % 7, width=32 + i, height=32) for i in range(count)]
        for i, picture in enumerate(pictures):
            picture.save(read.folder / f"{i:04d}.png")
        first = read(limit=count)
        thumbnails = first.core.store.thumbnails(first.table()["id"])
        by_old_name = dict(zip(names(first), (thumbnails[i] for i in first.table()["id"]), strict=True))
        for i, picture in enumerate(pictures):
            picture.save(read.folder / f"{(i + 1) % count:04d}.png")
            os.utime(read.folder / f"{(i + 1) % count:04d}.png", ns=(i, i))
        second = read()
        assert (read.opened, read.embedded) == (count, 0)
        thumbnails = second.core.store.thumbnails(second.table()["id"])
        for i, (image, width) in enumerate(zip(second.table()["id"], second.table()["width"], strict=True)):
            assert width == 32 + (i - 1) % count
            assert thumbnails[image] == by_old_name[f"{(i - 1) % count:04d}.png"]

    def test_copies_share_one_embedding(self, read: Reader) -> None:
        write_folder(read.folder, 2)
        shutil.copy(read.folder / "0000.jpg", read.folder / "copy.jpg")
        image_set = read()
        assert (read.opened, read.embedded) == (3, 2)
        table, embeddings = image_set.table(), image_set.embeddings()
        assert np.array_equal(embeddings[0], embeddings[2])
        assert table["twin_group"].iloc[0] == table["twin_group"].iloc[2]
        is_consistent(image_set, read.model)

    def test_a_limit_bounds_the_set_and_a_later_run_reads_the_rest(self, read: Reader) -> None:
        write_folder(read.folder, 9)
        few = names(read(limit=4))
        assert len(few) == read.opened == 4
        assert few != names(read(limit=4))[:3]
        assert (names(read(limit=4)), read.opened) == (few, 0)
        assert few != [f"{i:04d}.jpg" for i in range(4)], "a sample, not the first ones"
        assert (len(read(limit=6)), read.opened) == (6, 2)
        assert (len(read()), read.opened) == (9, 3)


def _mark_thumbnail(writer: Writer, name: str) -> None:
    with writer:
        row = next(r for r in writer.images(IMAGES.names).to_pylist() if r["path"] == name.encode())
        writer.add_images(pa.Table.from_pylist([row | {"thumbnail": b"marked"}], schema=IMAGES))


class TestBadFiles:
    """A bad file is a row with a reason, never a dead run; every kind of them: `tests/hostile/test_zoo.py`."""

    def test_a_repaired_file_is_read_and_one_that_goes_bad_leaves(self, read: Reader) -> None:
        write_folder(read.folder, 2)
        (read.folder / "bad.jpg").write_bytes(b"nothing")
        assert len(read().failures()) == 1
        assert list(dict.fromkeys(p.stage for p in read.progress)) == ["scan", "read", "neighbours"]
        reading = [p for p in read.progress if p.stage == "read"]
        assert (reading[0].done, reading[-1].done, reading[-1].total, reading[-1].failures) == (0, 3, 3, 1)
        noise(9).save(read.folder / "bad.jpg")
        (read.folder / "0001.jpg").write_bytes(b"nothing")
        image_set = read()
        assert read.opened == 2
        assert names(image_set) == ["0000.jpg", "bad.jpg"]
        assert image_set.failures()["path"].tolist() == ["0001.jpg"]

    def test_a_folder_without_good_pictures_says_why(self, read: Reader) -> None:
        (read.folder / "notes.txt").write_text("x")
        with pytest.raises(NoImagesError, match=r"no pictures in .*1 \.txt"):
            read()
        assert not list((read.workspace / "sets").glob("*")), "nothing is kept of it"
        for name in ("a.jpg", "b.jpg"):
            (read.folder / name).touch()
        with pytest.raises(NoImagesError, match=r"None of the 2 files.*0 bytes"):
            read()


class TestTheMap:
    """New pictures are placed and nobody else moves, until a new map is asked for or due."""

    @pytest.mark.slow
    def test_few_more_move_nobody_a_set_gets_a_map_that_stays_until_a_refit(self, read: Reader) -> None:
        write_folder(read.folder, 6)
        before = read().table()[["x", "y"]]
        write_folder(read.folder, 2, start=6)
        after = read().table()[["x", "y"]]
        assert after.head(6).equals(before)
        assert np.isfinite(after.to_numpy()).all()
        write_folder(read.folder, 9, start=8)
        grown = read().table()
        assert read().table().equals(grown), "a run without anything new does not move the map"
        write_folder(read.folder, 3, start=17)
        placed = read().table()
        assert placed.loc[:16, ["x", "y"]].equals(grown[["x", "y"]])
        assert not read(refit=True).table()["x"].equals(placed["x"])


def test_two_models_side_by_side(read: Reader, second_model: Model) -> None:
    write_folder(read.folder, 4)
    first = read()
    other = Reader(read.folder, read.workspace, second_model)
    second = other()
    assert (other.opened, other.embedded) == (4, 4)
    assert len(second) == 4
    assert not np.allclose(first.embeddings(), second.embeddings())
    again = read()
    assert (read.opened, read.embedded) == (0, 0)
    assert np.array_equal(again.embeddings(), first.embeddings())


def test_another_head_scores_what_is_there_without_opening_a_file(read: Reader, bare_model: Model) -> None:
    write_folder(read.folder, 4)
    bare = Reader(read.folder, read.workspace, bare_model)
    assert bare().table()["uncertainty"].isna().all()
    image_set = read()
    assert (read.opened, read.embedded) == (0, 0)
    is_consistent(image_set, read.model)
    assert bare().table()["uncertainty"].isna().all()


def test_while_another_process_reads_the_folder(read: Reader) -> None:
    write_folder(read.folder, 3)
    with read.writer(read()), pytest.raises(WorkspaceError, match="Wait until it is done"):
        read()


def test_a_folder_that_looks_empty_keeps_what_was_read_of_it(read: Reader) -> None:
    """An unmounted disk is one; its rows come back with it, and no picture is read again."""
    write_folder(read.folder, 4)
    read()
    away = read.folder.rename(read.folder.with_name("unmounted"))
    read.folder.mkdir()
    with pytest.raises(NoImagesError, match="There are no pictures"):
        read()
    read.folder.rmdir()
    away.rename(read.folder)
    assert len(read()) == 4
    assert read.opened == 0


def test_pictures_in_a_folder_that_cannot_be_listed_are_not_gone(read: Reader) -> None:
    write_folder(read.folder / "seen", 2)
    write_folder(read.folder / "hidden", 3, start=10)
    image_set = read()
    listed = scan(read.folder.resolve())
    kept = tuple(file for file in listed.files if not file.path.startswith(b"hidden/"))
    blind = Scan(listed.root, kept, unreadable_folders=((b"hidden", "Permission denied"),))
    with read.writer(image_set) as writer:
        plan = make_plan(blind, writer, image_set.space.key, limit=None)
    assert plan.gone == ()


def test_a_folder_that_cannot_be_listed_is_a_row_in_the_failure_list(tmp_path: Path) -> None:
    """A file in a folder's place cannot be listed either, and unlike permissions this holds for root too."""
    write_folder(tmp_path, 1)
    walk = Walk(tmp_path)
    assert walk._entries(b"0000.jpg") == []
    assert walk.unreadable == [(b"0000.jpg", "Not a directory")]


def test_the_growing_map_has_every_picture_where_its_embedding_belongs(
    tmp_path: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same embeddings come again and again, between others, while the map is fitted and once it is not any more."""
    monkeypatch.setattr(of_embed, "FLUSH_PICTURES", 64)
    monkeypatch.setattr(of_embed, "ENOUGH_FOR_PREVIEW", 200)
    rng = np.random.default_rng(0)
    same = rng.normal(0, 1, (64, EMBEDDING_SIZE)).astype(np.float16)

    def again_and_again(_: Embedding, files: Sequence[ScannedFile]) -> Generator[EmbeddedFiles, None, None]:
        for start in range(0, len(files), 64):
            some = files[start : start + 64]
            content = np.array([file.id for file in some])
            values = same if start % 128 == 0 else rng.normal(start, 1, same.shape).astype(np.float16)
            rows = tuple(Row(f.id, f.path, f.size_bytes, f.mtime_ns, f.id, 1, 1, b"") for f in some)
            yield EmbeddedFiles(rows, (Embeddings(content, values, np.zeros(64, np.float32)),))

    found = Scan(tmp_path, tuple(ScannedFile(b"%04d.jpg" % number, 1, 1) for number in range(64 * 8)))
    with Writer(Workspace.at(tmp_path / "home").set_paths("0" * 16), tmp_path) as writer:
        embed(bare_model, found, writer, limit=None, report=silent, embed_by=again_and_again)
        placed = writer.coordinates(bare_model.space.key)
        content = writer.embedded(bare_model.space.key).content
    assert placed is not None
    assert sorted(placed.content) == sorted(content) == sorted(file.id for file in found.files)
    assert np.ptp(placed.xy[:64, 0]) > 0.1
    for start in range(128, 64 * 8, 128):
        assert placed.xy[start : start + 64] == pytest.approx(placed.xy[:64], abs=1e-4)


PICTURES = 640
"""Ten times what is stored at once: of fewer a busy machine may read all before it sees the first and kills."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "times"), [(0, 1), *(pytest.param(seed, 2, marks=pytest.mark.torture) for seed in range(1, 7))]
)
def test_a_killed_run_goes_on_without_loss_and_without_doubles(
    read: Reader, bare_model: Model, seed: int, times: int
) -> None:
    """kill -9 of the real command, each at a random moment after something new was stored."""
    write_folder(read.folder, PICTURES)
    (read.folder / "bad.jpg").touch()
    moment, stored = random.Random(seed), 0
    for _ in range(times):
        stored = _killed_once_more_is_stored(read, stored, moment.uniform(0, 0.05))
    rest = Reader(read.folder, read.workspace, bare_model)
    image_set = rest()
    assert 64 <= stored < PICTURES + 1
    assert rest.opened == PICTURES + 1 - stored
    assert len(image_set) == PICTURES
    assert image_set.failures()["path"].tolist() == ["bad.jpg"]
    is_consistent(image_set, bare_model)


def _killed_once_more_is_stored(read: Reader, before: int, wait_s: float) -> int:
    """How many files are stored once a run was killed."""
    with reading(read.folder, read.workspace, stderr=subprocess.DEVNULL) as run:
        await_stored(read.workspace, run, more_than=before)
        time.sleep(wait_s)
    [lock] = read.workspace.glob("sets/*/writer.lock")
    with FileLock(lock, timeout=0):  # nobody holds it any more
        return stored_files(read.workspace)
