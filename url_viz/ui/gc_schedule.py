"""Collect reference cycles some seconds after pages were run, in place of a whole collection after each of them.

A whole collection looks at every object of the process, .1 s of it once pandas and Plotly are there, and lets nobody
else run. `runner.postScriptGC` in `.streamlit/config.toml` keeps Streamlit from one after each page.
"""

import gc
import threading
from collections.abc import Callable

WAIT_S = 10.0
"""What cycles hold, such as tables of a set that was closed, is free so many seconds after a page at the latest."""


class Collector:
    """Collects once, `wait_s` seconds after the first of any number of wishes."""

    def __init__(self, wait_s: float = WAIT_S, collect: Callable[[], object] = gc.collect) -> None:
        self._wait_s = wait_s
        self._collect = collect
        self._lock = threading.Lock()
        self._is_waiting = False

    def ask(self) -> None:
        """Wish for a collection; one that is already to come is enough."""
        with self._lock:
            if self._is_waiting:
                return
            self._is_waiting = True
        timer = threading.Timer(self._wait_s, self._run)
        timer.daemon = True
        timer.start()

    def _run(self) -> None:
        with self._lock:
            self._is_waiting = False  # what is dropped from now on may be missed, and asks for another
        self._collect()


_collector = Collector()


def collect_soon() -> None:
    """Wish for a collection in this process."""
    _collector.ask()
