"""A run that is killed loses little: what was stored is there, and the next run reads the rest and nothing twice."""

import random
import subprocess
import time

import pytest
from filelock import FileLock

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader, is_consistent
from tests.processes import await_stored, reading, stored_files
from url_viz.models.model import Model

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
