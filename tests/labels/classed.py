"""Image sets of numbers with labels, and the columns that an `ImageSet` has of them: to test classes and the order."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from tests.pipeline.whitened_examples import pictures
from url_viz.columns.engine import Column, ColumnSource, Derived, DiskCache
from url_viz.evidence.order import Order, leading_order
from url_viz.labels.ambiguity import NO_COVERS, AmbiguityModel, LabelEvidence
from url_viz.labels.classes import (
    CLASS_COLUMNS,
    CodedLabels,
    ambiguity,
    class_codes,
    class_shares,
    classified,
    coded_labels,
    content_labels,
    content_labels_as_given,
)
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, GraphColumns, positions_of

OF_CLASSES = {name: None if name.endswith("class") else np.nan for name in CLASS_COLUMNS}


class Classed:
    """The class columns of numbers, by the labels of the table that is looked at; what is cached is on disk alone."""

    def __init__(self, numbers: "LabelledNumbers", *, large_from: int) -> None:
        self._table = pd.DataFrame()
        key = digest(numbers.columns.nearest, numbers.columns.nearest_similarity, numbers.contents)
        base = SimpleNamespace(contents=numbers.contents)
        values = {
            "own_graph_columns": lambda _: numbers.columns,
            "witnesses": lambda _: numbers.read_graph(),
            "whitened_graph": lambda _: numbers.whitened,
            "base": lambda _: base,
            "other_networks": lambda _: (),
            "covers": lambda _: NO_COVERS,
            "labels_as_given": lambda _: None,
        }
        sources = [ColumnSource(name, read, lambda _: key) for name, read in values.items()]
        labels = ColumnSource(
            "picture_labels", lambda _: coded_labels(self._table["label"]), self._digest, is_live=True
        )
        disk = DiskCache(numbers.folder, "space", lambda: len(numbers.contents), large_from)
        columns: list[Column] = [
            content_labels,
            content_labels_as_given,
            classified,
            class_shares,
            class_codes,
            ambiguity,
        ]
        self.derived = Derived(columns, [*sources, labels], disk=disk)

    def _digest(self, _: object) -> str:
        codes, names = pd.factorize(self._table["label"], sort=True)
        return digest(codes) + repr(list(names))

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        self._table = table
        return table.assign(**self.derived.get(ambiguity))

    def labels(self, table: pd.DataFrame) -> CodedLabels:
        self._table = table
        labels = self.derived.get(content_labels)
        assert labels is not None
        return labels

    def evidence(self, table: pd.DataFrame) -> LabelEvidence | None:
        self._table = table
        found = self.derived.get(class_shares)
        return None if found is None else found[1]

    def model(self, table: pd.DataFrame) -> AmbiguityModel | None:
        self._table = table
        found = self.derived.get(classified)
        return None if found is None else found.model


def digest(*arrays: np.ndarray) -> str:
    return hashlib.blake2b(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays)).hexdigest()


@dataclass
class LabelledNumbers:
    """Pictures (N) with `contents` (N,), of which equal ones are copies, raw `embeddings` (N, D) and `label` (N).

    `which` (N,) picture each one shows says what else are copies; without it there are none by their pixels.
    """

    folder: Path
    embeddings: np.ndarray
    label: list[str | None]
    contents: np.ndarray
    which: np.ndarray | None = None
    times_read: int = 0

    @cached_property
    def whitened(self) -> WhitenedRows:
        keys, first = np.unique(self.contents, return_index=True)
        return whitened_rows(keys, self.embeddings[first])

    @cached_property
    def graph(self) -> Graph:
        first = np.unique(self.contents, return_index=True)[1]
        pixels = None if self.which is None else pictures(self.which[first])
        return build_graph(self.whitened, self.embeddings[first], pixels=pixels)

    @cached_property
    def columns(self) -> GraphColumns:
        return columns_of(self.graph)

    def plain_table(self) -> pd.DataFrame:
        value = self.columns.confusability[positions_of(self.contents, self.columns.content)]
        label = pd.Series(self.label, dtype=object)
        uncertainty = np.random.default_rng(9).random(len(label))
        return pd.DataFrame({"label": label, "uncertainty": uncertainty, "confusability": value}).assign(**OF_CLASSES)

    def classed(self, *, large_from: int = 10**9) -> Classed:
        """A new one each time: what is cached is on disk alone. `times_read` counts how often the graph was read."""
        return Classed(self, large_from=large_from)

    def read_graph(self) -> Graph:
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
