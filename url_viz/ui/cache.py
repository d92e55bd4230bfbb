"""What the app holds for all sessions: open image sets, loaded models, and what uploads are compared with."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path

from url_viz.analysis.selective_retrieval import Evidence, evidence, has_evidence
from url_viz.analysis.uploads import Reference, reference_of
from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, open_set
from url_viz.models.model import Model, load_model, resolve, with_head
from url_viz.models.names import DEFAULT
from url_viz.models.runtime import Precision
from url_viz.store.reader import Store
from url_viz.ui.allowed_paths import allowed_model
from url_viz.workspace import Workspace

MOST_OPEN = 4


class OpenSets:
    """The image sets of one workspace that are in use; the least lately used is let go of beyond a few."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._stores: dict[str, Store] = {}
        self._open: OrderedDict[tuple[str, str], ImageSet] = OrderedDict()

    def get(self, set_id: str, model: str = DEFAULT) -> ImageSet:
        """The latest snapshot of an image set under a model. Raises ImageSetError where there is none."""
        allowed_model(model)
        with self._lock:
            held = self._open.get((set_id, model))
            if held is None or not held.is_current():
                held = open_set(set_id, model=model, workspace=self.workspace)
            self._open[set_id, model] = held
            self._open.move_to_end((set_id, model))
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return held

    def find(self, set_id: str, model: str = DEFAULT) -> ImageSet | None:
        """Like `get`, None where the set was not read with this model yet."""
        try:
            return self.get(set_id, model)
        except ImageSetError:
            return None

    def thumbnail(self, set_id: str, image_id: int) -> bytes | None:
        """The thumbnail of a picture, whatever model it was read with; None where there is none."""
        with self._lock:
            if set_id not in self._stores:
                self._stores[set_id] = Store(self.workspace.set_paths(set_id))
        return self._stores[set_id].thumbnails([image_id]).get(image_id)

    def forget(self, set_id: str) -> None:
        """Let go of an image set."""
        with self._lock:
            self._stores.pop(set_id, None)
            for key in [key for key in self._open if key[0] == set_id]:
                del self._open[key]


@cache
def _open_sets_of(root: Path) -> OpenSets:
    return OpenSets(Workspace.at(root))


def open_sets() -> OpenSets:
    """The one holder of the workspace that the app runs on."""
    return _open_sets_of(Workspace.at().root)


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


MOST_AT_ONCE = 50_000
"""Beyond this many pictures evidence takes long enough to be asked for first."""


def reference(image_set: ImageSet) -> Reference:
    """The distinct pictures of a snapshot, for uploads to be compared with."""
    return _reference(image_set, image_set.version)


@lru_cache(maxsize=2)
def _reference(image_set: ImageSet, version: str) -> Reference:
    """`version` tells a snapshot from itself before its user brought columns or other labels."""
    return reference_of(image_set.table(), image_set.embeddings(), image_set.contents)


def evidence_for(image_set: ImageSet, measure: str) -> Evidence | None:
    """What the classes of a snapshot say of a measure; None where too few pictures have a class and neighbours yet."""
    return _evidence(image_set, image_set.version, measure)


@lru_cache(maxsize=8)
def _evidence(image_set: ImageSet, version: str, measure: str) -> Evidence | None:
    table, keys, graph = image_set.table(), image_set.contents, image_set.graph
    if graph is None or not has_evidence(table, keys, graph=graph, measure=measure):
        return None
    return evidence(table, image_set.embeddings(), keys, graph=graph, measure=measure)
