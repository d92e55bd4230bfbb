"""The commands of both packages end alike: a line on stderr and a status, whatever happens to what they print."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "experiments" / "heads" / "lite0-report.json"
COMMANDS = {
    "url_viz": ["url_viz", "models", "list"],
    "help": ["url_viz", "models"],
    "training": ["training.benchmark.benchmark_tables", "--json", str(REPORT)],
}
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)]


def ended(words: list[str], *, stdout: int) -> tuple[int, str]:
    """The status and errors of a command that prints to `stdout`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    line = [sys.executable, "-m", *words]
    done = subprocess.run(
        line, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, env=environment, text=True, check=False
    )
    return done.returncode, done.stderr


def test_a_reader_that_has_seen_enough_is_no_error_to_speak_of(words: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    assert ended(words, stdout=write_end) == (141, "")
    os.close(write_end)


def test_a_full_disk_is_one_line(words: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    status, told = ended(words, stdout=full)
    os.close(full)
    assert (status, told.count("\n")) == (1, 1), told
    assert told.startswith("error: The disk is full")
