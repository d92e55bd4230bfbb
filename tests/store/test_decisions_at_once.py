"""Decisions by several processes and on a full disk: none is lost, and an action is done whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.processes import run_python
from tests.store.conftest import shown
from url_viz.store.decisions.decision_log import DecisionLog, seen_once
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions

ROOT = Path(__file__).parents[2]


WRITER = """
import sys
from pathlib import Path
import numpy as np
from url_viz.store.decisions.decisions import Decisions, FileKeys
path, first, count, rounds = Path(sys.argv[1]), *map(int, sys.argv[2:])
ids = np.arange(1, 1 + 40 if rounds == 1 else 1 + count, dtype=np.int64)
decisions = Decisions(path, FileKeys(ids, ids))
print("ready", flush=True)
sys.stdin.readline()
if rounds == 1:
    for i in range(first, first + count):
        decisions.decide([i], "keep")
        decisions.tag([1 + i % 40], f"of {first}")
else:
    for turn in range(rounds):
        decisions.decide(ids, ("keep", "drop", "look-again")[turn % 3])
"""


def started(path: Path, first: int, count: int, rounds: int) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first), str(count), str(rounds)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.15, *(pytest.param(s, marks=pytest.mark.torture) for s in (0.02, 0.3))])
def test_a_killed_action_is_done_whole_or_not_at_all(path: Path, delay_s: float) -> None:
    count = 20_000
    process = started(path, 1, count, 1000)
    go(process)
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    ids = np.arange(1, count + 1)
    decisions = Decisions(path, FileKeys(ids, ids))
    decided = set(shown(decisions))
    assert len(decided) == 1
    assert decisions.can_undo == (decided != {None})
    assert decisions.decide([1], "keep" if decided != {"keep"} else "drop").count == 1, "and the file works on"


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
    print("begun")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_to_read_in_one_thread_leaves_the_lock_of_another(path: Path) -> None:
    """To open the file past SQLite and close it drops every lock of the process on it: an answer would be lost."""
    decisions = Decisions(path, FileKeys(np.array([1]), np.array([1])))
    decisions.decide([1], "keep")
    with DecisionLog(path).writing():
        assert shown(Decisions(path, FileKeys(np.array([1]), np.array([1])))) == ["keep"]
        other = subprocess.run([sys.executable, "-c", LOCKER, path], capture_output=True, text=True, check=True)
        assert other.stdout == "database is locked\n"


def test_within_seen_once_an_own_action_is_seen_at_once_and_that_of_another_thread_afterwards(path: Path) -> None:
    files = FileKeys(np.arange(1, 4), np.arange(1, 4))
    decisions, another = (Decisions(path, files) for _ in range(2))
    versions = []
    with seen_once():
        versions.append(decisions.version)
        decisions.decide([1], "keep")
        versions.append(decisions.version)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(another.decide, [2], "drop").result()
        assert decisions.version == versions[1]
        decisions.decide([3], "keep")
        versions.append(decisions.version)
    another.label({1: "cat"}, source="folders")
    assert [*versions, decisions.version] == sorted({*versions, decisions.version})
    assert decisions.labels_version == 1
    assert shown(decisions) == ["keep", "drop", "keep"]


@pytest.mark.parametrize("moment", range(3))
def test_a_log_that_another_makes_between_two_looks_is_not_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    ids = np.arange(1, 4, dtype=np.int64)
    mine, another = (Decisions(path, FileKeys(ids, ids)) for _ in range(2))
    look, looks = Path.exists, 0

    def exists(looked: Path) -> bool:
        nonlocal looks
        answer = look(looked)
        looks += 1
        if looks == moment + 1:
            another.decide([1], "keep")
        return answer

    monkeypatch.setattr(Path, "exists", exists)
    mine.decide([2], "drop")
    assert looks > moment
    assert shown(mine) == ["keep", "drop", None]


@pytest.mark.slow
def test_threads_and_another_process_lose_nothing_and_all_is_undone(path: Path) -> None:
    ids = np.arange(1, 41, dtype=np.int64)

    def decide(first: int) -> None:
        mine = Decisions(path, FileKeys(ids, ids))
        for image_id in range(first, first + 5):
            mine.decide([image_id], "drop")

    with started(path, 11, 10, 1) as process, ThreadPoolExecutor(2) as pool:
        go(process)
        list(pool.map(decide, (1, 6)))
    assert process.returncode == 0
    decisions = Decisions(path, FileKeys(ids, ids))
    assert shown(decisions) == ["drop"] * 10 + ["keep"] * 10 + [None] * 20
    assert decisions.tag_counts() == {"of 11": 10}
    for _ in range(30):
        assert decisions.undo() is not None
    assert not decisions.can_undo
    assert shown(decisions) == [None] * 40


FULL_DISK = """
import ctypes, os, shutil, sys
from pathlib import Path
import numpy as np
from url_viz.base.errors import WorkspaceError
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions

shim, what, folder, stride = ctypes.CDLL(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
shim.disk_full_after.argtypes = [ctypes.c_long]
path, template = folder / "set" / "decisions.db", folder / "template"
files = FileKeys(np.arange(1, 9), np.arange(101, 109))

def decided():
    return Decisions(path, files).now().decision.tolist()

path.parent.mkdir()
decisions = Decisions(path, files)
decisions.decide([1, 2], "drop")
decisions.decide([3], "keep")
before = decided()
if what == "mend":
    path.write_bytes(b"")
shutil.copytree(path.parent, template)

def act():
    if what == "mend":
        path.unlink()
        assert DecisionLog(path).put_back()
    else:
        decisions.decide([4], "keep")

failed = turn = 0
while True:
    shutil.rmtree(path.parent)
    shutil.copytree(template, path.parent)
    child = os.fork()
    if not child:
        if what == "decide":
            decisions = Decisions(path, files)
            decisions.decide([5], "keep")
        shim.disk_full_after(turn)
        try:
            act()
        except WorkspaceError as error:
            assert "is full" in str(error) or "Cannot write" in str(error), error
            os._exit(1)
        except BaseException as error:
            print("raw", repr(error), flush=True)
            os._exit(2)
        is_reached = shim.calls_left() == 0
        os._exit(3 if is_reached else 0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1, 3), (turn, status)
    failed += status == 1
    if what == "mend":
        if not path.exists():
            assert DecisionLog(path).put_back(), f"the copy is lost: call {turn}"
        assert decided() == before, turn
    else:
        now = decided()
        assert now[:3] == before[:3], turn
        assert now[3] == "keep" or status == 1, turn
        path.unlink()
        assert DecisionLog(path).put_back(), f"the copy is lost: call {turn}"
        assert decided()[:3] == before[:3], turn
    if status == 0:
        break
    turn += stride
print(turn, failed)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs a C compiler on Linux")
@pytest.mark.parametrize(
    ("what", "stride"), [("mend", 1), ("decide", 5), pytest.param("decide", 1, marks=pytest.mark.torture)]
)
def test_on_a_disk_that_is_full_at_each_write_in_turn_none_is_lost(tmp_path: Path, what: str, stride: int) -> None:
    shim = tmp_path / "full_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, Path(__file__).with_name("full_disk.c"), "-ldl"], check=True)
    variables = {"LD_PRELOAD": str(shim), "PATH": "/usr/bin:/bin"}
    done = run_python("-c", FULL_DISK, shim, what, tmp_path, stride, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    turns, failed = map(int, done.stdout.split())
    assert turns >= 5
    assert failed >= 3
