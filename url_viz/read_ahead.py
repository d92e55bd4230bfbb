"""Reading by threads, a batch ahead of whoever works on the results."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(batches: Iterable[Iterable[Item]], read: Callable[[Item], Result]) -> Iterator[list[Result]]:
    """The results of each batch, in its order; while one is worked on, the next is read."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: list[Future[Result]] | None = None
        for batch in batches:
            begun = [pool.submit(read, item) for item in batch]
            if waiting is not None:
                yield [future.result() for future in waiting]
            waiting = begun
        if waiting is not None:
            yield [future.result() for future in waiting]


def read_each(items: Iterable[Item], read: Callable[[Item], Result]) -> list[Result]:
    """The results of all items, in their order."""
    return next(read_ahead([items], read))
