"""Density figures: an order's distribution over groups of pictures, such as those that people agreed on or not."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import Case, LabelledSet
from training.benchmark.orders import picture_orders
from training.figures import blank, write_page
from url_viz.analysis.map_figure import PALETTE
from url_viz.models.head import Head

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POINTS = 200
FEWEST = 10
"""Groups of fewer pictures have no curve."""


def write_densities(case: Case, upstream: LabelledSet | None, head: Head | None, folder: Path, name: str) -> list[Path]:
    """Write the two figures of the paper's analysis of what kind of uncertainty it is (PVU, arXiv 2402.16569).

    `NAME-votes.html`: pictures that people disagree on against those all agree on, where there are votes;
    `NAME-upstream.html`: the set against the upstream one, where there is one. The order is the head's, or entropy.
    """
    order, values = next(iter(picture_orders(case.labelled, head, None).items()))
    figures = {}
    if case.labelled.people is not None:
        entropy = case.labelled.people.entropy
        groups = {"people agree": values[entropy == 0], "people disagree": values[entropy > 0]}
        figures["votes"] = density_figure(case.labelled.data, order, groups)
    if upstream is not None:
        groups = {upstream.data: picture_orders(upstream, head, None)[order], case.labelled.data: values}
        figures["upstream"] = density_figure(case.labelled.data, order, groups)
    return [write_page(figure, folder / f"{name}-{kind}.html") for kind, figure in figures.items()]


def density_figure(title: str, order: str, groups: Mapping[str, NDArray[np.floating]]) -> "Figure":
    """A curve for each group of values (M,), by its name: Gaussian kernels with Scott's width, area 1."""
    from scipy.stats import gaussian_kde  # slow to import

    figure = blank(title, order, "density")
    drawn = {name: values for name, values in groups.items() if len(values) >= FEWEST and np.ptp(values) > 0}
    if not drawn:
        return figure
    every = np.concatenate(list(drawn.values()))
    x = np.linspace(every.min(), every.max(), POINTS)
    for colour, (name, values) in zip(PALETTE, drawn.items(), strict=False):
        curve = gaussian_kde(values.astype(np.float64))(x)
        figure.add_scatter(x=x, y=curve, mode="lines", name=f"{name}, {len(values):,}", line={"color": colour})
    return figure
