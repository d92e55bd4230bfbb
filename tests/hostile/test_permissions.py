"""What may not be read is told, one row each: the real command, which as root goes without root's key to every file."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from tests.processes import embed_words, run_python
from url_viz.image_set import ImageSet, embed_folder, open_image_set
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT

DROP_FROM_BOUND, PASS_PERMISSIONS, PASS_FOR_READING = 24, 1, 2
"""Of prctl(2) and capabilities(7): PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH."""
pytestmark = pytest.mark.slow


def go_without_the_key() -> None:
    """In the process that becomes the command: permissions hold for root too, as for anybody who owns the files."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (PASS_PERMISSIONS, PASS_FOR_READING):
        if libc.prctl(DROP_FROM_BOUND, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "this root may not give up the power to read everything")


class Reader:
    """The command on a folder of six pictures in three folders."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.folder, self.workspace = write_folder(folder, 6, classes=("a", "b", "c")), workspace

    def __call__(self) -> "subprocess.CompletedProcess[str]":
        drop = go_without_the_key if os.geteuid() == 0 else None
        return run_python("-m", "url_viz", *embed_words(self.folder, self.workspace), preexec_fn=drop)

    @property
    def image_set(self) -> ImageSet:
        return open_image_set(self.folder, model=DEFAULT, workspace=self.workspace)


@pytest.fixture
def reader(tmp_path: Path, workspace: Path) -> Iterator[Reader]:
    if os.geteuid() == 0 and not sys.platform.startswith("linux"):
        pytest.skip("only on Linux can root go without its key")
    reader = Reader(tmp_path / "pictures", workspace)
    yield reader
    for folder in (reader.workspace, reader.folder, *reader.folder.glob("*/")):
        folder.chmod(0o755)


def test_a_closed_file_and_a_closed_folder_are_rows(reader: Reader) -> None:
    (reader.folder / "a" / "0000.jpg").chmod(0)
    (reader.folder / "b").chmod(0)
    (reader.folder / "c").chmod(0o444)  # its names can be listed, and nothing in it can be opened
    done = reader()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    table, reasons = reader.image_set.table(), dict(reader.image_set.failures().itertuples(index=False))
    assert table["path"].tolist() == ["a/0003.jpg"]
    assert set(reasons) == {"a/0000.jpg", "b/", "c/0002.jpg", "c/0005.jpg"}
    assert all("ermission denied" in reason for reason in reasons.values()), reasons


def test_what_is_opened_again_is_read(reader: Reader) -> None:
    (reader.folder / "a" / "0000.jpg").chmod(0)
    (reader.folder / "b").chmod(0)
    reader()
    (reader.folder / "a" / "0000.jpg").chmod(0o644)
    os.utime(reader.folder / "a" / "0000.jpg")
    (reader.folder / "b").chmod(0o755)
    assert reader().returncode == 0
    assert (len(reader.image_set), len(reader.image_set.failures())) == (6, 0)


def test_a_folder_that_is_closed_as_a_whole_is_told(reader: Reader) -> None:
    reader.folder.chmod(0)
    done = reader()
    reader.folder.chmod(0o755)
    assert done.returncode == 1
    assert "cannot be listed: Permission denied. Check its permissions." in done.stderr


def test_a_workspace_that_may_not_be_written_to_is_told(reader: Reader) -> None:
    reader.workspace.chmod(0o555)
    done = reader()
    reader.workspace.chmod(0o755)
    assert done.returncode == 1
    assert "error: Cannot write to the workspace" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_set_that_may_not_be_written_to_is_told(reader: Reader, bare_model: Model) -> None:
    embed_folder(reader.folder, model=bare_model, workspace=reader.workspace)
    folder = reader.image_set.store.paths.folder
    (folder / "writer.lock").unlink(missing_ok=True)
    folder.chmod(0o555)
    done = reader()
    folder.chmod(0o755)
    assert done.returncode == 1
    assert f"error: The workspace folder '{folder}' may not be written to (Permission denied)" in done.stderr
    assert "Traceback" not in done.stderr
