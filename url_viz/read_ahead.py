"""Reading by threads, some batches ahead of whoever works on the results."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    batches: Iterable[Iterable[Item]],
    read: Callable[[Item], Result],
    *,
    ahead: int = 1,
    at_a_time: int | None = None,
) -> Generator[list[Result], None, None]:
    """The results of each batch, in its order; while one is worked on, the next `ahead` are read.

    So many items are read beside each other as `at_a_time` says, by default one a core.

    Closed early, as after Ctrl-C, it waits only for what is being read, not for all that was asked for.
    """
    pool = ThreadPoolExecutor(at_a_time or os.cpu_count(), thread_name_prefix="read")
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


def read_each(items: Iterable[Item], read: Callable[[Item], Result]) -> list[Result]:
    """The results of all items, in their order."""
    return next(read_ahead([items], read))
