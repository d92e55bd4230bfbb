"""What must hold of every set: a burst is one picture many times, and few pictures have finite values, 0 to 1."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.labels.classed import LabelledNumbers, labelled_numbers
from tests.pipeline.whitened_examples import graph_of, with_burst
from url_viz.labels.classes import CLASS_COLUMNS
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.twins import twin_representatives


@pytest.mark.slow
@pytest.mark.parametrize(("count", "burst"), [(20, 66), (100, 65), (300, 2)])
@pytest.mark.parametrize("is_copied", [True, False])
def test_a_burst_is_one_group_whose_neighbours_are_others(count: int, burst: int, is_copied: bool) -> None:
    """Of views, as long as it is not most of the set: then it is what is common there; of copies, always."""
    which = np.where(np.arange(count + burst - 1) < count, np.arange(count + burst - 1), 0)
    if burst > count and not is_copied:
        return
    graph, _ = graph_of(with_burst(count, burst), which=which if is_copied else None)
    told = columns_of(graph)
    frames = np.array([0, *range(count, count + burst - 1)])
    assert len(set(told.twin_group[frames])) == 1
    assert len(np.unique(told.twin_group)) == count
    assert not np.isin(graph.position[frames], frames).any()
    assert (told.nearest >= 0).all()
    assert np.isfinite(told.confusability).all()
    assert np.isfinite(told.nearest_similarity).all()
    assert (told.confusability > 0).all()
    assert (told.confusability < 1).all()


@pytest.mark.slow
def test_a_burst_is_as_confusable_as_one_of_its_frames_by_itself() -> None:
    frames = [0, *range(300, 365)]  # more than a list of neighbours holds
    which = np.where(np.arange(365) < 300, np.arange(365), 0)
    alone = columns_of(graph_of(with_burst(300, 1))[0]).confusability
    values = columns_of(graph_of(with_burst(300, 66), which=which)[0]).confusability
    others = np.append(values[1:300], np.median(values[frames]))
    assert (others < others[-1]).mean() == pytest.approx((alone < alone[0]).mean(), abs=0.15)
    assert np.ptp(values[frames]) < 0.25


@pytest.mark.slow
def test_of_a_burst_alone_nothing_is_known(tmp_path: Path) -> None:
    numbers = replace(labelled_numbers(tmp_path, 40), which=np.zeros(40, np.int64))
    for label in (numbers.label, [None] * 40):
        numbers.label = label
        table = numbers.classed().joined(numbers.plain_table())
        assert table["confusability"].isna().all()
        assert table["ambiguity"].notna().all() == (label[0] is not None)
        assert numbers.order().measure is None


def checked(numbers: LabelledNumbers) -> None:
    table = numbers.classed().joined(numbers.plain_table())
    representative = twin_representatives(numbers.graph.twins)
    has_neighbour = (numbers.columns.nearest >= 0)[representative]
    assert np.array_equal(np.isfinite(numbers.columns.confusability), has_neighbour)
    known = table["confusability"].dropna()
    assert known.between(0, 1).all()
    counted = numbers.columns.confusability[representative == np.arange(len(representative))]
    counted = counted[np.isfinite(counted)]
    if len(np.unique(counted)) > 1:
        assert counted.mean() == pytest.approx(0.5, abs=1e-3), "of twins one is ranked"
    if table["ambiguity"].notna().any():
        assert table[list(CLASS_COLUMNS)].notna().all().all()
        assert table["ambiguity"].between(0, 1).all()
        assert (table["first_share"] + table["second_share"] <= 1 + 1e-5).all()
    assert numbers.order().measure in {"confusability", "ambiguity", None}


@pytest.mark.parametrize("count", [3, 4, 5, 12, 49, 50, 65])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_few_pictures_have_finite_values(tmp_path: Path, count: int, classes: int) -> None:
    checked(labelled_numbers(tmp_path, count, classes=classes))


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(8))
def test_any_few_pictures_have_finite_values(tmp_path: Path, seed: int) -> None:
    """Of any classes, with rows of zeros, copies, and pictures without a label among them."""
    for count in range(3, 101):
        rng = np.random.default_rng(1000 * seed + count)
        classes, spread = int(rng.integers(1, 9)), rng.uniform(0.05, 2)
        numbers = labelled_numbers(tmp_path / str(count), count, classes=classes, spread=spread, seed=seed)
        for row in range(count):
            if rng.random() < 0.1:
                numbers.embeddings[row] = 0 if rng.random() < 0.3 else numbers.embeddings[rng.integers(count)]
            if rng.random() < 0.2:
                numbers.label[row] = None
        checked(numbers)
