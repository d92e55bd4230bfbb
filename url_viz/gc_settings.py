"""Fewer searches for reference cycles in our commands: among what they import, these find nothing and take long."""

import atexit
import gc

EVERY = 10_000
"""New objects after which the young ones are searched, in place of the 700 that Python has by itself."""


def search_rarely() -> None:
    """Have this process search for reference cycles more rarely than Python would, and not once more as it ends."""
    gc.set_threshold(EVERY)
    atexit.register(gc.freeze)  # what is frozen is left out of the last search
