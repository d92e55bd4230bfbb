"""Which reasons are told: whatever a table holds, none that contradict each other, and none that nearly all share."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.findings.reasons import (
    COMMON_SHARE,
    FEWEST_FOR_COMMON,
    LEAST,
    NAMES,
    NEAR_EMPTY,
    REASONS,
    Shared,
    explained,
    find_reasons,
    measured_strengths,
    shared_by_most,
    without_contradictions,
)

SEEDS = st.integers(0, 2**32 - 1)
PAIRS = [(reason.name, other) for reason in REASONS for other in reason.excludes]


def table_by_dice(seed: int, count: int) -> pd.DataFrame:
    """Values that no picture could have together, among them nan; extremes are common."""
    rng = np.random.default_rng(seed)

    def column() -> np.ndarray:
        values = rng.uniform(0, 1, count) ** rng.choice([0.2, 1, 5])
        return np.where(rng.random(count) < 0.1, np.nan, values)

    shares = ("first_share", "second_share", "flat_share", "white_share", "white_border", "highlights", "contrast")
    sharp = ("sharpness", "least_sharpness", "sharpness_across")
    columns = {name: column() for name in (*shares, *sharp, "confusability", "nearest_similarity", "ambiguity")}
    sides = {name: rng.integers(1, 300, count) for name in ("width", "height")}
    return pd.DataFrame(columns | sides | {"twin_group": rng.integers(0, count, count)})


@given(SEEDS, st.integers(1, 80))
def test_reasons_are_taken_away_where_they_contradict_or_are_shared_and_nowhere_else(seed: int, count: int) -> None:
    table = table_by_dice(seed, count)
    measured, found = measured_strengths(table), find_reasons(table, leading="ambiguity")
    shared = {one.reason.name for one in found.shared}
    for column, name in enumerate(NAMES):
        gone = (measured[:, column] > 0) & (found.strength[:, column] == 0)
        winners = [NAMES.index(winner) for winner, loser in PAIRS if loser == name]
        assert name in shared or (found.strength[gone][:, winners] > 0).any(axis=1).all(), name
        assert not (found.strength[found.strength[:, column] > 0][:, winners] > 0).any(), name
        assert ((found.strength[:, column] == measured[:, column]) | (found.strength[:, column] == 0)).all()
    assert count < FEWEST_FOR_COMMON or ((found.strength > 0).mean(axis=0) <= COMMON_SHARE).all()
    assert all(one.count > COMMON_SHARE * one.pictures and one.pictures == count for one in found.shared)
    assert all(found.strength[:, NAMES.index(one.reason.name)].max() == 0 for one in found.shared)


def test_the_pairs_are_named_and_their_order_does_not_matter() -> None:
    """What excludes one that excludes a third excludes that too, and there is no circle."""
    assert {name for pair in PAIRS for name in pair} <= set(NAMES)
    assert all((name, third) in PAIRS for name, other in PAIRS for first, third in PAIRS if first == other)
    assert all(name != other for name, other in PAIRS)
    for pair in (
        ("out on its own", "easily confused"),
        ("dark", "blown out"),
        ("near-empty", "between classes"),
        ("motion blur", "blurred"),
    ):
        assert pair in PAIRS


def test_a_handful_shares_nothing() -> None:
    strength = np.full((FEWEST_FOR_COMMON, len(NAMES)), 0.5, np.float32)
    assert shared_by_most(strength).all()
    assert not shared_by_most(strength[:-1]).any()


def test_a_set_of_blank_pictures_does_not_share_that_they_are_near_empty() -> None:
    strength = np.zeros((FEWEST_FOR_COMMON, len(NAMES)), np.float32)
    strength[:, NAMES.index(NEAR_EMPTY)] = 1
    assert not shared_by_most(strength).any()
    strength[: len(strength) // 2 + 1] *= 0.9  # drawings on white paper
    assert np.array(NAMES)[shared_by_most(strength)].tolist() == [NEAR_EMPTY]


def test_what_excludes_in_turn_is_taken_away_itself() -> None:
    strength = np.zeros((1, len(NAMES)), np.float32)
    for name in ("near-empty", "motion blur", "blurred"):
        strength[0, NAMES.index(name)] = 0.5
    left = without_contradictions(strength)
    assert [NAMES[place] for place in np.flatnonzero(left[0])] == ["near-empty"]
    assert (strength > 0).sum() == 3, "what was given stays as it was"


def test_what_is_explained_by_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    strength = (rng.random((60, len(NAMES))) * (rng.random((60, len(NAMES))) < 0.2)).astype(np.float32)
    percentile = np.where(rng.random(60) < 0.1, np.nan, rng.uniform(0, 100, 60))
    found = explained(strength, percentile, "ambiguity")
    for column in range(len(NAMES)):
        places = [
            0.5 if np.isnan(p) else p / 100 for p, s in zip(percentile, strength[:, column], strict=True) if s > 0
        ]
        mean = (sum(places) + 10 * 0.5) / (len(places) + 10)
        assert found[column] == pytest.approx(max(LEAST, 2 * mean - 1), rel=1e-5)


def test_the_more_pictures_say_so_the_more_a_reason_explains() -> None:
    strength = np.zeros((200, len(NAMES)), np.float32)
    percentile = np.r_[np.full(100, 99.0), np.full(100, 20.0)]
    values = []
    for count in (1, 3, 10, 50):
        strength[:count, 0] = 1
        values.append(float(explained(strength, percentile, "ambiguity")[0]))
    assert values == sorted(values)
    assert values[0] < 0.1 < 0.8 < values[-1]


def test_what_is_said_of_a_set() -> None:
    assert Shared(REASONS[-1], 2400, 2500).words == "2,400 of 2,500 pictures have copies or look-alikes."
    assert Shared(REASONS[NAMES.index("tiny")], 2500, 2500, "32 px").words == "All 2,500 pictures are tiny (32 px)."
