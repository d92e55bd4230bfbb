"""The map of an image set as a Plotly figure, for notebooks and reports: points, fog, or shades of density."""

import html
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.filters import categories_of, category_colours, filter_kind
from url_viz.columns.measures import measure_title
from url_viz.columns.ranking import percentile_of_each

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Heatmap, Scattergl

Style = Literal["points", "fog", "density"]
STYLES: tuple[Style, ...] = ("points", "fog", "density")
RAMP = "Cividis"
"""Perceptually uniform, and read alike with and without colour vision."""
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8b7bd8", "#7a1f4b")
"""Apart under the common colour-vision deficiencies (after Okabe and Ito)."""
NO_CATEGORY = "#8a8f98"
CLASSES_LISTED = 12
LARGEST_PX = 28.0
SHADE_CELLS = 220
SHADE_SIGMA = 4.0


def map_figure(
    table: pd.DataFrame,
    *,
    by: str | None = None,
    colour: str | None = None,
    style: Style = "points",
    size_by: str | None = None,
) -> "Figure":
    """The map of an image set's `table()`: one point a picture that has coordinates.

    `colour` is a column: of numbers, by its percentile (bright = high), or of few values, by category; by default it is
    the measure `by`, and grey if there is none. `style`: `points`; `fog`, where points of a low percentile are small
    and crisp, and of a high one large and faint; or `density`, shades of how many pictures lie about a place.
    `size_by` is the column of numbers that sizes go by; fog takes that of the colour, else `by`. Raises ValueError for
    a column or style that is not there.
    """
    import plotly.graph_objects as go

    colour = colour or by
    _check(table, colour, style, size_by)
    shown = table[np.isfinite(table["x"].to_numpy(dtype=float))]
    if style == "density":
        figure = go.Figure(_shades(shown))
    else:
        is_number = colour is not None and filter_kind(table[colour]) == "numeric"
        size_by = size_by or ((colour if is_number else by) if style == "fog" else None)
        ranks = [
            None if column is None else percentile_of_each(shown, column, within=table)
            for column in (size_by, colour if is_number else None)
        ]
        figure = go.Figure(_layers(shown, colour, _marker(shown, ranks[0], style=style), ranks[1]))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0}, plot_bgcolor="rgba(0,0,0,0)", legend={"itemsizing": "constant"}
    )
    return figure


def fog_looks(percentile: NDArray[np.floating], *, largest_px: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Diameters in px (N,) and opacities (N,) of fog, by percentile 0 to 100; nan counts as 50.

    The law of the paper's figure (Pretrained Visual Uncertainties): area ((v + .2) · 3.5)^4.2, opacity (1 − v)^1.4 but
    at least .07. There v is the uncertainty scaled to 0..1; here its percentile, of which only the order counts.
    """
    v = np.where(np.isnan(percentile), 50, percentile) / 100
    diameter = largest_px * np.sqrt(((v + 0.2) / 1.2) ** 4.2)
    return np.maximum(diameter, 1.5), np.maximum((1 - v) ** 1.4, 0.07)


def _check(table: pd.DataFrame, colour: str | None, style: str, size_by: str | None) -> None:
    for name, column in (("colour", colour), ("size_by", size_by)):
        if column is not None and column not in table:
            raise ValueError(f"{name} is {column!r}; choose a column: {', '.join(table.columns)}")
    if size_by is not None and not pd.api.types.is_numeric_dtype(table[size_by]):
        raise ValueError(f"size_by is {size_by!r}, which holds no numbers")
    if style not in STYLES:
        raise ValueError(f"style is {style!r}; choose one of: {', '.join(STYLES)}")


def _marker(shown: pd.DataFrame, percentile: NDArray[np.float32] | None, *, style: Style) -> pd.DataFrame:
    """Size (px) and opacity of each point by a `percentile` (N,), one row per point."""
    plain = 4.0 if len(shown) > 5000 else 7.0
    size, opacity = np.full(len(shown), plain), np.full(len(shown), 0.9)
    if percentile is not None and style == "fog":
        largest = LARGEST_PX * min(1.0, (600 / max(1, len(shown))) ** 0.5) + plain
        size, opacity = fog_looks(percentile, largest_px=largest)
    elif percentile is not None:
        size = plain * (0.55 + 1.35 * np.nan_to_num(percentile, nan=50) / 100)
    return pd.DataFrame({"size": size, "opacity": opacity}, index=shown.index)


def _layers(
    shown: pd.DataFrame, column: str | None, marker: pd.DataFrame, percentile: NDArray[np.float32] | None
) -> "list[Scattergl]":
    """The points by a column: of numbers with a `percentile` (N,), else by category."""
    if column is None:
        return [_points(shown, marker, None, {"color": NO_CATEGORY})]
    if percentile is None:
        return _by_category(shown, column, marker)
    bar = {"title": f"{_inert(measure_title(column))},<br>percentile", "thickness": 12}
    colouring = {"color": percentile, "cmin": 0, "cmax": 100, "colorscale": RAMP, "colorbar": bar}
    return [_points(shown, marker, column, colouring, percentile)]


def _by_category(shown: pd.DataFrame, column: str, marker: pd.DataFrame) -> "list[Scattergl]":
    """A layer a category, so that the legend names it; those beyond the first twelve of the largest in one."""
    categories = categories_of(shown, column)
    fixed = category_colours(categories.names, column)
    counts = np.bincount(categories.numbers[categories.numbers >= 0], minlength=len(categories.names))
    listed = sorted(np.argsort(-counts, kind="stable")[:CLASSES_LISTED].tolist())
    layers = []
    for number in listed:
        colour = fixed[number] if fixed else PALETTE[number % len(PALETTE)]
        rows = categories.numbers == number
        layers.append(_points(shown[rows], marker[rows], column, {"color": colour}, name=categories.names[number]))
    rest = ~np.isin(categories.numbers, listed)
    if rest.any():
        name = "none" if not (categories.numbers[rest] >= 0).any() else "others, none"
        layers.insert(0, _points(shown[rest], marker[rest], column, {"color": NO_CATEGORY}, name=name))
    return layers


def _points(
    rows: pd.DataFrame,
    marker: pd.DataFrame,
    column: str | None,
    colouring: dict[str, Any],
    percentile: NDArray[np.float32] | None = None,
    *,
    name: str = "",
) -> "Scattergl":
    """A layer of points; pointed at, each says its name, its value in `column`, and the percentile of that."""
    import plotly.graph_objects as go

    hover: dict[str, Any] = {"hovertemplate": "<b>%{text}</b><extra></extra>"}
    if column is not None:
        value = rows[column].astype(object).where(rows[column].notna(), "none").map(_inert)
        columns = [value] if percentile is None else [value, percentile]
        rank = "" if percentile is None else " (percentile %{customdata[1]:.0f})"
        words = f"{_inert(measure_title(column))} %{{customdata[0]}}{rank}"
        hover = {
            "customdata": np.stack([np.asarray(each, object) for each in columns], axis=1),
            "hovertemplate": f"<b>%{{text}}</b><br>{words}<extra></extra>",
        }
    return go.Scattergl(
        x=rows["x"],
        y=rows["y"],
        mode="markers",
        name=_inert(name),
        showlegend=bool(name),
        marker={"size": marker["size"], "opacity": marker["opacity"], "line": {"width": 0}, **colouring},
        text=rows["path"].map(_inert),
        **hover,
    )


def _inert(value: Any) -> Any:
    """A value that Plotly shows as it is: of text it would make tags, and links, of what is between < and >."""
    return html.escape(value, quote=False) if isinstance(value, str) else value


def _shades(shown: pd.DataFrame) -> "Heatmap":
    """How many pictures lie about a place: counted in cells, smoothed, on a scale of logarithms."""
    import plotly.graph_objects as go
    from scipy.ndimage import gaussian_filter

    x, y = shown["x"].to_numpy(np.float64), shown["y"].to_numpy(np.float64)
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=SHADE_CELLS)
    peak = 2 * np.pi * SHADE_SIGMA**2
    density = np.log1p(gaussian_filter(counts, SHADE_SIGMA, mode="constant") * peak)
    return go.Heatmap(
        x=(x_edges[:-1] + x_edges[1:]) / 2,
        y=(y_edges[:-1] + y_edges[1:]) / 2,
        z=np.where(density > 0.03, density, np.nan).T,
        colorscale=RAMP,
        zsmooth="best",
        hoverinfo="skip",
        colorbar={"title": "pictures<br>(logarithm)", "thickness": 12, "showticklabels": False},
    )
