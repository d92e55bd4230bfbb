"""Density figures of an order over groups of pictures: `python -m experiments.densities ARRAYS OUT [--upstream NPZ]`.

They are those of the paper's analysis of what kind of uncertainty it is (PVU, arXiv 2402.16569). ARRAYS is the folder
that `python -m training.benchmark … --arrays ARRAYS` leaves. For each set, OUT gets `NAME-votes.html`, pictures that
people disagree on against those all agree on, where there are votes; and `NAME-upstream.html`, the set against the
upstream one, where one is given. The order is the head's, or entropy.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.benchmark.orders import HEAD
from training.evaluate.figures import blank, write_page
from url_viz.analysis.map_figure import PALETTE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POINTS = 200
FEWEST = 10
"""Groups of fewer pictures have no curve."""


def main() -> None:
    """Write the figures of every set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--upstream", type=Path, help="the .npz of an in-distribution set")
    given = parser.parse_args()
    upstream = None if given.upstream is None else np.load(given.upstream)
    for path in sorted(given.arrays.glob("*.npz")):
        for kind, figure in figures_of(path.stem, np.load(path), upstream).items():
            print(write_page(figure, given.out / f"{path.stem}-{kind}.html"))


def figures_of(name: str, arrays: Mapping[str, Any], upstream: Mapping[str, Any] | None) -> "dict[str, Figure]":
    """The figures of one set by their kind, from its arrays and those of the upstream set."""
    order = HEAD if f"order_{HEAD}" in arrays else "entropy"
    values = arrays[f"order_{order}"]
    figures = {}
    if "votes_entropy" in arrays:
        entropy = arrays["votes_entropy"]
        groups = {"people agree": values[entropy == 0], "people disagree": values[entropy > 0]}
        figures["votes"] = density_figure(name, order, groups)
    if upstream is not None:
        groups = {"upstream": upstream[f"order_{order}"], name: values}
        figures["upstream"] = density_figure(name, order, groups)
    return figures


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


if __name__ == "__main__":
    main()
