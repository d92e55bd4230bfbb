"""UMAP is compiled while pictures are read, and what is compiled in one process is kept for the next one."""

import os
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.pipeline.examples import as_whitened, dice, graph_of
from tests.processes import ROOT, run_python
from url_viz.base.processes import keep_compiled
from url_viz.base.progress import PROGRESS_VARIABLE
from url_viz.pipeline import ahead, projection
from url_viz.pipeline.projection import fit_map


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


ENDS_AT_ONCE = """
import sys
from url_viz.store.tables.tables import import_lancedb_ahead
import_lancedb_ahead()
sys.exit("refused")
"""


@pytest.mark.slow
def test_a_process_that_ends_at_once_waits_for_the_import_of_the_store() -> None:
    """Its threads in lancedb's own code would abort the process, of one that read nothing in one time of ten."""
    done = run_python("-X", "importtime", "-c", ENDS_AT_ONCE)
    lines = done.stderr.splitlines()
    assert (done.returncode, [line for line in lines if not line.startswith("import time:")]) == (1, ["refused"])
    assert any(line.endswith(" lancedb") for line in lines)


DOUBLED = "import numba\n\n\n@numba.njit()\ndef doubled(x):\n    return 2 * x\n"


def called(file: Path) -> tuple[int, int]:
    """What a module that is imported anew returns, and how often it had to compile."""
    spec = spec_from_file_location("heavy", file)
    assert spec is not None
    assert spec.loader is not None
    heavy = module_from_spec(spec)
    spec.loader.exec_module(heavy)
    keep_compiled(heavy)
    return heavy.doubled(3), sum(heavy.doubled.stats.cache_misses.values())


@pytest.mark.slow
def test_who_imports_it_again_compiles_nothing(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text(DOUBLED)
    assert called(tmp_path / "heavy.py") == (6, 1)
    assert called(tmp_path / "heavy.py") == (6, 0)


@pytest.mark.slow
def test_a_file_of_the_working_folder_does_not_say_where_compiled_code_lies(tmp_path: Path) -> None:
    """numba unpickles what lies there; the folder that one works in may be a stranger's."""
    (tmp_path / ".numba_config.yaml").write_text("CACHE_DIR: stranger\nCACHE_LOCATOR_CLASSES: stranger.Locator\n")
    code = (
        "import url_viz.pipeline.projection, numba; print([numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES])"
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = run_python("-c", code, cwd=tmp_path, env={**variables, "PYTHONPATH": str(ROOT)}, check=True)
    assert done.stdout.split("\n")[0] == "['', '']"


@pytest.mark.slow
def test_a_function_that_cannot_be_kept_is_compiled_as_before() -> None:
    module = ModuleType("nowhere")
    exec(DOUBLED, vars(module))  # numba keeps nothing of code that stands in no file
    keep_compiled(module)
    assert module.doubled(3) == 6


@pytest.mark.slow
def test_the_longest_function_of_the_map_is_kept() -> None:
    embeddings = as_whitened(dice(20))
    assert np.isfinite(fit_map(embeddings, graph_of(embeddings)).xy).all()
    import umap.layouts  # only now: on its way in it warns of what it does without

    assert umap.layouts._nb_optimize_layout_euclidean_single_epoch.stats.cache_path is not None
