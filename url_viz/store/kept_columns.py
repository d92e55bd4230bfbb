"""Columns that were worked out, kept on disk beside the tables: class shares by labels, confusability by two models."""

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


def read_kept(folder: Path, space_key: str, key: str) -> dict[str, NDArray[np.generic]] | None:
    """The columns that were kept under `key`, by name; None if there are none that can be read: they can be made."""
    try:
        table = pq.read_table(folder / f"{space_key}-{key}.parquet", page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
    return {name: np.asarray(table[name].to_numpy()) for name in table.column_names}


def write_kept(folder: Path, space_key: str, key: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
    """Keep columns (M,) under `key`; on a full or read-only disk nothing is kept, and they are made again next time."""
    with suppress(OSError):
        with replaced(folder / f"{space_key}-{key}.parquet") as temporary:
            pq.write_table(pa.table(dict(columns)), temporary, write_page_checksum=True)
        kept = sorted(folder.glob(f"{space_key}-*.parquet"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_KEPT]:
            path.unlink()
