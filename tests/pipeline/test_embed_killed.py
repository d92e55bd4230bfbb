"""A run that is killed loses little: what was stored is there, and the next run reads the rest and nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader, is_consistent
from url_viz.models.model import Model
from url_viz.store.reader import Store
from url_viz.workspace import SetPaths

ROOT = Path(__file__).parents[2]
PICTURES = 640
"""Ten times what is stored at once: of fewer a busy machine may read all before it sees the first and kills."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 7))])
def test_a_killed_run_goes_on_without_loss_and_without_doubles(read: Reader, bare_model: Model, seed: int) -> None:
    """kill -9 of the real command, twice, each at a random moment after something new was stored."""
    write_folder(read.folder, PICTURES)
    (read.folder / "bad.jpg").touch()
    moment, stored = random.Random(seed), 0
    for _ in range(2):
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
    command = [sys.executable, "-m", "url_viz", "embed", read.folder, "--workspace", read.workspace, "--device", "cpu"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        deadline = time.monotonic() + 60
        while _stored(read.workspace) <= before:
            assert run.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(wait_s)
        os.killpg(run.pid, signal.SIGKILL)
    [lock] = read.workspace.glob("sets/*/writer.lock")
    with FileLock(lock, timeout=0):  # nobody holds it any more
        return _stored(read.workspace)


def _stored(workspace: Path) -> int:
    folders = list((workspace / "sets").glob("*"))
    return len(Store(SetPaths(folders[0])).images(["id"])) if folders else 0
