"""The latest results of calculations, kept until what they were made of is another."""

import operator
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Latest(Generic[Result]):
    """Holds one result. Threads may share it: two may make the result at once, and either holds."""

    def __init__(self, *, same: Callable[[Any, Any], bool] = operator.is_) -> None:
        """`same` says whether a cause is the one that the result was made of; by default, whether it is that object."""
        self._same = same
        self._held: tuple[object, Result] | None = None

    def of(self, cause: object, make: Callable[[], Result]) -> Result:
        """The result that `make` gives for `cause`, made now only if the latest is of another one."""
        held = self._held  # one reading: another thread may put a newer one there
        if held is None or not self._same(held[0], cause):
            held = self._held = cause, make()
        return held[1]


class LatestByKey:
    """Holds results by key, all of one cause. Threads may share it: two may make a result at once, and either holds."""

    def __init__(self, *, most: int) -> None:
        """Beyond `most` results, that which was made first is dropped."""
        self._most = most
        self._held: tuple[object, dict[Hashable, Any]] = None, {}

    def of(self, cause: object, key: Hashable, make: Callable[[], Result]) -> Result:
        """The result of `key` that `make` gives for `cause`; those of another cause are dropped."""
        held = self._held
        if held[0] is not cause:
            held = self._held = cause, {}
        results = held[1]
        found: Result = results.get(key, _MISSING)
        if found is not _MISSING:
            return found
        made = results[key] = make()
        for oldest in list(results)[: -self._most]:
            results.pop(oldest, None)
        return made


_MISSING: Any = object()
