"""Processes that tests start: this Python, run to its end, and the command that reads a folder, stopped on its way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.browser.fixtures import eventually
from url_viz.base.workspace import SetPaths
from url_viz.store.tables.reader import Store

ROOT = Path(__file__).parents[1]


def run_python(*words: object, check: bool = False, **options: Any) -> "subprocess.CompletedProcess[str]":
    """What this Python does with these words, in the folder of the project, with all that it prints as text."""
    usual = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 280}
    return subprocess.run([sys.executable, *map(str, words)], check=check, **usual | options)


def embed_words(folder: Path, workspace: Path) -> list[str]:
    """The command that reads a folder, as the words of `url-viz`."""
    return ["embed", str(folder), "--workspace", str(workspace), "--device", "cpu"]


@contextmanager
def reading(folder: Path, workspace: Path, **options: Any) -> Iterator["subprocess.Popen[Any]"]:
    """That command in a process group of its own, as a terminal would have it; killed with the block."""
    line = [sys.executable, "-m", "url_viz", *embed_words(folder, workspace)]
    usual = {"cwd": ROOT, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(line, **usual | options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def stored_files(workspace: Path) -> int:
    """How many files are stored of the one image set of a workspace."""
    folders = list((workspace / "sets").glob("*"))
    return len(Store(SetPaths(folders[0])).images(["id"])) if folders else 0


def await_stored(workspace: Path, process: "subprocess.Popen[Any]", *, more_than: int = 0) -> None:
    """Return once more files are stored; AssertionError if the process ends before."""
    deadline = time.monotonic() + 120
    while stored_files(workspace) <= more_than:
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def decoding_below(pid: int) -> list[psutil.Process]:
    """The processes that decode for a command, as soon as there are some."""

    def found() -> list[psutil.Process]:
        return [child for child in psutil.Process(pid).children() if "url_viz.imaging.workers" in child.cmdline()]

    eventually(lambda: bool(found()), within_s=120)
    return found()
