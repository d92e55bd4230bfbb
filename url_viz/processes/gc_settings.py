"""Fewer searches for reference cycles in our commands and pages: most find nothing, and they take long."""

import atexit
import gc
import threading

EVERY = 10_000
"""New objects after which the young ones are searched, in place of the 700 that Python has by itself."""
WAIT_S = 10.0
"""What cycles hold, such as tables of a set that was closed, is free so many seconds after a page at the latest."""
_wished = threading.Lock()


def search_rarely() -> None:
    """Have this process search for reference cycles more rarely than Python would, and not once more as it ends."""
    gc.set_threshold(EVERY)
    atexit.register(gc.freeze)  # what is frozen is left out of the last search


def collect_soon() -> None:
    """Wish for a search of every object some seconds later, once for any number of wishes until then.

    It takes .1 s once pandas and Plotly are there, and lets nobody else run. `runner.postScriptGC` in
    `.streamlit/config.toml` keeps Streamlit from one after each page.
    """
    if _wished.acquire(blocking=False):
        timer = threading.Timer(WAIT_S, _collect)
        timer.daemon = True
        timer.start()


def _collect() -> None:
    _wished.release()  # what is dropped from now on may be missed, and asks for another
    gc.collect()
