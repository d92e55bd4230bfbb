"""Image sets of numbers with labels, joined as `ImageSet` joins them: for tests of classes and of the order."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from url_viz.analysis.classes import CLASS_COLUMNS, ClassedTable, ClassSource
from url_viz.analysis.order import Order, leading_order
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables import Graph, GraphColumns, positions_of
from url_viz.store.whitening import WhitenedRows

OF_CLASSES = {name: None if name.endswith("class") else np.nan for name in CLASS_COLUMNS}


@dataclass
class LabelledNumbers:
    """Pictures (N) with `contents` (N,), of which equal ones are copies, raw `embeddings` (N, D) and `label` (N)."""

    folder: Path
    embeddings: np.ndarray
    label: list[str | None]
    contents: np.ndarray
    times_read: int = 0

    @cached_property
    def whitened(self) -> WhitenedRows:
        keys, first = np.unique(self.contents, return_index=True)
        return whitened_rows(keys, self.embeddings[first])

    @cached_property
    def graph(self) -> Graph:
        first = np.unique(self.contents, return_index=True)[1]
        rows, key = self.whitened, self.whitened.whitening.key
        return build_graph(rows.rows, self.embeddings[first], content=rows.content, key=key)

    @cached_property
    def columns(self) -> GraphColumns:
        return columns_of(self.graph)

    def plain_table(self) -> pd.DataFrame:
        value = self.columns.confusability[positions_of(self.contents, self.columns.content)]
        label = pd.Series(self.label, dtype=object)
        uncertainty = np.random.default_rng(9).random(len(label))
        return pd.DataFrame({"label": label, "uncertainty": uncertainty, "confusability": value}).assign(**OF_CLASSES)

    def classed(self) -> ClassedTable:
        """A new one each time: what is kept is on disk alone. `times_read` counts how often the graph was asked for."""
        source = ClassSource(self.columns, self._read_graph, lambda: self.whitened, self.folder, "space")
        return ClassedTable(self.contents, source)

    def _read_graph(self) -> Graph:
        self.times_read += 1
        return self.graph

    def order(self) -> Order:
        classed, table = self.classed(), self.plain_table()
        return leading_order(classed.joined(table), self.contents, self.columns, classed.labels(table))


def labelled_numbers(
    folder: Path, count: int, *, classes: int = 4, spread: float = 0.8, seed: int = 0
) -> LabelledNumbers:
    """`count` pictures around one centre a class."""
    rng = np.random.default_rng(seed)
    code = np.sort(np.arange(count) % classes)
    embeddings = rng.normal(size=(classes, 32))[code] + spread * rng.normal(size=(count, 32)) + 0.5
    contents = np.sort(rng.choice(10**12, count, replace=False))
    return LabelledNumbers(
        folder, embeddings.astype(np.float16), [f"class {c}" for c in code], rng.permutation(contents)
    )
