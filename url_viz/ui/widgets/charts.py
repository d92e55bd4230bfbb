"""Plotly figures in the map's colours, and the user's own model on an opened picture."""

import html
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import decimal, percent, standing
from url_viz.columns.measures import AMBIGUITY, measure_named, measure_title
from url_viz.evidence.evaluation import DECILES, NEAREST, CountedPictures, Curve, Evaluated, Evidence, deciles
from url_viz.evidence.selective_retrieval import MODES, Mode
from url_viz.image_set import ImageSet
from url_viz.labels.calibration import Reliability
from url_viz.runs.model_accuracy import MODEL_SAYS
from url_viz.ui.text import escape

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter


Results = TypeVarTuple("Results")
Made = TypeVar("Made")

MOST_POINTS = 4_000
"""Most points of a figure, which is SVG: not every machine has WebGL."""
BELOW = {"entrywidth": 1, "entrywidthmode": "fraction", "font": {"size": 11}}
"""A legend with a line for each entry: names of orders are too long for two columns of a narrow figure."""
SAVE_PX = 34
"""Room above a drawing for the button that saves it."""

_RAMPS = {
    "light": ("#3b527c", "#634e93", "#8b4e9e", "#ad5695", "#c6617c", "#db6a56", "#ed7200"),
    "dark": ("#435b85", "#7a529a", "#ac57a9", "#d070a6", "#e88f98", "#f8ad7f", "#ffca57"),
}
"""The map's ramp, clear to ambiguous, in even steps."""
GREY = "#8b95a5"
_WHISKER = "#7a8494"
_QUIET = "rgba(128, 136, 150, 0.34)"
_BROUGHT = "#6f5bb5"
_MODE_COLOURS: dict[Mode, str] = {"database": "#0072b2", "both": "#009e73", "queries": "#d55e00"}
MODE_NAMES: dict[Mode, str] = {"database": "Left out", "both": "Both", "queries": "Refused"}


def uploads_figure(uploads: pd.DataFrame, set_xy: NDArray[np.floating], *, threshold: float, title: str) -> "Figure":
    """Uploads (x, y, path, rank_percentile) over points of the set (N, 2); ambiguous ones with thick rings.

    Those without a percentile are grey, and named in a legend.
    """
    import plotly.graph_objects as go

    behind = set_xy[sampled(np.flatnonzero(np.isfinite(set_xy[:, 0])))]
    shown = uploads[np.isfinite(uploads["x"].to_numpy(float))]
    has_rank = np.isfinite(shown["rank_percentile"].to_numpy(float))
    rank = shown["rank_percentile"].to_numpy(float)[has_rank]
    figure = go.Figure(
        go.Scatter(
            x=behind[:, 0], y=behind[:, 1], mode="markers", hoverinfo="skip", marker={"size": 4.5, "color": _QUIET}
        )
    )
    figure.update_traces(showlegend=False)
    bar = {"title": {"text": title, "side": "top"}, "orientation": "h", "thickness": 9, "len": 0.5, "y": -0.06}
    coloured = {
        "color": rank,
        "cmin": 0,
        "cmax": 100,
        "colorscale": colour_scale(),
        "colorbar": bar,
        "line": {"width": np.where(rank >= threshold, 2.4, 0.8)},
    }
    figure.add_trace(_upload_points(shown[has_rank], coloured))
    if not has_rank.all():
        grey = {"color": GREY, "symbol": "diamond", "line": {"width": 0.8}}
        figure.add_trace(_upload_points(shown[~has_rank], grey, name="Unlike this set: no value"))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return quiet(figure, height_px=640, legend=not has_rank.all())


def _upload_points(uploads: pd.DataFrame, marker: Mapping[str, object], *, name: str | None = None) -> "Scatter":
    import plotly.graph_objects as go

    text = []
    for path, rank in zip(uploads["path"], uploads["rank_percentile"].to_numpy(float), strict=True):
        last = path.replace("\\", "/").rsplit("/", 1)[-1]
        short = last if len(last) <= 48 else f"{last[:45]}…"
        words = standing(rank, of=" of the others") if np.isfinite(rank) else "no value"
        text.append(f"<b>{html.escape(short)}</b><br>{words}")
    return go.Scatter(
        x=uploads["x"],
        y=uploads["y"],
        mode="markers",
        customdata=uploads["id"],
        text=text,
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 13, **marker},
        name=name,
        showlegend=name is not None,
    )


def coverage_figure(
    curves: Mapping[str, Curve], *, oracle: Curve, recall: float, hidden: Collection[str] = (), height_px: int = 270
) -> "Figure":
    """Recall@1 of the kept queries by each measure, by an oracle and by a random order (the `recall` of all).

    A click on a name in the legend shows or hides its curve; those of `hidden` measures are hidden at first.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=100 * oracle.coverage, y=100 * oracle.recall, name="Oracle", line={"color": GREY})
    for measure, curve in curves.items():
        figure.add_scatter(
            x=100 * curve.coverage,
            y=100 * curve.recall,
            name=plotly_title(measure),
            line={"color": curve_colour(measure), "width": 2.6},
            visible="legendonly" if measure in hidden else True,
        )
    figure.add_scatter(x=[0, 100], y=[100 * recall] * 2, name="Random", line={"color": GREY, "dash": "dot"})
    figure.update_traces(mode="lines", hovertemplate="%{y:.1f} % of %{x:.0f} % kept")
    figure.update_xaxes(title="Queries kept, least ambiguous first (%)", range=[0, 100])
    figure.update_yaxes(title="Recall@1 (%)")
    return quiet(figure, height_px=height_px, legend=True)


def restriction_figure(evidence: Evidence) -> "Figure":
    """Recall@1 of the three modes by the share of pictures left out, each with as many left out at random."""
    import plotly.graph_objects as go

    figure = go.Figure()
    x = [100 * share for share in evidence.overall]
    for mode in MODES:
        colour = _MODE_COLOURS[mode]
        ours = [100 * comparison.by_uncertainty[mode] for comparison in evidence.overall.values()]
        control = [100 * comparison.at_random[mode] for comparison in evidence.overall.values()]
        figure.add_scatter(x=x, y=ours, name=MODE_NAMES[mode], line={"color": colour, "width": 2.6}, legendgroup=mode)
        figure.add_scatter(
            x=x,
            y=control,
            name=f"{MODE_NAMES[mode]}, at random",
            line={"color": colour, "dash": "dot", "width": 1.4},
            legendgroup=mode,
            showlegend=False,
        )
    figure.update_traces(mode="lines", hovertemplate="%{y:.1f} %")
    figure.update_xaxes(title="Left out of the set (%)")
    figure.update_yaxes(title="Recall@1 (%)")
    return quiet(figure, height_px=270, legend=True).update_layout(legend=BELOW)


def cached_result(image_set: ImageSet, make: Callable[[*Results], Made], *results: *Results) -> Made:
    """`make(*results)` for results of an image set: made once, and freed with the set, unlike a cache of `make`."""
    made: Made = image_set.cached(_made, make, results)
    return made


def _made(_: ImageSet, make: Callable[..., Any], results: tuple[Any, ...]) -> Any:
    return make(*results)


def plotly_title(measure: str) -> str:
    """A measure's name for a figure, without the characters that plotly would read as markup."""
    return measure_title(measure).replace("<", "‹").replace(">", "›")


def curve_colour(measure: str) -> str:
    """A measure's colour, the same in all figures; one colour for all columns that a user brought."""
    return measure_named(measure).colour or _BROUGHT


def sampled(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MOST_POINTS of the rows (M,), sorted; the same in every run."""
    if len(rows) <= MOST_POINTS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False))


def colour_scale() -> list[list[object]]:
    """The map's colour ramp in the page's theme, clear to ambiguous, as plotly takes it."""
    ramp = _RAMPS["dark" if st.context.theme.type == "dark" else "light"]
    return [[position / (len(ramp) - 1), colour] for position, colour in enumerate(ramp)]


def show_figure(figure: "Figure", *, key: str, alt: str, svg: str | None = None) -> None:
    """Draw a figure; `alt` describes it to people who do not see it.

    Of plotly's buttons there is only the one that saves the drawing as an SVG file of the name `svg`, if that is given.
    """
    config: dict[str, object] = {"displayModeBar": False}
    if svg is not None:
        config = {"displayModeBar": True, "displaylogo": False, "modeBarButtons": [["toImage"]]}
        config["toImageButtonOptions"] = {"format": "svg", "filename": svg}
        config |= {"locale": "en", "locales": {"en": {"dictionary": {"Download plot": "Save as SVG"}}}}
        figure.update_layout(margin_t=SAVE_PX, modebar={"bgcolor": "rgba(0,0,0,0)", "color": GREY})
    st.plotly_chart(figure, width="stretch", key=key, config=config, alt=alt)


def quiet(figure: "Figure", *, height_px: int, legend: bool = False) -> "Figure":
    """The figure without frame, background and dragging, `height_px` high."""
    figure.update_layout(
        margin={"l": 0, "r": 14, "t": 8, "b": 0},
        height=height_px,
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode=False,
    )
    return figure


def shown_at_first(measure: str) -> bool:
    """Whether a curve is drawn before its name is clicked: all but the baselines, except for the nearest."""
    return not measure_named(measure).is_baseline or measure == NEAREST


def intervals_figure(results: Evaluated) -> "Figure":
    """R-AUROC of each measure with its 95 % interval, in their order from the top; chance is dotted."""
    import plotly.graph_objects as go

    measures = results.measures
    titles = [plotly_title(measure) for measure in measures]
    colours, figures = [curve_colour(measure) for measure in measures], [results.figure(each) for each in measures]
    intervals = [each.interval for each in figures]
    figure = go.Figure(
        go.Scatter(
            x=[each.value for each in figures],
            y=titles,
            mode="markers",
            marker={"size": 9, "color": colours},
            customdata=[[each.low, each.high] for each in intervals],
            hovertemplate="%{y}: %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>",
        )
    )
    for interval, title, colour in zip(intervals, titles, colours, strict=True):
        figure.add_scatter(
            x=[interval.low, interval.high],
            y=[title, title],
            mode="lines",
            hoverinfo="skip",
            line={"color": colour, "width": 3},
        )
    ends = [0.5, *(end for interval in intervals for end in (interval.low, interval.high) if np.isfinite(end))]
    figure.add_vline(x=0.5, line={"color": GREY, "dash": "dot", "width": 1.4})
    figure.update_xaxes(title="R-AUROC (.5 is chance)", range=[min(ends) - 0.02, max(ends) + 0.02])
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    return quiet(figure, height_px=350)


def curves_of_coverage(results: Evaluated) -> "Figure":
    """Recall@1 of the kept queries by all measures; most baselines are hidden at first."""
    pictures, curves = results.pictures, {measure: results.curve(measure) for measure in results.measures}
    hidden = [name for name in curves if not shown_at_first(name)]
    return coverage_figure(curves, oracle=pictures.oracle, recall=pictures.recall, hidden=hidden, height_px=350)


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


def reliability_figure(reliability: Reliability) -> "Figure":
    """How often the label is the first class, by that class's share; the diagonal is perfect."""
    import plotly.graph_objects as go

    figure = go.Figure(
        [
            go.Scatter(x=[0, 100], y=[0, 100], mode="lines", line={"color": GREY, "dash": "dot", "width": 1.4}),
            go.Scatter(
                x=100 * reliability.share,
                y=100 * reliability.right,
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


def show_model_of(image_set: ImageSet, image_id: int, row: Mapping[str, Any]) -> None:
    """The chosen run on a picture, and the probability of its class over the epochs; nothing without a run."""
    facts, name = model_facts(row), image_set.runs.chosen
    if facts.empty or name is None:
        return
    st.subheader(f"Your model · {escape(name)}", anchor=False)
    st.dataframe(facts, hide_index=True, width="stretch", alt="What your model says of the picture")
    try:
        curves = image_set.runs.get(name).curves(image_id)
    except UrlVizError as error:
        st.caption(escape(error))
        return
    if curves["epoch"].nunique() > 1:
        show_figure(
            curves_figure(curves),
            key=f"picture.curves.{image_id}",
            alt="The probability of the picture's class by epoch, where the model was trained on it and held out",
        )


def model_facts(row: Mapping[str, Any]) -> pd.DataFrame:
    """The facts in MODEL_COLUMNS of a row of the table, one a row: Fact, Value; empty without a run."""
    if not isinstance(row.get("model_class"), str):
        return pd.DataFrame(columns=["Fact", "Value"])
    facts = [("Says", f"{row['model_class']} {percent(row['model_share'])}, then {row['model_second']}")]
    if isinstance(row[MODEL_SAYS], str):
        facts.append(("Against the pictures", row[MODEL_SAYS]))
    if np.isfinite(row["confidence"]):
        forgotten, learnt = row["forgotten"], row["learnt"]
        facts += [
            ("Confidence ± variability", f"{decimal(row['confidence'])} ± {decimal(row['variability'])}"),
            ("Mean margin", decimal(row["mean_margin"])),
            ("First right in epoch", f"{learnt:.3g}" if learnt < row["epochs"] else "none"),
            ("Forgotten", "never" if not forgotten else f"{forgotten:.3g}×"),
        ]
    return pd.DataFrame(facts, columns=["Fact", "Value"])


def curves_figure(curves: pd.DataFrame) -> "Figure":
    """The probability of its class over the epochs (`RunOnSet.curves`): a line for training, one for held out."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for (split, fold), part in curves.groupby(["split", "fold"], sort=False):
        is_trained = split == "train"
        name = "Trained on" if is_trained else "Held out"
        figure.add_scatter(
            x=part["epoch"],
            y=100 * part["probability"],
            name=f"{name} ({fold})".replace("<", "‹") if fold else name,
            mode="lines+markers" if len(part) < 60 else "lines",
            line={"color": "#0072b2" if is_trained else "#d55e00"},
            hovertemplate="%{y:.0f} % in epoch %{x}",
        )
    figure.update_xaxes(title="Epoch")
    figure.update_yaxes(title="Its class (%)", range=[-3, 103])
    return quiet(figure, height_px=170, legend=True)
