"""What pages compute and browsers fetch in parts: masks and orders of pictures, held by a key of their contents."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

T = TypeVar("T")
MOST_MASKS, MOST_ORDERS = 200, 100
MOST_IN_ORDER = 100_000
"""An order is never longer: nobody scrolls further, and filters and the threshold act on all pictures."""


class Held(Generic[T]):
    """Cache of the latest values, keyed by content; the least recently used are dropped."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, T] = OrderedDict()

    def keep(self, value: T, content: bytes) -> str:
        """Store a value; returns its key, the same for the same content."""
        key = key_of(content)
        self.hold(key, value)
        return key

    def hold(self, key: str, value: T) -> None:
        """Store a value whose key is known."""
        with self._lock:
            self._held[key] = value
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def get(self, key: str) -> T | None:
        """The value of a key; None if it was dropped."""
        with self._lock:
            return self._held.get(key)


def key_of(content: bytes) -> str:
    """The key of a content."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()


@dataclass(frozen=True)
class Order:
    """Pictures in the order of a grid: `ids`, percentiles `rank` and numbers of hidden `twins`, each (M,)."""

    ids: NDArray[np.int64]
    rank: NDArray[np.float32]
    twins: NDArray[np.integer]

    @cached_property
    def key(self) -> str:
        """Under which it is held."""
        return key_of(b"".join(part.tobytes() for part in (self.ids, self.rank, self.twins)))

    def rows(self, table: pd.DataFrame, *, start: int, stop: int) -> pd.DataFrame:
        """The rows of `table` at places `start` to `stop`, with `rank_percentile` and `twins`.

        Pictures that are no longer in the table are left out.
        """
        ids = pd.Index(table["id"].to_numpy(np.int64)).get_indexer(self.ids[start:stop])
        is_there = ids >= 0
        rows: pd.DataFrame = table.iloc[ids[is_there]]
        return rows.assign(rank_percentile=self.rank[start:stop][is_there], twins=self.twins[start:stop][is_there])


held_masks: Held[bytes] = Held(MOST_MASKS)
held_orders: Held[Order] = Held(MOST_ORDERS)


def order_of(rows: pd.DataFrame) -> Order:
    """The order of `rows` (id, rank_percentile and, if known, twins), the first MOST_IN_ORDER."""
    rows = rows[[name for name in ("id", "rank_percentile", "twins") if name in rows]].head(MOST_IN_ORDER)
    twins = rows["twins"] if "twins" in rows else pd.Series(0, index=rows.index)
    return Order(rows["id"].to_numpy(np.int64), rows["rank_percentile"].to_numpy(np.float32), twins.to_numpy(np.int32))


def keep_order(order: Order) -> str:
    """Hold an order; returns its key."""
    held_orders.hold(order.key, order)
    return order.key


def places_of(key: str, ids: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Places of `ids` in a held order, as ranges (from, to) in their order; none if it was dropped."""
    order = held_orders.get(key)
    is_there = np.zeros(0, bool) if order is None else np.isin(order.ids, ids)
    edges = np.flatnonzero(np.diff(is_there.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def ids_at(key: str, ranges: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Ids of the pictures at some `ranges` (from, to) of a held order; none if it was dropped."""
    order = held_orders.get(key)
    if order is None or not ranges:
        return np.empty(0, np.int64)
    return np.concatenate([order.ids[max(0, start) : max(0, stop)] for start, stop in ranges])
