"""Plotly figures of the Evaluate page: R-AUROC intervals, recall by coverage, and recall by deciles."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from url_viz.analysis.calibration import Reliability
from url_viz.analysis.evaluation import DECILES, NEAREST, CountedPictures, Evaluated, deciles
from url_viz.analysis.measures import AMBIGUITY, measure_named
from url_viz.ui.widgets.charts import GREY, coverage_figure, curve_colour, plotly_title, quiet

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_WHISKER = "#7a8494"
MOST_DRAWN = 16
"""So many figures of results are kept, each of a set as it is and a measure."""


def shown_at_first(measure: str) -> bool:
    """Whether a curve is drawn before its name is clicked: all but the baselines, of which one is enough."""
    return not measure_named(measure).is_baseline or measure == NEAREST


@lru_cache(maxsize=MOST_DRAWN)
def intervals_figure(results: Evaluated) -> "Figure":
    """R-AUROC of each measure with its 95 % interval, in their order from the top; chance is dotted."""
    import plotly.graph_objects as go

    measures = results.measures
    titles = [plotly_title(measure.name) for measure in measures]
    scores = np.array([measure.auroc.value for measure in measures])
    figure = go.Figure(
        go.Scatter(
            x=scores,
            y=titles,
            mode="markers",
            marker={"size": 9, "color": [curve_colour(measure.name) for measure in measures]},
            customdata=[[measure.auroc.interval.low, measure.auroc.interval.high] for measure in measures],
            hovertemplate="%{y}: %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>",
        )
    )
    for measure, title in zip(measures, titles, strict=True):
        figure.add_scatter(
            x=[measure.auroc.interval.low, measure.auroc.interval.high],
            y=[title, title],
            mode="lines",
            hoverinfo="skip",
            line={"color": curve_colour(measure.name), "width": 3},
        )
    intervals = [measure.auroc.interval for measure in measures]
    ends = [0.5, *(end for interval in intervals for end in (interval.low, interval.high) if np.isfinite(end))]
    figure.add_vline(x=0.5, line={"color": GREY, "dash": "dot", "width": 1.4})
    figure.update_xaxes(title="R-AUROC (.5 is chance)", range=[min(ends) - 0.02, max(ends) + 0.02])
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    return quiet(figure, height_px=350)


@lru_cache(maxsize=MOST_DRAWN)
def curves_of_coverage(results: Evaluated) -> "Figure":
    """Recall@1 of the kept queries by all measures; most baselines are hidden at first."""
    pictures, curves = results.pictures, {measure.name: measure.curve for measure in results.measures}
    hidden = [name for name in curves if not shown_at_first(name)]
    return coverage_figure(curves, oracle=pictures.oracle, recall=pictures.recall, hidden=hidden, height_px=350)


@lru_cache(maxsize=MOST_DRAWN)
def deciles_figure(pictures: CountedPictures, measure: str) -> "tuple[pd.DataFrame, Figure]":
    """The deciles of a measure; and recall@1 by them with 95 % intervals, the recall of all pictures dotted."""
    import plotly.graph_objects as go

    tenths = deciles(pictures.values[measure], pictures.is_right)
    middles = 100 * (np.arange(DECILES) + 0.5) / DECILES
    recall_of, low, high = (100 * tenths[name].to_numpy() for name in ("recall", "recall_low", "recall_high"))
    figure = go.Figure(
        go.Bar(
            x=middles,
            width=76 / DECILES,
            y=recall_of,
            marker={"color": curve_colour(measure), "opacity": 0.6},
            error_y={
                "type": "data",
                "array": high - recall_of,
                "arrayminus": recall_of - low,
                "color": _WHISKER,
                "thickness": 1.6,
                "width": 3,
            },
            customdata=tenths["pictures"],
            hovertemplate="%{y:.1f} % of %{customdata} pictures<extra></extra>",
        )
    )
    figure.add_hline(y=100 * pictures.recall, line={"color": GREY, "dash": "dot", "width": 1.4})
    figure.update_xaxes(title=f"{plotly_title(measure)}, percentile", range=[0, 100], dtick=20)
    figure.update_yaxes(title="Recall@1 (%)", range=[0, 102])
    return tenths, quiet(figure, height_px=330)


def reliability_figure(found: Reliability) -> "Figure":
    """How often the label is the first class, by the share that was told of it; the diagonal is perfect."""
    import plotly.graph_objects as go

    figure = go.Figure(
        [
            go.Scatter(x=[0, 100], y=[0, 100], mode="lines", line={"color": GREY, "dash": "dot", "width": 1.4}),
            go.Scatter(
                x=100 * found.share,
                y=100 * found.right,
                mode="lines+markers",
                line={"color": curve_colour(AMBIGUITY.name), "width": 2},
                marker={"size": 7},
            ),
        ]
    )
    figure.update_traces(hovertemplate="%{x:.0f} % given, %{y:.0f} % right<extra></extra>", showlegend=False)
    figure.update_xaxes(title="Share of the first class (%)", range=[0, 102])
    figure.update_yaxes(title="The label is that class (%)", range=[0, 102])
    return quiet(figure, height_px=330)
