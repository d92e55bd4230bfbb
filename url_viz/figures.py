"""Plotly figures from tables: the map for notebooks and reports."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("uncertainty", "confusability", "label")
RAMP = "Cividis"
"""Perceptually uniform, and read alike with and without colour vision."""

_PERCENTILES = {"uncertainty": "percentile", "confusability": "confusability_percentile"}


def map_figure(table: pd.DataFrame, *, colour: str = "uncertainty") -> "Figure":
    """The map of an image set's `table()`: one point a picture that has coordinates.

    `colour`: uncertainty or confusability (by percentile, bright = ambiguous), or label.
    """
    import plotly.graph_objects as go

    if colour not in COLOURS:
        raise ValueError(f"colour is {colour!r}; choose one of: {', '.join(COLOURS)}")
    shown = table[np.isfinite(table["x"].to_numpy(dtype=float))]
    marker = {"size": 4 if len(shown) > 5000 else 7, **_colouring(shown, colour)}
    hover = "<b>%{text}</b><br>uncertainty %{customdata[0]:.3f} (%{customdata[1]:.0f}th percentile)<extra></extra>"
    figure = go.Figure(
        go.Scattergl(
            x=shown["x"],
            y=shown["y"],
            mode="markers",
            marker=marker,
            text=shown["path"].str.replace("<", "&lt;"),
            customdata=shown[["uncertainty", "percentile"]],
            hovertemplate=hover,
        )
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, plot_bgcolor="rgba(0,0,0,0)")
    return figure


def _colouring(shown: pd.DataFrame, colour: str) -> dict[str, object]:
    if colour == "label":
        return {"color": shown["label"].fillna("no class").astype("category").cat.codes, "colorscale": "Portland"}
    return {
        "color": shown[_PERCENTILES[colour]],
        "cmin": 0,
        "cmax": 100,
        "colorscale": RAMP,
        "colorbar": {"title": f"{colour}<br>percentile", "thickness": 12},
    }
