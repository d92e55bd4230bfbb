"""Our commands search for reference cycles rarely, and a program that imports us as often as it did before."""

import gc
import subprocess
import sys
import threading
import tomllib
import weakref
from pathlib import Path

import pytest

from tests.browser.fixtures import ROOT
from url_viz.base import processes as gc_settings
from url_viz.base.processes import EVERY, collect_soon

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


class Cycle:
    """An object that holds itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_collected_some_time_after_pages_not_after_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False
    monkeypatch.setattr(gc_settings, "WAIT_S", 0.1)
    monkeypatch.setattr(gc_settings, "_wished", threading.Lock())  # without the wishes of tests before
    gc.disable()
    try:
        for _ in range(2):  # a later wish is another collection
            held, before = weakref.ref(Cycle()), set(threading.enumerate())
            for _ in range(50):
                collect_soon()
            timers = set(threading.enumerate()) - before
            assert len(timers) == 1
            assert held() is not None
            timers.pop().join(120)  # a collection that begins before another one has ended does nothing
            assert held() is None
    finally:
        gc.enable()
