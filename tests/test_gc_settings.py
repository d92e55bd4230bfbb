"""Our commands search for reference cycles rarely, and a program that imports us as often as it did before."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.fixtures import ROOT
from url_viz.gc_settings import EVERY

AT_THE_END = """import atexit, gc
atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "training.config"], f"{EVERY} True"),
        (["-c", "import url_viz.image_set, training.config"], f"{gc.get_threshold()[0]} False"),
    ],
)
def test_commands_search_rarely_and_not_at_their_end(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_THE_END)
    variables = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == said
