"""Reading by threads, some batches ahead of the consumer, and within a bound of memory."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from url_viz.base.processes import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    batches: Iterable[Iterable[Item]],
    read: Callable[[Item], Result],
    *,
    ahead: int = 1,
    at_a_time: int | None = None,
) -> Generator[list[Result], None, None]:
    """The results of each batch, in order; while one is being processed, the next `ahead` are read.

    `at_a_time` items are read at once, by default one per core.

    Closed early, as after Ctrl-C, it waits only for what is being read, not for what was queued.
    """
    pool = ThreadPoolExecutor(at_a_time or usable_cores(), thread_name_prefix="read")
    waiting: deque[list[Future[Result]]] = deque()
    try:
        for batch in batches:
            waiting.append([pool.submit(read, item) for item in batch])
            if len(waiting) > ahead:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def ended(begun: Iterable[Callable[[], Result]], *, ahead: int) -> Iterator[Result]:
    """The results of what was begun, in order: waits for the first only when `ahead` others are under way."""
    under_way: deque[Callable[[], Result]] = deque()
    for wait in begun:
        under_way.append(wait)
        if len(under_way) > ahead:
            yield under_way.popleft()()
    while under_way:
        yield under_way.popleft()()


class MemoryBudget:
    """Bytes that threads may reserve together; a single larger reservation waits for all others to end."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._reserved = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size_bytes: int) -> Iterator[None]:
        """Reserve so many bytes; waits until there is room for them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._reserved or self._reserved + size_bytes <= self._most)
            self._reserved += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._reserved -= size_bytes
                self._changed.notify_all()


def read_each(items: Iterable[Item], read: Callable[[Item], Result]) -> list[Result]:
    """The results of all items, in their order."""
    return next(read_ahead([items], read))
