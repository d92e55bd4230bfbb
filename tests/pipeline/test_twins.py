"""Pairs are those of the definition by a loop, each with its kind; groups are cut where their ends are not near."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, cosines, listed, naive_views, pictures, with_burst
from tests.twin_groups import copies_of, twins_of
from url_viz.pipeline import twins
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.near_copies import Pixels, copies_among
from url_viz.pipeline.twins import (
    FEWEST_AROUND,
    copy_stars,
    joined_groups,
    pair_groups,
    twin_groups,
    twin_representatives,
    twins_across,
    twins_of_objects,
    view_groups,
)
from url_viz.pipeline.twins import twins_of as twins_of_rows
from url_viz.pipeline.whitening import FEWEST, RAW_COSINE, VIEW_COSINE, ViewSpace, whitened_rows
from url_viz.store.columns.source_columns import Boxes
from url_viz.store.tables.tables import Twins, no_twins


def both_kinds(count: int = 120, burst: int = 30) -> tuple[NDArray[np.float16], Pixels, set[tuple[int, int]]]:
    """A burst at the end, of the first picture; and copies, of which the embedding knows nothing, by their rows."""
    which = np.arange(count + burst)
    which[[3, 80, 81]], which[count + 1] = 70, 0
    return with_burst(count, burst + 1), pictures(which), {(3, 70), (3, 80), (3, 81), (70, 80), (70, 81), (80, 81)}


def found_in(embeddings: NDArray[np.floating], pixels: Pixels | None = None) -> Twins:
    return build_graph(whitened_rows(np.arange(len(embeddings)), embeddings), embeddings, pixels=pixels).twins


@pytest.mark.parametrize("burst", [1, 8, 33, 64, 100])
def test_views_are_those_of_a_loop_over_all_pairs_however_long_a_burst_is(burst: int) -> None:
    """Of a burst longer than a list not every pair is looked at, but each frame's with the one that counts."""
    embeddings = with_burst(120, burst)
    found, expected = found_in(embeddings), naive_views(embeddings)
    frames = {0, *range(120, 119 + burst)}
    assert expected == {(a, b) for a in frames for b in frames if a < b}
    assert listed(found) <= expected
    assert not found.is_copy.any()
    assert burst > 64 or listed(found) == expected
    group = twin_groups(found)
    assert (group[120:] == group[0]).all()
    assert len(np.unique(group)) == 120
    assert (twin_representatives(found)[120:] == 0).all()


def test_each_pair_knows_its_kind_and_a_pair_of_both_is_a_copy() -> None:
    embeddings, pixels, copies = both_kinds()
    found = found_in(embeddings, pixels)
    assert listed(found.copies) == copies | {(0, 121)}
    assert listed(found) == copies | naive_views(embeddings)
    every = cosines(embeddings)
    assert found.cosine == pytest.approx([every[one, other] for one, other in found.pair], abs=1e-6)
    by_copies, by_both = pair_groups(found)
    assert len({by_copies[row] for row in (3, 70, 80, 81)}) == len({by_copies[row] for row in (0, 121)}) == 1
    assert by_copies[0] != by_copies[120]
    assert len(set(by_both[[0, *range(120, 150)]].tolist())) == 1


def test_blank_pictures_are_no_copies_whatever_their_hashes_say() -> None:
    embeddings = classes(20)[0]
    same = pictures(np.zeros(20, np.int64))
    blank = same.patches_of(np.arange(20))
    blank.pixels[:] = 90
    assert len(found_in(embeddings, same).copies) == 20 * 19 / 2
    assert not len(found_in(embeddings, Pixels.from_patches(same.hashes, blank)))


def test_of_few_pictures_there_are_copies_alone() -> None:
    embeddings = with_burst(FEWEST - 5, 5)
    assert not len(found_in(embeddings))
    assert listed(found_in(embeddings, pictures(np.arange(FEWEST - 1) // 2)))
    assert len(found_in(with_burst(FEWEST - 4, 5))) == 10


def test_only_pairs_of_some_rows_and_of_two_sets() -> None:
    embeddings, pixels, copies = both_kinds()
    whitened, expected = whitened_rows(np.arange(150), embeddings), naive_views(embeddings) | copies
    some = np.array([70, 5, 120, 149])
    found = twins_of_rows(some, whitened, embeddings, pixels=pixels)
    assert listed(found) == {pair for pair in expected if set(pair) & set(some.tolist())}
    assert not len(twins_of_rows(some[:0], whitened, embeddings, pixels=pixels))
    across = twins_across(embeddings[:75], embeddings[75:], pixels=pixels)
    assert listed(across) == {pair for pair in expected if pair[0] < 75 <= pair[1]}
    assert listed(across.copies) == {(3, 80), (3, 81), (70, 80), (70, 81), (0, 121)}
    assert not len(twins_across(embeddings[:0], embeddings))


def test_the_bound_is_of_the_fully_whitened_space_and_the_same_at_both_ends() -> None:
    """Of frames that move away from the first one, those are views that a loop finds above the bound."""
    rng = np.random.default_rng(2)
    embeddings = classes(300, spread=1.0)[0].astype(np.float64)
    embeddings[200:] = embeddings[:1] + np.linspace(0, 3, 100)[:, None] * rng.normal(size=(100, 64))
    rows = embeddings.astype(np.float16)
    expected = naive_views(rows)
    assert 5 < len({pair for pair in expected if pair[0] == 0}) < 90
    assert {pair for pair in listed(found_in(rows)) if pair[0] == 0} == {pair for pair in expected if pair[0] == 0}


def test_what_is_near_in_the_whitened_space_alone_is_no_view() -> None:
    """Two pictures that differ in what varies most in the set, which the fully whitened space hardly sees."""
    embeddings = np.random.default_rng(4).normal(size=(300, 64)) * np.where(np.arange(64) == 0, 8, 1)
    embeddings[200:202] = embeddings[:2]
    embeddings[200, 0] *= -1
    rows = embeddings.astype(np.float16)
    whitened = whitened_rows(np.arange(300), rows)
    ends = ((whitened.rows, np.array(of)) for of in ([0, 1], [200, 201]))
    assert ViewSpace(whitened.whitening).are_views(*ends).all()
    assert listed(found_in(rows)) == {(1, 201)}


def test_a_chain_is_cut_where_its_ends_are_no_longer_near_by_hand() -> None:
    """0–1–2 are joined by two of three pairs; 3 is near 2 alone, and by then one of three is too few."""
    chain = twins_of(5, (0, 1, 0.99), (1, 2, 0.98), (2, 3, 0.97), views=3)
    assert twin_groups(chain).tolist() == [0, 0, 0, 1, 2]
    near = twins_of(5, (0, 1, 0.99), (1, 2, 0.98), (1, 3, 0.97), (2, 3, 0.96), views=4)
    assert twin_groups(near).tolist() == [0, 0, 0, 0, 1]
    assert pair_groups(near)[0].tolist() == [0, 1, 2, 3, 4]
    assert twin_representatives(chain).tolist() == [0, 0, 2, 2, 4]


def test_copies_are_joined_before_views_and_never_parted_by_them() -> None:
    """2 and 3 are copies, though 2 is a nearer view of 1; so 1 meets both of them, and one of two pairs is enough."""
    mixed = twins_of(4, (2, 3, 0.7), (0, 1, 0.98), (1, 2, 0.99), views=2)
    by_copies, by_both = pair_groups(mixed)
    assert by_copies.tolist() == [0, 1, 2, 2]
    assert by_both.tolist() == [0, 1, 1, 1]


@given(st.data())
def test_of_every_group_half_of_the_pairs_are_there(data: st.DataObject) -> None:
    """Groups of copies lie in groups of both, and numbers leave none out."""
    count = data.draw(st.integers(0, 9))
    every = [(i, j) for j in range(count) for i in range(j)]
    chosen = sorted(data.draw(st.sets(st.sampled_from(every)))) if every else []
    cosine = st.sampled_from([0.5, 0.7, 0.9])
    pairs = [(*pair, data.draw(cosine)) for pair in chosen]
    found = twins_of(count, *pairs, views=data.draw(st.integers(0, len(pairs))))
    by_copies, by_both = pair_groups(found)
    assert all(by_both[one] == by_both[other] for one, other in every if by_copies[one] == by_copies[other])
    for group, known in ((by_copies, listed(found.copies)), (by_both, set(chosen))):
        for members in (np.flatnonzero(group == number).tolist() for number in set(group.tolist())):
            there = [pair for pair in known if set(pair) <= set(members)]
            assert 4 * len(there) >= len(members) * (len(members) - 1)
        assert sorted(set(group.tolist())) == list(range(len(set(group.tolist()))))


def test_groups_of_one_code_are_joined_by_hand() -> None:
    """Twins 0–1 of two patients join these; 5 and 6 have no patient; copies of an order are numbered alike."""
    group = np.array([0, 0, 1, 2, 3, 4, 4, 5])
    apart = np.array([7, 2, 2, 7, 3, -1, -1, 3], np.int32)
    assert joined_groups(group, apart).tolist() == [0, 0, 0, 0, 1, 2, 2, 1]
    assert joined_groups(group, None).tolist() == group.tolist()
    assert joined_groups(group, np.arange(8, dtype=np.int32)).tolist() == group.tolist()


@pytest.mark.parametrize("most", [50, 1000])
def test_too_many_pairs_are_thinned_and_all_of_a_chain_are_one(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, pixels, copies = both_kinds(burst=60)
    whole = found_in(embeddings, pixels)
    monkeypatch.setattr(twins, "MOST_PAIRS", most)
    thinned = found_in(embeddings, pixels)
    assert thinned.is_thinned
    assert len(thinned) < len(whole)
    assert listed(thinned) <= listed(whole)
    assert {frozenset(pair) for pair in listed(thinned.copies)} <= {frozenset(pair) for pair in copies | {(0, 121)}}
    for one, other in zip(pair_groups(thinned), pair_groups(whole), strict=True):
        assert np.array_equal(one, other)


def test_stars_of_thinned_copies_cover_each_group_by_true_copies() -> None:
    """A chain of thinned pairs joins two kinds of pictures; each star is of one, in the order that was asked for."""
    which = np.array([0, 0, 0, 1, 1, 2, 2])
    pixels = pictures(which)
    thinned = twins_of(7, (0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 1), is_thinned=True)
    stars = copy_stars(thinned, np.array([4, 2, 0, 1, 3, 5]), pixels)
    assert listed(stars) == {(3, 4), (0, 2), (1, 2)}
    assert stars.is_copy.all()


def test_views_of_raw_embeddings_alone_have_groups() -> None:
    embeddings = with_burst(80, 6)
    group = view_groups(embeddings)
    assert (group[80:] == group[0]).all()
    assert len(np.unique(group)) == 80


@pytest.mark.slow
@pytest.mark.parametrize("order", [lambda rows: rows, lambda rows: rows[::-1]])
def test_copies_are_looked_up_few_rows_at_a_time(
    order: Callable[[NDArray[np.int64]], NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    which = np.random.default_rng(0).integers(0, 20, 100)
    pixels, pairs = pictures(which), np.stack(np.triu_indices(100, 1), axis=1)[::7]
    expected = which[pairs[:, 0]] == which[pairs[:, 1]]
    for at_once in (3, 50, 10**6):
        monkeypatch.setattr("url_viz.pipeline.near_copies.ROWS_IN_MEMORY", at_once)
        assert (copies_among(pixels, order(pairs)) == order(expected)).all()


def test_pairs_are_joined_with_others_and_keep_the_stronger_kind() -> None:
    one = twins_of(5, (0, 1, 0.9), (2, 3, 0.8), views=1)
    both = one.with_pairs(copies_of(5, [(2, 3), (1, 4)]))
    assert both.pair.tolist() == [[0, 1], [1, 4], [2, 3]]
    assert both.is_copy.all()
    assert one.with_pairs(one).pair.tolist() == one.pair.tolist()
    assert one.with_pairs(one).is_copy.tolist() == [True, False]


def test_the_bound_has_not_moved() -> None:
    """docs/findings.md has figures of this one."""
    assert (VIEW_COSINE, RAW_COSINE) == (0.6, 0.85)


@pytest.mark.parametrize("axes", [2, 12, 24, 32])
def test_where_there_are_few_axes_nothing_is_a_view_by_chance(axes: int) -> None:
    """Embeddings of few numbers, which are often as near as real views are in many."""
    embeddings = np.random.default_rng(axes).normal(size=(600, axes)).astype(np.float16)
    near = cosines(whitened_rows(np.arange(600), embeddings).rows)
    assert (np.triu(near, 1) >= VIEW_COSINE).any()
    assert not len(found_in(embeddings))


Box = tuple[float, float, float, float]


def around(count: int, seed: int) -> NDArray[np.float64]:
    """So many boxes (count, 4) of 20 to 40 pixels, spread over a picture of 600 × 400."""
    draw = np.random.default_rng(seed)
    return np.hstack([draw.uniform(0, 400, (count, 2)) * [1.5, 1], draw.uniform(20, 40, (count, 2))])


def kept(one: NDArray[np.float64], other: NDArray[np.float64], pair: tuple[int, int] = (0, 0)) -> bool:
    """Whether a pair of an object of one picture and one of another stays."""
    boxes = Boxes(np.repeat([0, 1], [len(one), len(other)]).astype(np.int32), np.concatenate([one, other]))
    rows = np.array([[pair[0], len(one) + pair[1]]], np.int32)
    twins = Twins(len(boxes.box), rows, np.array([0.97], np.float32), np.ones(1, bool))
    return len(twins_of_objects(twins, boxes)) == 1


@pytest.mark.parametrize("shift", [(0, 0), (37.5, -12), (-180, 90)])
def test_where_pictures_overlap_an_object_is_its_twin(shift: tuple[float, float]) -> None:
    scene = around(14, seed=1)
    moved = scene + np.array([*shift, 0, 0])
    assert kept(scene, moved, (3, 3))
    assert kept(scene, moved[:9], (3, 3)), "the other picture shows a part of it"
    jittered = moved + np.random.default_rng(2).uniform(-2, 2, moved.shape)
    assert kept(scene, jittered, (3, 3)), "boxes are drawn again in each picture"
    assert not kept(scene, moved, (3, 4)), "of two that look alike, one is elsewhere"


@pytest.mark.parametrize("scale", [0.5, 1, 1.7])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_of_a_copy_that_is_resized_or_mirrored(scale: float, is_mirrored: bool) -> None:
    scene = around(6, seed=3)
    copy = scene.copy()
    copy[:, 0] = 640 - scene[:, 0] - scene[:, 2] if is_mirrored else scene[:, 0]
    assert kept(scene, copy * scale, (2, 2))
    assert not kept(scene, copy * scale, (2, 3))


def test_what_looks_alike_amid_others_is_no_twin() -> None:
    assert not any(kept(around(14, seed=2 * seed), around(14, seed=2 * seed + 1)) for seed in range(50))


@pytest.mark.parametrize("count", range(1, FEWEST_AROUND + 3))
def test_of_few_objects_all_must_be_there(count: int) -> None:
    scene = around(count, seed=4)
    assert kept(scene, scene)
    others = scene.copy()
    others[1:, :2] += [90, 45]
    assert kept(scene, others) == (count == 1), "an object that is alone has nothing to tell by"


def test_in_one_picture_only_boxes_on_one_object() -> None:
    boxes = Boxes(np.zeros(3, np.int32), np.array([(0, 0, 40, 40), (1, 1, 40, 40), (200, 0, 40, 40)], float))
    every = twins_of(3, (0, 1, 0.99), (0, 2, 0.98), (1, 2, 0.97), views=1)
    found = twins_of_objects(every, boxes)
    assert found.pair.tolist() == [[0, 1]]
    assert found.cosine.tolist() == pytest.approx([0.99])
    assert found.is_copy.tolist() == [True]


@pytest.mark.parametrize(
    ("name", "other", "is_one"),
    [
        ("a head, 4,000 of the 40,000 pixels", (30, 0, 40, 100), False),
        ("a person on a couch, 30,000 of 50,000 pixels", (50, 0, 200, 200), False),
        ("a pizza that fills its table but for 15 %", (0, 0, 200, 170), False),
        ("a box drawn again, 5 % smaller", (0, 10, 200, 190), True),
        ("a box drawn again, moved by 4 %: 36,864 of 43,136", (8, 8, 200, 200), False),
        ("a box drawn again, moved by 2 %: 38,416 of 41,584", (4, 4, 200, 200), True),
    ],
)
def test_a_box_within_another_is_another_object(name: str, other: Box, *, is_one: bool) -> None:
    boxes = Boxes(np.zeros(2, np.int32), np.array([(0, 0, 200, 200), other], float))
    assert (len(twins_of_objects(twins_of(2, (0, 1, 0.99)), boxes)) == 1) == is_one, name


def test_objects_that_are_not_known_and_no_pairs_stay_as_they_are() -> None:
    boxes = Boxes(np.array([-1, 0, 0], np.int32), np.array([(np.nan,) * 4, (0, 0, 9, 9), (50, 50, 9, 9)]))
    pair = twins_of(3, (0, 1, 0.99), is_thinned=True)
    found = twins_of_objects(pair, boxes)
    assert (found.pair.tolist(), found.is_thinned) == ([[0, 1]], True)
    none = no_twins(3)
    assert len(twins_of_objects(none, boxes)) == 0
