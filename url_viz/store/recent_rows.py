"""A cache of the rows of small tables: they are read again only when a file of their table has changed."""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import pyarrow as pa

from url_viz.store.versions import State, state_of

MOST_BYTES = 1 << 18
"""The largest rows that are cached. Reading so few takes LanceDB ten times as long as a look at their files."""
MOST_FILES = 8
MOST_READS = 128
"""The number of cached reads, 32 MiB of rows at most."""
Files = tuple[tuple[str, int, int, int], ...]


class RecentRows:
    """What was read of tables, by the columns and the state of every file; thread-safe."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[object, ...], pa.Table] = OrderedDict()
        self._lock = Lock()

    def of(self, table: Path, state: State | None, columns: Sequence[str], read: Callable[[], pa.Table]) -> pa.Table:
        """Columns of a table in its folder, whose manifests are in `state`, as `read` gives them."""
        files = None if state is None else _files_of(table)
        if files is None:
            return read()
        key = (str(table), state, files, tuple(columns))
        with self._lock:
            rows = self._rows.get(key)
            if rows is not None:
                self._rows.move_to_end(key)
                return rows
        rows = read()
        if rows.nbytes <= MOST_BYTES and state_of(table) == state:  # else they may be those of a later version
            with self._lock:
                self._rows[key] = rows
                if len(self._rows) > MOST_READS:
                    self._rows.popitem(last=False)
        return rows


def _files_of(table: Path) -> Files | None:
    """What changes where one of a table's data files is written, or changed in its place; None if there are many."""
    try:
        with os.scandir(table / "data") as found:
            entries = list(found)
        if len(entries) > MOST_FILES:
            return None
        stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:  # removed meanwhile
        return None
    return tuple(sorted((name, one.st_ino, one.st_size, one.st_ctime_ns) for name, one in stats))
