"""New pictures compared with an image set: their twins in it, their nearest others, and what follows from these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.columns.engine import ByContent, column
from url_viz.columns.second_model import Opinion, combined_confusability, row_cosines, side_by_side
from url_viz.columns.table import Frame
from url_viz.imaging.copied_pixels import patch_of
from url_viz.imaging.quality import WORDS
from url_viz.labels.ambiguity import AmbiguityModel, Classified, ClassShares, classify_new
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.classes import CodedLabels
from url_viz.labels.votes import Codes
from url_viz.pipeline.confusability import ConfusabilityReference, Lists, confusability_of_new
from url_viz.pipeline.graph import K
from url_viz.pipeline.near_copies import NEVER, Pixels, bits_apart, copies_among, similar_to
from url_viz.pipeline.nearest import NONE, Nearest, top_k
from url_viz.pipeline.twins import is_representative, source_groups
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
    `others` (Q, E) embeddings of the other opinions that were asked: the second model's first.
    """

    embedding: NDArray[np.floating]
    content: Rows
    pixels: Pixels
    others: tuple[NDArray[np.floating], ...] = ()

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
    `class_names`, and is None without classes. Where other opinions take part, `others` have their vectors of the same
    contents: confusability is by all, classes by those that are no look. `pixels` are what copies are known by,
    `groups` (M,) source groups. Shares of classes that are not known (`LabelAgreement`) are told of no picture.
    """

    pictures: pd.DataFrame
    table: pd.DataFrame
    whitened: WhitenedRows
    embedding: NDArray[np.floating]
    counts: NDArray[np.bool_]
    confusability: ConfusabilityReference | None = None
    model: AmbiguityModel | None = None
    class_names: tuple[str, ...] = ()
    others: "tuple[Reference, ...]" = ()
    pixels: Pixels | None = None
    groups: NDArray[np.integer] | None = None
    are_classes_known: bool = True
    is_look: bool = False

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
        networks = (self, *(other for other in self.others if not other.is_look))
        return self.model.without(rows, side_by_side(*(each.whitened.rows[rows] for each in networks)))

    def shares_of(
        self, rows: NDArray[np.floating], voters: Nearest, twin: Rows, *, also: Sequence[Nearest] = ()
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
            first, *others = (Nearest(each.position[in_group], each.similarity[in_group]) for each in (voters, *also))
            classified = classify_new(first.position, first.similarity, rows[in_group], model, also=others)
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
    opinions: tuple[Opinion, ...],
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
    heard = opinions if all(opinion.is_whole for opinion in opinions) else ()
    return Reference(
        measured,
        table,
        here,
        embedding,
        is_representative(graph.twins),
        combined_confusability(graph, heard)[1],
        None if classified is None else classified.model,
        content_labels.names,
        tuple(
            Reference(
                measured,
                table,
                opinion.whitened,
                opinion.embeddings,
                is_representative(opinion.graph.twins),
                is_look=opinion.is_look,
            )
            for opinion in heard
        ),
        pixels,
        source_groups(graph.twins, content_apart),
        agreement.is_known,
    )


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
    """Compare pictures with a set, by all opinions that the reference is by: `new.others` must have them.

    Twins by the first model are left out of the others' lists too, and those of a twin's source group have no vote.
    """
    assert len(new.others) >= len(reference.others), "a reference by several models needs the embeddings of all"
    rows: NDArray[np.floating] = reference.whitened.whitening.transform(new.embedding)
    twins = _Twins(new, reference, rows)
    nearest, looked_at = _nearest_left(rows, reference, twins.at)
    (twin, is_copy), all_rows, lists, also = twins.most_alike(looked_at), [rows], [], []
    for embedding, other in zip(new.others, reference.others, strict=False):  # it may have been asked more
        its_rows, its_nearest = _by_other(replace(new, embedding=embedding), other, twins)
        cosine = row_cosines(its_rows, other.whitened.rows, nearest.position[:, 0])
        lists.append(Lists(its_nearest.position, its_nearest.similarity, cosine))
        if not other.is_look:
            also.append(_voters(its_nearest, twin, reference))
            all_rows.append(its_rows)
    value, shares = np.full(len(rows), np.nan, np.float32), None
    if reference.confusability is not None:
        value = confusability_of_new(nearest.position, nearest.similarity, reference.confusability, others=lists)
    if reference.model is not None:
        voters = _voters(nearest, twin, reference)
        shares = reference.shares_of(side_by_side(*all_rows), voters, twin, also=also)
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


def _by_other(new: NewPictures, other: Reference, first_twins: _Twins) -> tuple[NDArray[np.float16], Nearest]:
    """Rows of new pictures in another whitened space, and their nearest that are twins in neither space."""
    rows = other.whitened.whitening.transform(new.embedding)
    own_twins = _Twins(new, other, rows)
    nearest, _ = _nearest_left(rows, other, lambda position: first_twins.at(position) | own_twins.at(position))
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
