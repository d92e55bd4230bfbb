"""What few labels teach: drawn alike of each class, nothing of the pictures that are asked, and more labels help."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from experiments import few_labels
from experiments.few_labels import HALF, SHOTS, even_of_class
from experiments.few_pictures import few_of_each
from tests.training.benchmark.made import bare_orders, small_case
from training.benchmark.labelled import Case
from training.benchmark.orders import write_arrays
from url_viz.evidence.order_metrics import auroc


def probes_of_few_labels(case: Case, label: np.ndarray | None = None) -> dict[str, np.ndarray]:
    label = case.labelled.label if label is None else label
    return few_labels.probes_of_few_labels(case.space.whitened.rows, label, case.space.group, seed=0)


def test_even_are_every_other_picture_of_a_class() -> None:
    label = np.array([1, 0, 0, 1, 0, 1, 2, 0], np.int32)
    assert even_of_class(label).tolist() == [True, True, False, False, True, True, True, False]


def swapped(label: np.ndarray) -> np.ndarray:
    """The labels with those of two odd pictures of different classes exchanged, even and odd staying what they were."""
    is_even = even_of_class(label)
    for first, second in combinations(np.flatnonzero(~is_even), 2):
        other = label.copy()
        other[[first, second]] = label[[second, first]]
        if label[first] != label[second] and (even_of_class(other) == is_even).all():
            return other
    raise AssertionError("no two can be exchanged")


def test_the_labels_of_the_pictures_that_are_asked_and_of_their_twins_are_not_seen() -> None:
    case = small_case(0, pictures=96)
    label, group, is_even = case.labelled.label, case.space.group, even_of_class(case.labelled.label)
    found, other = probes_of_few_labels(case), probes_of_few_labels(case, swapped(label))
    for name, values in found.items():
        assert np.array_equal(values, other[name], equal_nan=True), name
    is_asked = ~np.isnan(found[HALF])
    assert not (is_asked & is_even).any()
    assert not np.isin(group[is_asked], group[is_even]).any()
    assert is_asked.sum() >= len(label) / 2 - 3


def test_a_class_gives_no_more_than_it_has_and_few_pictures_are_told_nothing() -> None:
    small = probes_of_few_labels(small_case(0, pictures=32))  # four even pictures of each of four classes
    for shots in SHOTS:
        assert small[f"labels_{shots}"].shape == (5, 32)
        assert np.isnan(small[f"labels_{shots}"]).all() == (shots > 4)
    assert 0 <= np.nanmin(small[HALF]) <= np.nanmax(small[HALF]) <= 1


def test_the_study_is_of_what_the_benchmark_leaves(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_arrays(small_case(seed), bare_orders(seed), tmp_path / f"0{seed + 1}-made.npz")
    found = few_labels.measured(sorted(tmp_path.glob("*.npz")))
    assert [(one.data, one.pictures) for one in found.sets] == [("made", 72)] * 2
    case = small_case(0)
    half, wrong = probes_of_few_labels(case)[HALF], case.outcomes.is_wrong
    known = ~np.isnan(half)
    figure = next(order for order in found.sets[0].orders if order.name == HALF).nearest
    assert figure.auroc.value == pytest.approx(auroc(half[known], wrong[known]))
    assert {one.baseline for one in found.verdicts} == {"confusability", "ambiguity"}  # there is no head


@pytest.mark.slow
def test_the_more_labels_the_truer() -> None:
    reached = []
    for seed in range(3):
        case = small_case(seed, pictures=480, classes=6)
        found, wrong = probes_of_few_labels(case), case.outcomes.is_wrong
        draws = [found[f"labels_{shots}"] for shots in SHOTS] + [found[HALF][None]]
        is_asked = ~np.isnan(found[HALF])
        reached.append([np.mean([auroc(draw[is_asked], wrong[is_asked]) for draw in of]) for of in draws])
    mean = np.mean(reached, axis=0)
    assert (np.diff(mean) > 0).all(), mean
    assert mean[-1] > mean[0] + 0.05
    assert mean[0] > 0.5


def test_at_most_so_many_of_each_class_are_drawn_by_the_seed() -> None:
    label = np.repeat([7, 3, 5], [10, 2, 6])
    rows = few_of_each(label, 4, seed=1)
    assert np.all(np.diff(rows) > 0)
    assert dict(zip(*np.unique(label[rows], return_counts=True), strict=True)) == {3: 2, 5: 4, 7: 4}
    np.testing.assert_array_equal(rows, few_of_each(label, 4, seed=1))
    assert not np.array_equal(rows, few_of_each(label, 4, seed=2))


def test_nothing_is_left_out_where_all_are_few() -> None:
    label = np.array([0, 1, 1, 0])
    np.testing.assert_array_equal(few_of_each(label, 2, seed=0), np.arange(4))
