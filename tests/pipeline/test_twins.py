"""Twins are all pairs above the bound, however many, and their groups are chains of them."""

from functools import partial

import numpy as np
import pytest

from tests.pipeline.whitened_examples import classes, cosines, with_burst
from url_viz.imaging.perceptual_hash import WORDS, Hashes
from url_viz.pipeline import twins
from url_viz.pipeline.near_copies import COPY_COSINE, VIEW_COSINE, are_copies, are_views
from url_viz.pipeline.twins import joined_groups, twin_groups, twin_pairs, twins_across
from url_viz.store.tables import Twins


def naive(embeddings: np.ndarray, bound: float = 0.96) -> dict[tuple[int, int], float]:
    every = cosines(embeddings)
    return {(i, j): every[i, j] for i in range(len(every)) for j in range(i + 1, len(every)) if every[i, j] >= bound}


def pairs(found: Twins) -> dict[tuple[int, int], float]:
    listed = {(int(i), int(j)): float(c) for (i, j), c in zip(found.pair, found.cosine, strict=True)}
    assert len(listed) == len(found), "no pair twice"
    return listed


def is_the_naive(found: Twins, embeddings: np.ndarray, bound: float = 0.96) -> None:
    ours, expected = pairs(found), naive(embeddings, bound)
    assert ours.keys() == expected.keys()
    assert [ours[pair] for pair in expected] == pytest.approx(list(expected.values()), abs=1e-6)


@pytest.mark.parametrize("sketched", [False, True])
@pytest.mark.parametrize("spread", [0.15, 0.3, 0.8])  # nearly all pairs of a class, some, none
def test_all_pairs_above_the_bound(sketched: bool, spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "SKETCH", 7)
    embeddings, _ = classes(400, spread=spread)
    found = twin_pairs(embeddings, tile=(50, 70), sketch_cells=0 if sketched else 10**9)
    is_the_naive(found, embeddings)
    assert not found.is_thinned
    assert (len(found) > 0) == (spread < 0.8)


@pytest.mark.parametrize("sketched", [False, True])
def test_only_pairs_of_some_rows(sketched: bool) -> None:
    embeddings, _ = classes(200, spread=0.25)
    of = np.array([3, 77, 78, 150, 199, 12, 5, 60, 61, 62, 63, 64])
    expected = {pair for pair in naive(embeddings) if set(pair) & set(of.tolist())}
    found = twin_pairs(embeddings, of=of, tile=(9, 70), sketch_cells=0 if sketched else 10**9)
    assert pairs(found).keys() == expected
    assert len(expected) > 10
    assert len(twin_pairs(embeddings, of=np.zeros(0, np.int64))) == 0


@pytest.mark.parametrize("burst", [8, 33, 64, 65, 200])
def test_a_burst_is_one_group(burst: int) -> None:
    embeddings = with_burst(120, burst)
    found = twin_pairs(embeddings)
    assert len(found) == burst * (burst - 1) / 2
    group = twin_groups(found)
    assert (group[120:] == group[0]).all()
    assert len(np.unique(group)) == 120


def test_groups_are_chains() -> None:
    """0–1 and 1–2 are twins, 0–2 are not: one group. 3 is alone."""
    angle = np.radians([0, 15, 30, 90])
    found = twin_pairs(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert pairs(found).keys() == {(0, 1), (1, 2)}
    assert twin_groups(found).tolist() == [0, 0, 0, 1]
    assert len(twin_pairs(np.zeros((5, 8), np.float16))) == 0, "zeros are no twins"
    assert len(twin_groups(twin_pairs(np.zeros((0, 8), np.float16)))) == 0
    assert twin_groups(twin_pairs(np.ones((1, 8), np.float16))).tolist() == [0]


def test_groups_of_one_code_are_joined_by_hand() -> None:
    """Twins 0–1 of two patients join these; 5 and 6 have no patient; copies of an order are numbered alike."""
    group = np.array([0, 0, 1, 2, 3, 4, 4, 5])
    apart = np.array([7, 2, 2, 7, 3, -1, -1, 3], np.int32)
    assert joined_groups(group, apart).tolist() == [0, 0, 0, 0, 1, 2, 2, 1]
    assert joined_groups(group, None).tolist() == group.tolist()
    assert joined_groups(group, np.arange(8, dtype=np.int32)).tolist() == group.tolist()


@pytest.mark.parametrize("most", [50, 1000])
def test_too_many_pairs_are_thinned_and_groups_stay(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, _ = classes(300, of=5, spread=0.25)
    whole = twin_pairs(embeddings)
    monkeypatch.setattr(twins, "MOST_PAIRS", most)
    thinned = twin_pairs(embeddings, tile=(40, 60))
    assert thinned.is_thinned
    assert len(thinned) <= most + 40 * 60
    assert pairs(thinned).keys() <= pairs(whole).keys()
    assert np.array_equal(twin_groups(thinned), twin_groups(whole))


def hashed(count: int, *, of: int, seed: int = 0) -> Hashes:
    """Hashes of some originals and of copies that differ in a few or in many bits; the last has none."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 1 << 63, (of, WORDS), dtype=np.uint64)[rng.integers(0, of, count)]
    for row in range(count):
        for bit in rng.choice(64 * WORDS, rng.integers(0, 120), replace=False):
            hashes[row, bit // 64] ^= np.uint64(1 << int(bit % 64))
    hashes[-1] = 0
    return hashes


def by_both(embeddings: np.ndarray, hashes: Hashes) -> set[tuple[int, int]]:
    """By the definition: alike enough by cosine, or by hash and less alike by cosine."""
    cosine, (left, right) = cosines(embeddings), np.triu_indices(len(embeddings), 1)
    of_pairs = cosine[left, right]
    is_copy, is_view = are_copies(hashes, left, right), are_views(hashes, left, right)
    is_pair = (of_pairs >= 0.96) | is_copy & (of_pairs >= COPY_COSINE) | is_view & (of_pairs >= VIEW_COSINE)
    return set(zip(left[is_pair].tolist(), right[is_pair].tolist(), strict=True))


@pytest.mark.parametrize("sketched", [False, True])
@pytest.mark.parametrize("most", [10**9, 40])
def test_the_second_witness_has_its_say_in_every_search(
    sketched: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pairs by both witnesses, those of some rows, those across two sets; a few too many are thinned."""
    search = partial(twin_pairs, tile=(50, 70), sketch_cells=0 if sketched else 10**9)
    embeddings, hashes = classes(220, spread=0.35)[0], hashed(220, of=30)
    expected, by_cosine = by_both(embeddings, hashes), naive(embeddings).keys()
    assert len(by_cosine) < len(expected) - 50
    monkeypatch.setattr(twins, "MOST_PAIRS", most)
    found = search(embeddings, hashes=hashes)
    if most < len(expected):
        assert found.is_thinned
        whole = np.array(sorted(expected), np.int32)
        assert np.array_equal(twin_groups(found), twin_groups(Twins(220, whole, np.ones(len(whole), np.float32))))
        return
    assert pairs(found).keys() == expected
    cosine = cosines(embeddings)
    assert [pairs(found)[pair] for pair in expected] == pytest.approx([cosine[pair] for pair in expected], abs=1e-6)
    of = np.arange(3, 220, 17)
    some = pairs(search(embeddings, of=of, hashes=hashes))
    assert some.keys() == {pair for pair in expected if set(pair) & set(of.tolist())}
    across = pairs(twins_across(embeddings[:60], embeddings[60:], hashes=hashes, tile=(50, 70)))
    assert across.keys() == {pair for pair in expected if pair[0] < 60 <= pair[1]}


def test_pairs_across_two_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, others = (classes(count, spread=0.2, seed=seed)[0] for count, seed in ((40, 0), (130, 0)))
    both = np.concatenate([mine, others])
    expected = {(one, other) for one, other in naive(both) if one < 40 <= other}
    assert pairs(twins_across(mine, others, tile=(9, 70))).keys() == expected
    assert len(expected) > 10
    assert len(twins_across(mine[:0], others)) == 0
    monkeypatch.setattr(twins, "MOST_PAIRS", 10)
    thinned = twins_across(mine, others, tile=(9, 70))
    assert thinned.is_thinned
    assert set(thinned.pair.ravel().tolist()) == {row for pair in expected for row in pair}
