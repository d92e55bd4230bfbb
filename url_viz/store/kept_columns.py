"""Columns that were worked out, kept on disk beside the tables: class shares by labels, joined rows of large sets."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.files import replaced

MOST_KEPT = 4
"""Of one space; with another choice of labels, or another second model, the oldest goes."""


def read_kept_table(folder: Path, space_key: str, key: str) -> pa.Table | None:
    """The table that was kept under `key`, verified; None if there is none that can be read: it can be made."""
    try:
        return pq.read_table(folder / f"{space_key}-{key}.parquet", page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None


def write_kept_table(folder: Path, space_key: str, key: str, table: pa.Table) -> None:
    """Keep a table under `key`; on a full or read-only disk nothing is kept, and it is made again next time."""
    whole = max(1, len(table))  # one piece: numbers of it need no copy when they are read
    with suppress(OSError):
        with replaced(folder / f"{space_key}-{key}.parquet") as temporary:
            pq.write_table(table, temporary, row_group_size=whole, use_dictionary=False, write_page_checksum=True)
        kept = sorted(folder.glob(f"{space_key}-*.parquet"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_KEPT]:
            path.unlink()


def read_kept(folder: Path, space_key: str, key: str) -> dict[str, NDArray[np.generic]] | None:
    """Columns (M,) of numbers as `read_kept_table` finds them, by name."""
    table = read_kept_table(folder, space_key, key)
    return None if table is None else {name: np.asarray(table[name].to_numpy()) for name in table.column_names}


def write_kept(folder: Path, space_key: str, key: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
    """Keep columns (M,) of numbers as `write_kept_table` does."""
    write_kept_table(folder, space_key, key, pa.table(dict(columns)))
