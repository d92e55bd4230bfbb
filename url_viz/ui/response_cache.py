"""What pages compute and browsers fetch in parts: masks and orders of pictures, cached by a key of their contents."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
MOST_MASKS, MOST_ORDERS = 200, 100
MOST_IN_ORDER = 100_000
"""An order is never longer: nobody scrolls further, and filters and the threshold act on all pictures."""


class LruCache(Generic[K, T]):
    """Cache of at most `most` values for all threads; the least recently used are dropped."""

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
        """Drop the values of some keys."""
        with self._lock:
            for key in list(filter(is_old, self._values)):
                del self._values[key]


def key_of(content: bytes) -> str:
    """The key of a value with this content."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()


@dataclass(frozen=True)
class GridOrder:
    """Pictures in the order of a grid: `ids`, percentiles `rank`, and how many `twins` and `copies` of each are hidden.

    All are (M,); copies are among the twins.
    """

    ids: NDArray[np.int64]
    rank: NDArray[np.float32]
    twins: NDArray[np.integer]
    copies: NDArray[np.integer]

    @cached_property
    def key(self) -> str:
        """Its key in the cache."""
        return key_of(b"".join(part.tobytes() for part in (self.ids, self.rank, self.twins, self.copies)))

    def rows(self, table: pd.DataFrame, *, start: int, stop: int) -> pd.DataFrame:
        """The rows of `table` at positions `start` to `stop`, with `rank_percentile`, `twins` and `copies`.

        Pictures that are no longer in the table are left out.
        """
        ids = pd.Index(table["id"].to_numpy(np.int64)).get_indexer(self.ids[start:stop])
        is_present = ids >= 0
        rows: pd.DataFrame = table.iloc[ids[is_present]]
        given = {"rank_percentile": self.rank, "twins": self.twins, "copies": self.copies}
        return rows.assign(**{name: values[start:stop][is_present] for name, values in given.items()})


_HIDDEN = ("twins", "copies")

cached_masks: LruCache[str, bytes] = LruCache(MOST_MASKS)
cached_orders: LruCache[str, GridOrder] = LruCache(MOST_ORDERS)


def cached_order(rows: pd.DataFrame) -> GridOrder:
    """The order of `rows` (id, rank_percentile and, if known, twins and copies), the first MOST_IN_ORDER."""
    rows = rows.filter(["id", "rank_percentile", "twins", "copies"]).head(MOST_IN_ORDER)
    hidden = (rows[name].to_numpy(np.int32) if name in rows else np.zeros(len(rows), np.int32) for name in _HIDDEN)
    return GridOrder(rows["id"].to_numpy(np.int64), rows["rank_percentile"].to_numpy(np.float32), *hidden)


def cache_order(order: GridOrder) -> str:
    """Cache an order; returns its key."""
    return cached_orders.put(order.key, order)


def ranges_of(key: str, ids: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where `ids` are in a cached order, as ranges (from, to) in their order; none if it was dropped."""
    order = cached_orders.get(key)
    is_present = np.zeros(0, bool) if order is None else np.isin(order.ids, ids)
    edges = np.flatnonzero(np.diff(is_present.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def ids_at(key: str, ranges: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Ids of the pictures at some `ranges` (from, to) of a cached order; none if it was dropped."""
    order = cached_orders.get(key)
    if order is None or not ranges:
        return np.empty(0, np.int64)
    return np.concatenate([order.ids[max(0, start) : max(0, stop)] for start, stop in ranges])
