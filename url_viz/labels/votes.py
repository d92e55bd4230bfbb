"""Who speaks for a class without seeing the picture: its neighbours' votes, and a leave-group-out ridge classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from url_viz.columns.ranking import NONE

VOTERS = 20
NEARNESS = 0.1
"""A voter's weight is exp((its similarity − the nearest voter's) / NEARNESS)."""

Codes = NDArray[np.int32]
Doubles = NDArray[np.float64]


def vote_shares(
    position: NDArray[np.integer], similarity: NDArray[np.floating], voter: Codes, classes: int
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Each class's share of the votes (R, C) of the nearest VOTERS with a class, and who has any voter (R,).

    `position` and `similarity` (R, K) are lists without twins, best first, −1 if there are fewer; `voter` (N,) the
    codes of all pictures of the set, NONE for one that has no vote. A row without voters is zeros.
    """
    code = np.where(position >= 0, voter[position], NONE)
    has_vote = code != NONE
    has_vote &= has_vote.cumsum(axis=1) <= VOTERS
    scaled = np.where(has_vote, similarity.astype(np.float64) / NEARNESS, -np.inf)
    has_any = has_vote.any(axis=1)
    nearest = np.where(has_any, scaled.max(axis=1, initial=-np.inf), 0)
    weight = np.exp(scaled - nearest[:, None])
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    cell = np.arange(len(code))[:, None] * classes + np.maximum(code, 0)
    counted = np.bincount(cell.ravel(), weight.ravel(), minlength=len(code) * classes)
    return counted.astype(np.float64).reshape(len(code), classes), has_any  # whole numbers if there is nobody


RIDGE = 3.0
CELLS = 1 << 21
"""Numbers of a block worked on together (16 MiB of float64)."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Ridge:
    """A ridge regression onto class indicators, and what it was fitted on.

    `whitened` (N, A) rows of length one; `label` (N,) int32 codes below `classes`, NONE for a picture that was
    not fitted; `group` (N,) source groups; `inner` (A + 1, A + 1), the fitted rows' products plus RIDGE on the
    diagonal, and `sums` (A + 1, C), their sums by class, float64. The last of A + 1 is a constant 1.
    """

    whitened: NDArray[np.floating]
    label: Codes
    group: NDArray[np.integer]
    inner: Doubles
    sums: Doubles

    @property
    def classes(self) -> int:
        return int(self.sums.shape[1])

    @cached_property
    def weights(self) -> Doubles:
        return _solved(self.inner, self.sums)

    @cached_property
    def is_spread(self) -> NDArray[np.bool_]:
        """Whether a class (C,) has rows of two source groups: who must not see its only one cannot know the class."""
        fitted = self.label != NONE
        classes = np.unique(np.stack([self.label[fitted], self.group[fitted]]), axis=1)[0]
        return np.asarray(np.bincount(classes, minlength=self.classes) > 1)

    @cached_property
    def _inverse(self) -> Doubles:
        return _solved(self.inner, np.eye(len(self.inner)))

    @cached_property
    def _by_group(self) -> tuple[Rows, Rows, Rows]:
        """The rows in the order of their groups, where each group starts, and its size."""
        _, number, size = np.unique(self.group, return_inverse=True, return_counts=True)
        return np.argsort(number, kind="stable"), np.cumsum(size) - size, size

    def without_twins(self, rows: NDArray[np.bool_] | None = None) -> Iterator[tuple[Rows, Doubles]]:
        """Row numbers (R,) and class values (R, C) in blocks, each row once; only groups that have one of `rows` (N,).

        Values are about 1 for a sure class and 0 for a sure other. For a group G and a row i of it they are
        f_i − H_iG (I − H_GG)⁻¹ (Y_G − f_G) over those of G that were fitted; for a single row (f − h·y) / (1 − h).
        """
        order, start, size = self._by_group
        wanted = np.ones(len(size), bool) if rows is None else np.add.reduceat(rows[order], start, dtype=int) > 0
        for count in np.unique(size[wanted]):
            of_size = start[wanted & (size == count)]
            at_once = self._rows_at_once(count) // count
            if count > len(self.inner):
                for first in of_size:
                    yield from self._of_large(order[first : first + count])
                continue
            for part in range(0, len(of_size), max(1, at_once)):
                members = order[of_size[part : part + max(1, at_once), None] + np.arange(count)]
                yield members.ravel(), self._of_small(members)

    def _rows_at_once(self, count: int = 1) -> int:
        return max(1, CELLS // max(self.classes, len(self.inner), int(count)))

    def _of_small(self, members: Rows) -> Doubles:
        """Values (m · g, C) of m groups of g rows each, `members` (m, g)."""
        groups, count = members.shape
        rows = with_constant(self.whitened[members.ravel()])
        label = self.label[members]
        fit = (rows @ self.weights).reshape(groups, count, -1)
        pulled = (rows @ self._inverse).reshape(groups, count, -1)
        is_labelled = label != NONE
        pull = pulled @ rows.reshape(groups, count, -1).transpose(0, 2, 1) * is_labelled[:, None, :]
        residual = -fit * is_labelled[:, :, None]
        group, member = np.nonzero(is_labelled)
        residual[group, member, label[group, member]] += 1
        among = np.eye(count) - pull * is_labelled[:, :, None]
        without: Doubles = fit - pull @ np.linalg.solve(among, residual)
        return without.reshape(groups * count, -1)

    def _of_large(self, members: Rows) -> Iterator[tuple[Rows, Doubles]]:
        """The same for a group of more rows than there are weights of a class: fitted again without it."""
        weights = weights_without(self.inner, self.sums, self.whitened[members], self.label[members])
        for part in range(0, len(members), self._rows_at_once()):
            rows = members[part : part + self._rows_at_once()]
            yield rows, with_constant(self.whitened[rows]) @ weights


def fit_ridge(
    whitened: NDArray[np.floating], label: Codes, group: NDArray[np.integer], classes: int, *, ridge: float = RIDGE
) -> Ridge:
    """Fit on the rows (N, A) whose `label` is not NONE; one solve, whatever N."""
    inner, sums = _sums(whitened, label, np.flatnonzero(label != NONE), classes)
    return Ridge(whitened, label, group, inner + ridge * np.eye(len(inner)), sums)


def weights_without(inner: Doubles, sums: Doubles, whitened: NDArray[np.floating], label: Codes) -> Doubles:
    """The weights (A + 1, C) of `inner` and `sums`, as in `Ridge`, without the rows (R, A) of `label` (R,) in them."""
    less, less_of_class = _sums(whitened, label, np.flatnonzero(label != NONE), sums.shape[1])
    return _solved(inner - less, sums - less_of_class)


def with_constant(rows: NDArray[np.floating]) -> Doubles:
    """(R, A + 1) float64, the last a 1."""
    return np.column_stack([rows, np.ones(len(rows))]).astype(np.float64, copy=False)


def _sums(whitened: NDArray[np.floating], label: Codes, labelled: Rows, classes: int) -> tuple[Doubles, Doubles]:
    """Products (A + 1, A + 1) of the rows `labelled`, and their sums by class (A + 1, C)."""
    width = whitened.shape[1] + 1
    inner, sums = np.zeros((width, width)), np.zeros((classes, width))
    step = max(1, CELLS // width)
    for start in range(0, len(labelled), step):
        part = labelled[start : start + step]
        rows = with_constant(whitened[part])
        inner += rows.T @ rows
        ones = np.ones(len(part)), (label[part], np.arange(len(part)))
        sums += scipy.sparse.coo_array(ones, shape=(classes, len(part))).tocsr() @ rows
    return inner, sums.T


def _solved(inner: Doubles, right: Doubles) -> Doubles:
    return np.asarray(scipy.linalg.solve(inner, right, assume_a="pos"))
