"""What a second model says is looked up and set beside the first one's by the definition."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from tests.pipeline.whitened_examples import classes
from tests.review.test_pair_measures import made, naive
from url_viz.columns.second_model import SecondModel, row_cosines, side_by_side, voters
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.twins import twin_representatives
from url_viz.review.tuned import PAIR_MEASURES, PRIOR_NAMES, SECOND_PRIOR_NAMES, SPACE_MEASURES, PairMeasures
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import Graph


def second_of(graph: Graph, rows: WhitenedRows) -> SecondModel:
    """A second model whose graph and rows are these, and in no store."""
    second = SecondModel(cast(Store, None), cast(EmbeddingSpace, None), columns_of(graph))
    vars(second).update(graph=graph, whitened=rows)
    return second


@pytest.fixture
def second() -> SecondModel:
    embeddings = classes(160, seed=5, size=48)[0]
    _, graph, rows = made(embeddings)
    return second_of(graph, rows)


def test_cosines_are_of_each_row_and_that_which_is_named(second: SecondModel) -> None:
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


def test_rows_side_by_side_are_of_length_one_and_halve_both_cosines(second: SecondModel) -> None:
    rows = second.whitened.rows
    both = side_by_side(rows, rows[::-1])
    assert both.shape == (160, 2 * rows.shape[1])
    assert np.linalg.norm(both, axis=1) == pytest.approx(1, abs=1e-3)
    mean = (float(rows[0] @ rows[1]) + float(rows[-1] @ rows[-2])) / 2
    assert float(both[0] @ both[1]) == pytest.approx(mean, abs=2e-3)


def test_twins_of_the_first_model_have_no_vote(second: SecondModel) -> None:
    group = np.arange(160)
    group[second.graph.position[7, :3]] = group[7]
    left = voters(second.graph, group)
    assert left.position[7].tolist() == [-1, -1, -1, *second.graph.position[7, 3:]]
    lists = left.position
    for row in range(160):
        assert all(group[one] != group[row] for one in lists[row] if one >= 0)
    assert np.array_equal(left.similarity, second.graph.similarity)


def test_is_whole_only_while_lists_and_rows_are_of_one_time(second: SecondModel) -> None:
    assert second.is_whole
    vars(second)["graph"] = replace(second.graph, whitening=second.graph.whitening + 1)
    assert not second.is_whole


def test_pairs_have_the_second_models_measures_behind_the_others(second: SecondModel) -> None:
    alone, graph, rows = made(classes(160)[0])
    measures = PairMeasures(
        graph,
        rows,
        np.zeros((160, 2), np.float32),
        representative=twin_representatives(graph.twins).astype(np.int64),
        second=second,
    )
    assert alone.prior.sum() == measures.prior.sum() == 3
    for name in (*PRIOR_NAMES, *SECOND_PRIOR_NAMES):
        assert measures.prior[measures.names.index(name)] == 0.5
    pairs = [*zip(measures.rows.tolist()[:40], measures.nearest.tolist()[:40], strict=True), (0, 150), (3, 77)]
    first, other = np.array(pairs).T
    raw = measures._raw(first, other)
    assert raw.shape == (42, len(PAIR_MEASURES) + len(SPACE_MEASURES))
    assert raw[:, : len(PAIR_MEASURES) - 2] == pytest.approx(alone._raw(first, other)[:, :-2])
    wanted = naive(second.graph, second.whitened, 0.5, pairs)
    assert raw[:, len(PAIR_MEASURES) :] == pytest.approx(wanted, rel=2e-3, abs=2e-3)
    assert measures.measure(measures.rows, measures.nearest) == pytest.approx(measures.ranks)
