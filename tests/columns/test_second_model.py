"""What a second model says is looked up and set beside the first one's by the definition."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from tests.pipeline.whitened_examples import classes
from tests.review.test_tuned import made, naive
from url_viz.columns.second_model import Opinion, row_cosines, side_by_side, voters
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.twins import twin_representatives
from url_viz.review.tuned import PAIR_MEASURES, PRIOR_MEASURES, PRIOR_NAMES, SPACE_MEASURES, PairMeasures
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import Graph


def second_of(graph: Graph, rows: WhitenedRows) -> Opinion:
    """A second model whose graph and rows are these, and in no store."""
    second = Opinion(cast(Store, None), cast(EmbeddingSpace, None), columns_of(graph))
    vars(second).update(graph=graph, whitened=rows)
    return second


@pytest.fixture
def second() -> Opinion:
    embeddings = classes(160, seed=5, size=48)[0]
    _, graph, rows = made(embeddings)
    return second_of(graph, rows)


def test_cosines_are_of_each_row_and_that_which_is_named(second: Opinion) -> None:
    rows = second.whitened.rows
    other = np.random.default_rng(0).integers(-1, 160, 160)
    found = row_cosines(rows, rows, other, block=37)
    for i, j in enumerate(other):
        assert found[i] == (
            -1 if j < 0 else pytest.approx(float(rows[i].astype(float) @ rows[j].astype(float)), abs=1e-3)
        )
    lists = second.lists(second.graph.position[:, 0])
    assert lists.cosine == pytest.approx(second.graph.similarity[:, 0], abs=2e-3)
    assert lists.position is second.graph.position


def test_rows_side_by_side_are_of_length_one_and_have_the_mean_of_cosines(second: Opinion) -> None:
    rows = second.whitened.rows
    both = side_by_side(rows, rows[::-1])
    assert both.shape == (160, 2 * rows.shape[1])
    assert np.linalg.norm(both, axis=1) == pytest.approx(1, abs=1e-3)
    near, far = float(rows[0] @ rows[1]), float(rows[-1] @ rows[-2])
    assert float(both[0] @ both[1]) == pytest.approx((near + far) / 2, abs=2e-3)
    three = side_by_side(rows, rows[::-1], rows)
    assert float(three[0] @ three[1]) == pytest.approx((2 * near + far) / 3, abs=2e-3)
    assert side_by_side(rows) is rows, "alone they are to the last bit what they were"


def test_twins_of_the_first_model_have_no_vote(second: Opinion) -> None:
    group = np.arange(160)
    group[second.graph.position[7, :3]] = group[7]
    left = voters(second.graph, group)
    assert left.position[7].tolist() == [-1, -1, -1, *second.graph.position[7, 3:]]
    lists = left.position
    for row in range(160):
        assert all(group[one] != group[row] for one in lists[row] if one >= 0)
    assert np.array_equal(left.similarity, second.graph.similarity)


def test_is_whole_only_while_lists_and_rows_are_of_one_time(second: Opinion) -> None:
    assert second.is_whole
    vars(second)["graph"] = replace(second.graph, whitening=second.graph.whitening + 1)
    assert not second.is_whole


@pytest.mark.parametrize("others", [1, 2])
def test_pairs_have_other_opinions_measures_behind_the_others(second: Opinion, others: int) -> None:
    alone, graph, rows = made(classes(160)[0])
    third = second_of(*made(classes(160, seed=9)[0])[1:])
    opinions = [second, third][:others]
    measures = PairMeasures(
        graph,
        rows,
        np.zeros((160, 2), np.float32),
        representative=twin_representatives(graph.twins).astype(np.int64),
        opinions=opinions,
    )
    assert alone.prior.sum() == measures.prior.sum() == 3
    for name in (*PRIOR_NAMES, *(f"{name}_by_{by}" for by in range(2, 2 + others) for name in PRIOR_MEASURES)):
        assert measures.prior[measures.names.index(name)] == 1 / (1 + others)
    pairs = [*zip(measures.rows.tolist()[:40], measures.nearest.tolist()[:40], strict=True), (0, 150), (3, 77)]
    first, other = np.array(pairs).T
    raw = measures._raw(first, other)
    assert raw.shape == (42, len(PAIR_MEASURES) + others * len(SPACE_MEASURES))
    assert raw[:, : len(PAIR_MEASURES) - 2] == pytest.approx(alone._raw(first, other)[:, :-2])
    wanted = np.hstack([naive(each.graph, each.whitened, 0.5, pairs) for each in opinions])
    assert raw[:, len(PAIR_MEASURES) :] == pytest.approx(wanted, rel=2e-3, abs=2e-3)
    assert measures.measure(measures.rows, measures.nearest) == pytest.approx(measures.ranks)
