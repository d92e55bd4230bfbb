"""What a reading needs later, begun while something else is waited for."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread, Timer

from url_viz.base.processes import usable_cores
from url_viz.base.progress import PROGRESS_VARIABLE
from url_viz.imaging.workers import decoders
from url_viz.pipeline.projection import compile_umap
from url_viz.store.tables.tables import import_lancedb_ahead

UNTIL_PAGE_S = 2.0
"""Until a page shows the first pictures of a job, nothing is compiled."""
TURN_S = 0.0005
"""How long a thread that compiles keeps Python's lock from those that read, in place of ten times as long."""


@cache
def prepare_reading() -> None:
    """Start a process that decodes and import what stores, once, in threads: loading a model hides the time."""
    if usable_cores() > 1:
        Thread(target=decoders.format_of, args=(b"",), daemon=True).start()
        import_lancedb_ahead()


@cache
def prepare_umap() -> None:
    """Import UMAP, once, in a thread, and compile it where no cache is: reading hides the seconds.

    Not on a single core: reading would hide nothing, and a process whose threads have begun numba's work by OpenVINO's
    TBB never ends there, since numba waits for workers that do not exist.
    """
    if usable_cores() > 1:
        soon = Timer(UNTIL_PAGE_S if PROGRESS_VARIABLE in os.environ else 0, _compile_in_short_turns)
        soon.daemon = True
        soon.start()


def _compile_in_short_turns() -> None:
    try:
        with _short_turns():
            compile_umap()
    except RuntimeError as error:  # its imports register what is to run at the end, which a process that ends refuses
        if "shutdown" not in str(error):
            raise


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
