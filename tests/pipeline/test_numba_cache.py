"""What numba compiles for the map in one process is kept for the next one."""

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.pipeline.examples import as_whitened, dice, graph_of
from tests.processes import ROOT, run_python
from url_viz.base.processes import keep_compiled
from url_viz.pipeline.projection import fit_map

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
