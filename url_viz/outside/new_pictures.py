"""New pictures compared with an image set: their twins in it, their nearest others, and what follows from these."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.columns.engine import ByContent, column
from url_viz.columns.second_model import SecondModel, combined_confusability, row_cosines, side_by_side
from url_viz.columns.table import Frame
from url_viz.imaging.copied_pixels import patch_of
from url_viz.imaging.quality import WORDS
from url_viz.labels.ambiguity import AmbiguityModel, Classified, ClassShares, classify_new
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.classes import CodedLabels
from url_viz.labels.votes import Codes
from url_viz.pipeline.confusability import ConfusabilityReference, Lists, confusability, confusability_of_new
from url_viz.pipeline.graph import K
from url_viz.pipeline.near_copies import NEVER, Pixels, bits_apart, copies_among, similar_to
from url_viz.pipeline.nearest import NONE, Nearest, top_k
from url_viz.pipeline.twins import is_representative, source_groups, twin_representatives
from url_viz.pipeline.whitening import RAW_COSINE, ViewSpace
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, positions_of

FIRST_LOOK = 2 * K
"""So many of the nearest are looked at for K that are no twins; more if these are mostly twins."""

NO_FILE = -1
"""The content key of a picture that is no file, as of an embedding."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.integer]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class NewPictures:
    """Q pictures from outside a set: what their twins are recognised by, and their vectors.

    `embedding` (Q, D) raw; `content` (Q,) keys, NO_FILE for none; `pixels`, blank where there is no picture;
    `second` (Q, E) embeddings by the second model, None if it was not asked.
    """

    embedding: NDArray[np.floating]
    content: Rows
    pixels: Pixels
    second: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.embedding)

    @classmethod
    def of_embeddings(cls, embedding: NDArray[np.floating]) -> "NewPictures":
        """Pictures that are known by their embeddings (Q, D) alone."""
        count = len(embedding)
        blank = Pixels(np.zeros((count, WORDS), np.uint64), lambda rows: patch_of(b"", 0, 0)[np.zeros_like(rows)])
        return cls(embedding, np.full(count, NO_FILE, np.int64), blank)


@dataclass(frozen=True)
class Reference:
    """What new pictures are compared with: M distinct contents of an image set, in the order of its graph.

    `pictures` is the whole table of the set, where copies count each, `table` has one row of it for each
    content; `whitened` and `embedding` (M, D) are their vectors, and `counts` (M,) says which of them stand in
    lists: the representatives. `confusability` is None without a graph; `model` gives class shares, of
    `class_names`, and is None without classes. Where a second model takes part, `second` has its vectors of the same
    contents, and the others are by both. `pixels` are what copies are known by, `groups` (M,) source groups. Shares of
    classes that are not known (`LabelAgreement`) are told of no picture.
    """

    pictures: pd.DataFrame
    table: pd.DataFrame
    whitened: WhitenedRows
    embedding: NDArray[np.floating]
    counts: NDArray[np.bool_]
    confusability: ConfusabilityReference | None = None
    model: AmbiguityModel | None = None
    class_names: tuple[str, ...] = ()
    second: "Reference | None" = None
    pixels: Pixels | None = None
    groups: NDArray[np.integer] | None = None
    are_classes_known: bool = True

    def __len__(self) -> int:
        return len(self.table)

    def without(self, row: int) -> "Reference":
        """This reference as copies of the picture at `row` meet it: without that and its source group."""
        if self.groups is None:
            return self
        out = self.groups == self.groups[row]
        return replace(self, counts=self.counts & ~out, model=self._model_without(np.flatnonzero(out)))

    def _model_without(self, rows: Rows) -> AmbiguityModel | None:
        """The model as fitted without the pictures at `rows` (R,)."""
        if self.model is None:
            return None
        first = self.whitened.rows[rows]
        both = first if self.second is None else side_by_side(first, self.second.whitened.rows[rows])
        return self.model.without(rows, both)

    def shares_of(
        self, rows: NDArray[np.floating], voters: Nearest, twin: Rows, *, also: Nearest | None = None
    ) -> ClassShares:
        """The class shares of Q new pictures, `rows` (Q, A) and `voters` (Q, K) as for `classify_new`.

        One with a `twin` (Q,) is judged as that is in the set: by what has not seen the twin's source group.
        """
        assert self.model is not None
        shares = classify_new(voters.position, voters.similarity, rows, self.model, also=also)
        if self.groups is None:
            return shares
        group = np.where(twin == NONE, NONE, self.groups[twin])
        for own_group in np.unique(group[group != NONE]):
            in_group, model = (
                np.flatnonzero(group == own_group),
                self._model_without(np.flatnonzero(self.groups == own_group)),
            )
            assert model is not None
            second = None if also is None else Nearest(also.position[in_group], also.similarity[in_group])
            classified = classify_new(
                voters.position[in_group], voters.similarity[in_group], rows[in_group], model, also=second
            )
            for field in fields(ClassShares):
                getattr(shares, field.name)[in_group] = getattr(classified, field.name)
        return shares

    @property
    def ids(self) -> NDArray[np.int64]:
        """An id (M,) of a picture with each content."""
        ids: NDArray[np.int64] = self.table["id"].to_numpy(np.int64)
        return ids

    @property
    def xy(self) -> Floats:
        """Coordinates (M, 2), nan if not placed yet."""
        return self.table[["x", "y"]].to_numpy(np.float32)

    @property
    def content(self) -> NDArray[np.int64]:
        """Content keys (M,)."""
        return self.whitened.content


@column()
def reference(
    measured: pd.DataFrame,
    base: Frame,
    graph: Graph | None,
    whitened: WhitenedRows,
    content_labels: CodedLabels | None,
    content_apart: Codes | None,
    classified: Classified | None,
    agreement: LabelAgreement,
    second: SecondModel | None,
    embeddings_of: ByContent[NDArray[np.float16]],
    pixels_of: ByContent[Pixels],
) -> Reference:
    """What new pictures are compared with: the distinct contents of the set."""
    keys = np.unique(base.contents) if graph is None else graph.content
    first, row = np.unique(base.contents, return_index=True)
    is_here = positions_of(keys, first) >= 0  # of the graph, too: a picture may have left since
    rows = row[positions_of(keys[is_here], first)]
    table = measured.iloc[rows]
    here = WhitenedRows(whitened.whitening, keys[is_here], whitened.rows[rows])
    embedding, pixels = embeddings_of(keys[is_here]), pixels_of(keys[is_here])
    if graph is None or content_labels is None or not is_here.all():
        return Reference(measured, table, here, embedding, np.ones(len(rows), bool), pixels=pixels)
    representative = twin_representatives(graph.twins)
    if second is None:
        among = confusability(graph.position, graph.similarity, representative=representative)[1]
    else:
        among = combined_confusability(graph, second)[1]
    return Reference(
        measured,
        table,
        here,
        embedding,
        representative == np.arange(len(graph)),
        among,
        None if classified is None else classified.model,
        content_labels.names,
        None if second is None or not second.is_whole else _second_reference(second, measured, table),
        pixels,
        source_groups(graph.twins, content_apart),
        agreement.is_known,
    )


def _second_reference(second: SecondModel, measured: pd.DataFrame, table: pd.DataFrame) -> Reference:
    """What new pictures are compared with by the second model."""
    is_counted = is_representative(second.graph.twins)
    return Reference(measured, table, second.whitened, second.embeddings, is_counted)


@dataclass(frozen=True)
class Placement:
    """How Q new pictures compare with a reference.

    `nearest`: the K nearest that are no twins, cosines in the whitened space; `twin` (Q,) the row of a copy, else of
    the most alike view, −1 for none, and `is_copy` (Q,) which it is; `confusability` (Q,); `shares` of the reference's
    classes, None without classes.
    """

    nearest: Nearest
    twin: Rows
    is_copy: Flags
    confusability: Floats
    shares: ClassShares | None


def compare_to_reference(new: NewPictures, reference: Reference) -> Placement:
    """Compare pictures with a set, by both models if the reference is: then `new.second` is needed.

    Twins by the first model are left out of the second's lists too, and those of a twin's source group have no vote.
    """
    rows: NDArray[np.floating] = reference.whitened.whitening.transform(new.embedding)
    twins = _Twins(new, reference, rows)
    nearest, looked_at = _nearest_left(rows, reference, twins.at)
    (twin, is_copy), of_second, also = twins.most_alike(looked_at), None, None
    if reference.second is not None:
        other, by_second = _by_second(new, reference.second, twins)
        cosine = row_cosines(other, reference.second.whitened.rows, nearest.position[:, 0])
        of_second, also = Lists(by_second.position, by_second.similarity, cosine), _voters(by_second, twin, reference)
        rows = side_by_side(rows, other)
    value, shares = np.full(len(rows), np.nan, np.float32), None
    if reference.confusability is not None:
        lists = nearest.position, nearest.similarity
        value = confusability_of_new(*lists, reference.confusability, second=of_second)
    if reference.model is not None:
        shares = reference.shares_of(rows, _voters(nearest, twin, reference), twin, also=also)
    return Placement(nearest, twin, is_copy, value, shares)


def nearest_without_twins(new: NewPictures, reference: Reference, *, k: int = K) -> tuple[Nearest, Rows]:
    """The `k` nearest of each picture in the reference that are no twins of it, exactly; and its twin (Q,), or NONE."""
    rows = reference.whitened.whitening.transform(new.embedding)
    twins = _Twins(new, reference, rows)
    nearest, looked_at = _nearest_left(rows, reference, twins.at, k=k)
    return nearest, twins.most_alike(looked_at)[0]


class _Twins:
    """Which pictures of a reference are copies of new ones, and which are views, whose whitened `rows` are (Q, A)."""

    def __init__(self, new: NewPictures, reference: Reference, rows: NDArray[np.floating]) -> None:
        self._new, self._known, self._rows = new, reference, rows
        self._space = ViewSpace(reference.whitened.whitening)
        self._pixels = None if reference.pixels is None else Pixels.joined(reference.pixels, new.pixels)

    def at(self, position: Places) -> Flags:
        """Which of the pictures at `position` (Q, L) are twins; no picture is at NONE."""
        new_rows = np.repeat(np.arange(len(position)), position.shape[1])
        is_copy, is_view = self._kinds(new_rows, position.ravel())
        return (is_copy | is_view).reshape(position.shape)

    def most_alike(self, looked_at: Places) -> tuple[Rows, Flags]:
        """The row (Q,) of each one's copy, wherever it is, else of the nearest view of (Q, L), or NONE; if a copy."""
        twin = positions_of(self._new.content, self._known.content)
        is_copied = twin != NONE
        for number in np.flatnonzero(~is_copied):
            position = looked_at[number][looked_at[number] != NONE]
            if self._known.pixels is not None:
                position = np.union1d(position, similar_to(self._new.pixels.hashes[number], self._known.pixels.hashes))
            is_copy, is_view = self._kinds(np.full(len(position), number), position)
            is_copied[number] = is_copy.any()
            alike = position[is_copy if is_copied[number] else is_view]
            if len(alike):
                cosine = _raw_cosines(self._new.embedding[[number]], self._known.embedding, alike[None])[0]
                twin[number] = alike[cosine.argmax()]
        return twin, is_copied

    def _kinds(self, number: Rows, position: Places) -> tuple[Flags, Flags]:
        """Whether new pictures `number` (P,) and those at `position` (P,) are copies, and whether they are views."""
        is_copy = self._known.content[position] == self._new.content[number]
        if self._pixels is not None:
            own = len(self._known) + number
            maybe = np.flatnonzero(~is_copy & (bits_apart(self._pixels.hashes, own, position) < NEVER))
            is_copy[maybe] = copies_among(self._pixels, np.stack([own, position], axis=1)[maybe])
        is_view = self._space.are_views((self._rows, number), (self._known.whitened.rows, position))
        rows, known_rows = self._new.embedding[number[is_view]], self._known.embedding
        is_view[is_view] = _raw_cosines(rows, known_rows, position[is_view][:, None])[:, 0] >= RAW_COSINE
        is_here = position != NONE
        return is_copy & is_here, is_view & is_here


def _by_second(new: NewPictures, second: Reference, first_twins: _Twins) -> tuple[NDArray[np.float16], Nearest]:
    """Rows of new pictures in the second model's whitened space, and their nearest that are twins to neither model."""
    assert new.second is not None, "a reference by both needs the embeddings of both models"
    rows = second.whitened.whitening.transform(new.second)
    own_twins = _Twins(replace(new, embedding=new.second), second, rows)
    nearest, _ = _nearest_left(rows, second, lambda position: first_twins.at(position) | own_twins.at(position))
    return rows, nearest


def _nearest_left(
    rows: NDArray[np.floating], reference: Reference, is_twin: Callable[[Places], Flags], *, k: int = K
) -> tuple[Nearest, Places]:
    """The `k` nearest of each row (Q, A) that count and are no twins, and all (Q, L) that were looked at for them."""
    count, look = len(reference), min(FIRST_LOOK, len(reference))
    while True:
        nearest = top_k(rows, reference.whitened.rows, look)
        is_out = (nearest.position == NONE) | ~reference.counts[nearest.position] | is_twin(nearest.position)
        if look >= count or ((~is_out).sum(axis=1) >= k).all():
            break
        look = min(4 * look, count)
    order = np.argsort(is_out, axis=1, kind="stable")[:, :k]
    ends = np.take_along_axis(is_out, order, 1)
    position = np.where(ends, NONE, np.take_along_axis(nearest.position, order, 1))
    similarity = np.where(ends, NONE, np.take_along_axis(nearest.similarity, order, 1))
    return Nearest(position.astype(np.int32), similarity.astype(np.float32)), nearest.position


def _voters(nearest: Nearest, twin: Rows, reference: Reference) -> Nearest:
    """Lists (Q, K) without those of the source group of each picture's `twin` (Q,)."""
    if reference.groups is None:
        return nearest
    group = np.where(twin == NONE, NONE, reference.groups[twin])
    has_no_vote = (nearest.position != NONE) & (reference.groups[nearest.position] == group[:, None])
    return replace(nearest, position=np.where(has_no_vote, np.int32(NONE), nearest.position))


def _raw_cosines(rows: NDArray[np.floating], others: NDArray[np.floating], position: Places) -> Floats:
    """Cosines (Q, L) of each row with those at `position` (Q, L)."""
    cosine = np.zeros(position.shape, np.float32)
    for number, row in enumerate(l2_normalize(rows)):
        cosine[number] = l2_normalize(others[position[number]]) @ row
    return cosine
