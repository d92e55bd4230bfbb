"""Groups of pictures without classes, named by look as the map's regions are, and the two that each lies between."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from url_viz.columns.engine import ByContent, Lazy, OnDisk, column
from url_viz.columns.measures import AMBIGUITY, has_values
from url_viz.columns.ranking import NONE
from url_viz.columns.table import LIKE_COLUMNS, Frame
from url_viz.columns.twin_groups import group_codes
from url_viz.labels.votes import NEARNESS, Codes, vote_shares
from url_viz.models.classifier_functions import ClassifierFunctions, class_names
from url_viz.models.head import Head
from url_viz.store.tables.stored_arrow import require, require_codes
from url_viz.store.tables.tables import Graph, numbers_of, positions_of

NAMED_FROM = 0.15
"""A class names a region or a group from this mean share on: below it, names of regions of Places and Grocery were
far-fetched."""
CLEAR_FROM, CLEAR_SHARE = 0.3, 0.25
"""Classes are no words for a set of which fewer than a quarter of the pictures have one with this share by themselves:
of scenes, groceries, trash and places 34 to 54 % have, of traffic signs 18 %, of steel 3 %."""
SEEN_WITH = 8
"""Nearest pictures that are looked at with each, to name it."""
LEAST = 0.02
"""Smaller shares of the classifier are not looked at: a group comes into question for a picture in which its class has
this share. That is the first witness; the second are the nearest."""
FEWEST = 3
"""Pictures, twins counted once, that make a group."""
TOGETHER = 0.15
"""A group's pictures have this share of group mates among their nearest, on average, or they are scattered, and none:
of scenes "alp" has .69 and "studio couch" (bedrooms) .49, "breakwater" (motorways) .11 and "bell cote" (towers) .07."""
HEARD = 0.2
"""The two groups have this share of the votes of all that are near, or the picture is like no group. The second …"""
RIVAL = 0.25
"""… has this share of the first's votes, or there is no question. Chosen on scenes, places, trash and groceries."""
AT_ONCE = 8192
SAMPLE = 2048
"""Pictures, about, that tell whether the classes are words for a set."""

Floats = NDArray[np.floating]


def look_of(shares: Floats, names: tuple[str, ...]) -> tuple[str | None, float]:
    """The class with the largest mean share among pictures, and that share; no name if it is below NAMED_FROM.

    `shares` (M, C) are the classifier's softmax, `names` its C classes.
    """
    mean = shares.mean(axis=0)
    best = int(mean.argmax())
    return (names[best] if mean[best] >= NAMED_FROM else None), float(mean[best])


@dataclass(frozen=True)
class NamedGroups:
    """The groups of N pictures, `names` (G,): classes of ImageNet that some look like, and no classes of the set.

    `member` (N,) int32 is the group that a picture itself belongs to, `first` and `second` those that it is most like,
    NONE for none: `second` is given only where the picture lies between two.
    """

    names: tuple[str, ...]
    member: Codes
    first: Codes
    second: Codes


def is_like(groups: NamedGroups | None, name: str, pictures: int) -> NDArray[np.bool_]:
    """Which of N pictures belong to the group of this name (N,)."""
    if groups is None or name not in groups.names:
        return np.zeros(pictures, bool)
    return np.asarray(groups.member == groups.names.index(name))


def _to_table(groups: NamedGroups) -> pa.Table:
    columns = {name: getattr(groups, name) for name in ("member", "first", "second")}
    return pa.table(columns).replace_schema_metadata({b"names": json.dumps(groups.names).encode()})


def _from_table(table: pa.Table, base: Frame) -> NamedGroups:
    """What `_to_table` was given. Raises ValueError for groups of other pictures."""
    names = tuple(map(str, json.loads(table.schema.metadata[b"names"])))
    columns = {name: numbers_of(table[name]).astype(np.int32) for name in ("member", "first", "second")}
    require(len(table) == len(base.contents), set(table.column_names) == {*columns})
    for values in columns.values():
        require_codes(values, len(names))
    return NamedGroups(names, **columns)


@column()
def classifier(
    base: Frame, head: Head | None, embeddings_of: ByContent[NDArray[np.float16]]
) -> ClassifierFunctions | None:
    """The classifier whose classes are words for the pictures of a set; None where they are none, or it is unknown."""
    functions = None if head is None else head.functions
    if functions is None or len(functions.bias) != len(class_names()) or not len(base.contents):
        return None
    sample = np.unique(base.contents[:: max(1, len(base.contents) // SAMPLE)])
    is_clear = functions.shares(embeddings_of(sample).astype(np.float32)).max(axis=1) >= CLEAR_FROM
    return functions if is_clear.mean() >= CLEAR_SHARE else None


@column(on_disk=OnDisk(_to_table, _from_table, only_large=True))
def named_groups(
    base: Frame,
    graph: Graph | None,
    classifier: ClassifierFunctions | None,
    embeddings_of: ByContent[NDArray[np.float16]],
) -> NamedGroups | None:
    """The named groups of a set; None without a `classifier`, or before there is a graph."""
    if graph is None or not len(graph) or classifier is None:
        return None
    row = positions_of(base.contents, graph.content)
    looks = _looks(classifier, graph.content, embeddings_of)
    seen, share = _seen_with_nearest(looks, graph)
    seen = np.where(share >= NAMED_FROM, seen, NONE)
    seen_here = np.append(seen, NONE)[row]
    twins = np.unique(np.stack([seen_here, group_codes(base.table)]), axis=1)[0]
    classes, size = np.unique(twins[twins != NONE], return_counts=True)
    classes = classes[size >= FEWEST]
    code_of = np.full(len(class_names()) + 1, NONE, np.int32)  # the last for NONE
    code_of[classes] = np.arange(len(classes))
    member = code_of[seen]
    is_group = _togetherness(graph, member, len(classes)) >= TOGETHER
    classes = classes[is_group]
    member = np.append(np.where(is_group, np.cumsum(is_group) - 1, NONE), NONE).astype(np.int32)[member]
    first, second = _most_like(graph, member, csr_array(looks[:, classes] > 0))
    by_picture = (np.append(values, np.int32(NONE))[row] for values in (member, first, second))
    return NamedGroups(tuple(class_names()[code] for code in classes), *by_picture)


def _looks(
    classifier: ClassifierFunctions, contents: NDArray[np.int64], embeddings_of: ByContent[NDArray[np.float16]]
) -> csr_array:
    """The classifier's shares (M, C) of contents, without those below LEAST."""
    blocks = []
    for start in range(0, len(contents), AT_ONCE):
        shares = classifier.shares(embeddings_of(contents[start : start + AT_ONCE]).astype(np.float32))
        shares[shares < LEAST] = 0
        blocks.append(csr_array(shares))
    return csr_array(vstack(blocks))


def _seen_with_nearest(looks: csr_array, graph: Graph) -> tuple[Codes, Floats]:
    """The class (M,) that is seen most in each content, which counts half, and its nearest; and its share."""

    m = len(graph)
    near, weight = graph.position[:, :SEEN_WITH], _weights(graph)[:, :SEEN_WITH]
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    start, place = np.nonzero(near >= 0)
    votes = csr_array((weight[start, place], (start, near[start, place])), (m, m))
    both = csr_array((looks + votes @ looks) / 2)
    both.sort_indices()
    rows, most = np.repeat(np.arange(m), np.diff(both.indptr)), np.zeros(m)
    np.maximum.at(most, rows, both.data)
    is_most = both.data == most[rows]
    where, first = np.unique(rows[is_most], return_index=True)
    seen = np.full(m, NONE, np.int32)
    seen[where] = both.indices[is_most][first]
    return seen, most


def _weights(graph: Graph) -> Floats:
    """What each of the nearest counts (M, K), as in a vote."""
    nearness = (graph.similarity - graph.similarity[:, :1]) / np.float32(NEARNESS)
    return np.where(graph.position >= 0, np.exp(nearness), 0)


def _togetherness(graph: Graph, member: Codes, groups: int) -> Floats:
    """The mean share (G,) of group mates among the nearest of each group's pictures."""
    weight = _weights(graph)
    is_mate = (graph.position >= 0) & (member[graph.position] == member[:, None])
    share = (weight * is_mate).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    of = member != NONE
    total, count = (np.bincount(member[of], values, groups) for values in (share[of], None))
    return total / np.maximum(count, 1)


def _most_like(graph: Graph, member: Codes, is_seen: csr_array) -> tuple[Codes, Codes]:
    """The group (M,) that most of the nearest of each content belong to, and the second if it is a rival.

    Only groups that are seen in the content itself, `is_seen` (M, G), come into question.
    """
    groups = is_seen.shape[1]
    first, second = np.full((2, len(graph)), NONE, np.int32)
    if groups < 2:
        return first, second
    weight = _weights(graph)
    is_member = (graph.position >= 0) & (member[graph.position] != NONE)
    heard = (weight * is_member).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    for start in range(0, len(graph), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        votes, _ = vote_shares(graph.position[block], graph.similarity[block], member, groups)
        votes *= is_seen[block].toarray()
        best = np.argsort(-votes, axis=1, kind="stable")[:, :2]
        share = np.take_along_axis(votes, best, axis=1) * heard[block, None]
        is_like = share.sum(axis=1) >= HEARD
        first[block] = np.where(is_like, best[:, 0], NONE)
        second[block] = np.where(is_like & (share[:, 1] >= RIVAL * share[:, 0]), best[:, 1], NONE)
    return first, second


@column()
def with_groups(with_reasons: pd.DataFrame, named_groups: Lazy[NamedGroups | None]) -> pd.DataFrame:
    """The table with `first_like` and `second_like`: the groups that a picture of a set without classes is like."""
    groups = None if has_values(with_reasons, AMBIGUITY.name) else named_groups()
    if groups is None:
        nobody = pd.Series(None, index=with_reasons.index, dtype=object)
        return with_reasons.assign(**dict.fromkeys(LIKE_COLUMNS, nobody))
    name = np.array([*groups.names, None], object)
    likes = zip(LIKE_COLUMNS, (groups.first, groups.second), strict=True)
    named = {like: pd.Series(name[code], index=with_reasons.index, dtype=object) for like, code in likes}
    return with_reasons.assign(**named)
