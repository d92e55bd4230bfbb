"""Sets of few pictures a class: drawn alike, of each class."""

import numpy as np

from experiments.few_pictures import few_of_each


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
