"""Search in an image set: the pictures most similar to a query, gated by a measure, and the query's own value."""

import io
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps
from typing_extensions import Doc

from url_viz.base.command_line import Count, OptionalPercentile, Percentile
from url_viz.base.errors import ImageError, ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.wording import counted
from url_viz.capability import AsKind, capability
from url_viz.columns.ranking import percentile_of_each
from url_viz.columns.twin_groups import group_codes
from url_viz.core import SetSubject
from url_viz.evidence.ranked import with_between
from url_viz.evidence.selective_retrieval import near_in_graph, search
from url_viz.imaging.decode import read_file
from url_viz.imaging.scan import display_name, located, scan
from url_viz.imaging.uploaded_files import Incoming, IncomingFile, RefusedFile, open_archive
from url_viz.outside.sides import MARKS, THRESHOLD, classes_in_words, sort
from url_viz.outside.uploads import MEASURED, NewPicture, judge_pictures, score, unlike_in_words
from url_viz.pictures.named_groups import is_like, named_groups
from url_viz.pipeline.graph import K

_MODES_OF_PNG = frozenset(("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"))


@dataclass(frozen=True)
class SearchResult:
    """Tables of `hits` and of what was `withheld`, nearest first, and the measure that gates.

    `query_value` and `query_percentile` are the query's own by that measure, nan without one. What is withheld is above
    the percentile `most`, or dropped where these are left out. Of a query that `is_unlike` the set no order says
    anything, and its hits are the nearest all the same.
    """

    hits: pd.DataFrame
    withheld: pd.DataFrame
    by: str | None
    query_value: float
    query_percentile: float
    most: float | None = None
    without_dropped: bool = False
    is_unlike: bool = False

    def printout(self) -> Printout:
        """The hits, and how many nearer pictures were left out; as a note, where the query stands if it is bounded."""
        columns = ["similarity", *filter(None, [self.by]), "path", "label", "between"]
        left_out = []
        if len(self.withheld):
            why = "" if self.most is None else f": above percentile {self.most:g} of {self.by}"
            why += " or dropped" if self.most is not None and self.without_dropped else ""
            count = counted(len(self.withheld), "nearer picture was", "nearer pictures were")
            left_out = [f"{count} left out{why}."]
        found = Table(with_between(self.hits), columns, "", "{:.4f}", "picture")
        none = [] if len(self.hits) else ["(none)"]
        none += [unlike_in_words()] if self.is_unlike else []
        return Printout(none, [found], left_out, [*filter(None, [self._query_words])])

    @property
    def _query_words(self) -> str:
        if self.most is None or self.is_unlike:
            return ""
        if np.isnan(self.query_percentile):
            return f"The query has no {self.by or 'measure'} here."
        if self.query_percentile <= self.most:
            return ""
        place = f"percentile {self.query_percentile:.0f} of {self.by}"
        return f"The query itself is above the bound: it is at {place}."


@dataclass(frozen=True)
class _Query:
    """A query: its `vector` (A,) in the whitened space, its `row` if it is a picture of the set, by id or content.

    `picture` is one from outside.
    """

    vector: NDArray[np.float32]
    row: int | None
    picture: NewPicture | None = None


SCORED_AT_ONCE = 32


def _new_shown(image_set: Any, rows: pd.DataFrame) -> Printout:
    counts = rows["side"].value_counts()
    parts = ", ".join(f"{count:,} {side}" for side, count in counts.items())
    words = [f"{counted(len(rows), 'new picture')}: {parts}."]
    if unlike := int(counts.get("unlike the set", 0)):
        words.append(unlike_in_words(unlike))
    columns = ("side", "value", "percentile", "path", "says", "mark")
    return Printout(words, [Table(rows, columns, "", "{:.4g}", "picture")])


class SearchableSet(SetSubject):
    """A snapshot whose pictures can be searched among."""

    def search(
        self,
        query: Path | Image.Image | int,
        k: int = 24,
        by: str | None = None,
        max_percentile: float | None = None,
    ) -> pd.DataFrame:
        """The k pictures most similar to a file, a PIL picture, or a picture of this set (by id; itself left out).

        Pictures above `max_percentile` (0 to 100) of the measure `by` (default: that of `order()`) are withheld.
        Columns: those of `table()` after id, path, similarity. `safe_search` also returns what was withheld.
        """
        return self.safe_search(query, k=k, by=by, max_percentile=max_percentile).hits

    @capability("search")
    def safe_search(
        self,
        query: Annotated[
            Path | Image.Image | int | NDArray[np.floating] | NewPicture,
            AsKind(Path),
            Doc("the picture to search with"),
        ],
        *,
        k: Annotated[Count, Doc("how many pictures to find")] = 24,
        by: Annotated[str | None, Doc("the measure to leave out by (default: the order that holds here)")] = None,
        max_percentile: Annotated[
            OptionalPercentile, Doc("leave out pictures above this percentile of the measure")
        ] = None,
        without_dropped: Annotated[bool, Doc("leave out pictures that were decided to be dropped")] = False,
    ) -> SearchResult:
        """Find the pictures most similar to a file.

        Ambiguous ones are left out on request.

        In Python like `search`, also by an embedding (D,) or a scored upload; with what was withheld and the query's
        value. Raises ImageSetError for a measure that the set lacks.
        """
        table = self._core.frame
        if by is None:
            by = self._core.leading_order.measure
        else:
            self._core.check_measure(by)
        is_allowed = self._core.keep_mask() if without_dropped else np.ones(len(table), bool)
        ranks = np.full(len(table), np.nan, np.float32) if by is None else percentile_of_each(table, by)
        if max_percentile is not None:  # a picture without the value cannot be vouched for, and is withheld too
            is_allowed = is_allowed & (ranks <= max_percentile)
        read = self._as_query(query)
        value, rank, is_unlike = self._value_of(read, by, ranks)
        vector, exclude = read.vector, None if read.picture is not None else np.arange(len(table)) == read.row
        hits = search(vector, self._core.unit, k=k, is_allowed=is_allowed, exclude=exclude)
        found, withheld = (self._similar(rows, vector) for rows in (hits.rows, hits.withheld))
        return SearchResult(found, withheld, by, value, rank, max_percentile, without_dropped, is_unlike)

    @capability("sort-new", show=_new_shown, top=20)
    def sort_new(
        self,
        new: Annotated[tuple[Path, ...], Doc("new pictures: files, folders of them, or zips")],
        *,
        by: Annotated[str | None, Doc("the measure to sort by (default: the order that holds here)")] = None,
        above: Annotated[Percentile, Doc("the percentile of the set from which a picture is ambiguous")] = THRESHOLD,
        progress: ProgressCallback = silent,
    ) -> pd.DataFrame:
        """Sort new pictures into ambiguous, clear and unlike the set.

        The most ambiguous come first; those that are in the set already are marked. They are read by the models of the
        set, and nothing is stored. No order says anything of what is unlike the set.

        In Python one row a file: path, side ("ambiguous", "clear", "unlike the set", "no value", "not read"), value and
        percentile by the measure, says (the classes that it is like, or why it was not read), mark ("in the set",
        "copy", "another view"), then the columns of `judge_pictures`. Raises ImageSetError for a measure that new
        pictures have not, ImageError without a file.
        """
        own = (self._core.leading_order.measure, *self._core.measures())
        measure = by or next((name for name in own if name in MEASURED), None)
        if measure not in MEASURED:
            named = "No measure leads here" if measure is None else f"New pictures have no {measure!r}"
            raise ImageSetError(f"{named}. Give one of {', '.join(MEASURED)} (--by).")
        files, refused = _incoming(new)
        scored: list[NewPicture] = []
        for start in range(0, len(files), SCORED_AT_ONCE):
            progress(Progress("new", start, len(files)))
            for outcome in self._scored(files[start : start + SCORED_AT_ONCE]):
                if isinstance(outcome, RefusedFile):
                    refused.append(outcome)
                else:
                    scored.append(outcome)
        progress(Progress("new", len(files), len(files)))
        bad = pd.DataFrame([{"path": each.name, "side": "not read", "says": each.reason} for each in refused])
        if not scored:
            return bad
        reference = self._core.reference(is_single_model=not all(picture.others for picture in scored))
        rows = sort(judge_pictures(scored, reference), measure=measure, threshold=above).table()
        is_here = np.isin([scored[number].content for number in rows["id"]], self._core.contents)
        front = rows[["path", "side"]].assign(
            value=rows[measure],
            percentile=rows["rank_percentile"],
            says=[classes_in_words(row, is_clear=row["side"] == "clear") or "" for row in rows.to_dict("records")],
            mark=np.where(is_here, "in the set", rows["twin_kind"].map(MARKS).fillna("")),
        )
        sorted_rows = pd.concat([front, rows.drop(columns=["id", "path", "side", "rank_percentile"])], axis=1)
        return pd.concat([sorted_rows, bad], ignore_index=True) if refused else sorted_rows.reset_index(drop=True)

    def neighbours(self, image_id: int, k: int = 12) -> pd.DataFrame:
        """The k pictures nearest to one of this set that are no twins of it: columns as of `search`, never gated.

        Of pictures that are twins of each other one is shown, as far as the graph's lists reach.
        """
        row, unit = self._core.row_of(image_id), self._core.unit
        near = near_in_graph(row, self._core.contents, self._core.graph)
        if near is None or (len(near[0]) < k and k > K):
            group = group_codes(self._core.frame)
            hits = search(unit[row], unit, k=k, exclude=group == group[row])
            near = hits.rows, hits.similarity
        return self._with_similarity(near[0][:k], near[1][:k])

    def nearest_of_class(self, image_id: int, label: str, k: int = 3) -> pd.DataFrame:
        """The k pictures of a class that are nearest to one of this set, of another source: columns as of `search`."""
        row, table, unit = self._core.row_of(image_id), self._core.frame, self._core.unit
        group = self._core.source_groups
        is_out = (table["label"] != label).to_numpy(dtype=bool) | (group == group[row])
        hits = search(unit[row], unit, k=k, exclude=is_out)
        return self._with_similarity(hits.rows, hits.similarity)

    def nearest_like(self, image_id: int, name: str, k: int = 3) -> pd.DataFrame:
        """The k pictures of a group (`first_like`) that are nearest to one of this set: columns as of `search`."""
        row, unit, group = self._core.row_of(image_id), self._core.unit, self._core.source_groups
        is_member = is_like(self._core.derived.get(named_groups), name, len(group))
        hits = search(unit[row], unit, k=k, exclude=~is_member | (group == group[row]))
        return self._with_similarity(hits.rows, hits.similarity)

    def _as_query(self, query: Path | Image.Image | int | NDArray[np.floating] | NewPicture) -> _Query:
        if isinstance(query, (int, np.integer)):
            row = self._core.row_of(int(query))
            return _Query(self._core.unit[row], row)
        picture = query if isinstance(query, NewPicture) else self._from_outside(query)
        rows = np.flatnonzero(self._core.contents == picture.content)
        vector = self._core.whitened.whitening.transform(picture.embedding[None])[0].astype(np.float32)
        return _Query(vector, int(rows[0]) if len(rows) else None, picture)

    def _from_outside(self, query: Path | Image.Image | NDArray[np.floating]) -> NewPicture:
        """A query read and scored as an upload. Raises ImageError if it is no readable picture."""
        if isinstance(query, np.ndarray):
            return NewPicture.of_embedding(query, self._core.source.head)
        file = _file_of(query)
        [outcome] = self._scored([file])
        if isinstance(outcome, RefusedFile):
            raise ImageError(f"{file.name!r} {outcome.reason}. Search with another picture.")
        return outcome

    def _scored(self, files: Sequence[Incoming]) -> list[NewPicture | RefusedFile]:
        second, looks_twice = self._core.second_model, self._core.second.looks_twice
        ask_second = None if second is None else lambda: nullcontext(second)
        return score(files, lambda: nullcontext(self._core.model), second=ask_second, looks_twice=looks_twice)

    def _value_of(self, query: _Query, measure: str | None, ranks: NDArray[np.float32]) -> tuple[float, float, bool]:
        """A query's value and percentile by a measure, nan without one, and whether nothing in the set is like it.

        A file that is in the set byte for byte has those that it has there; another is judged as an upload.
        """
        if query.row is not None:
            value = math.nan if measure is None else float(self._core.frame[measure].iloc[query.row])
            return value, float(ranks[query.row]), False
        assert query.picture is not None
        reference = self._core.reference(is_single_model=not query.picture.others)
        row = judge_pictures([query.picture], reference).iloc[0]
        value, rank = (float(row.get(name, np.nan)) for name in (measure, f"{measure}_percentile"))
        return value, rank, bool(row["is_unlike"])

    def _similar(self, rows: NDArray[np.int64], vector: NDArray[np.float32]) -> pd.DataFrame:
        cosine = self._core.unit[rows] @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        return self._with_similarity(rows, cosine)

    def _with_similarity(self, rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> pd.DataFrame:
        table = self._core.frame.iloc[rows].reset_index(drop=True)
        table.insert(2, "similarity", similarity.astype(np.float32))
        return table


def _file_of(query: Path | Image.Image) -> IncomingFile:
    """A query as an upload. Raises ImageError for a path of no file, or one that cannot be read."""
    if not isinstance(query, (str, os.PathLike)):
        return IncomingFile("picture", _as_png(query))
    if not Path(query).exists():
        raise ImageError(f"There is no file {os.fspath(query)!r}. Give the path of the picture to search with.")
    try:
        return IncomingFile(os.fspath(query), read_file(os.fsencode(query)))
    except ImageError as error:
        raise ImageError(f"{os.fspath(query)!r} {error}. Search with another picture.") from error


@dataclass(frozen=True)
class _OnDisk:
    name: str
    path: bytes

    def read(self) -> bytes:
        return read_file(self.path)


def _incoming(new: Iterable[Path]) -> tuple[list[Incoming], list[RefusedFile]]:
    """The files, those of folders and of zips, and those that were refused unread. Raises ImageError without any."""
    files: list[Incoming] = []
    refused: list[RefusedFile] = []
    for path in map(Path, new):
        if path.is_dir():
            names = (file.path for file in scan(path).files)
            files += [_OnDisk(display_name(located(path, name)), located(path, name)) for name in names]
        elif not path.exists():
            raise ImageError(f"There is no file {os.fspath(path)!r}. Give pictures, folders of them, or zips.")
        elif path.suffix.lower() == ".zip":
            members, others = open_archive(display_name(os.fsencode(path)), path.read_bytes())
            files += members
            refused += others
        else:
            files.append(_OnDisk(display_name(os.fsencode(path)), os.fsencode(path)))
    if not files and not refused:
        raise ImageError("There is no picture among these. Give pictures, folders of them, or zips.")
    return files, refused


def _as_png(image: Image.Image) -> bytes:
    """A picture in memory as a file, so that it is decoded like the pictures of the set."""
    file = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    upright = upright if upright.mode in _MODES_OF_PNG else upright.convert("RGB")
    upright.save(file, "PNG", compress_level=0)
    return file.getvalue()
