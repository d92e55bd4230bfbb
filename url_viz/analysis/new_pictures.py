"""Pictures outside a set compared with it: their nearest there, twins left out, and every measure of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import AmbiguityModel, ClassShares, classify_new
from url_viz.analysis.second_model import cosines_of, side_by_side
from url_viz.imaging.perceptual_hash import Hashes
from url_viz.pipeline.confusability import ConfusabilityReference, Lists, confusability_of_new
from url_viz.pipeline.graph import K
from url_viz.pipeline.near_copies import copies_of
from url_viz.pipeline.nearest import NONE, Nearest, top_k
from url_viz.pipeline.twins import are_twins
from url_viz.rows import l2_normalize
from url_viz.store.whitened_rows import WhitenedRows

FIRST_LOOK = 2 * K
"""So many of the nearest are looked at for K that are no twins; more if these are mostly twins."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """What new pictures are compared with: M distinct contents of an image set, in the order of its graph.

    `pictures` is the whole table of the set, where copies count each, `table` has one row of it for each
    content; `whitened` and `embedding` (M, D) are their vectors, and `counts` (M,) says which of them stand in
    lists: the representatives. `confusability` is None without a graph; `model` gives class shares, of
    `class_names`, and is None without classes. Where a second model takes part, `second` has its vectors of the same
    contents, and the others are by both. `hashes` (M, WORDS) are what copies are known by, `groups` (M,) source groups.
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
    hashes: Hashes | None = None
    groups: NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.table)

    def without(self, row: int) -> "Reference":
        """This reference as copies of the picture at `row` meet it: without that and its source group."""
        if self.groups is None:
            return self
        out = self.groups == self.groups[row]
        model = None if self.model is None else self.model.without(np.flatnonzero(out), self.whitened.rows[out])
        return replace(self, counts=self.counts & ~out, model=model)

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


@dataclass(frozen=True)
class Placement:
    """How Q new pictures compare with a reference.

    `nearest`: the K nearest that are no twins, cosines in the whitened space; `twin` (Q,) the row of the most alike
    twin, −1 for none; `confusability` (Q,); `shares` of the reference's classes, None without classes.
    """

    nearest: Nearest
    twin: NDArray[np.int64]
    confusability: Floats
    shares: ClassShares | None


def compare_to_reference(
    embeddings: NDArray[np.floating],
    content: NDArray[np.int64],
    reference: Reference,
    *,
    second: NDArray[np.floating] | None = None,
    hashes: Hashes | None = None,
) -> Placement:
    """Compare Q pictures with a set: raw `embeddings` (Q, D), `content` (Q,) keys (−1 for one of no file).

    `second` (Q, E) are those of the second model, which a reference by both needs; `hashes` (Q, WORDS) identify copies.
    """
    rows: NDArray[np.floating] = reference.whitened.whitening.transform(embeddings)
    nearest, twin = nearest_without_twins(embeddings, content, reference, rows, hashes=hashes)
    lists, also, of_second, among = (nearest.position, nearest.similarity), None, None, reference.confusability
    if reference.second is not None:
        assert second is not None, "a reference by both needs the embeddings of both models"
        whitened = reference.second.whitened
        other = whitened.whitening.transform(second)
        also, _ = nearest_without_twins(second, content, reference.second, other, hashes=hashes)
        of_second = Lists(also.position, also.similarity, cosines_of(other, whitened.rows, nearest.position[:, 0]))
        rows = side_by_side(rows, other)
    value = np.full(len(rows), np.nan, np.float32)
    if among is not None:
        value = confusability_of_new(*lists, among, second=of_second)
    model = reference.model
    shares = None if model is None else classify_new(*lists, rows, model, also=also)
    return Placement(nearest, twin, value, shares)


def nearest_without_twins(
    embeddings: NDArray[np.floating],
    content: NDArray[np.int64],
    reference: Reference,
    rows: NDArray[np.floating],
    *,
    k: int = K,
    hashes: Hashes | None = None,
) -> tuple[Nearest, NDArray[np.int64]]:
    """The `k` nearest of each picture (whitened `rows` (Q, A)) in the reference that are no twins, and its twin (Q,).

    Exact: the nearest are looked at until there are `k` that are no twins by content or `are_twins`, with `hashes`
    (Q, WORDS). A copy by its hash is a twin wherever it is.
    """
    count, look = len(reference), min(FIRST_LOOK, len(reference))
    both = _both_hashes(hashes, reference)
    while True:
        found = top_k(rows, reference.whitened.rows, look)
        cosine = _raw_cosines(embeddings, reference.embedding, found.position)
        is_same = reference.content[found.position] == content[:, None]
        asked = np.repeat(count + np.arange(len(rows)), found.position.shape[1])
        is_alike = are_twins(cosine.ravel(), both, asked, found.position.ravel()).reshape(cosine.shape)
        is_twin = (found.position != NONE) & (is_alike | is_same)
        is_out = is_twin | (found.position == NONE) | ~reference.counts[found.position]
        enough = (~is_out).sum(axis=1) >= k
        if look >= count or enough.all():
            break
        look = min(4 * look, count)
    twin = _most_alike(found.position, np.where(is_same, 2, cosine), is_twin)
    if both is not None:
        for number in np.flatnonzero(twin == NONE):
            twin[number] = _copy_of(embeddings[number], both, count + int(number), reference)
    order = np.argsort(is_out, axis=1, kind="stable")[:, :k]
    is_left = np.take_along_axis(is_out, order, 1)
    position = np.where(is_left, NONE, np.take_along_axis(found.position, order, 1))
    similarity = np.where(is_left, NONE, np.take_along_axis(found.similarity, order, 1))
    return Nearest(position.astype(np.int32), similarity.astype(np.float32)), twin


def _both_hashes(hashes: Hashes | None, reference: Reference) -> Hashes | None:
    """The hashes of a reference, then those (Q, WORDS) of new pictures; None if one is not known."""
    known = reference.hashes
    return None if known is None or hashes is None else np.concatenate([known, hashes])


def _copy_of(embedding: NDArray[np.floating], both: Hashes, row: int, reference: Reference) -> int:
    """The row of the reference that is a twin of a new picture by its hash, at `row` of `both`; NONE for none."""
    rows = copies_of(both[row], both[: len(reference)])
    cosine = _raw_cosines(embedding[None], reference.embedding, rows[None])
    is_twin = are_twins(cosine[0], both, np.full(len(rows), row), rows)
    return int(_most_alike(rows[None], cosine, is_twin[None])[0])


def _raw_cosines(rows: NDArray[np.floating], others: NDArray[np.floating], position: NDArray[np.integer]) -> Floats:
    """Cosines (Q, L) of each row with those at `position` (Q, L)."""
    cosine = np.zeros(position.shape, np.float32)
    for number, row in enumerate(l2_normalize(rows)):
        cosine[number] = l2_normalize(others[position[number]]) @ row
    return cosine


def _most_alike(position: NDArray[np.integer], cosine: Floats, is_twin: NDArray[np.bool_]) -> NDArray[np.int64]:
    if not position.shape[1]:
        return np.full(len(position), NONE)
    best = np.where(is_twin, cosine, -np.inf).argmax(axis=1)
    every = np.arange(len(position))
    return np.where(is_twin.any(axis=1), position[every, best], NONE).astype(np.int64)
