"""Classes of an image set: the labels of its pictures and contents, and which two classes each picture lies between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.analysis.labels.ambiguity import ClassShares
from url_viz.analysis.labels.votes import NONE, Codes
from url_viz.analysis.ranking import percentile
from url_viz.store.tables.tables import GraphColumns

CLASS_COLUMNS = ("ambiguity", "ambiguity_percentile", "first_class", "second_class", "first_share", "second_share")


@dataclass(frozen=True)
class CodedLabels:
    """The labels of N pictures, or of distinct contents: `codes` (N,) int32 among the sorted `names`, NONE for none."""

    names: tuple[str, ...]
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)


def picture_labels(label: "pd.Series[str]") -> CodedLabels:
    """The labels of pictures (N,), None for none."""
    codes, names = pd.factorize(label, sort=True)
    return CodedLabels(tuple(map(str, names)), codes.astype(np.int32))


def content_labels(labels: CodedLabels, row: NDArray[np.integer], contents: int) -> CodedLabels:
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


def class_codes(shares: ClassShares, columns: GraphColumns, contents: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """CLASS_COLUMNS of pictures with these contents (N,), classes as codes; `shares` are of the graph's contents."""
    row = columns.rows_of(contents)
    has = row >= 0
    ambiguity = _per_picture(shares.ambiguity, row, has)
    classes = (np.where(has, codes[row], NONE) for codes in (shares.first_class, shares.second_class))
    shared = (_per_picture(share, row, has) for share in (shares.first_share, shares.second_share))
    return dict(zip(CLASS_COLUMNS, (ambiguity, percentile(ambiguity), *classes, *shared), strict=True))


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


def _per_picture(values: NDArray[np.floating], row: NDArray[np.int64], has: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (M,) of contents as values (N,) of pictures, nan for a picture that is not in the graph."""
    return np.where(has, values[row], np.float32(np.nan)).astype(np.float32)
