"""A picture that crashes its decoder costs one row: of a command, of a job, and of a run from Python."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hostile.crashing import ABORT, KILLED, SEGFAULT, SLOW, crashing_environment, write_bad
from tests.imaging.pictures import noise, read_picture, write_folder
from tests.processes import ROOT, decoding_below, embed_words, run_python
from url_viz.cli.embed_command import STRICT_STATUS
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.decode import Preprocessing, read_file
from url_viz.imaging.places import content_key
from url_viz.imaging.workers import DecodeResult, Decoders, Known, Picture, fetch_and_decode_isolated
from url_viz.models.model_names import DEFAULT

GOOD = 4
"""With the bad ones too few for UMAP, which has no part in this and takes as long as the rest of a command."""
pytestmark = pytest.mark.slow


class Crashing:
    """A folder of good pictures, and the real command under a decoder that crashes."""

    def __init__(self, home: Path, workspace: Path) -> None:
        self.folder = write_folder(home / "pictures", GOOD)
        self.workspace = workspace
        self.environment = crashing_environment(home / "decoder")

    @property
    def words(self) -> list[str]:
        return embed_words(self.folder, self.workspace)

    @property
    def image_set(self) -> ImageSet:
        return open_image_set(self.folder, model=DEFAULT, workspace=self.workspace)

    @property
    def failures(self) -> dict[str, str]:
        return dict(self.image_set.failures().itertuples(index=False))


@pytest.fixture
def crashing(tmp_path: Path, workspace: Path) -> Crashing:
    return Crashing(tmp_path, workspace)


def test_one_command_reads_every_good_picture_and_lists_those_that_crash(
    crashing: Crashing, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, size in (("a.png", SEGFAULT), ("b.png", SEGFAULT), ("c.png", ABORT), ("d.png", KILLED)):
        write_bad(crashing.folder / name, size, seed=ord(name[0]))
    done = run_python("-m", "url_viz", *crashing.words, "--strict", env=crashing.environment)
    assert done.returncode == STRICT_STATUS, done.stderr
    assert "Traceback" not in done.stderr
    assert len(crashing.image_set) == GOOD
    assert set(crashing.failures) == {"a.png", "b.png", "c.png", "d.png"}
    assert "ends the process that reads it (SIGSEGV)" in crashing.failures["a.png"]
    assert "ends the process that reads it (SIGABRT)" in crashing.failures["c.png"]
    assert "more memory than there is" in crashing.failures["d.png"]
    assert main(crashing.words) == 0
    assert "read 0 of 0" in capsys.readouterr().err
    noise(5).save(crashing.folder / "a.png")
    assert main(crashing.words) == 0
    assert set(crashing.failures) == {"b.png", "c.png", "d.png"}
    assert len(crashing.image_set) == GOOD + 1


class TestSignals:
    """A stopped command leaves no decoding process (Ctrl-C: `test_stopped`); killing one of these costs nothing."""

    def started(self, crashing: Crashing) -> tuple["subprocess.Popen[str]", list[psutil.Process]]:
        line = [sys.executable, "-m", "url_viz", *crashing.words]
        command = subprocess.Popen(line, cwd=ROOT, env=crashing.environment, stderr=subprocess.PIPE, text=True)
        return command, decoding_below(command.pid)

    @pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.torture)])
    def test_a_signal_ends_all(self, crashing: Crashing, number: signal.Signals) -> None:
        write_folder(crashing.folder, 300, start=GOOD)
        command, below = self.started(crashing)
        command.send_signal(number)
        assert "Traceback" not in command.communicate(timeout=120)[1]
        assert command.returncode == -number
        psutil.wait_procs(below, timeout=120)
        assert not any(process.is_running() for process in below)

    @pytest.mark.torture
    def test_a_process_below_that_is_killed_costs_no_picture(self, crashing: Crashing) -> None:
        for number in range(10):
            write_bad(crashing.folder / f"slow {number}.png", SLOW, seed=number)
        command, [below, *_] = self.started(crashing)
        below.kill()
        said = command.communicate(timeout=120)[1]
        assert command.returncode == 0, said
        assert (len(crashing.image_set), crashing.failures) == (GOOD + 10, {})


def read_isolated(path: Path, **options: Any) -> DecodeResult:
    return fetch_and_decode_isolated(partial(read_file, os.fsencode(path)), Preprocessing(), **options)


class TestReadIsolated:
    """The same outcome as in this process, and one outcome more."""

    def test_the_same_outcomes(self, tmp_path: Path) -> None:
        write_folder(tmp_path, 1)
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "odd \udcff\n.jpg").write_bytes(b"<html>")
        apart = read_isolated(tmp_path / "0000.jpg")
        assert isinstance(apart, Picture)
        assert apart.content == content_key((tmp_path / "0000.jpg").read_bytes())
        for name in ("empty.jpg", "odd \udcff\n.jpg", "gone.jpg"):
            assert read_isolated(tmp_path / name) == read_picture(tmp_path / name, Preprocessing())

    def test_a_known_content_goes_to_no_process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", crashing_environment(tmp_path)["PYTHONPATH"])
        path = tmp_path / "a.png"
        write_bad(path, SEGFAULT)
        content = content_key(path.read_bytes())
        with closing(Decoders(1)) as crashing:
            assert read_isolated(path, known={content}, by=crashing) == Known(content)
