"""The map of a report: an SVG that works without scripts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.measures import CONFUSABILITY, UNCERTAINTY, measure_named, measure_title

MOST_POINTS = 6_000
WIDTH, HEIGHT, MARGIN = 1000, 640, 14
BINS = 7
LAYERS = 24
CLASS_COLOURS = 7
"""The largest classes get a colour; the eighth, grey, is all others."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MapPoints:
    """The M points of a report's map: `rows` of its table, `x` and `y` in whole units of the SVG."""

    rows: Ints
    x: Ints
    y: Ints

    def __len__(self) -> int:
        return len(self.rows)


def map_points(table: pd.DataFrame) -> MapPoints:
    """The points to draw of a table with `rank_percentile`: all, or MOST_POINTS of them with both extremes."""
    x, y = table["x"].to_numpy(dtype=float), table["y"].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    rows = rows[_sample(table["rank_percentile"].to_numpy(dtype=float)[rows])]
    if not len(rows):
        return MapPoints(rows, rows, rows)
    across, down = x[rows] - x[rows].min(), y[rows].max() - y[rows]  # SVG's y axis points down, the map's up
    scale = min((WIDTH - 2 * MARGIN) / max(across.max(), 1e-9), (HEIGHT - 2 * MARGIN) / max(down.max(), 1e-9))
    left, top = (WIDTH - scale * across.max()) / 2, (HEIGHT - scale * down.max()) / 2
    return MapPoints(
        rows, np.rint(left + scale * across).astype(np.int64), np.rint(top + scale * down).astype(np.int64)
    )


@dataclass(frozen=True)
class MapLayer:
    """One colouring of the map: `paths` are SVG, `classes` the names of its colours, None for a ramp of percentiles."""

    title: str
    paths: str
    classes: tuple[str, ...] | None = None


def layers_of(points: MapPoints, table: pd.DataFrame, measure: str) -> list[MapLayer]:
    """The colourings of the map: by measures, the report's first, and by class; none if nothing is drawn."""
    others = [name for name in (CONFUSABILITY.name, UNCERTAINTY.name) if name != measure]
    columns = {measure: "rank_percentile", **{name: str(measure_named(name).percentile) for name in others}}
    ranks = {name: table[column].to_numpy(dtype=float) for name, column in columns.items()}
    layers = [
        MapLayer(measure_title(name), measure_paths(points, values))
        for name, values in ranks.items()
        if np.isfinite(values[points.rows]).any()
    ]
    if len(points) and table["label"].nunique() > 1:
        layers.append(MapLayer("Class", *class_paths(points, table["label"])))
    return layers


def measure_paths(points: MapPoints, ranks: NDArray[np.floating]) -> str:
    """SVG paths of the points, coloured by percentile (N,) of the table: class `m0` (clear) to `m6`, `mx` for none."""
    shown = ranks[points.rows]
    bins = np.where(np.isfinite(shown), np.minimum(shown * BINS / 100, BINS - 1), -1).astype(np.int64)
    return _paths(points, bins, prefix="m")


def class_paths(points: MapPoints, labels: "pd.Series[str]") -> tuple[str, tuple[str, ...]]:
    """SVG paths of the points, coloured by class (`c0` to `c6`, `cx` for others), and the names of those classes."""
    sizes = labels.value_counts()
    names = tuple(str(n) for n in sorted(sizes.index, key=lambda n: (-int(sizes[n]), str(n)))[:CLASS_COLOURS])
    number = {name: index for index, name in enumerate(names)}
    bins = np.array([number.get(str(label), -1) for label in labels.iloc[points.rows]], np.int64)
    return _paths(points, bins, prefix="c"), names


def _sample(ranks: NDArray[np.floating]) -> Ints:
    """Indices of at most MOST_POINTS of M ranks, in order: a quarter the most extreme, the others evenly by rank."""
    if len(ranks) <= MOST_POINTS:
        return np.arange(len(ranks))
    from_middle = np.abs(np.nan_to_num(ranks, nan=50.0) - 50)
    extremes, others = np.split(np.argsort(-from_middle, kind="stable"), [MOST_POINTS // 4])
    return np.sort(np.concatenate([extremes, others[evenly(len(others), MOST_POINTS - len(extremes))]]))


def evenly(count: int, most: int) -> Ints:
    """Of so many indices all, or `most` of them at even steps."""
    return np.linspace(0, count, min(count, most), endpoint=False).astype(np.int64)


def _paths(points: MapPoints, bins: Ints, *, prefix: str) -> str:
    """One path per colour and layer: a few hundred elements hold thousands of dots.

    Points are assigned to layers at random, so that no colour covers the others everywhere.
    """
    paths: list[str] = []
    for layer in np.array_split(np.random.default_rng(0).permutation(len(points)), LAYERS):
        for number in np.unique(bins[layer]).tolist():
            dots = layer[bins[layer] == number]
            d = "".join(f"M{x} {y}h0" for x, y in zip(points.x[dots].tolist(), points.y[dots].tolist(), strict=True))
            paths.append(f'<path class="{prefix}{"x" if number < 0 else number}" d="{d}"/>')
    return "".join(paths)
