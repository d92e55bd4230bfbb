"""Detects by their times whether files and folders have changed since they were seen, without reading them."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLOCK_S = 2
"""How coarse the clock of a file system may be."""


@dataclass(frozen=True)
class Look:
    """A look at paths: when it was, and when each had changed, −1 for what was not there; in ns."""

    at_ns: int
    changed_ns: tuple[int, ...]


class Watch:
    """Tells cheaply that files or folders have not changed since they were seen: by their times, as git does.

    A time that is no older than CLOCK_S when it is seen may stand for two changes, and vouches for nothing.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._seen: tuple[int, ...] | None = None

    def look(self) -> Look:
        """When each has changed, as of now."""
        return Look(time.time_ns(), tuple(map(_changed_ns, self._paths)))

    def is_as_seen(self, now: Look) -> bool:
        """Whether nothing has changed since the look that `see` noted."""
        return now.changed_ns == self._seen

    def see(self, look: Look) -> None:
        """Note that all is known as it was at a look, which came before the reading."""
        if max(look.changed_ns, default=0) < look.at_ns - CLOCK_S * 1_000_000_000:
            self._seen = look.changed_ns


def _changed_ns(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
