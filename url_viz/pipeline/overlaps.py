"""How much boxes overlap: all pairs of few, or of many those that overlap enough, in bounded memory; what they join."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

AT_ONCE = 1 << 20
"""Pairs that are worked out at a time."""
CROWD = 128
"""Where boxes may overlap more others of their picture than this, they are followed one by one."""
_SLACK = 1e-9
"""Relative to a box, so that rounding leaves no pair out."""

Boxes = NDArray[np.floating]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def overlaps(boxes: Boxes, others: Boxes) -> Floats:
    """Intersection over union (N, M) of boxes (N, 4) and others (M, 4): x, y, width, height."""
    return _shares(boxes[:, None], others[None])


def _shares(first: Boxes, second: Boxes) -> Floats:
    """Intersection over union (...) of boxes (..., 4) and others of a shape that is broadcast."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    shared = _intersection(first, second)
    union = first[..., 2] * first[..., 3] + second[..., 2] * second[..., 3] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _intersection(first: Boxes, second: Boxes) -> Floats:
    """The area that boxes share."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    shared = np.maximum(high - low, 0)
    return np.asarray(shared[..., 0] * shared[..., 1])


def overlapping(
    boxes: Boxes, others: Boxes | None = None, *, picture: Rows, other_picture: Rows | None = None, least: float
) -> Iterator[tuple[Rows, Rows, Floats]]:
    """The pairs of one picture that overlap by `least` (above 0) or more: rows of both, and by how much; in blocks.

    `boxes` (N, 4) lie in the `picture`s (N,), codes from 0 on, `others` (M, 4) in `other_picture` (M,). Without
    others the pairs are of the boxes themselves, each once. Results are those of `overlaps`, the order is any; what is
    compared lies near one another along the axis on which the boxes of its picture are spread more.
    """
    is_own = others is None or other_picture is None
    theirs, their_picture = (boxes, picture) if others is None or other_picture is None else (others, other_picture)
    mine, candidates = _known(boxes, picture), _known(theirs, their_picture)
    sides = boxes[mine], picture[mine], theirs[candidates], their_picture[candidates]
    scans = [_Scan(*sides, axis=axis, least=least) for axis in (0, 1)]
    counts = [np.bincount(picture[mine], weights=scan.high - scan.low) for scan in scans]
    is_across = (counts[0] <= counts[1])[picture[mine]]
    for scan, rows in zip(scans, (np.flatnonzero(is_across), np.flatnonzero(~is_across)), strict=True):
        for query, candidate in scan.pairs(rows, is_own=is_own):
            first, second = mine[query], candidates[candidate]
            share = _shares(boxes[first], theirs[second])
            enough = share >= least
            yield first[enough], second[enough], share[enough]


def covering(boxes: Boxes, picture: Rows, *, least: float) -> Rows:
    """Pairs (P, 2) of boxes (N, 4) of one `picture` (N,): `least` or more of the first's area lies in the second."""
    known, pairs = _known(boxes, picture), [np.empty((0, 2), np.int64)]
    order = known[np.argsort(picture[known], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(picture[order])) + 1):
        step = max(1, AT_ONCE // max(1, len(rows)))
        for part in (rows[start : start + step] for start in range(0, len(rows), step)):
            mine, theirs = boxes[part, None].astype(np.float64), boxes[None, rows].astype(np.float64)
            shared = _intersection(mine, theirs)
            is_covered = (shared >= least * mine[..., 2] * mine[..., 3]) & (shared > 0) & (part[:, None] != rows)
            first, second = np.nonzero(is_covered)
            pairs.append(np.stack([part[first], rows[second]], axis=1))
    return np.concatenate(pairs)


def overlap_groups(boxes: Boxes, picture: Rows, *, least: float) -> NDArray[np.int32]:
    """Group (N,) of each of the boxes (N, 4), from 0: those of one `picture` (N,) that a chain of overlaps joins.

    Alone are those that overlap none by `least` or more, are not finite, or in no known picture (below 0).
    """
    group = np.arange(len(boxes), dtype=np.int32)
    for first, second in _joins(boxes, picture, least):
        ends = np.ones(len(first), bool), (group[first], group[second])
        group = connected_components(coo_array(ends, shape=(len(boxes), len(boxes))), directed=False)[1][group]
    return group


def _joins(boxes: Boxes, picture: Rows, least: float) -> Iterator[tuple[Rows, Rows]]:
    """Pairs that overlap enough, in blocks: all of them, of crowded pictures as many as join what the others would."""
    known = _known(boxes, picture)
    known = known[np.bincount(picture[known])[picture[known]] > CROWD]
    sides = boxes[known], picture[known]
    scans = [_Scan(*sides, *sides, axis=axis, least=least) for axis in (0, 1)]
    near = np.minimum(*(np.bincount(picture[known], weights=scan.high - scan.low) for scan in scans))
    is_crowded = near > CROWD * np.bincount(picture[known])
    in_crowd = known[is_crowded[picture[known]]]
    for code in np.unique(picture[in_crowd]):
        rows = in_crowd[picture[in_crowd] == code]
        first, second = _spanning(boxes[rows], least)
        yield rows[first], rows[second]
    elsewhere = picture.copy()
    elsewhere[in_crowd] = -1
    for first, second, _ in overlapping(boxes, picture=elsewhere, least=least):
        yield first, second


def _spanning(boxes: Boxes, least: float) -> tuple[Rows, Rows]:
    """Pairs, fewer than boxes (N, 4), that join those of one picture as all that overlap enough do.

    A box is compared with those alone that no other one reached before.
    """
    low, high = _range(boxes[:, 0], boxes[:, 2], least)
    left = np.argsort(boxes[:, 0], kind="stable")
    begin, reached, pairs = boxes[left, 0], list[int](), [np.empty((2, 0), np.int64)]
    while len(left):
        if not reached:
            reached, left, begin = [int(left[0])], left[1:], begin[1:]
        one = reached.pop()
        start, stop = np.searchsorted(begin, low[one]), np.searchsorted(begin, high[one], side="right")
        place = start + np.flatnonzero(_shares(boxes[one], boxes[left[start:stop]]) >= least)
        if len(place):
            pairs.append(np.stack([np.full(len(place), one), left[place]]))
            reached += left[place].tolist()
            left, begin = np.delete(left, place), np.delete(begin, place)
    first, second = np.concatenate(pairs, axis=1)
    return first, second


def _known(boxes: Boxes, picture: Rows) -> Rows:
    """The rows of boxes that are finite, in pictures that are known."""
    return np.flatnonzero((picture >= 0) & np.isfinite(boxes).all(axis=1))


class _Scan:
    """Boxes in the order in which they begin on one axis, picture after picture; others are sought among them.

    An overlap by a share t is at most that of the sides on an axis, by the longer of them: so the other's side is at
    most 1/t of this one's, and it begins at most (1 − t) of its own side before this one, or of this one's after.
    """

    def __init__(
        self, boxes: Boxes, picture: Rows, others: Boxes, other_picture: Rows, *, axis: int, least: float
    ) -> None:
        self._ends = [_range(boxes[:, each], boxes[:, each + 2], least) for each in (axis, 1 - axis)]
        self.order = np.lexsort((others[:, axis], other_picture))
        self._across = others[self.order, 1 - axis]
        begins, pictures = others[self.order, axis], other_picture[self.order]
        self.low = _places(picture, self._ends[0][0], pictures, begins, is_after=False)
        self.high = _places(picture, self._ends[0][1], pictures, begins, is_after=True)

    def pairs(self, rows: Rows, *, is_own: bool) -> Iterator[tuple[Rows, Rows]]:
        """Rows and others that may overlap enough, in blocks; of the boxes themselves each pair once."""
        low = self.low[rows]
        if is_own:
            place = np.empty(len(self.order), np.int64)
            place[self.order] = np.arange(len(self.order))
            low = place[rows] + 1
        count = np.maximum(self.high[rows] - low, 0)
        ends = np.cumsum(count)
        start = 0
        while start < len(rows):
            stop = max(start + 1, int(np.searchsorted(ends, ends[start] - count[start] + AT_ONCE, side="right")))
            part = slice(start, stop)
            which = np.repeat(np.arange(start, stop), count[part])
            place = np.arange(len(which)) - (ends[which] - count[which] - (ends[start] - count[start])) + low[which]
            low_across, high_across = (end[rows[which]] for end in self._ends[1])
            is_near = (self._across[place] >= low_across) & (self._across[place] <= high_across)
            yield rows[which[is_near]], self.order[place[is_near]]
            start = stop


def _range(begin: Boxes, side: Boxes, least: float) -> tuple[Floats, Floats]:
    """From where to where others begin that overlap boxes enough on an axis."""
    slack = _SLACK * (np.abs(begin) + side)
    return begin - (1 - least) * side / least - slack, begin + (1 - least) * side + slack


def _places(picture: Rows, value: Boxes, pictures: Rows, values: Boxes, *, is_after: bool) -> Rows:
    """Where values (N,) of pictures would stand among sorted ones (M,) of theirs: before, or after equal ones."""
    count = len(values)
    first = np.repeat([int(not is_after), int(is_after)], [count, len(value)])
    order = np.lexsort((first, np.concatenate([values, value]), np.concatenate([pictures, picture])))
    is_known = order < count
    place = np.empty(len(value), np.int64)
    place[order[~is_known] - count] = np.cumsum(is_known)[~is_known]
    return place
