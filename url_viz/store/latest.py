"""The latest result of a calculation, kept until its cause changes."""

import operator
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Latest(Generic[Result]):
    """Holds one result. Threads may share it: two may make the result at once, and either holds."""

    def __init__(self, *, same: Callable[[Any, Any], bool] = operator.is_) -> None:
        """`same` says whether a cause is the one that the result was made of; by default, whether it is that object."""
        self._same = same
        self._latest: tuple[object, Result] | None = None

    def get(self, cause: object, make: Callable[[], Result]) -> Result:
        """The result of `make` for `cause`, made now only if the latest was made for another one."""
        latest = self._latest  # one reading: another thread may put a newer one there
        if latest is None or not self._same(latest[0], cause):
            latest = self._latest = cause, make()
        return latest[1]
