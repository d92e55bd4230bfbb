"""Two models on the same pictures: by hand, against the plain definitions, and in what must always hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin_groups import twin_column
from url_viz.columns.measures import table_measures
from url_viz.evidence.compare import (
    ModelReading,
    agreement_in_words,
    compare,
    difference_in_words,
    disagreement,
    disagreements,
    most_disagreeing,
    neighbourhoods,
    neighbours_in_words,
    spearman_of_codes,
    top_shared,
)
from url_viz.evidence.evaluation import CountedPictures
from url_viz.evidence.order_metrics import Figure, Interval, spearman
from url_viz.store.tables.tables import Graph, no_twins

NAN = float("nan")
CODES = st.lists(st.integers(0, 6), min_size=2, max_size=30)


def table_of(ids: list[int], uncertainty: list[float], confusability: list[float] | None = None) -> pd.DataFrame:
    measures = dict.fromkeys(table_measures(), [NAN] * len(ids)) | {
        "uncertainty": uncertainty,
        "confusability": confusability or [NAN] * len(ids),
    }
    about = {"id": ids, "path": [f"{i}.jpg" for i in ids], "label": None, "twin_group": twin_column(range(len(ids)))}
    return pd.DataFrame(about | measures)


def read_of(table: pd.DataFrame, graph: Graph | None = None) -> ModelReading:
    return ModelReading(table, table["id"].to_numpy(np.int64) * 10, graph)


def graph_of(content: list[int], position: list[list[int]]) -> Graph:
    rows = np.array(position, np.int32)
    return Graph(
        np.array(content, np.int64), rows, np.where(rows >= 0, 0.5, -1).astype(np.float32), no_twins(len(rows))
    )


def dice_read(count: int, *, seed: int, k: int = 6, first: int = 0) -> ModelReading:
    dice = np.random.default_rng(seed)
    ids = (first + dice.permutation(count)).tolist()
    near = [dice.permutation(np.delete(np.arange(count), row))[:k] for row in range(count)]
    table = table_of(ids, dice.normal(size=count).round(1).tolist(), dice.random(count).tolist())
    content = table["id"].to_numpy(np.int64) * 10
    order = dice.permutation(count)  # a graph has an order of its own
    place = np.argsort(order)
    return read_of(table, graph_of(content[order].tolist(), [place[near[row]].tolist() for row in order]))


def test_two_small_orders_by_hand() -> None:
    first = read_of(table_of([1, 2, 3, 4, 5, 9], [0.1, 0.2, 0.3, 0.4, 0.5, 0.0]))
    second = read_of(table_of([5, 4, 3, 2, 1, 7], [5.0, 4.0, 1.0, 2.0, 3.0, NAN]))
    found = compare(first, second)
    assert (found.shared, found.only_first, found.only_second) == (5, 1, 1)
    assert list(found.measures) == ["uncertainty"], "nobody has a confusability"
    one = found.measures["uncertainty"]
    # ranks 1 2 3 4 5 against 3 2 1 4 5: 1 − 6·(4 + 0 + 4 + 0 + 0) / (5·24)
    assert one.rank_correlation == pytest.approx(0.6)
    assert (one.top_count, one.top_shared, one.top_by_chance) == (1, 1, 0.2)
    rows = one.table.set_index("id")
    assert rows.loc[1, ["before", "after", "change"]].tolist() == [0, 50, 50]
    assert rows.loc[3, ["before", "after", "change"]].tolist() == [50, 0, -50]
    more, less = disagreements(one, most=5)
    assert (more["id"].tolist(), less["id"].tolist()) == ([1], [3])
    assert found.neighbourhoods is None


def judged(ids: list[int], uncertainty: list[float], wrong: str) -> ModelReading:
    """A reading of pictures of the classes a and b in turn; their nearest is of the other where `wrong` has an x."""
    labels = np.array(["a", "b"] * len(ids))[: len(ids)]
    nearest = np.where(np.array(list(wrong)) == "x", np.array(["b", "a"] * len(ids))[: len(ids)], labels)
    rows = np.arange(len(ids))
    pictures = CountedPictures(rows, rows, labels, nearest, {"uncertainty": np.array(uncertainty)}, left_out=0)
    return replace(read_of(table_of(ids, uncertainty)), counted=pictures)


def test_whose_order_is_better_is_asked_of_both_models_nearest() -> None:
    first = judged([1, 2, 3, 4], [4, 3, 2, 1], "x...")
    second = judged([1, 2, 3, 4], [1, 4, 3, 2], "..x.")
    one = compare(first, second, resamples=20).measures["uncertainty"]
    # Is 1 mistaken, as by the first's nearest: its order has 1, the second's 0. Is 3: 1 of 3 pairs, and 2 of 3.
    assert one.difference.value == pytest.approx(((0 - 1) + (2 / 3 - 1 / 3)) / 2)
    back = compare(second, first, resamples=20).measures["uncertainty"]
    assert back.difference.value == pytest.approx(-one.difference.value), "neither is its own judge"
    assert one.difference.interval.low <= one.difference.value <= one.difference.interval.high
    table = compare(first, second, resamples=20).table().set_index("measure")
    assert table.loc["uncertainty", "difference"] == one.difference.value
    assert table.loc["uncertainty", "rank_correlation"] == one.rank_correlation
    assert np.isnan(compare(read_of(first.table), second, resamples=20).measures["uncertainty"].difference.value)


def test_a_difference_is_told_as_one_only_where_its_interval_says_so() -> None:
    one = compare(judged([1, 2, 3, 4], [4, 3, 2, 1], "x..."), judged([1, 2, 3, 4], [1, 4, 3, 2], "..x."), resamples=20)
    compared = one.measures["uncertainty"]

    def said(low: float, high: float) -> str:
        return difference_in_words(replace(compared, difference=Figure(0.1, Interval(low, high))))

    assert "the second clearly orders better: difference in R-AUROC +.100" in said(0.02, 0.2)
    assert "the first clearly orders better" in said(-0.2, -0.02)
    assert "neither clearly orders better" in said(-0.1, 0.2)
    assert difference_in_words(replace(compared, difference=Figure(NAN, Interval(NAN, NAN)))) == ""


def test_a_head_that_has_learnt_from_the_pictures_is_not_judged_on_them() -> None:
    first, second = judged([1, 2, 3, 4], [4, 3, 2, 1], "x..."), judged([1, 2, 3, 4], [1, 4, 3, 2], "..x.")
    found = compare(first, replace(second, has_learnt=True), resamples=20)
    one = found.measures["uncertainty"]
    assert np.isnan(one.difference.value)
    assert "neither is judged better" in difference_in_words(one)
    assert "adapted head" in found.shown()["Measure"].iloc[0]


def test_a_disagreement_is_how_many_percentiles_apart_both_put_a_picture() -> None:
    first = table_of([1, 2, 3, 4, 5, 9], [0.1, 0.2, 0.3, 0.4, 0.5, 0.0])
    second = table_of([5, 4, 3, 2, 1, 7], [5.0, 4.0, 1.0, 2.0, 3.0, NAN])
    found = disagreement(first, second, measure="uncertainty")
    assert found.tolist()[:5] == [50, 0, 50, 0, 0]
    assert np.isnan(found[5]), "the second has not read it"
    assert disagreement(second, first, measure="uncertainty").tolist()[:5] == [0, 0, 50, 0, 50]


def test_the_most_disagreeing_are_a_tenth_from_a_whole_number_on() -> None:
    spread = np.arange(0, 100, dtype=np.float32) / 2
    assert most_disagreeing(spread) == 44
    assert (spread >= 44).sum() >= 10
    assert most_disagreeing(np.array([0.0, 0.2, NAN])) == 1
    assert np.isnan(most_disagreeing(np.zeros(5)))
    assert np.isnan(most_disagreeing(np.array([NAN])))


def test_twins_are_listed_once() -> None:
    first = table_of([1, 2, 3, 4], [1, 1, 3, 4]).assign(twin_group=twin_column([0, 0, 2, 3]))
    second = table_of([1, 2, 3, 4], [4, 4, 2, 1]).assign(twin_group=twin_column([0, 0, 2, 3]))
    more, _ = disagreements(compare(read_of(first), read_of(second)).measures["uncertainty"], most=5)
    assert more["id"].tolist() == [1]


def test_neighbours_by_hand() -> None:
    # Contents 10 20 30 40; 50 is known to the first alone, and counts for nobody.
    first = read_of(
        table_of([1, 2, 3, 4, 5], [1] * 5),
        graph_of([10, 20, 30, 40, 50], [[4, 1, 2], [0, 2, 4], [1, 3, -1], [2, 4, 1], [0, 1, 2]]),
    )
    second = read_of(
        table_of([1, 2, 3, 4], [1] * 4), graph_of([40, 30, 20, 10], [[1, 2, -1], [0, 2, 3], [1, 0, -1], [2, 1, 0]])
    )
    found = neighbourhoods(first, second, k=2)
    assert found is not None
    assert found.content.tolist() == [10, 20, 30, 40]
    # 10: {20, 30} and {20, 30}; 20: {10, 30} and {30, 40}; 30: {20, 40} and {40, 20}; 40: {30, 20} and {30, 20}
    assert found.overlap.tolist() == [1, 0.5, 1, 1]
    assert found.mean == pytest.approx(0.875)
    assert found.by_chance == pytest.approx(2 / 3)
    assert "1.8 are the same under both (chance: 1.3)" in neighbours_in_words(found)


@pytest.mark.parametrize("seed", range(2))
def test_neighbours_as_the_plain_definition_has_them(seed: int) -> None:
    first, second = dice_read(30, seed=seed), dice_read(26, seed=seed + 100, first=3)
    found = neighbourhoods(first, second, k=4)
    assert found is not None
    shared = set(first.contents.tolist()) & set(second.contents.tolist())
    for content, overlap in zip(found.content.tolist(), found.overlap.tolist(), strict=True):
        sides = []
        for read in (first, second):
            assert read.graph is not None
            near = read.graph.position[read.graph.content.tolist().index(content)]
            sides.append([c for c in read.graph.content[near].tolist() if c in shared][:4])
        assert overlap == pytest.approx(len(set(sides[0]) & set(sides[1])) / min(map(len, sides)))


def test_a_model_agrees_with_itself() -> None:
    read = dice_read(40, seed=1)
    found = compare(read, read, resamples=20)
    assert found.neighbourhoods is not None
    assert found.neighbourhoods.mean == 1
    assert "are the same under both" in neighbours_in_words(found.neighbourhoods)
    for one in found.measures.values():
        assert (one.rank_correlation, one.top_shared) == (pytest.approx(1), one.top_count)
        assert one.interval.low == pytest.approx(1)
        assert all(rows.empty for rows in disagreements(one, most=5))
        assert "almost the same" in agreement_in_words(one)
        assert "and they name the same pictures as most ambiguous: 4 of 4 in common" in agreement_in_words(one)


@given(CODES, st.integers(0, 2**32 - 1))
def test_spearman_by_counting_is_spearman(codes: list[int], seed: int) -> None:
    first = np.array(codes)
    second = np.random.default_rng(seed).integers(0, 5, len(codes))
    assert spearman_of_codes(first, second) == pytest.approx(spearman(first, second), nan_ok=True)


def test_the_highest_in_common_by_hand() -> None:
    values = np.arange(20.0)
    assert top_shared(values, values, count=4) == 4
    assert top_shared(values, -values, count=4) == 0
    assert top_shared(values, np.roll(values, 1), count=4) == 3


def test_orders_that_are_alike_overall_can_name_different_pictures_as_most_ambiguous() -> None:
    ids, values = [*range(40)], [*map(float, range(40))]
    turned = [*values[:32], *values[36:], *values[32:36]]  # the highest four change places with the next
    found = compare(read_of(table_of(ids, values)), read_of(table_of(ids, turned)), resamples=20)
    said = agreement_in_words(found.measures["uncertainty"])
    assert said.startswith("By uncertainty, the orders are almost the same (Spearman .99"), said
    words = "but they name mostly different pictures as most ambiguous: 0 of 4 in common (chance: 0.4)."
    assert said.endswith(words), said


def test_without_spread_there_is_no_order() -> None:
    first, second = read_of(table_of([1, 2, 3], [1, 1, 1])), read_of(table_of([1, 2, 3], [1, 2, 3]))
    assert "is the same for every picture" in agreement_in_words(compare(first, second).measures["uncertainty"])
