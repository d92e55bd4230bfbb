"""Class columns of the table: between which two classes each picture lies, kept until labels or pictures change."""

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import (
    LEAST_OF_A_CLASS,
    AmbiguityModel,
    Classified,
    ClassShares,
    LabelEvidence,
    classify,
)
from url_viz.analysis.ranking import percentile
from url_viz.analysis.second_model import SecondModel, side_by_side
from url_viz.analysis.votes import NONE, Codes
from url_viz.latest import Latest
from url_viz.pipeline.twins import twin_groups
from url_viz.store.kept_columns import read_kept, write_kept
from url_viz.store.tables import Graph, GraphColumns, positions_of
from url_viz.store.whitening import WhitenedRows

CLASS_COLUMNS = ("ambiguity", "ambiguity_percentile", "first_class", "second_class", "first_share", "second_share")


@dataclass(frozen=True)
class ContentLabels:
    """The labels of M distinct contents: `codes` (M,) int32 among the sorted `names`, NONE for none.

    A content whose copies have different labels has none: it neither votes nor teaches.
    """

    names: tuple[str, ...]
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)


def content_labels(label: "pd.Series[str]", contents: NDArray[np.int64], keys: NDArray[np.int64]) -> ContentLabels:
    """The labels of the contents `keys` (M,), from those of pictures (N,), None for none, with contents (N,)."""
    codes, names = pd.factorize(label, sort=True)
    row = positions_of(contents, keys)
    usable = (codes >= 0) & (row >= 0)
    return ContentLabels(tuple(map(str, names)), agreed_label(row[usable], codes[usable].astype(np.int32), len(keys)))


def agreed_label(row: NDArray[np.integer], label: Codes, contents: int) -> Codes:
    """The label of each distinct content (M,), NONE if no picture has one or its copies differ."""
    low = np.full(contents, np.iinfo(np.int32).max, np.int32)
    high = np.full(contents, NONE, np.int32)
    np.minimum.at(low, row, label)
    np.maximum.at(high, row, label)
    return np.where(low == high, high, NONE).astype(np.int32)


@dataclass(frozen=True)
class ClassSource:
    """What class shares are worked out from, each read only when it is needed.

    `columns` tell of the M contents of the graph, `graph` and `whitened` give it and its rows in the whitened space,
    all in one order; results are kept in `folder` under the name of the space. A `second` model has its say too.
    """

    columns: GraphColumns
    graph: Callable[[], Graph]
    whitened: Callable[[], WhitenedRows]
    folder: Path
    space_key: str
    second: SecondModel | None = None


VERSION = 1
"""Of class shares: what another version kept is made again."""


class ClassedTable:
    """Joins the class columns to the table of a snapshot, again only if its labels are others."""

    def __init__(
        self, contents: NDArray[np.int64], source: ClassSource | None, *, least: int = LEAST_OF_A_CLASS
    ) -> None:
        """`contents` (N,) are the content keys of the table's rows; `source` is None before there is a graph.

        A class has at `least` so many labelled pictures.
        """
        self._contents = contents
        self._least = least
        self.source = source
        self._joined: Latest[pd.DataFrame] = Latest()
        self._known: Latest[_Known] = Latest(same=pd.Series.equals)

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` with the columns CLASS_COLUMNS filled in; nan and None if there are no two classes to lie between."""

        def joined() -> pd.DataFrame:
            columns = self._columns(table)
            return table if columns is None else table.assign(**columns)

        return self._joined.of(table, joined)

    def labels(self, table: pd.DataFrame) -> ContentLabels | None:
        """The labels of the graph's contents; None before there is a graph."""
        known = self._of(table)
        return None if known is None else known.labels

    def evidence(self, table: pd.DataFrame) -> LabelEvidence | None:
        """What speaks for the label of each content (M,), and for another."""
        known = self._of(table)
        return None if known is None or known.found is None else known.found[1]

    def model(self, table: pd.DataFrame) -> AmbiguityModel | None:
        """What tells the class shares of new pictures; None if there are no two classes."""
        known = self._of(table)
        return None if known is None or known.found is None else known.model

    def _columns(self, table: pd.DataFrame) -> dict[str, Any] | None:
        known = self._of(table)
        if known is None or known.found is None:
            return None
        shares = known.found[0]
        row = positions_of(self._contents, known.source.columns.content)
        has = row >= 0
        ambiguity = _spread(shares.ambiguity, row, has)
        names = np.array([*known.labels.names, None], object)
        classes = (np.where(has, codes[row], NONE) for codes in (shares.first_class, shares.second_class))
        first, second = (pd.Series(names[codes], index=table.index, dtype=object) for codes in classes)
        values = ambiguity, percentile(ambiguity), first, second
        shared = (_spread(share, row, has) for share in (shares.first_share, shares.second_share))
        return dict(zip(CLASS_COLUMNS, (*values, *shared), strict=True))

    def _of(self, table: pd.DataFrame) -> "_Known | None":
        source, label = self.source, table["label"]
        if source is None:
            return None
        return self._known.of(
            label, lambda: _Known(content_labels(label, self._contents, source.columns.content), source, self._least)
        )


@dataclass(frozen=True)
class _Known:
    """What follows from one choice of labels, each worked out when it is first asked for."""

    labels: ContentLabels
    source: ClassSource
    least: int

    @cached_property
    def found(self) -> tuple[ClassShares, LabelEvidence] | None:
        if len(self.labels.names) < 2:
            return None
        kept = read_kept(self.source.folder, self.source.space_key, self._key)
        if kept is None or set(kept) != set(_KEPT):
            return self._kept_on_disk()
        columns: dict[str, Any] = dict(kept)
        return ClassShares(*_values(ClassShares, columns)), LabelEvidence(*_values(LabelEvidence, columns))

    @cached_property
    def classified(self) -> Classified | None:
        """None also if the store has moved on since the table was read: the snapshot is opened again soon."""
        graph, whitened, second = self.source.graph(), self.source.whitened(), self.source.second
        is_same = np.array_equal(graph.content, self.source.columns.content)
        if not is_same or whitened.whitening.key != graph.whitening or not (second is None or second.is_whole):
            return None
        groups = twin_groups(graph.twins)
        return classify(
            graph.position,
            graph.similarity,
            whitened.rows if second is None else side_by_side(whitened.rows, second.whitened.rows),
            self.labels.codes,
            groups,
            also=None if second is None else second.voters(groups),
            least=self.least,
        )

    @property
    def model(self) -> AmbiguityModel | None:
        return None if self.classified is None else self.classified.model

    def _kept_on_disk(self) -> tuple[ClassShares, LabelEvidence] | None:
        if self.classified is None:
            return None
        shares, evidence = self.classified.shares, self.classified.evidence
        columns = dict(zip(_KEPT, (*astuple(shares), *astuple(evidence)), strict=True))
        write_kept(self.source.folder, self.source.space_key, self._key, columns)
        return shares, evidence

    @cached_property
    def _key(self) -> str:
        """A digest of the pictures, where their graph puts them, and their labels."""
        digest = hashlib.blake2b(f"{VERSION} {self.least}".encode(), digest_size=12)
        seen = [self.source.columns, *([self.source.second.columns] if self.source.second else [])]
        parts = [part for one in seen for part in (one.content, one.nearest, one.nearest_similarity)]
        for part in (*parts, self.labels.codes):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update("\0".join(self.labels.names).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


_KEPT = tuple(f.name for kind in (ClassShares, LabelEvidence) for f in fields(kind))


def _values(kind: type, columns: dict[str, Any]) -> list[Any]:
    return [columns[f.name] for f in fields(kind)]


def _spread(values: NDArray[np.floating], row: NDArray[np.int64], has: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (M,) of contents as values (N,) of pictures, nan for a picture that is not in the graph."""
    return np.where(has, values[row], np.float32(np.nan)).astype(np.float32)
