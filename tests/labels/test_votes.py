"""Votes are those of the twenty nearest that have a class, nearer ones weighing more."""

import numpy as np
import pytest

from url_viz.labels.votes import vote_shares


def test_by_hand() -> None:
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
