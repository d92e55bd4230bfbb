"""Density figures are of the groups that have enough pictures."""

import numpy as np
import pytest

from experiments.densities import density_figure, figures_of


def test_densities_are_of_groups_that_have_pictures_enough() -> None:
    rng = np.random.default_rng(0)
    groups = {"many": rng.normal(size=500), "few": rng.normal(size=3), "equal": np.ones(50)}
    figure = density_figure("a set", "entropy", groups)
    assert [line.name for line in figure.data] == ["many, 500"]
    (line,) = figure.data
    assert np.trapezoid(line.y, line.x) == pytest.approx(1, abs=0.02)
    assert abs(line.x[np.argmax(line.y)]) < 0.5
    assert not density_figure("a set", "entropy", {"few": np.zeros(2)}).data


def test_a_set_is_drawn_by_its_votes_and_next_to_the_upstream_one() -> None:
    values, votes = np.arange(40.0), np.arange(40) % 2
    arrays = {"order_entropy": -values, "order_uncertainty": values, "votes_entropy": votes}
    found = figures_of("birds", arrays, {"order_uncertainty": np.arange(30.0)})
    assert {kind: [line.name for line in figure.data] for kind, figure in found.items()} == {
        "votes": ["people agree, 20", "people disagree, 20"],
        "upstream": ["upstream, 30", "birds, 40"],
    }
    assert list(figures_of("birds", {"order_entropy": values}, None)) == []
