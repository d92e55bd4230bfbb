"""Decisions on a disk that is full at each write in turn: none is lost, and there is always a file or a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import run_python

SHIM = Path(__file__).parent / "full_disk.c"

SCRIPT = """
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
def test_at_every_write_in_turn(tmp_path: Path, what: str, stride: int) -> None:
    shim = tmp_path / "full_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, SHIM, "-ldl"], check=True)
    variables = {"LD_PRELOAD": str(shim), "PATH": "/usr/bin:/bin"}
    done = run_python("-c", SCRIPT, shim, what, tmp_path, stride, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    turns, failed = map(int, done.stdout.split())
    assert turns >= 5
    assert failed >= 3
