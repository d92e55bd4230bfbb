"""Caches that all sessions share: open image sets, loaded models, and what browsers fetch in parts."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Generic, Self, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import ImageSetError
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet, open_set
from url_viz.models.model import EmbeddingSpace, Model, load_model, resolve, with_head
from url_viz.models.model_names import DEFAULT
from url_viz.recent_sets import RecentSets
from url_viz.store.tables.reader import Store
from url_viz.ui.auth import allowed_model, may_read

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
MOST_MASKS, MOST_ORDERS = 200, 100
MOST_IN_ORDER = 100_000
"""An order is never longer: nobody scrolls further, and filters and the threshold act on all pictures."""


class LruCache(Generic[K, T]):
    """A cache of at most `most` values for all threads; the least recently used are dropped."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[K, T] = OrderedDict()

    def put(self, key: K, value: T) -> K:
        """Store a value; returns its key."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return key

    def get(self, key: K) -> T | None:
        """The value of a key; None if it was dropped."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def forget(self, is_old: Callable[[K], bool]) -> None:
        with self._lock:
            for key in list(filter(is_old, self._values)):
                del self._values[key]


def content_key(content: bytes) -> str:
    """The key under which content is cached."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()


@dataclass(frozen=True)
class GridOrder:
    """Pictures in the order of a grid: `ids`, percentiles `rank`, numbers of hidden `twins` and `copies`.

    All are (M,); copies are among the twins.
    """

    ids: NDArray[np.int64]
    rank: NDArray[np.float32]
    twins: NDArray[np.integer]
    copies: NDArray[np.integer]

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> Self:
        """The order of `rows` (id, rank_percentile and, if known, twins and copies), the first MOST_IN_ORDER."""
        rows = rows.filter(["id", "rank_percentile", "twins", "copies"]).head(MOST_IN_ORDER)
        none = pd.Series(0, rows.index)
        twins, copies = (rows.get(name, none).to_numpy(np.int32) for name in ("twins", "copies"))
        return cls(rows["id"].to_numpy(np.int64), rows["rank_percentile"].to_numpy(np.float32), twins, copies)

    @cached_property
    def key(self) -> str:
        """Its key in the cache."""
        return content_key(b"".join(part.tobytes() for part in (self.ids, self.rank, self.twins, self.copies)))

    def rows(self, table: pd.DataFrame, *, start: int, stop: int) -> pd.DataFrame:
        """The rows of `table` at positions `start` to `stop`, with `rank_percentile`, `twins` and `copies`.

        Pictures that are no longer in the table are left out.
        """
        ids = pd.Index(table["id"].to_numpy(np.int64)).get_indexer(self.ids[start:stop])
        is_present = ids >= 0
        rows: pd.DataFrame = table.iloc[ids[is_present]]
        given = {"rank_percentile": self.rank, "twins": self.twins, "copies": self.copies}
        return rows.assign(**{name: values[start:stop][is_present] for name, values in given.items()})


cached_masks: LruCache[str, bytes] = LruCache(MOST_MASKS)
cached_orders: LruCache[str, GridOrder] = LruCache(MOST_ORDERS)


def cache_order(order: GridOrder) -> str:
    """Cache an order; returns its key."""
    return cached_orders.put(order.key, order)


def ranges_of(key: str, ids: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where `ids` are in a cached order, as ascending ranges (from, to); none if it was dropped."""
    order = cached_orders.get(key)
    is_present = np.zeros(0, bool) if order is None else np.isin(order.ids, ids)
    edges = np.flatnonzero(np.diff(is_present.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def ids_at(key: str, ranges: list[tuple[int, int]]) -> NDArray[np.int64]:
    """The ids (M,) at some `ranges` (from, to) of a cached order; none if it was dropped."""
    order = cached_orders.get(key)
    if order is None or not ranges:
        return np.empty(0, np.int64)
    return np.concatenate([order.ids[max(0, start) : max(0, stop)] for start, stop in ranges])


MOST_OPEN = 4


class OpenSets:
    """The open image sets of one workspace; beyond `MOST_OPEN`, the least recently used is closed.

    Each reads only its own folder and what the app may read.
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
        with self._lock:
            self._stores.pop(set_id, None)
        self._open.forget(lambda key: key[0] == set_id)


@cache
def _shared(root: Path) -> tuple[OpenSets, RecentSets]:
    return OpenSets(Workspace.at(root)), RecentSets(Workspace.at(root))


def open_sets() -> OpenSets:
    """The open sets of the app's workspace, shared by all sessions."""
    return _shared(Workspace.at().root)[0]


def recent_sets() -> RecentSets:
    """What lists show of each image set, shared by all sessions."""
    return _shared(Workspace.at().root)[1]


MOST_LOADED = 2
_lock = threading.Lock()


@contextmanager
def running_model(name: str, space: EmbeddingSpace | None = None) -> Iterator[Model]:
    """The model of this name, loaded once per app; one caller at a time. Raises ModelError.

    With the `space` of a set it sees pictures in that set's rendering and precision.
    """
    precision = "fast" if space is None else space.precision
    with _lock:
        source = resolve(allowed_model(name))
        written_ns = source.weights.stat().st_mtime_ns if source.weights is not None else 0
        loaded = with_head(_loaded(name, precision, Workspace.at().root, written_ns), source)
        yield loaded if space is None else loaded.seeing(space.preprocessing.rendering)


@lru_cache(maxsize=MOST_LOADED)
def _loaded(name: str, precision: PrecisionChoice, workspace: Path, written_ns: int) -> Model:
    # `written_ns` is part of the key: a finetuned backbone may be overwritten under the same name
    return load_model(name, precision=precision, workspace=workspace)
