"""Caches that all sessions share: open image sets, and loaded models."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, open_set
from url_viz.models.model import EmbeddingSpace, Model, load_model, resolve, with_head
from url_viz.models.model_names import DEFAULT
from url_viz.options import PrecisionChoice
from url_viz.recent_sets import RecentSets
from url_viz.store.tables.reader import Store
from url_viz.ui.allowed_paths import allowed_model, may_read
from url_viz.ui.response_cache import LruCache
from url_viz.workspace import Workspace

MOST_OPEN = 4


class OpenSets:
    """Cache of the open image sets of one workspace; beyond `MOST_OPEN`, the least recently used is closed.

    Each holds to its own folder and to what the app may read, whatever opens its pictures.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._opening = WeakValueDictionary[tuple[str, str], threading.Lock]()
        self._stores: dict[str, Store] = {}
        self._open: LruCache[tuple[str, str], ImageSet] = LruCache(MOST_OPEN)

    def get(self, set_id: str, model: str = DEFAULT) -> ImageSet:
        """The latest snapshot of an image set under a model. Raises ImageSetError if there is none."""
        allowed_model(model)
        key = set_id, model
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:  # opened once, and nobody waits for another set
            image_set = self._open.get(key)
            if image_set is None or not image_set.is_current():
                image_set = open_set(set_id, model=model, workspace=self.workspace, within=may_read())
                self._open.put(key, image_set)
            return image_set

    def find(self, set_id: str, model: str = DEFAULT) -> ImageSet | None:
        """Like `get`, but None if the set has not been read with this model yet."""
        try:
            return self.get(set_id, model)
        except ImageSetError:
            return None

    def thumbnail(self, set_id: str, image_id: int) -> bytes | None:
        """The thumbnail of a picture (the same for all models); None if there is none."""
        paths = self.workspace.set_paths(set_id)
        with self._lock:
            store = self._stores.get(set_id) or Store(paths)
            if paths.folder.is_dir():  # an id that somebody made up leaves nothing behind
                self._stores[set_id] = store
        return store.thumbnails([image_id]).get(image_id)

    def forget(self, set_id: str) -> None:
        """Drop an image set from the cache."""
        with self._lock:
            self._stores.pop(set_id, None)
        self._open.forget(lambda key: key[0] == set_id)


@cache
def _open_sets_of(root: Path) -> OpenSets:
    return OpenSets(Workspace.at(root))


def open_sets() -> OpenSets:
    """The cache of the workspace that the app runs on; one for all sessions."""
    return _open_sets_of(Workspace.at().root)


@cache
def _recent_sets_of(root: Path) -> RecentSets:
    return RecentSets(Workspace.at(root))


def recent_sets() -> RecentSets:
    """What lists of the image sets show of each; one for all sessions."""
    return _recent_sets_of(Workspace.at().root)


MOST_LOADED = 2
_lock = threading.Lock()


@contextmanager
def running_model(name: str, space: EmbeddingSpace | None = None) -> Iterator[Model]:
    """The model of this name, loaded once per app; one caller at a time. Raises ModelError and its subclasses.

    With the `space` of a set it sees pictures as they were read for that, in its precision.
    """
    precision = "fast" if space is None else space.precision
    with _lock:
        source = resolve(allowed_model(name))
        written_ns = source.weights.stat().st_mtime_ns if source.weights is not None else 0
        loaded = with_head(_loaded(name, precision, Workspace.at().root, written_ns), source)
        yield loaded if space is None else loaded.seeing(space.preprocessing.rendering)


@lru_cache(maxsize=MOST_LOADED)
def _loaded(name: str, precision: PrecisionChoice, workspace: Path, written_ns: int) -> Model:
    """`written_ns` is part of the key: a finetuned backbone may be overwritten under the same name."""
    return load_model(name, precision=precision, workspace=workspace)
