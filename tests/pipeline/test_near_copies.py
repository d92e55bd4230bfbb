"""CopyCandidates for copies are those within so many bits, and all of them are found, whatever hashes there are."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from url_viz.imaging.quality import MIRRORED, WORDS, Hashes
from url_viz.pipeline import near_copies
from url_viz.pipeline.near_copies import NEVER, CopyCandidates, bits_apart, similar_hashes, similar_to

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


def listed(parts: Iterable[tuple[NDArray[np.integer], NDArray[np.int64]]]) -> dict[tuple[int, int], int]:
    """The pairs, each with the fewest bits that were told of it."""
    found: dict[tuple[int, int], int] = {}
    for pairs, bits in parts:
        for pair, count in zip(np.sort(pairs, axis=1).tolist(), bits.tolist(), strict=True):
            found[pair[0], pair[1]] = min(count, found.get((pair[0], pair[1]), NEVER))
    return found


@pytest.mark.parametrize(
    ("lowest", "others", "is_alike", "is_near"),
    [(7, 33, True, True), (8, 0, False, True), (7, 34, False, True), (20, 65, False, True), (20, 66, False, False)],
)
def test_by_hand(lowest: int, others: int, is_alike: bool, is_near: bool) -> None:
    """7 of the lowest bits and 40 in all anywhere in the set; 20 and 85 among the nearest."""
    first = dice(1)
    for other in (turned(first, lowest, others), turned(first, lowest, others) ^ MIRRORED):
        both = np.concatenate([first, other])
        both[1, 4:] = dice(1, 9)[0, 4:]  # of the inner part nothing is alike
        apart = lowest + others if is_near else NEVER
        assert bits_apart(both, ZERO, ONE).tolist() == bits_apart(both, ONE, ZERO).tolist() == [apart]
        assert listed(similar_hashes(both)) == ({(0, 1): apart} if is_alike else {})
        assert similar_to(both[0], both[1:]).tolist() == ([0] if is_alike else [])


def test_the_whole_of_one_may_be_the_inner_part_of_the_other() -> None:
    both = dice(2)
    both[1, 4:] = both[0, :4]
    assert bits_apart(both, ZERO, ONE) == bits_apart(both, ONE, ZERO) == 0
    both[1] = np.concatenate([dice(1, 5)[0, :4], both[0, 4:]])
    assert bits_apart(both, ZERO, ONE) == NEVER, "two inner parts alone say nothing"


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(0, 16), st.integers(1, 4), st.booleans())
def test_all_are_found_as_by_a_loop(seed: int, count: int, of: int, in_small_parts: bool) -> None:
    hashes = in_a_group(count, of=of, seed=seed)
    expected = naive(hashes, (40, 7))
    with pytest.MonkeyPatch.context() as patch:
        if in_small_parts:
            patch.setattr(near_copies, "COMPARED", 3)
        assert listed(similar_hashes(hashes)).keys() == expected
        asked = np.flatnonzero(np.random.default_rng(seed).random(count) < 0.3)
        assert listed(similar_hashes(hashes, queries=asked)).keys() == {
            pair for pair in expected if set(pair) & set(asked.tolist())
        }
    left, right = np.triu_indices(count, 1)
    is_near = bits_apart(hashes, left, right) < NEVER
    assert set(zip(left[is_near].tolist(), right[is_near].tolist(), strict=True)) == naive(hashes, (85, 20))
    for row in asked.tolist():
        assert {(min(row, j), max(row, j)) for j in similar_to(hashes[row], hashes).tolist() if j != row} == {
            pair for pair in expected if row in pair
        }


def test_what_has_no_hash_is_no_copy_of_anything() -> None:
    hashes = np.concatenate([np.zeros((300, WORDS), np.uint64), dice(3)])
    assert not listed(similar_hashes(hashes))
    assert (bits_apart(hashes, np.arange(299), np.arange(1, 300)) == NEVER).all()
    assert not len(similar_to(hashes[0], hashes))
    assert not listed(similar_hashes(np.zeros((0, WORDS), np.uint64)))


@pytest.mark.slow
def test_thousands_of_real_distances_are_searched_exactly() -> None:
    """Against all pairs of words, of hashes in which whole bands are often the same."""
    hashes = in_a_group(1200, of=40, seed=1)
    left, right = np.triu_indices(len(hashes), 1)
    found = listed(similar_hashes(hashes))
    is_alike = np.array([pair in found for pair in zip(left.tolist(), right.tolist(), strict=True)])
    assert 1_000 < len(found) < len(left)
    bits = near_copies._fewest_bits(hashes[left], hashes[right], near_copies.COPY_BITS, near_copies.COPY_LOWEST_BITS)
    assert np.array_equal(bits < NEVER, is_alike)
    assert [found[pair] for pair in sorted(found)] == bits[is_alike].tolist()


@given(st.data())
def test_of_too_many_candidates_those_that_differ_least_are_left(data: st.DataObject) -> None:
    """All with fewer bits than the first that is too many; each once, however often it was given, and in order."""
    pair = st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda ends: ends[0] != ends[1])
    parts = data.draw(st.lists(st.lists(st.tuples(pair, st.integers(0, 5)), max_size=6), max_size=5))
    bits_of = {tuple(sorted(ends)): bits for part in parts for ends, bits in reversed(part)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_copies, "FEWEST", 4)
        patch.setattr(near_copies, "MOST_PER_ROW", 0)
        candidates = CopyCandidates(7)
        for part in parts:
            told = [(ends, bits_of[tuple(sorted(ends))]) for ends, _ in part]
            pairs = np.array([ends for ends, _ in told], np.int64).reshape(-1, 2)
            candidates.add(pairs, np.array([bits for _, bits in told], np.int64))
        found = [tuple(pair) for pair in candidates.pairs().tolist()]
    assert found == sorted(set(found))
    last = sorted(bits_of.values())[4] if len(bits_of) > 4 else NEVER
    assert set(found) >= {pair for pair, bits in bits_of.items() if bits < last}
    assert len(found) <= 4
