"""A picture that crashes its decoder costs one row: of one command, of the next one, and of a run from Python."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.browser.fixtures import eventually
from tests.hostile.crashing import ABORT, EXIT, KILLED, SEGFAULT, crashing_environment, write_bad
from tests.imaging.pictures import noise, write_folder
from tests.jobs.conftest import command_of
from url_viz.cli.main import STRICT_STATUS
from url_viz.crash_guard import CRASHED_VARIABLE
from url_viz.image_set import ImageSet, embed_folder, open_image_set
from url_viz.imaging.digest import image_id
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Failure, Picture, read_picture
from url_viz.imaging.workers import Decoders, read_apart
from url_viz.jobs import cancel_job, start_job
from url_viz.models.model import Model
from url_viz.models.names import DEFAULT
from url_viz.pipeline.in_flight import InHand, interrupted, notes_of
from url_viz.workspace import Workspace

ROOT = Path(__file__).parents[2]
GOOD = 30
FROM_PYTHON = (
    "import sys, url_viz; url_viz.embed_folder(sys.argv[1], workspace=__import__('pathlib').Path(sys.argv[2]))"
)
pytestmark = pytest.mark.slow


class Crashing:
    """A folder of good pictures, and the real command under a decoder that crashes."""

    def __init__(self, home: Path, workspace: Path) -> None:
        self.folder = write_folder(home / "pictures", GOOD)
        self.workspace = workspace
        self.environment = crashing_environment(home / "decoder")

    @property
    def command(self) -> list[str]:
        words = [sys.executable, "-m", "url_viz", "embed", self.folder, "--workspace", self.workspace]
        return [*map(str, words), "--device", "cpu"]

    def run(self, *options: str) -> "subprocess.CompletedProcess[str]":
        return self._done([*self.command, *options])

    def run_from_python(self) -> "subprocess.CompletedProcess[str]":
        return self._done([sys.executable, "-c", FROM_PYTHON, str(self.folder), str(self.workspace)])

    def _done(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    @property
    def image_set(self) -> ImageSet:
        return open_image_set(self.folder, model=DEFAULT, workspace=self.workspace)

    @property
    def failures(self) -> dict[str, str]:
        return dict(self.image_set.failures().itertuples(index=False))


@pytest.fixture
def crashing(tmp_path: Path, workspace: Path) -> Crashing:
    return Crashing(tmp_path, workspace)


def test_one_command_reads_every_good_picture_and_lists_those_that_crash(crashing: Crashing) -> None:
    for name, size in (("a.png", SEGFAULT), ("b.png", SEGFAULT), ("c.png", ABORT)):
        write_bad(crashing.folder / name, size, seed=ord(name[0]))
    done = crashing.run("--strict")
    assert done.returncode == STRICT_STATUS, done.stderr
    assert "The process crashed (SIG" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(crashing.image_set) == GOOD
    assert set(crashing.failures) == {"a.png", "b.png", "c.png"}
    assert "ends the process that reads it (SIGSEGV)" in crashing.failures["a.png"]
    assert "ends the process that reads it (SIGABRT)" in crashing.failures["c.png"]
    again = crashing.run()
    assert (again.returncode, "crashed" in again.stderr, "read 0 of 0" in again.stderr) == (0, False, True)
    noise(5).save(crashing.folder / "a.png")
    assert crashing.run().returncode == 0
    assert set(crashing.failures) == {"b.png", "c.png"}
    assert len(crashing.image_set) == GOOD + 1


def test_a_job_of_a_page_ends_well_too(crashing: Crashing) -> None:
    """And cancelling one ends both processes of its command."""
    write_bad(crashing.folder / "a.png", ABORT)
    home = Workspace.at(crashing.workspace)
    variables = {"PYTHONPATH": os.pathsep.join([str(ROOT), crashing.environment["PYTHONPATH"]])}
    job = start_job(crashing.command[1:], kind="embed", title="a", workspace=home, env=variables)
    eventually(lambda: not job.status().is_live, within_s=90)
    assert job.state == "succeeded"
    assert (len(crashing.image_set), list(crashing.failures)) == (GOOD, ["a.png"])
    write_folder(crashing.folder, 300, start=GOOD)
    second = start_job(crashing.command[1:], kind="embed", title="b", workspace=home, env=variables)
    eventually(second.paths.progress.exists, within_s=60)
    above = psutil.Process(command_of(second).pid)
    eventually(lambda: len(above.children()) == 1)
    [below] = above.children()
    cancel_job(second, grace_s=10)
    assert second.state == "cancelled"
    below.wait(timeout=10)


def test_a_run_from_python_dies_and_the_next_one_does_not(crashing: Crashing) -> None:
    write_bad(crashing.folder / "a.png", SEGFAULT)
    assert crashing.run_from_python().returncode == -signal.SIGSEGV
    second = crashing.run_from_python()
    assert second.returncode == 0, second.stderr
    assert (len(crashing.image_set), list(crashing.failures)) == (GOOD, ["a.png"])
    assert crashing.run_from_python().returncode == 0, "and it is not tried again"


def test_a_process_killed_for_its_memory_ends_the_command_and_not_the_next(crashing: Crashing) -> None:
    write_bad(crashing.folder / "a.png", KILLED)
    assert crashing.run().returncode == -signal.SIGKILL
    assert crashing.run().returncode == 0
    assert len(crashing.image_set) == GOOD
    assert "more memory than there is" in crashing.failures["a.png"]


def test_good_pictures_that_were_in_hand_are_not_lost(tmp_path: Path, workspace: Path, model: Model) -> None:
    """They are as good as any: only the machine's memory was short, or another picture crashed."""
    folder = write_folder(tmp_path / "pictures", 5)
    begun = embed_folder(folder, model=model, workspace=workspace, limit=2)
    notes = notes_of(Workspace.at(workspace).set_paths(begun.set_id))
    left = sorted(set(os.listdir(folder)) - set(begun.table()["path"]))
    with InHand(notes, slots=3) as dying, ExitStack() as in_hand:
        for name in left:
            in_hand.enter_context(dying.holding(image_id(name.encode())))
        dead = notes.read_bytes()
    notes.write_bytes(dead)
    assert len(interrupted(notes)) == len(left) == 3
    image_set = embed_folder(folder, model=model, workspace=workspace)
    assert (len(image_set), len(image_set.failures()), notes.exists()) == (5, 0, False)
    read_at_once = embed_folder(folder, model=model, workspace=workspace.with_name("other"))
    assert np.array_equal(image_set.embeddings(), read_at_once.embeddings())


def test_a_crash_without_a_picture_to_blame_is_not_repeated(crashing: Crashing) -> None:
    crashing.environment[CRASHED_VARIABLE] = "SIGSEGV"
    done = crashing.run()
    assert done.returncode == 1
    assert "error: The run before crashed (SIGSEGV), and not while it read a picture" in done.stderr


class TestTheProcessAbove:
    """It ends with the one below, and the one below with it, however either is stopped."""

    def started(self, crashing: Crashing) -> tuple["subprocess.Popen[str]", psutil.Process]:
        write_folder(crashing.folder, 300, start=GOOD)
        above = subprocess.Popen(
            crashing.command, cwd=ROOT, env=crashing.environment, stderr=subprocess.PIPE, text=True
        )
        assert above.stderr is not None
        next(line for line in above.stderr if line.startswith("read 0"))
        [below] = psutil.Process(above.pid).children()
        return above, below

    @pytest.mark.parametrize(
        ("number", "status"),
        [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
    )
    def test_a_signal_to_it_alone_ends_both(self, crashing: Crashing, number: signal.Signals, status: int) -> None:
        above, below = self.started(crashing)
        above.send_signal(number)
        said = above.communicate(timeout=20)[1]
        assert above.returncode == status
        assert ("Stopped. What was read is kept" in said) == (number == signal.SIGINT)
        assert "Traceback" not in said
        below.wait(timeout=10)

    def test_a_killed_process_below_is_not_started_again(self, crashing: Crashing) -> None:
        above, below = self.started(crashing)
        below.kill()
        above.communicate(timeout=20)
        assert above.returncode == -signal.SIGKILL


class TestReadApart:
    """The same outcome as in this process, and one outcome more."""

    def test_the_same_outcomes(self, tmp_path: Path) -> None:
        write_folder(tmp_path, 1)
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "odd \udcff\n.jpg").write_bytes(b"<html>")
        good = os.fsencode(tmp_path / "0000.jpg")
        here, apart = read_picture(good, Preprocessing()), read_apart(good, Preprocessing())
        assert isinstance(here, Picture)
        assert isinstance(apart, Picture)
        assert (here.crop == apart.crop).all()
        assert (here.content, here.width, here.thumbnail) == (apart.content, apart.width, apart.thumbnail)
        for name in ("empty.jpg", "odd \udcff\n.jpg", "gone.jpg"):
            path = os.fsencode(tmp_path / name)
            assert read_apart(path, Preprocessing()) == read_picture(path, Preprocessing())

    @pytest.mark.parametrize(("size", "says"), [(SEGFAULT, "SIGSEGV"), (EXIT, "exit status 1")])
    def test_a_crash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], says: str) -> None:
        monkeypatch.setenv("PYTHONPATH", crashing_environment(tmp_path)["PYTHONPATH"])
        write_bad(tmp_path / "a.png", size)
        with closing(Decoders(1)) as crashing:
            reading = read_apart(os.fsencode(tmp_path / "a.png"), Preprocessing(), by=crashing)
        assert isinstance(reading, Failure)
        assert f"ends the process that reads it ({says})" in reading.reason

    def test_a_picture_that_takes_too_long(self, tmp_path: Path) -> None:
        write_folder(tmp_path, 1)
        with closing(Decoders(1, most_s=0.0001)) as hasty:
            reading = read_apart(os.fsencode(tmp_path / "0000.jpg"), Preprocessing(), by=hasty)
        assert reading == Failure("takes longer than 0.0001 s to read, or never ends")


class TestNotes:
    def test_what_is_in_hand_is_what_a_dead_run_leaves(self, tmp_path: Path) -> None:
        notes = tmp_path / "notes"
        assert interrupted(notes) == frozenset()
        with InHand(notes, slots=2) as in_hand:
            with in_hand.holding(-5), in_hand.holding(0):
                assert interrupted(notes) == {-5, 0}
            assert interrupted(notes) == frozenset()
        assert not notes.exists()

    def test_notes_that_are_cut_off_say_what_they_can(self, tmp_path: Path) -> None:
        notes = tmp_path / "notes"
        with InHand(notes, slots=2) as in_hand, in_hand.holding(1), in_hand.holding(2):
            data = notes.read_bytes()
        notes.write_bytes(data[:-1])
        assert interrupted(notes) == {1}

    def test_they_cost_next_to_nothing(self, tmp_path: Path) -> None:
        """A picture takes two milliseconds at the very least; a hundredth of that is the most that is allowed."""
        with InHand(tmp_path / "notes", slots=1) as in_hand:
            start = time.perf_counter()
            for number in range(2_000):
                with in_hand.holding(number):
                    pass
            seconds = (time.perf_counter() - start) / 2_000
        print(f"{seconds * 1e6:.1f} µs a picture")
        assert seconds < 2e-3 / 10
