"""Class columns of the table: between which two classes each picture lies, kept until labels or pictures change."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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
from url_viz.rows import KEPT_FROM
from url_viz.store.kept_columns import read_kept, write_kept
from url_viz.store.tables import Graph, GraphColumns
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


@dataclass(frozen=True)
class PictureLabels:
    """The labels of N pictures: `codes` (N,) int32 among the sorted `names`, NONE for none."""

    names: tuple[str, ...]
    codes: Codes


def picture_labels(label: "pd.Series[str]") -> PictureLabels:
    """The labels of pictures (N,), None for none."""
    codes, names = pd.factorize(label, sort=True)
    return PictureLabels(tuple(map(str, names)), codes.astype(np.int32))


def content_labels(labels: PictureLabels, row: NDArray[np.integer], contents: int) -> ContentLabels:
    """The labels of so many `contents`; `row` (N,) is the content of each picture, −1 for none of them."""
    usable = (labels.codes >= 0) & (row >= 0)
    return ContentLabels(labels.names, agreed_label(row[usable], labels.codes[usable], contents))


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

    def key(self, table: pd.DataFrame) -> str | None:
        """A digest of all that the class columns hang on; None before there is a graph."""
        known = self._of(table)
        return None if known is None else known.key

    def _columns(self, table: pd.DataFrame) -> dict[str, Any] | None:
        known = self._of(table)
        columns = None if known is None else known.of_pictures
        if known is None or columns is None:
            return None
        names = np.array([*known.pictures.names, None], object)
        spelled = partial(pd.Series, index=table.index, dtype=object, copy=False)
        return {**columns, **{name: spelled(names[columns[name]]) for name in ("first_class", "second_class")}}

    def _of(self, table: pd.DataFrame) -> "_Known | None":
        source, label = self.source, table["label"]
        if source is None:
            return None
        return self._known.of(label, lambda: _Known(picture_labels(label), self._contents, source, self._least))


@dataclass(frozen=True)
class _Known:
    """What follows from one choice of labels, each worked out when it is first asked for."""

    pictures: PictureLabels
    contents: NDArray[np.int64]
    source: ClassSource
    least: int

    @cached_property
    def labels(self) -> ContentLabels:
        columns = self.source.columns
        return content_labels(self.pictures, columns.rows_of(self.contents), len(columns.content))

    @cached_property
    def of_pictures(self) -> dict[str, NDArray[Any]] | None:
        """CLASS_COLUMNS of the pictures (N,), classes as codes; of many they are kept."""
        folder, is_kept = self.source.folder / "pictures", len(self.contents) >= KEPT_FROM
        kept = self._read(folder, self.key, CLASS_COLUMNS, len(self.contents)) if is_kept else None
        if kept is not None:
            return kept
        made = None if self.found is None else self._of_pictures(self.found[0])
        if made is not None and is_kept:
            write_kept(folder, self.source.space_key, self.key, made)
        return made

    def _of_pictures(self, shares: ClassShares) -> dict[str, NDArray[Any]]:
        row = self.source.columns.rows_of(self.contents)
        has = row >= 0
        ambiguity = _spread(shares.ambiguity, row, has)
        classes = (np.where(has, codes[row], NONE) for codes in (shares.first_class, shares.second_class))
        shared = (_spread(share, row, has) for share in (shares.first_share, shares.second_share))
        return dict(zip(CLASS_COLUMNS, (ambiguity, percentile(ambiguity), *classes, *shared), strict=True))

    @cached_property
    def found(self) -> tuple[ClassShares, LabelEvidence] | None:
        if len(self.labels.names) < 2:
            return None
        columns = self._read(self.source.folder, self._key_of_shares, _KEPT, len(self.labels))
        if columns is None:
            return self._kept_on_disk()
        return ClassShares(*_values(ClassShares, columns)), LabelEvidence(*_values(LabelEvidence, columns))

    def _read(self, folder: Path, key: str, names: Sequence[str], rows: int) -> dict[str, Any] | None:
        """Columns of shares, and of codes of classes, as they were kept."""
        codes = {name: len(self.pictures.names) for name in names if name.endswith("_class")}
        schema = pa.schema([(name, pa.int32() if name in codes else pa.float32()) for name in names])
        return read_kept(folder, self.source.space_key, key, schema, rows, codes=codes)

    @cached_property
    def classified(self) -> Classified | None:
        """None also while a writer fits the whitened space anew, until it has made the graph in it."""
        graph, whitened, second = self.source.graph(), self.source.whitened(), self.source.second
        if whitened.whitening.key != graph.whitening or not (second is None or second.is_whole):
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
        write_kept(self.source.folder, self.source.space_key, self._key_of_shares, columns)
        return shares, evidence

    @cached_property
    def key(self) -> str:
        """A digest of the contents and their graph, and of the pictures and their labels."""
        return self._digest(self.contents, self.pictures.codes)

    @property
    def _key_of_shares(self) -> str:
        """A digest of the contents, where their graph puts them, and their labels."""
        return self._digest(self.labels.codes)

    def _digest(self, *also: NDArray[np.integer]) -> str:
        digest = hashlib.blake2b(f"{VERSION} {self.least}".encode(), digest_size=12)
        seen = [self.source.columns, *([self.source.second.columns] if self.source.second else [])]
        parts = [part for one in seen for part in (one.content, one.nearest, one.nearest_similarity)]
        for part in (*parts, *also):
            digest.update(np.ascontiguousarray(part).data)
        digest.update("\0".join(self.pictures.names).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


_KEPT = tuple(f.name for kind in (ClassShares, LabelEvidence) for f in fields(kind))


def _values(kind: type, columns: dict[str, Any]) -> list[Any]:
    return [columns[f.name] for f in fields(kind)]


def _spread(values: NDArray[np.floating], row: NDArray[np.int64], has: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (M,) of contents as values (N,) of pictures, nan for a picture that is not in the graph."""
    return np.where(has, values[row], np.float32(np.nan)).astype(np.float32)
