"""Classes of an image set, as arrays and as columns: labels, class shares, the two classes a picture lies between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.columns.engine import Lazy, OnDisk, column
from url_viz.columns.ranking import NONE, percentile
from url_viz.columns.second_model import Opinion, side_by_side, voters
from url_viz.columns.table import Frame, Imported
from url_viz.labels.ambiguity import (
    COVERED,
    LEAST_OF_A_CLASS,
    MANY,
    NO_COVERS,
    Classified,
    ClassReader,
    ClassShares,
    Covers,
    LabelEvidence,
    StoredClasses,
    classify,
)
from url_viz.labels.label_choice import Labels
from url_viz.labels.votes import Codes
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.overlaps import covering
from url_viz.pipeline.twins import source_groups
from url_viz.store.columns.source_columns import BOX_COLUMNS, PICTURE
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.stored_arrow import numbers_from_table, table_of
from url_viz.store.tables.tables import Graph, GraphColumns

CLASS_COLUMNS = ("ambiguity", "ambiguity_percentile", "first_class", "second_class", "first_share", "second_share")


@dataclass(frozen=True)
class CodedLabels:
    """The labels of N pictures, or of distinct contents: `codes` (N,) int32 among the sorted `names`, NONE for none."""

    names: tuple[str, ...]
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)


def coded_labels(label: "pd.Series[str]") -> CodedLabels:
    """The labels of pictures (N,), None for none."""
    codes, names = pd.factorize(label, sort=True)
    return CodedLabels(tuple(map(str, names)), codes.astype(np.int32))


def labels_by_content(labels: CodedLabels, row: NDArray[np.integer], contents: int) -> CodedLabels:
    """The label of each content; `row` (N,) is the content of each picture, −1 for none.

    A content whose copies have different labels has none: it neither votes nor counts for its class.
    """
    usable = (labels.codes >= 0) & (row >= 0)
    return CodedLabels(labels.names, agreed_label(row[usable], labels.codes[usable], contents))


def agreed_label(row: NDArray[np.integer], label: Codes, contents: int) -> Codes:
    """The label of each distinct content (M,), NONE if no picture has one or its copies differ."""
    low = np.full(contents, np.iinfo(np.int32).max, np.int32)
    high = np.full(contents, NONE, np.int32)
    np.minimum.at(low, row, label)
    np.maximum.at(high, row, label)
    return np.where(low == high, high, NONE).astype(np.int32)


def codes_by_picture(
    shares: ClassShares, columns: GraphColumns, contents: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """CLASS_COLUMNS of pictures with these contents (N,), classes as codes, by `shares` of the graph's contents.

    nan, and NONE, for a picture that is not in the graph.
    """
    row = columns.rows_of(contents)
    has = row >= 0
    ambiguity, *pair = (
        np.where(has, values[row], np.float32(np.nan)).astype(np.float32)
        for values in (shares.ambiguity, shares.first_share, shares.second_share)
    )
    classes = (np.where(has, codes[row], NONE) for codes in (shares.first_class, shares.second_class))
    return dict(zip(CLASS_COLUMNS, (ambiguity, percentile(ambiguity), *classes, *pair), strict=True))


def spelled_out(codes: Mapping[str, NDArray[Any]], names: Sequence[str]) -> dict[str, Any]:
    """`class_codes` with the classes by their names, None for none."""
    class_name = np.array([*names, None], object)
    classes = {
        name: pd.Series(class_name[codes[name]], dtype=object, copy=False) for name in ("first_class", "second_class")
    }
    return {**codes, **classes}


def schema_of(names: Sequence[str]) -> pa.Schema:
    """The schema of cached columns of shares, and of codes of classes."""
    return pa.schema([(name, pa.int32() if name.endswith("_class") else pa.float32()) for name in names])


def _digest(labels: CodedLabels | None) -> bytes:
    if labels is None:
        return b""
    return labels.codes.tobytes() + "\0".join(labels.names).encode("utf-8", "surrogatepass")


@column(digest=_digest)
def picture_labels(base: Frame, labels: Labels) -> CodedLabels:
    """The labels of the pictures, as corrected."""
    return coded_labels(labels.columns.get("label", base.table["label"]))


@column(digest=_digest)
def labels_as_given(labels: Labels, picture_labels: CodedLabels) -> CodedLabels | None:
    """The labels before anybody corrected them, among the classes there are now; None where nobody did."""
    given = labels.columns.get("label_given")
    if given is None:
        return None
    texts = pd.Index(given.map(str, na_action="ignore"), dtype=object)
    codes = pd.Index(picture_labels.names, dtype=object).get_indexer(texts)
    return CodedLabels(picture_labels.names, codes.astype(np.int32))


@column(digest=_digest)
def content_labels(
    picture_labels: CodedLabels, own_graph_columns: GraphColumns | None, base: Frame
) -> CodedLabels | None:
    """The labels of the distinct contents; None without a graph."""
    return _by_content(picture_labels, own_graph_columns, base)


@column(digest=_digest)
def content_labels_as_given(
    labels_as_given: CodedLabels | None, own_graph_columns: GraphColumns | None, base: Frame
) -> CodedLabels | None:
    """As `content_labels`, before anybody corrected them."""
    return None if labels_as_given is None else _by_content(labels_as_given, own_graph_columns, base)


def _by_content(labels: CodedLabels, columns: GraphColumns | None, base: Frame) -> CodedLabels | None:
    if columns is None:
        return None
    return labels_by_content(labels, columns.rows_of(base.contents), len(columns.content))


@column()
def covers(base: Frame, imported: Imported, own_graph_columns: GraphColumns | None) -> Covers:
    """Which objects cover others' crops, as contents."""
    if own_graph_columns is None or not {PICTURE, *BOX_COLUMNS} <= set(imported.columns):
        return NO_COVERS
    boxes = np.stack([np.asarray(imported.columns[name], np.float64) for name in BOX_COLUMNS[:4]], axis=1)
    picture = pd.factorize(np.asarray(imported.columns[PICTURE], object))[0].astype(np.int64)
    pairs = own_graph_columns.rows_of(base.contents)[covering(boxes, picture, least=COVERED)]
    return Covers(pairs[(pairs >= 0).all(axis=1)].astype(np.int64))


@column(version=7)
def classified(
    content_labels: CodedLabels | None,
    content_labels_as_given: CodedLabels | None,
    witnesses: Lazy[Graph | None],
    whitened_graph: Lazy[WhitenedRows | None],
    other_networks: tuple[Opinion, ...],
    covers: Covers,
) -> Classified | None:
    """What the witnesses say of the classes of all contents."""
    return classified_by(witnesses, whitened_graph, other_networks, content_labels, content_labels_as_given, covers)


def classified_by(
    witnesses: Lazy[Graph | None],
    whitened_graph: Lazy[WhitenedRows | None],
    other_networks: tuple[Opinion, ...],
    witnessed: CodedLabels | None,
    given: CodedLabels | None,
    covers: Covers = NO_COVERS,
    *,
    least: int = LEAST_OF_A_CLASS,
) -> Classified | None:
    """What witnesses say of the labels `witnessed` of contents; `given` are those before any was corrected.

    Classes with fewer than `least` labels do not count. None with fewer than two; also while a writer refits the
    whitened space, until it has made the graph in it.
    """
    if witnessed is None or len(witnessed.names) < 2:
        return None
    graph, whitened = witnesses(), whitened_graph()
    if graph is None or whitened is None or whitened.whitening.key != graph.whitening:
        return None
    if not all(network.is_whole for network in other_networks):
        return None
    groups = source_groups(graph.twins, graph.apart)
    return classify(
        graph.position,
        graph.similarity,
        side_by_side(whitened.rows, *(network.whitened.rows for network in other_networks)),
        witnessed.codes,
        groups,
        also=[voters(network.graph, groups) for network in other_networks],
        given=None if given is None else given.codes,
        covers=covers,
        least=least,
    )


def _arrays_of(kinds: Sequence[type], table: pa.Table, labels: CodedLabels | None) -> list[Any]:
    """Dataclasses of arrays (M,), as they are cached in one table; those of classes are codes of `labels`."""
    if labels is None:
        raise ValueError("there are no labels")
    names = [each.name for kind in kinds for each in fields(kind)]
    codes = {name: len(labels.names) for name in names if name.endswith("_class")}
    columns = numbers_from_table(table, schema_of(names), len(labels), codes=codes)
    return [kind(**{each.name: columns[each.name] for each in fields(kind)}) for kind in kinds]


def _shares_from(table: pa.Table, content_labels: CodedLabels | None) -> StoredClasses:
    return StoredClasses(*_arrays_of((ClassShares, LabelEvidence), table, content_labels))


@column(on_disk=OnDisk(lambda value: table_of(*value), _shares_from))
def class_shares(classified: Classified | None) -> StoredClasses | None:
    """The shares of the classes of each content, and what speaks for its label; all of `classified` but the model."""
    return None if classified is None else StoredClasses(classified.shares, classified.evidence)


def _codes_from(table: pa.Table, picture_labels: CodedLabels, base: Frame) -> dict[str, NDArray[Any]]:
    codes = {name: len(picture_labels.names) for name in CLASS_COLUMNS if name.endswith("_class")}
    return numbers_from_table(table, schema_of(CLASS_COLUMNS), len(base.contents), codes=codes)


@column(on_disk=OnDisk(pa.table, _codes_from, only_large=True))
def class_codes(
    class_shares: StoredClasses | None, own_graph_columns: GraphColumns | None, base: Frame
) -> dict[str, NDArray[Any]] | None:
    """CLASS_COLUMNS of the pictures, with classes as codes."""
    if class_shares is None or own_graph_columns is None:
        return None
    return codes_by_picture(class_shares.shares, own_graph_columns, base.contents)


@column(gives=CLASS_COLUMNS)
def ambiguity(class_codes: dict[str, NDArray[Any]] | None, picture_labels: CodedLabels) -> Mapping[str, Any]:
    """Between which two classes each picture lies, and how much."""
    return {} if class_codes is None else spelled_out(class_codes, picture_labels.names)


@column()
def class_reader(
    base: Frame,
    classified: Lazy[Classified | None],
    witnesses: Lazy[Graph | None],
    whitened_graph: Lazy[WhitenedRows | None],
    other_networks: tuple[Opinion, ...],
    content_labels: CodedLabels | None,
    covers: Covers,
) -> ClassReader | None:
    """Gives the shares of all classes of a picture, by its place among the contents; None in a set of MANY."""
    if len(base.contents) >= MANY or content_labels is None:
        return None
    judged, graph, whitened = classified(), witnesses(), whitened_graph()
    if judged is None or graph is None or whitened is None:
        return None
    groups = source_groups(graph.twins, graph.apart)
    lists = Nearest(graph.position, graph.similarity), *(voters(network.graph, groups) for network in other_networks)
    rows = side_by_side(whitened.rows, *(network.whitened.rows for network in other_networks))
    names = tuple(content_labels.names[code] for code in judged.model.classes)
    return ClassReader(lists, rows, groups, judged.model, names, covers)


def _evidence_from(table: pa.Table, content_labels: CodedLabels | None) -> LabelEvidence:
    [evidence] = _arrays_of((LabelEvidence,), table, content_labels)
    assert isinstance(evidence, LabelEvidence)
    return evidence


@column(version=3, on_disk=OnDisk(table_of, _evidence_from))
def label_evidence(
    content_labels: CodedLabels | None,
    content_labels_as_given: CodedLabels | None,
    label_witnesses: Lazy[Graph | None],
    whitened_graph: Lazy[WhitenedRows | None],
    other_networks: tuple[Opinion, ...],
    covers: Covers,
    *,
    has_label_witnesses: bool,
) -> LabelEvidence | None:
    """What speaks for the labels by witnesses of their own; None where these are those of the classes."""
    if not has_label_witnesses:
        return None
    classified = classified_by(
        label_witnesses, whitened_graph, other_networks, content_labels, content_labels_as_given, covers
    )
    return None if classified is None else classified.evidence
