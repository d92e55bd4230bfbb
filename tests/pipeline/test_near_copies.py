"""Copies are those within so many bits, and all of them are found, whatever hashes there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from url_viz.imaging.perceptual_hash import MIRRORED, WORDS, Hashes
from url_viz.pipeline import near_copies
from url_viz.pipeline.near_copies import are_copies, are_views, copies, copies_of

ZERO, ONE = np.array([0]), np.array([1])


def dice(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 1 << 63, (count, WORDS), dtype=np.uint64)


def turned(hashes: Hashes, lowest: int, others: int, *, part: int = 0) -> Hashes:
    """With so many of the lowest bits turned, and so many others of the same part."""
    mask = np.zeros((4, 64), bool)
    mask[0, :lowest] = True
    mask[1:].ravel()[:others] = True
    changed = hashes.copy()
    changed[..., 4 * part : 4 * part + 4] ^= np.packbits(mask, axis=1).view(np.uint64).ravel()
    return changed


def in_a_group(count: int, *, of: int, seed: int) -> Hashes:
    """Some originals, and copies of them that differ in a few or many bits, mirrored or not; some without a hash."""
    rng = np.random.default_rng(seed)
    hashes = dice(of, seed)[rng.integers(0, of, count)]
    for row in range(count):
        for bit in rng.choice(64 * WORDS, rng.integers(0, 60), replace=False):
            hashes[row, bit // 64] ^= np.uint64(1 << int(bit % 64))
    hashes[rng.random(count) < 0.3] ^= MIRRORED
    inner = rng.random(count) < 0.2
    hashes[inner] = np.roll(hashes[inner], 4, axis=1)  # the inner part of one is the whole of another
    hashes[rng.random(count) < 0.1] = 0
    return hashes


def differing(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> tuple[int, int]:
    """In how many bits, and in how many of the first word."""
    apart = [bin(int(a) ^ int(b)).count("1") for a, b in zip(one, other, strict=True)]
    return sum(apart), apart[0]


def naive(hashes: Hashes, most: tuple[int, int]) -> set[tuple[int, int]]:
    """All pairs by the definition, in a loop."""
    found = set()
    for i, one in enumerate(hashes):
        for j, other in enumerate(hashes[:i]):
            ways = [
                differing(mine[a : a + 4], other[b : b + 4])
                for mine in (one, one ^ MIRRORED)
                for a, b in ((0, 0), (0, 4), (4, 0))
            ]
            if one.any() and other.any() and any(bits <= most[0] and low <= most[1] for bits, low in ways):
                found.add((j, i))
    return found


def listed(parts: object) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for part in parts for pair in part.tolist()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lowest", "others", "is_copy", "is_view"),
    [(7, 33, True, True), (8, 0, False, True), (7, 34, False, True), (20, 65, False, True), (20, 66, False, False)],
)
def test_by_hand(lowest: int, others: int, is_copy: bool, is_view: bool) -> None:
    """7 of the lowest bits and 40 in all are a copy's; 20 and 85 are a view's."""
    first = dice(1)
    for other in (turned(first, lowest, others), turned(first, lowest, others) ^ MIRRORED):
        both = np.concatenate([first, other])
        both[1, 4:] = dice(1, 9)[0, 4:]  # of the inner part nothing is alike
        assert are_copies(both, ZERO, ONE).tolist() == [is_copy]
        assert are_copies(both, ONE, ZERO).tolist() == [is_copy]
        assert are_views(both, ZERO, ONE).tolist() == [is_view]
        assert listed(copies(both)) == ({(0, 1)} if is_copy else set())
        assert copies_of(both[0], both[1:]).tolist() == ([0] if is_copy else [])


def test_the_whole_of_one_may_be_the_inner_part_of_the_other() -> None:
    both = dice(2)
    both[1, 4:] = both[0, :4]
    assert are_copies(both, ZERO, ONE).all()
    assert are_copies(both, ONE, ZERO).all()
    both[1] = np.concatenate([dice(1, 5)[0, :4], both[0, 4:]])
    assert not are_views(both, ZERO, ONE).any(), "two inner parts alone say nothing"


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(0, 16), st.integers(1, 4), st.booleans())
def test_all_are_found_as_by_a_loop(seed: int, count: int, of: int, in_small_parts: bool) -> None:
    hashes = in_a_group(count, of=of, seed=seed)
    expected = naive(hashes, (40, 7))
    with pytest.MonkeyPatch.context() as patch:
        if in_small_parts:
            patch.setattr(near_copies, "COMPARED", 3)
        assert listed(copies(hashes)) == expected
        asked = np.flatnonzero(np.random.default_rng(seed).random(count) < 0.3)
        assert listed(copies(hashes, of=asked)) == {pair for pair in expected if set(pair) & set(asked.tolist())}
    left, right = np.triu_indices(count, 1)
    is_view = are_views(hashes, left, right)
    assert set(zip(left[is_view].tolist(), right[is_view].tolist(), strict=True)) == naive(hashes, (85, 20))
    for row in asked.tolist():
        assert {(min(row, j), max(row, j)) for j in copies_of(hashes[row], hashes).tolist() if j != row} == {
            pair for pair in expected if row in pair
        }


def test_what_has_no_hash_is_no_copy_of_anything() -> None:
    hashes = np.concatenate([np.zeros((300, WORDS), np.uint64), dice(3)])
    assert not listed(copies(hashes))
    assert not are_views(hashes, np.arange(299), np.arange(1, 300)).any()
    assert not len(copies_of(hashes[0], hashes))
    assert not listed(copies(np.zeros((0, WORDS), np.uint64)))


@pytest.mark.slow
def test_thousands_of_real_distances_are_searched_exactly() -> None:
    """Against all pairs of words, of hashes in which whole bands are often the same."""
    hashes = in_a_group(1200, of=40, seed=1)
    left, right = np.triu_indices(len(hashes), 1)
    is_copy = are_copies(hashes, left, right)
    assert 1_000 < is_copy.sum() < len(left)
    assert listed(copies(hashes)) == set(zip(left[is_copy].tolist(), right[is_copy].tolist(), strict=True))
