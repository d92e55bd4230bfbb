"""The raw embeddings of an image set as an array that stays on disk: rows are read when they are needed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from url_viz.store.tables.embedding_table import ROWS_AT_ONCE
from url_viz.store.tables.reader import Store


class RawRows:
    """Raw embeddings (N, D) float16 of N distinct contents that all have one.

    Rows are taken as from an array, by their positions; each time the whole table is gone through, in parts.
    """

    def __init__(self, store: Store, space_key: str, content: NDArray[np.int64]) -> None:
        self._store, self._space_key, self._content = store, space_key, content
        self.shape = len(content), store.embedding_size(space_key)

    def __len__(self) -> int:
        return len(self._content)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float16]:
        return self._store.embeddings(self._space_key, self._content[rows]).embedding

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """All rows, some at a time: their positions (P,), and their embeddings (P, D)."""
        for rows, part in self._store.embedding_parts(self._space_key, self._content):
            yield rows, part.embedding


Raw = NDArray[np.floating] | RawRows
"""Raw embeddings (N, D), in memory or on disk."""


def in_parts(embeddings: Raw) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
    """All rows, some at a time: their positions (P,), and their embeddings (P, D)."""
    if isinstance(embeddings, RawRows):
        yield from embeddings.parts()
        return
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        part = embeddings[start : start + ROWS_AT_ONCE]
        yield np.arange(start, start + len(part)), part
