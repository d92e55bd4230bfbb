"""Pictures from outside are unlike a set if they are farther from it than nearly all of its own are from each other."""

import numpy as np

from url_viz.outside.uploads import FEWEST_TO_COMPARE, unlike


def cloud(count: int, *, seed: int, axis: int) -> np.ndarray:
    """Unit-like vectors about one axis of 32."""
    vectors = 0.2 * np.random.default_rng(seed).standard_normal((count, 32))
    vectors[:, axis] += 1
    return vectors.astype(np.float16)


def test_pictures_of_the_same_kind_are_like_the_set_and_those_of_another_are_not() -> None:
    own, counts = cloud(400, seed=1, axis=0), np.ones(400, bool)
    assert unlike(cloud(200, seed=2, axis=0), own, counts=counts).mean() < 0.05
    assert unlike(cloud(200, seed=3, axis=5), own, counts=counts).all()


def test_length_says_nothing_and_what_does_not_count_is_no_neighbour() -> None:
    own, strange = cloud(400, seed=1, axis=0), cloud(10, seed=3, axis=5)
    counts = np.r_[np.ones(400, bool), np.zeros(10, bool)]
    assert unlike(40 * strange, np.r_[own, strange], counts=counts).all()
    assert not unlike(40 * own[:50], own, counts=counts[:400]).any(), "the pictures of the set themselves"


def test_a_few_pictures_and_none_say_nothing() -> None:
    few = cloud(FEWEST_TO_COMPARE - 1, seed=1, axis=0)
    assert not unlike(cloud(5, seed=3, axis=5), few, counts=np.ones(len(few), bool)).any()
    assert len(unlike(few[:0], cloud(100, seed=1, axis=0), counts=np.ones(100, bool))) == 0


def test_a_large_set_is_compared_by_a_sample() -> None:
    own = cloud(12_000, seed=1, axis=0)
    both = np.r_[cloud(20, seed=2, axis=0), cloud(20, seed=3, axis=5)]
    found = unlike(both, own, counts=np.ones(len(own), bool))
    assert found[20:].all()
    assert found[:20].sum() <= 1
