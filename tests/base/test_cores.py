"""Cores that a process may use, where it is bound to fewer than the machine has."""

import os

import pytest

from tests.processes import run_python

SCRIPT = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from url_viz.base.processes import usable_cores
from url_viz.base.processes import read_ahead
import threading, time
threads = set()
list(read_ahead([range(20)], lambda _: (threads.add(threading.get_ident()), time.sleep(0.01))))
print(usable_cores(), len(threads))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="macOS binds no process to cores")
def test_a_process_bound_to_one_core_reads_by_one_thread() -> None:
    assert run_python("-c", SCRIPT, check=True).stdout.split() == ["1", "1"]
