"""What may not be read is told, one row each: the real command, which as root goes without root's key to every file."""

import ctypes
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from tests.processes import embed_words, run_python
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

DROP_FROM_BOUND, PASS_PERMISSIONS, PASS_FOR_READING = 24, 1, 2
"""Of prctl(2) and capabilities(7): PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH."""
pytestmark = pytest.mark.slow


def go_without_the_key() -> None:
    """In the process that becomes the command: permissions hold for root too, as for anybody who owns the files."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (PASS_PERMISSIONS, PASS_FOR_READING):
        if libc.prctl(DROP_FROM_BOUND, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "this root may not give up the power to read everything")


COMMANDS = """
import contextlib, io, json, sys
from url_viz.cli.main import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        status = main(words)
    print(json.dumps([status, said.getvalue()]))
"""


def read_without_the_key(*words: list[str]) -> list[tuple[int, str]]:
    """The status and standard error of commands, one after another in a process that may not read everything."""
    drop = go_without_the_key if os.geteuid() == 0 else None
    done = run_python("-c", COMMANDS, json.dumps(words), preexec_fn=drop, check=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _opened_again(tmp_path: Path) -> Iterator[None]:
    if os.geteuid() == 0 and not sys.platform.startswith("linux"):
        pytest.skip("only on Linux can root go without its key")
    yield
    for folder in (tmp_path, *tmp_path.rglob("*/")):
        folder.chmod(0o755)


def test_what_is_closed_is_rows_and_read_once_it_is_opened_again(tmp_path: Path, workspace: Path) -> None:
    folder = write_folder(tmp_path / "pictures", 6, classes=("a", "b", "c"))
    (folder / "a" / "0000.jpg").chmod(0)
    (folder / "b").chmod(0)
    (folder / "c").chmod(0o444)  # its names can be listed, and nothing in it can be opened
    [(status, said)] = read_without_the_key(embed_words(folder, workspace))
    assert (status, "Traceback" in said) == (0, False), said
    image_set = open_image_set(folder, model=DEFAULT, workspace=workspace)
    table, reasons = image_set.table(), dict(image_set.failures().itertuples(index=False))
    assert table["path"].tolist() == ["a/0003.jpg"]
    assert set(reasons) == {"a/0000.jpg", "b/", "c/0002.jpg", "c/0005.jpg"}
    assert all("ermission denied" in reason for reason in reasons.values()), reasons
    for file in (folder / "a" / "0000.jpg", *folder.glob("c/*")):
        file.chmod(0o644)
        os.utime(file)
    for name in ("b", "c"):
        (folder / name).chmod(0o755)
    assert main(embed_words(folder, workspace)) == 0
    image_set = open_image_set(folder, model=DEFAULT, workspace=workspace)
    assert (len(image_set), len(image_set.failures())) == (6, 0)


def test_a_closed_folder_workspace_or_set_is_told(tmp_path: Path, workspace: Path, bare_model: Model) -> None:
    """Each as a whole."""
    folder, closed = write_folder(tmp_path / "pictures", 2), write_folder(tmp_path / "closed", 2)
    (home := tmp_path / "not ours").mkdir()
    kept = embed_folder(folder, model=bare_model, workspace=workspace).core.store.paths.folder
    (kept / "writer.lock").unlink(missing_ok=True)
    closed.chmod(0)
    for place in (home, kept):
        place.chmod(0o555)
    told = read_without_the_key(
        *(embed_words(*of) for of in ((closed, workspace), (folder, home), (folder, workspace)))
    )
    for (status, said), why in zip(
        told,
        (
            "cannot be listed: Permission denied. Check its permissions.",
            "error: Cannot write to the workspace",
            f"error: The workspace folder '{kept}' may not be written to (Permission denied)",
        ),
        strict=True,
    ):
        assert (status, why in said, "Traceback" in said) == (1, True, False), said
