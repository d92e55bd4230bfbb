"""Reference cycles are collected some time after pages, not after each of them."""

import gc
import threading
import time
import tomllib
import weakref
from pathlib import Path

import pytest

from url_viz.ui.gc_schedule import Collector

ROOT = Path(__file__).parents[2]


class Cycle:
    """An object that holds itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_cycle_holds_is_free_a_while_after_the_wish() -> None:
    gc.disable()
    try:
        held = weakref.ref(Cycle())
        assert held() is not None
        Collector(wait_s=0.01).ask()
        until = time.monotonic() + 120
        while held() is not None and time.monotonic() < until:
            time.sleep(0.01)
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.slow
def test_many_wishes_are_one_collection_and_a_later_one_is_another() -> None:
    done = threading.Semaphore(0)
    collector = Collector(wait_s=0.2, collect=done.release)
    for _ in range(50):
        collector.ask()
    assert done.acquire(timeout=120)
    assert not done.acquire(timeout=0.4)
    collector.ask()
    assert done.acquire(timeout=120)


def test_streamlit_collects_after_no_page() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False
