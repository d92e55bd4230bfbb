"""The authors' figures from made vectors, by hand."""

import numpy as np
import pytest

from benchmarks import authors


def test_figures_by_hand() -> None:
    # Agreed on: 1 and 3; ambiguous: 2 and 4, which win three of four pairs; the last has no votes, but two values.
    # Ranks of entropy are 1.5, 3, 1.5, 4; of both orders 1 to 4, up and down: products 3, squares 4.5 and 5.
    human = np.array([-0.0, 0.5, 0.0, 1.0, np.nan])
    found = authors.of_votes(human, np.array([1.0, 2, 3, 4, 0]), np.array([4.0, 3, 2, 1, 5]))
    assert list(found.values()) == pytest.approx([0.75, 0.25, 3 / 22.5**0.5, -3 / 22.5**0.5, -1])
    near = authors.of_neighbours(np.array([1, 2, 1, 2]), np.array([1, 1, 1, 2]), np.array([0.1, 0.3, 0.4, 0.2]))
    assert list(near.values()) == pytest.approx([0.75, 2 / 3])
    assert set(found) | set(near) == set(authors.PUBLISHED)


def test_agreement_is_to_as_many_digits() -> None:
    assert authors.agrees(0.61052, 0.611)
    assert not authors.agrees(0.6104, 0.611)
    assert not authors.agrees(0.70137, 0.7013)
