"""UMAP is compiled while pictures are read, and a process on one core ends."""

import os
import sys
import threading

import pytest

from tests.processes import run_python
from url_viz.base.progress import PROGRESS_VARIABLE
from url_viz.pipeline import ahead, projection


@pytest.mark.slow
@pytest.mark.parametrize("is_job", [False, True])
@pytest.mark.parametrize("is_sooner", [False, True])
def test_umap_is_compiled_soon_but_not_beside_a_map_that_is_made_sooner(
    monkeypatch: pytest.MonkeyPatch, is_sooner: bool, is_job: bool
) -> None:
    monkeypatch.setattr(ahead, "UNTIL_PAGE_S", 0.01)
    monkeypatch.setattr(ahead, "usable_cores", lambda: 2)
    if is_job:
        monkeypatch.setenv(PROGRESS_VARIABLE, "progress")
    else:
        monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "umap", None)  # an import of it would fail
    if not is_sooner:
        monkeypatch.delitem(sys.modules, "umap")
    made: list[object] = []
    monkeypatch.setattr(projection, "_umap", lambda *given: made.append(given))
    turn = sys.getswitchinterval()
    others = set(threading.enumerate())  # the server's runner has a timer too, of minutes
    ahead.prepare_umap.__wrapped__()
    for thread in set(threading.enumerate()) - others:
        thread.join()
    assert len(made) == (not is_sooner)
    assert sys.getswitchinterval() == turn


ON_ONE_CORE = """
import os, threading
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from url_viz.models.runtime_openvino import openvino
from tests.processes import run_python
from url_viz.pipeline import ahead, projection
openvino()
ahead.prepare_reading()
ahead.prepare_umap()
for thread in threading.enumerate():
    if isinstance(thread, threading.Timer):
        thread.join()
projection.compile_umap()
print("made", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a core")
def test_a_process_on_one_core_ends_once_its_map_is_made() -> None:
    assert run_python("-c", ON_ONE_CORE, check=True).stdout == "made\n"
