"""What an image set says of its map: representatives, some pictures on a map of their own, and how much was placed."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.representatives import representatives
from url_viz.errors import ImageSetError
from url_viz.index.finish import finish
from url_viz.index.projection import project_alone
from url_viz.index.store import Store, Writer
from url_viz.index.tables import PLACED, UMAP, Graph, positions_of
from url_viz.models.model import EmbeddingSpace
from url_viz.progress import Report, silent


@dataclass(frozen=True)
class Projection:
    """Pictures on a map of their own: `ids` (M,) int64 in the order of `table()`, `xy` (M, 2) float32.

    `is_umap` is False where PCA alone made it, because they are few.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    is_umap: bool

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.xy)

    def __len__(self) -> int:
        return len(self.ids)


class OnMap(ABC):
    """The part of an ImageSet that is about its map."""

    space: EmbeddingSpace
    root: Path
    _store: Store

    @property
    @abstractmethod
    def _frame(self) -> pd.DataFrame: ...

    @property
    @abstractmethod
    def contents(self) -> NDArray[np.int64]: ...

    @property
    @abstractmethod
    def graph(self) -> Graph | None: ...

    def representatives(self, count: int | None = None, *, on: Projection | None = None) -> pd.DataFrame:
        """Pictures that stand for the regions of the map: id, path, x, y, size, label, share; largest regions first.

        `count` bounds their number; by default it follows that of the pictures (`url_viz.analysis.representatives`).
        `on` is another map to look at: what `project` gave.
        """
        if on is None:
            return representatives(self._frame, self.contents, self.graph, count=count)
        rows = self._rows_of(on.ids)
        table = self._frame.iloc[rows].assign(x=on.xy[:, 0], y=on.xy[:, 1])
        return representatives(table, self.contents[rows], self.graph, count=count)

    def project(self, ids: Iterable[int]) -> Projection:
        """Some pictures on a map of their own: UMAP on the neighbours among them, PCA below 15; seeded.

        Beyond 20,000 a sample is fitted and the others are placed. Raises ImageSetError for an id that is not in this
        set.
        """
        rows = self._rows_of(ids)
        contents = np.unique(self.contents[rows])
        found = project_alone(self._store.embeddings(self.space.key, contents), self.graph)
        place = positions_of(self.contents[rows], found.content)
        all_ids = self._frame["id"].to_numpy(np.int64)
        return Projection(all_ids[rows], found.xy[place], bool((found.method == UMAP).any()))

    def refit(self, progress: Report | None = None) -> None:
        """Make the map of what was read anew; everything moves. Seen by opening the set again.

        Raises WorkspaceError where another process writes.
        """
        with Writer(self._store.paths, self.root) as writer:
            finish(writer, self.space.key, report=progress or silent, refit=True)

    @cached_property
    def placed_share(self) -> float:
        """The share of the map's pictures that came after its fit, and were placed by their neighbours."""
        known = self._store.coordinates(self.space.key)
        if known is None or not (known.method == UMAP).any():
            return 0.0
        return float((known.method == PLACED).mean())

    def _rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """The rows (M,) of these pictures in `table()`, each once, in its order."""
        wanted = np.unique(np.fromiter((int(i) for i in ids), np.int64))
        rows = positions_of(wanted, self._frame["id"].to_numpy(np.int64))
        if (rows < 0).any():
            raise ImageSetError(
                f"There is no picture with id {wanted[rows < 0][0]} in this set. Take ids from its `table()`."
            )
        return np.sort(rows)
