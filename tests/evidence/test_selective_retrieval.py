"""Search that withholds, and the three restriction modes: by hand, against loops, and by what knows nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.evidence.searched import labelled_set
from url_viz.base.rows import l2_normalize
from url_viz.evidence.selective_retrieval import (
    MODES,
    SearchedPictures,
    is_correct,
    keep_at_random,
    keep_class_wise,
    keep_overall,
    restricted_recall,
    search,
    study,
)
from url_viz.pipeline.nearest import UnitRows


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 30),
    k=st.integers(0, 35),
    allowed_share=st.sampled_from([0, 0.3, 0.8, 1]),
    excluded=st.integers(0, 3),
)
def test_a_loop_over_all_rows_finds_the_same(
    seed: int, count: int, k: int, allowed_share: float, excluded: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = l2_normalize(rng.normal(size=(count, 5))).astype(np.float16)
    query = rng.normal(size=5) * 7
    is_allowed, exclude = rng.random(count) < allowed_share, np.arange(count) < excluded
    cosine = l2_normalize(rows).astype(np.float64) @ (query / np.linalg.norm(query))
    found = search(query, UnitRows(rows), k=k, is_allowed=is_allowed, exclude=exclude)
    order = [i for i in np.argsort(-cosine) if not exclude[i]]
    expected = [i for i in order if is_allowed[i]][:k]
    floor = cosine[expected[-1]] if len(expected) == k and expected else (np.inf if k == 0 else -np.inf)
    assert found.rows.tolist() == expected
    assert found.similarity == pytest.approx(cosine[expected], abs=1e-5)
    assert found.withheld.tolist() == [i for i in order if not is_allowed[i] and cosine[i] >= floor]


@pytest.fixture
def circle() -> NDArray[np.float32]:
    """Eight directions, 45° apart."""
    angles = np.radians(np.arange(0, 360, 45))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_without_a_gate_nothing_is_withheld(circle: NDArray[np.float32]) -> None:
    found = search(np.array([1.0, 0.1]), UnitRows(circle.astype(np.float16)), k=3)
    assert found.rows.tolist() == [0, 1, 7]
    assert len(found.withheld) == 0


def test_equals_of_the_last_hit_are_withheld_too(circle: NDArray[np.float32]) -> None:
    twice = np.concatenate([circle, circle])
    is_allowed = np.arange(16) < 8
    found = search(np.array([1.0, 0.0]), UnitRows(twice), k=1, is_allowed=is_allowed)
    assert (found.rows.tolist(), found.withheld.tolist()) == ([0], [8])


def test_a_query_of_zeros_is_like_nothing(circle: NDArray[np.float32]) -> None:
    assert search(np.zeros(2), UnitRows(circle.astype(np.float16)), k=2).similarity.tolist() == [0, 0]


Floats = NDArray[np.float64]


def on_a_circle(*degrees: float) -> Floats:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def by_loops(embeddings: Floats, labels: NDArray[np.str_], queries: list[int], database: list[int]) -> float:
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    right = []
    for query in queries:
        others = [row for row in database if row != query]
        best = max(others, key=lambda row: float(unit[query] @ unit[row]))
        right.append(labels[best] == labels[query])
    return float(np.mean(right))


def blobs(count: int, *, classes: int = 6, seed: int = 0) -> tuple[Floats, NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    number = rng.integers(0, classes, count)
    centres = rng.normal(size=(classes, 8))
    return centres[number] + rng.normal(0, 1.1, (count, 8)), np.array([f"c{n}" for n in number])


def test_restrictions_by_hand() -> None:
    """At 0°, 10°, 24° (a, a, b), 50°, 58° (b, b). Everything: 0→10 right, 10→0 right, 24→10 wrong, 50↔58 right: 4/5.

    Without 24°, which is a's neighbour across the border: the database then sends 24° to 10° still: 4/5. Queries
    without it: 4/4; both: 4/4.
    """
    pictures = labelled_set(on_a_circle(0, 10, 24, 50, 58), ["a", "a", "b", "b", "b"])
    assert pictures.is_right.tolist() == [1, 1, 0, 1, 1]
    found = restricted_recall(pictures, np.array([True, True, False, True, True]))
    assert (found["database"], found["queries"], found["both"]) == (0.8, 1.0, 1.0)


def test_restrictions_by_hand_where_the_database_matters() -> None:
    """At 0° a, 4° b, 9° a, 90° b: 0→4 wrong, 4→0 wrong, 9→4 wrong, 90→9 wrong. Without 4°: 0→9 and 9→0 are right.

    The removed 4° itself, as a query, goes to 0°: wrong; 90→9 stays wrong. Database 2/4, both 2/3, queries 0/3.
    """
    pictures = labelled_set(on_a_circle(0, 4, 9, 90), ["a", "b", "a", "b"])
    found = restricted_recall(pictures, np.array([True, False, True, True]))
    assert pictures.is_right.sum() == 0
    assert (found["database"], found["both"], found["queries"]) == (0.5, pytest.approx(2 / 3), 0.0)


def test_the_picture_itself_is_never_its_neighbour() -> None:
    """Two copies of each picture: with the other copy gone, a query must not find itself in the database."""
    pictures = labelled_set(on_a_circle(0, 0, 90, 90), ["a", "b", "c", "d"])
    for kept in ([True] * 4, [True, False, True, False], [True, True, True, False]):
        found = restricted_recall(pictures, np.array(kept))
        assert (found["database"], found["both"], found["queries"]) == (0, 0, 0)


@pytest.mark.parametrize(("seed", "k"), [(0, 1), (1, 3), (2, 32)])
def test_restrictions_against_loops(seed: int, k: int) -> None:
    embeddings, labels = blobs(40, seed=seed)
    kept = np.random.default_rng(seed).random(40) < 0.6
    found = restricted_recall(labelled_set(embeddings, labels, k=k), kept)
    everything, inside = list(range(40)), np.flatnonzero(kept).tolist()
    assert found["database"] == pytest.approx(by_loops(embeddings, labels, everything, inside))
    assert found["both"] == pytest.approx(by_loops(embeddings, labels, inside, inside))
    assert found["queries"] == pytest.approx(by_loops(embeddings, labels, inside, everything))


def test_class_wise_takes_the_share_of_each_class() -> None:
    uncertainty = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.1, 0.2])
    labels = ["a"] * 10 + ["b"] * 2
    kept = keep_class_wise(uncertainty, labels, share=0.1)
    assert np.flatnonzero(~kept).tolist() == [9, 11]


def test_overall_takes_the_most_uncertain_whatever_their_class() -> None:
    uncertainty = np.array([3.0, 9.0, 1.0, 9.0, 2.0])
    assert keep_overall(uncertainty, share=0.4).tolist() == [True, False, True, False, True]
    assert keep_overall(uncertainty, share=0.2).tolist() == [True, True, True, False, True]
    assert keep_overall(uncertainty, share=0.0).all()


def test_at_random_takes_as_many_of_each_class() -> None:
    labels = np.array(["a"] * 20 + ["b"] * 30)
    like = np.ones(50, bool)
    like[[0, 1, 20, 21, 22]] = False
    drawn = [keep_at_random(like, np.random.default_rng(seed), labels=labels) for seed in range(5)]
    assert {(int((~kept[:20]).sum()), int((~kept[20:]).sum())) for kept in drawn} == {(2, 3)}
    assert len({kept.tobytes() for kept in drawn}) == 5
    assert int((~keep_at_random(like, np.random.default_rng(0))).sum()) == 5


def test_nothing_kept_has_no_recall_and_one_kept_picture_cannot_search_itself() -> None:
    pictures = labelled_set(*blobs(10))
    kept = np.zeros(10, bool)
    assert np.isnan(list(restricted_recall(pictures, kept).values())).all()
    kept[4] = True
    assert np.isnan(is_correct(pictures, kept)[4])
    assert np.isfinite(restricted_recall(pictures, kept)["database"])


def test_an_uncertainty_that_knows_nothing_gains_nothing_beyond_random() -> None:
    """The bug this guards against: a query that finds itself in the database gives every mode `both` a false gain."""
    embeddings, labels = blobs(400, classes=20)
    pictures = labelled_set(embeddings, labels)
    gains = []
    for seed in range(12):
        uncertainty = np.random.default_rng(100 + seed).random(400)
        class_wise, overall = study(pictures, uncertainty, shares=(0.1, 0.3), draws=10, seed=seed)
        gains.append([[c.gain(mode) for mode in MODES] for c in (class_wise, *overall.values())])
    mean, error = np.mean(gains, axis=0), np.std(gains, axis=0) / np.sqrt(12)
    assert (np.abs(mean) < 4 * error + 0.002).all()


def test_an_uncertainty_that_knows_gains() -> None:
    embeddings, labels = blobs(300)
    pictures = labelled_set(embeddings, labels)
    rng = np.random.default_rng(0)
    uncertainty = 1 - pictures.is_right + rng.normal(0, 0.5, 300)
    class_wise, overall = study(pictures, uncertainty, shares=(0.0, 0.2, 0.4), draws=5)
    assert overall[0.0].by_uncertainty["queries"] == pytest.approx(pictures.is_right.mean())
    assert overall[0.4].gain("queries") > overall[0.2].gain("queries") > 0.05
    assert class_wise.gain("both") > 0


def test_short_lists_and_whole_ones_agree() -> None:
    embeddings, labels = blobs(60)
    whole, short = labelled_set(embeddings, labels, k=59), labelled_set(embeddings, labels, k=2)
    bare = SearchedPictures(whole.unit, whole.labels, np.full((60, 1), -1), whole.group)
    kept = np.arange(60) % 3 > 0
    assert restricted_recall(whole, kept) == restricted_recall(short, kept) == restricted_recall(bare, kept)
