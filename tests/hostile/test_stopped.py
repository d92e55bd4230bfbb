"""Runs that end too early: what was committed is there, nothing is doubled, the same command finishes."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

import url_viz
from tests.hostile.encode import chunk, one_colour_png
from tests.imaging.pictures import write_folder
from tests.processes import await_stored, decoding_below, embed_words, reading, stored_files
from url_viz.base.errors import WorkspaceError
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.decode import decode
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

COUNT, FEWER = 300, 160
pytestmark = pytest.mark.slow


def finished(folder: Path, workspace: Path) -> ImageSet:
    """Run the command to its end; in this process, since each of its own costs a second."""
    assert main(embed_words(folder, workspace)) == 0
    return open_image_set(folder, model=DEFAULT, workspace=workspace)


def holds_each_once(image_set: ImageSet, count: int) -> None:
    table = image_set.table()
    assert len(table) == count
    assert table["id"].is_unique
    contents = image_set.core.store.embedded(image_set.space.key).content
    assert len(np.unique(contents)) == len(contents) == count
    assert np.isfinite(image_set.embeddings()).all()


def test_ctrl_c_keeps_what_was_read_and_the_same_command_finishes(tmp_path: Path, workspace: Path) -> None:
    folder = write_folder(tmp_path / "pictures", FEWER)
    with reading(folder, workspace) as process:
        await_stored(workspace, process)
        below = decoding_below(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    psutil.wait_procs(below, timeout=120)
    assert not any(one.is_running() for one in below)
    assert process.returncode == 130
    assert "Stopped. What was read or written is kept" in said
    assert "Traceback" not in said
    assert 0 < stored_files(workspace) <= FEWER
    holds_each_once(finished(folder, workspace), FEWER)


@pytest.mark.torture  # it measures time
def test_ctrl_c_does_not_wait_for_all_that_was_asked_for(tmp_path: Path, workspace: Path) -> None:
    """Forty pictures of 48 megapixels are some 10 s of decoding; only those in hand are waited for."""
    plain = one_colour_png(8_000, 6_000)
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(plain[:33] + chunk(b"tEXt", b"n\0%d" % number) + plain[33:])
    with reading(tmp_path, workspace) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("read 0"):
                break
        time.sleep(0.5)
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=120)
        seconds = time.monotonic() - start
    assert process.returncode == 130
    start = time.monotonic()
    decode(plain, short_side_px=256)
    # On a busy machine a picture takes longer, and those in hand do, too.
    assert seconds < max(5, 16 * (time.monotonic() - start))


@pytest.fixture
def small_disk(tmp_path: Path, workspace: Path) -> Iterator[Path]:
    """A workspace on a disk of one MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    (disk / "models").symlink_to(workspace / "models")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # Lance closes files of its own threads a little later


def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, small_disk: Path, bare_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "pictures", COUNT)
    last = refusal(capsys, *embed_words(folder, small_disk))
    assert last.startswith("error: The disk of the workspace folder")
    assert "is full" in last
    before = stored_files(small_disk)
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert stored_files(small_disk) == before > 0
    holds_each_once(embed_folder(folder, model=bare_model, workspace=small_disk), COUNT)


def test_a_disk_that_is_full_is_told_to_who_records_and_keeps_what_is_recorded(
    tmp_path: Path, small_disk: Path, bare_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "pictures", 3)
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    paths = embed_folder(folder, model=bare_model, workspace=small_disk).table()["path"].tolist()
    record = url_viz.record(folder, "r1", workspace=small_disk)
    runs = record.epoch(paths, np.zeros((3, 2))).file.parent
    filler, before = fill(small_disk, but=0), os.listdir(runs)
    with pytest.raises(WorkspaceError, match="is full"):
        record.epoch(paths, np.zeros((3, 2)))
    (tmp_path / "said.csv").write_text("path,logit_0,logit_1\n" + "".join(f"{path},1,0\n" for path in paths))
    where = [folder, "--workspace", small_disk]
    assert "is full" in refusal(capsys, "runs", "add", *where, tmp_path / "said.csv")
    assert "is full" in refusal(capsys, "runs", "use", *where, "r1")
    assert os.listdir(runs) == before
    filler.unlink()
    assert main(["runs", "list", *map(str, where)]) == 0
    assert "r1: 1 epoch, of 2 classes" in capsys.readouterr().out


def fill(disk: Path, *, but: int) -> Path:
    """Fill a disk until only so many bytes are free; returns the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate(filler, max(0, filler.stat().st_size - but))
    return filler


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The line that a command ends with, which must fail; in this process too."""
    assert main([*map(str, words)]) == 1
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("free", [0, 4096, 16384])
def test_a_disk_that_is_full_from_the_start_is_told_and_no_empty_set_stays(
    tmp_path: Path, small_disk: Path, bare_model: Model, free: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "pictures", 3)
    Workspace.at(small_disk)
    filler = fill(small_disk, but=free)
    said = refusal(capsys, "embed", folder, "--workspace", small_disk, "--device", "cpu")
    assert f"error: The disk of the workspace folder '{small_disk}/sets/" in said
    assert main(["sets", "list", "--workspace", str(small_disk)]) == 0
    assert "No image sets yet" in capsys.readouterr().out
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    holds_each_once(embed_folder(folder, model=bare_model, workspace=small_disk), 3)


def test_a_disk_that_may_only_be_read_is_told(
    tmp_path: Path, small_disk: Path, bare_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    known, new = write_folder(tmp_path / "known", 3), write_folder(tmp_path / "new", 3)
    embed_folder(known, model=bare_model, workspace=small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for words in (("embed", known), ("embed", new), ("sets", "compact", known), ("sets", "rename", known, "x")):
        said = refusal(capsys, *words, "--workspace", small_disk)
        assert said.startswith(f"error: The workspace folder '{small_disk}/sets/"), said
        assert "may not be written to (Read-only file system)" in said
    assert len(open_image_set(known, model=DEFAULT, workspace=small_disk)) == 3


def test_a_disk_that_fills_up_while_the_map_is_made_is_told_too(
    tmp_path: Path, small_disk: Path, bare_model: Model
) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    folder = write_folder(tmp_path / "pictures", 40)
    before = embed_folder(folder, model=bare_model, workspace=small_disk).table()
    filler = fill(small_disk, but=0)
    with pytest.raises(WorkspaceError, match="is full"):
        embed_folder(folder, model=bare_model, workspace=small_disk, refit=True)
    filler.unlink()
    after = embed_folder(folder, model=bare_model, workspace=small_disk, refit=True)
    holds_each_once(after, 40)
    assert after.table()["id"].tolist() == before["id"].tolist()
