"""The models that the app holds loaded, shared by all its pages and sessions; one of them runs at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from url_viz.models.model import Model, load_model, resolve, with_head
from url_viz.models.runtime import Precision
from url_viz.ui.allowed_paths import allowed_model
from url_viz.workspace import Workspace

MOST_LOADED = 2
_lock = threading.Lock()


@contextmanager
def running_model(name: str, *, precision: Precision = "fast") -> Iterator[Model]:
    """The model of this name, loaded once for the whole app, for this caller alone. Raises ModelError and its kin."""
    with _lock:
        source = resolve(allowed_model(name))
        written_ns = source.weights.stat().st_mtime_ns if source.weights is not None else 0
        yield with_head(_loaded(name, precision, Workspace.at().root, written_ns), source)


@lru_cache(maxsize=MOST_LOADED)
def _loaded(name: str, precision: Precision, workspace: Path, written_ns: int) -> Model:
    """`written_ns` tells a finetuned backbone that was written again under its name from the one before."""
    return load_model(name, precision=precision, workspace=workspace)
