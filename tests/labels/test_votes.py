"""Votes are those of the twenty nearest with a class; a ridge without a picture and its twins is one fitted without."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes
from url_viz.labels import votes as module
from url_viz.labels.votes import RIDGE, Ridge, fit_ridge, vote_shares
from url_viz.pipeline.whitening import fit_whitening


def test_votes_by_hand() -> None:
    position = np.array([[1, 2, 3], [3, 0, -1], [-1, -1, -1], [0, 4, 1]])
    similarity = np.array([[0.8, 0.7, 0.6], [0.5, 0.5, -1], [-1, -1, -1], [0.9, 0.8, 0.75]])
    voter = np.array([-1, 0, 1, 1, 0], np.int32)
    share, has_any = vote_shares(position, similarity, voter, 3)
    first = np.array([1, np.exp(-1) + np.exp(-2), 0])
    assert share[0] == pytest.approx(first / first.sum())
    assert share[1].tolist() == [0, 1, 0]
    assert share[2].tolist() == [0, 0, 0]
    assert share[3] == pytest.approx([1, 0, 0])  # 0 has no class, and so the next one is the nearest voter
    assert has_any.tolist() == [True, True, False, True]


def test_only_twenty_vote_and_those_without_a_class_take_no_place() -> None:
    position = np.arange(64)[None, :]
    voter = np.full(64, -1, np.int32)
    voter[1::2] = 0
    voter[41:] = 1  # 1, 3, … 39 are twenty
    share, _ = vote_shares(position, np.full((1, 64), 0.5), voter, 2)
    assert share == pytest.approx(np.array([[1, 0]]))
    voter[39] = -1
    assert vote_shares(position, np.full((1, 64), 0.5), voter, 2)[0] == pytest.approx(np.array([[19 / 20, 1 / 20]]))


def test_a_far_nearest_voter_still_counts() -> None:
    share, _ = vote_shares(np.array([[0, 1]]), np.array([[0.9, -100.0]]), np.array([-1, 0], np.int32), 2)
    assert share.tolist() == [[1, 0]]


def test_nobody_votes() -> None:
    share, has_any = vote_shares(np.zeros((2, 0), int), np.zeros((2, 0)), np.zeros(3, np.int32), 2)
    assert share.tolist() == [[0, 0], [0, 0]]
    assert not has_any.any()


def refitted(
    whitened: NDArray[np.floating], label: NDArray[np.int32], group: NDArray[np.integer], count: int
) -> NDArray[np.float64]:
    """For each picture a whole fit on the labelled of other groups."""
    rows = np.column_stack([whitened.astype(np.float64), np.ones(len(whitened))])
    values = np.zeros((len(rows), count))
    for i in range(len(rows)):
        others = (group != group[i]) & (label >= 0)
        x, y = rows[others], np.eye(count)[label[others]]
        values[i] = rows[i] @ np.linalg.solve(x.T @ x + RIDGE * np.eye(rows.shape[1]), x.T @ y)
    return values


def all_values(ridge: Ridge) -> NDArray[np.float64]:
    values = np.full((len(ridge.label), ridge.classes), np.nan)
    seen = np.zeros(len(ridge.label), int)
    for rows, value in ridge.without_twins():
        values[rows] = value
        seen[rows] += 1
    assert (seen == 1).all()
    return values


def set_of(
    count: int, *, share: float = 1, axes: int = 256, seed: int = 0
) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    embeddings, label = classes(count, of=4, spread=1.5, seed=seed)
    label[np.random.default_rng(seed).random(count) > share] = -1
    return fit_whitening(embeddings, axes=axes).transform(embeddings), label


@pytest.mark.parametrize("share", [1, 0.5])
@pytest.mark.parametrize("cells", [1, 1 << 21])
def test_the_ridge_is_a_fit_without_the_group(share: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures alone, pairs, groups of five and one of forty, more than there are weights of a class."""
    monkeypatch.setattr(module, "CELLS", cells)
    whitened, label = set_of(150, share=share, axes=20)
    group = np.concatenate([np.arange(60), np.repeat(np.arange(60, 80), 2), [90] * 5, [91] * 5, [7000] * 40])
    group = np.random.default_rng(1).permutation(group)
    ridge = fit_ridge(whitened, label, group, 4)
    assert all_values(ridge) == pytest.approx(refitted(whitened, label, group, 4), abs=1e-9)


def test_nobody_is_left_to_teach() -> None:
    whitened, label = set_of(50)
    ridge = fit_ridge(whitened, label, np.zeros(50, int), 4)
    assert all_values(ridge) == pytest.approx(np.zeros((50, 4)), abs=1e-9)


def test_only_groups_that_are_asked_for() -> None:
    whitened, label = set_of(30)
    group = np.arange(30) // 3
    asked = np.zeros(30, bool)
    asked[[4, 20]] = True
    rows = np.concatenate([rows for rows, _ in fit_ridge(whitened, label, group, 4).without_twins(asked)])
    assert sorted(rows.tolist()) == [3, 4, 5, 18, 19, 20]


def test_rows_of_zeros_have_finite_values() -> None:
    whitened, label = set_of(30)
    whitened[:10] = 0
    assert np.isfinite(all_values(fit_ridge(whitened, label, np.arange(30), 4))).all()
