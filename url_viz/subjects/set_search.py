"""Search in an image set: the pictures most similar to a query, gated by a measure, and the query's own value."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps

from url_viz.analysis.ranking import percentile, percentile_of_each
from url_viz.analysis.selective_retrieval import near_in_graph, search
from url_viz.analysis.twin_groups import group_codes
from url_viz.analysis.uploads import values_of
from url_viz.errors import ImageError
from url_viz.imaging.decode import read_file
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Picture, picture_of
from url_viz.imaging.workers import decoders
from url_viz.models.model import Model
from url_viz.models.runtime import Outputs
from url_viz.pipeline.graph import K
from url_viz.subjects.set_core import SetCore

_MODES_OF_PNG = frozenset(("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"))


@dataclass(frozen=True)
class SearchResult:
    """What a search returns: `hits` and `withheld` are tables, nearest first, `by` the measure that gates.

    `query_value` and `query_percentile` are the query's own by that measure, nan if it has none.
    """

    hits: pd.DataFrame
    withheld: pd.DataFrame
    by: str | None
    query_value: float
    query_percentile: float


@dataclass(frozen=True)
class _Query:
    """A query: its `vector` (A,) in the whitened space, and its `row` if it is a picture of the set, by id or content.

    One from outside has its `embedding` (D,) and `entropy`, and its embedding by the `second` model where there is one.
    """

    vector: NDArray[np.float32]
    row: int | None
    embedding: NDArray[np.float32] | None = None
    entropy: float = float("nan")
    second: NDArray[np.float32] | None = None
    is_of_file: bool = True


class SearchableSet(SetCore):
    """A snapshot whose pictures can be searched among."""

    def search(
        self,
        query: Path | Image.Image | int,
        k: int = 24,
        by: str | None = None,
        max_percentile: float | None = None,
    ) -> pd.DataFrame:
        """The k most similar pictures to a file, a PIL picture, or a picture of this set (by id; itself left out).

        Pictures above `max_percentile` (0 to 100) of the measure `by` (default: that of `order()`) are withheld.
        Columns: those of `table()` after id, path, similarity. `safe_search` also returns what was withheld.
        """
        return self.safe_search(query, k=k, by=by, max_percentile=max_percentile).hits

    def safe_search(
        self,
        query: Path | Image.Image | int | NDArray[np.floating],
        *,
        k: int = 24,
        by: str | None = None,
        max_percentile: float | None = None,
        without_dropped: bool = False,
    ) -> SearchResult:
        """Like `search`, also by an embedding (D,), with the withheld pictures and the query's own value.

        With `without_dropped`, pictures that were decided to be dropped are withheld too. Raises ImageSetError if `by`
        is not a measure that this set has.
        """
        table = self.frame
        if by is None:
            by = self.leading_order.measure
        else:
            self.check_measure(by)
        is_allowed = self.keep_mask() if without_dropped else np.ones(len(table), bool)
        ranks = np.full(len(table), np.nan, np.float32) if by is None else percentile_of_each(table, by)
        if max_percentile is not None:  # a picture without the value cannot be vouched for, and is withheld too
            is_allowed = is_allowed & (ranks <= max_percentile)
        read = self._as_query(query)
        value, rank = self._value_of(read, by, ranks)
        vector, exclude = read.vector, None if read.is_of_file else np.arange(len(table)) == read.row
        hits = search(vector, self.unit, k=k, is_allowed=is_allowed, exclude=exclude)
        return SearchResult(self._similar(hits.rows, vector), self._similar(hits.withheld, vector), by, value, rank)

    def neighbours(self, image_id: int, k: int = 12) -> pd.DataFrame:
        """The k pictures nearest to one of this set that are no twins of it: columns as of `search`, never gated.

        Of pictures that are twins of each other one is shown, as far as the graph's lists reach.
        """
        row, unit = self.row_of(image_id), self.unit
        near = near_in_graph(row, self.contents, self.graph)
        if near is None or (len(near[0]) < k and k > K):
            group = group_codes(self.frame)
            hits = search(unit[row], unit, k=k, exclude=group == group[row])
            near = hits.rows, hits.similarity
        return self._with_similarity(near[0][:k], near[1][:k])

    def nearest_of_class(self, image_id: int, label: str, k: int = 3) -> pd.DataFrame:
        """The k pictures of a class that are nearest to one of this set, of another source: columns as of `search`."""
        row, table, unit = self.row_of(image_id), self.frame, self.unit
        group = self.source_groups
        is_out = (table["label"] != label).to_numpy(dtype=bool) | (group == group[row])
        hits = search(unit[row], unit, k=k, exclude=is_out)
        return self._with_similarity(hits.rows, hits.similarity)

    def _as_query(self, query: Path | Image.Image | int | NDArray[np.floating]) -> _Query:
        if isinstance(query, (int, np.integer)):
            row = self.row_of(int(query))
            return _Query(self.unit[row], row, is_of_file=False)
        if isinstance(query, np.ndarray):
            return _Query(self._whitened_vector(query), None, query.astype(np.float32))
        crops, content = self._crops(query)
        outputs = _outputs(self.model, crops[0])
        second = None if self.second_model is None else _outputs(self.second_model, crops[1]).embedding[0]
        rows, embedding = np.flatnonzero(self.contents == content), outputs.embedding[0]
        same_row = int(rows[0]) if len(rows) else None
        return _Query(self._whitened_vector(embedding), same_row, embedding, float(outputs.entropy[0]), second)

    def _whitened_vector(self, embedding: NDArray[np.floating]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.whitened.whitening.transform(embedding[None])[0].astype(np.float32)
        return vector

    def _crops(self, query: Path | Image.Image) -> tuple[tuple[NDArray[np.uint8], ...], int | None]:
        """The crops of a query for each model, and the content key of a file."""
        second = self.second_model
        spaces = [self.space, *([] if second is None else [second.space])]
        preprocessing, *others = (space.preprocessing for space in spaces)
        if isinstance(query, (str, os.PathLike)):
            picture = _read_query(query, preprocessing, also=others)
            return (picture.crop, *picture.also), picture.content
        picture = picture_of(_as_png(query), preprocessing, content=0, also=others)
        return (picture.crop, *picture.also), None

    def _value_of(self, query: _Query, measure: str | None, ranks: NDArray[np.float32]) -> tuple[float, float]:
        """A query's value of a measure, and its percentile in this set; nan if it has none.

        A file that is in the set byte for byte has the value and percentile it has there.
        """
        if measure is None:
            return float("nan"), float("nan")
        if query.row is not None:
            return float(self.frame[measure].iloc[query.row]), float(ranks[query.row])
        assert query.embedding is not None
        embedding = query.embedding.astype(np.float16)[None]
        second = None if query.second is None else query.second.astype(np.float16)[None]
        single = self.single_model.derived
        reference = self.reference() if second is not None else single.get("reference")
        values = values_of(embedding, np.array([query.entropy]), self.source.head, reference, second=second)
        if measure not in values:
            return float("nan"), float("nan")
        rank = percentile(values[measure], among=reference.pictures[measure].to_numpy(dtype=float))
        return float(values[measure][0]), float(rank[0])

    def _similar(self, rows: NDArray[np.int64], vector: NDArray[np.float32]) -> pd.DataFrame:
        cosine = self.unit[rows] @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        return self._with_similarity(rows, cosine)

    def _with_similarity(self, rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> pd.DataFrame:
        table = self.frame.iloc[rows].reset_index(drop=True)
        table.insert(2, "similarity", similarity.astype(np.float32))
        return table


def _outputs(model: Model, crop: NDArray[np.uint8]) -> Outputs:
    """What a model gives of one crop (S, S, 3). Raises ModelError if that cannot be stored."""
    outputs = model.run(crop[None])
    model.as_stored(outputs.embedding)
    return outputs


def _read_query(path: str | Path, preprocessing: Preprocessing, *, also: Sequence[Preprocessing] = ()) -> Picture:
    """A file decoded in a separate process; raises ImageError also if that process crashes."""
    if not Path(path).exists():
        raise ImageError(f"There is no file {os.fspath(path)!r}. Give the path of the picture to search with.")
    try:
        return decoders.read(read_file(os.fsencode(path)), preprocessing, also=also)
    except ImageError as error:
        raise ImageError(f"{os.fspath(path)!r} {error}. Search with another picture.") from error


def _as_png(image: Image.Image) -> bytes:
    """A picture in memory as a file, so that it is decoded like the pictures of the set."""
    file = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    upright = upright if upright.mode in _MODES_OF_PNG else upright.convert("RGB")
    upright.save(file, "PNG", compress_level=0)
    return file.getvalue()
