"""Boxes that overlap: what a loop over all pairs gives, in memory that does not grow with the number of pairs."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from url_viz.pipeline import overlaps as module
from url_viz.pipeline.overlaps import covering, overlap_groups, overlapping, overlaps

Pairs = dict[tuple[int, int], float]
ENDS = st.floats(-20, 20, width=16)
SIDES = st.one_of(st.sampled_from([0.0, 1.0, 4.0, 5.0, 9.0, 10.0]), st.floats(0, 30, width=16))
BOXES = st.lists(st.tuples(ENDS, ENDS, SIDES, SIDES, st.integers(-1, 2)), max_size=14)


def parts(rows: list[tuple[float, ...]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    table = np.array(rows, np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4].astype(np.int64)


def found(*args: object, **named: object) -> Pairs:
    pairs: Pairs = {}
    for one, other, share in overlapping(*args, **named):  # type: ignore[arg-type]
        for key, by in zip(zip(one.tolist(), other.tolist(), strict=True), share.tolist(), strict=True):
            assert key not in pairs
            pairs[key] = by
    return pairs


@pytest.mark.parametrize("at_once", [1, 3, 1 << 20])
@given(one=BOXES, other=BOXES, least=st.sampled_from([0.05, 0.5, 0.6, 0.9, 1.0]))
def test_as_a_loop_over_all_pairs(
    one: list[tuple[float, ...]], other: list[tuple[float, ...]], least: float, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        (boxes, picture), (others, other_picture) = parts(one), parts(other)
        share = overlaps(boxes, others)
        share[(picture[:, None] != other_picture[None]) | (picture < 0)[:, None]] = 0
        naive = {(i, j): share[i, j] for i, j in np.argwhere(share >= least).tolist()}
        assert found(boxes, others, picture=picture, other_picture=other_picture, least=least) == naive
        share = overlaps(boxes, boxes)
        share[(picture[:, None] != picture[None]) | (picture < 0)[:, None]] = 0
        naive = {frozenset((i, j)): share[i, j] for i, j in np.argwhere(np.triu(share >= least, 1)).tolist()}
        own = found(boxes, picture=picture, least=least)
        assert {frozenset(pair): by for pair, by in own.items()} == naive
        assert len(own) == len(naive), "each pair once"


def test_what_is_no_box_overlaps_nothing() -> None:
    boxes = np.array([[0, 0, 5, 5], [np.nan, 0, 5, 5], [0, np.inf, 5, 5], [0, 0, 5, 5]])
    assert found(boxes, picture=np.zeros(4, np.int64), least=0.5) == {(0, 3): 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grid", "column", "one place"])
def test_memory_is_bounded_in_a_crowded_picture(kind: str) -> None:
    count = 20_000 if kind != "one place" else 3_000
    number = np.arange(count)
    x, y = {"grid": (number % 141 * 9.0, number // 141 * 9.0), "column": (0 * number, 9.0 * number)}.get(
        kind, (number * 1e-4, 0 * number)
    )
    boxes = np.stack([x, y, np.full(count, 10.0), np.full(count, 10.0)], axis=1)
    tracemalloc.start()
    pairs = sum(len(one) for one, _, _ in overlapping(boxes, picture=np.zeros(count, np.int64), least=0.9))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pairs == (count * (count - 1) // 2 if kind == "one place" else 0)
    assert peak < 400 << 20


@given(BOXES, st.sampled_from([0.25, 0.6, 1.0]))
def test_what_covers_a_box_is_what_a_loop_finds(rows: list[tuple[float, ...]], least: float) -> None:
    boxes, picture = parts(rows)
    naive = set()
    for one, (x, y, width, height) in enumerate(boxes):
        for other, (left, top, across, down) in enumerate(boxes):
            shared = [min(x + width, left + across) - max(x, left), min(y + height, top + down) - max(y, top)]
            area = max(0, shared[0]) * max(0, shared[1])
            if one != other and picture[one] == picture[other] >= 0 and area > 0 and area >= least * width * height:
                naive.add((one, other))
    assert {(one, other) for one, other in covering(boxes, picture, least=least).tolist()} == naive


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0, 6, 40, 4_000])
def test_groups_of_a_crowd_are_what_all_pairs_join_in_little_memory(spread: float) -> None:
    dice = np.random.default_rng(0)
    boxes = np.concatenate([dice.normal(100, spread, (3_000, 2)), dice.uniform(20, 60, (3_000, 2))], axis=1)
    picture = np.repeat([0, 1, -1], [2_900, 80, 20])
    near = (overlaps(boxes, boxes) >= 0.5) & (picture[:, None] == picture) & (picture >= 0)
    expected = connected_components(near | np.eye(len(boxes), dtype=bool), directed=False)[1]
    tracemalloc.start()
    try:
        assert overlap_groups(boxes, picture, least=0.5).tolist() == expected.tolist()
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
