"""Parts of the Evaluate page: recall, the table of measures, coverage curves, deciles, and classes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.analysis.evaluation import NEAREST, Counted, Deciles, Measured, by_class, deciles
from url_viz.analysis.measures import AMBIGUITY, CONFUSABILITY, MEASURES, TUNED, is_measure, title_of
from url_viz.analysis.metrics import spearman
from url_viz.analysis.selective_retrieval import FEWEST_PICTURES
from url_viz.image_set import ImageSet
from url_viz.ui.evaluate.charts import deciles_figure, intervals_figure, shown_at_first, with_interval
from url_viz.ui.evaluate.results import Lead, Results
from url_viz.ui.text import Markdown, escape
from url_viz.ui.tiles import Tile, value_text
from url_viz.ui.urls import thumbnail_url
from url_viz.ui.widgets.charts import coverage_figure
from url_viz.ui.widgets.download import download_table
from url_viz.ui.widgets.gallery import show_gallery

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_TILES = 12
_QUIET = {"displayModeBar": False}


def show_without_classes(image_set: ImageSet) -> None:
    """What evaluation needs, and what can be said without classes."""
    st.info(
        f"Evaluation needs classes: at least {FEWEST_PICTURES:d} pictures in two or more class folders, with "
        "neighbours. Recall@1, R-AUROC and risk–coverage appear once the folder has them.",
        icon=":material/label:",
    )
    table = image_set.table()
    both = table[["uncertainty", "confusability"]].dropna()
    rho = spearman(both["uncertainty"], both["confusability"])
    if np.isfinite(rho):
        st.markdown(
            f"Without classes: uncertainty and confusability have a rank correlation of **{rho:.2f}** over "
            f"{len(both):,} pictures. This says how similar the two orders are, not which of them is right."
        )


def show_recall(results: Results) -> None:
    """Recall@1 with its interval and sample, and which of two measures without classes predicts errors better."""
    pictures = results.pictures
    interval = pictures.recall_interval
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with left:
        st.metric(
            "Recall@1",
            f"{100 * pictures.recall:.1f} %",
            help="How often the nearest other picture that is no twin has the same class",
        )
    with right:
        st.markdown(
            f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} %, counted on "
            f"**{len(pictures):,}** pictures of **{pictures.classes:,}** classes{escape(_left_out(pictures))}. "
            f"{verdict(results)}"
        )


def _left_out(pictures: Counted) -> str:
    if not pictures.left_out:
        return ""
    return f"; {pictures.left_out:,} left out (copies, and pictures without a class, neighbours or a value)"


def verdict(results: Results) -> Markdown:
    """Which of uncertainty and confusability predicts errors better, decided by the interval of their difference."""
    right = int(results.pictures.is_right.sum())
    if right in (0, len(results.pictures)):
        which = "right" if right else "wrong"
        return Markdown(f"Every nearest neighbour is {escape(which)}, so there is no R-AUROC.")
    return Markdown("") if results.lead is None else _lead_text(results.lead)


def _lead_text(lead: Lead) -> Markdown:
    first, second = escape(title_of(lead.ahead).lower()), escape(title_of(lead.behind).lower())
    by = escape(with_interval(lead.by, lead.interval, signed=True))
    if lead.interval.low > 0 or lead.interval.high < 0:
        better = "better" if lead.by > 0 else "worse"
        return Markdown(
            f"Of those that know no classes, {first} predicts errors **{escape(better)}** than {second}: difference in "
            f"R-AUROC {by}."
        )
    return Markdown(
        f"Of those that know no classes, {first} and {second} **do not differ clearly** on these pictures: difference "
        f"in R-AUROC {by}."
    )


def show_intervals(image_set: ImageSet, results: Results) -> None:
    """R-AUROC of every measure with its interval, as a figure."""
    name = f"{image_set.root.name}-measures"
    _title("How well each measure predicts errors", measures_table(results.measures), name, key="measures")
    if any(np.isfinite(measure.r_auroc) for measure in results.measures):
        st.plotly_chart(intervals_figure(results.measures), width="stretch", key="evaluate.intervals", config=_QUIET)
    else:
        st.caption("No measure has an R-AUROC here.")


def show_measures(results: Results) -> None:
    """Every measure's figures with intervals, as a table, and how to read them."""
    st.dataframe(measures_shown(results.measures), hide_index=True, width="stretch")
    st.caption(how_to_read([measure.name for measure in results.measures]))


def how_to_read(names: Sequence[str]) -> Markdown:
    """What the figures mean, what each measure knows, and which are baselines."""
    sentences = [
        "R-AUROC: how often a picture whose nearest is of another class ranks above one whose nearest is of the same. "
        "AURC: mean error over all coverages; lower is better. Brackets: intervals of 95 % over classes."
    ]
    if AMBIGUITY.name in names:
        sentences.append(
            "Ambiguity knows the classes that it is judged by, though never a picture's own label or its twins': its "
            "figure says how well it orders this set, and nothing of sets without classes. The others know no classes."
        )
    baselines = [measure.title.lower() for measure in MEASURES if measure.is_baseline and measure.name in names]
    if len(baselines) > 1:
        sentences.append(f"{', '.join(baselines[:-1]).capitalize()} and {baselines[-1]} are baselines.")
    if {CONFUSABILITY.name, NEAREST} <= set(names):
        sentences.append(
            "Confusability is computed from the same neighbours whose correctness it predicts: nearest similarity is "
            "its own baseline, and the last column is the lead over it on the same pictures."
        )
    return escape(" ".join(sentences))


def known_to(measure: str) -> str:
    """What a measure knows of the classes that it is judged by."""
    if measure == AMBIGUITY.name:
        return "your classes"
    if measure == TUNED.name:
        return "your answers"
    return "no classes" if is_measure(measure) else "–"


def measures_shown(measures: tuple[Measured, ...]) -> pd.DataFrame:
    """The table of measures for display: one row per measure, figures with their intervals."""
    return pd.DataFrame(
        {
            "Measure": [title_of(measure.name) for measure in measures],
            "Knows": [known_to(measure.name) for measure in measures],
            "R-AUROC": [with_interval(measure.r_auroc, measure.interval) for measure in measures],
            "AURC": [f"{measure.aurc:.3f}" for measure in measures],
            "Lead over nearest similarity": [
                with_interval(measure.beyond_nearest, measure.beyond_interval, signed=True) for measure in measures
            ],
        }
    )


def measures_table(measures: tuple[Measured, ...]) -> pd.DataFrame:
    """The table of measures as numbers, for other programs."""
    return pd.DataFrame(
        {
            "measure": [measure.name for measure in measures],
            "r_auroc": [measure.r_auroc for measure in measures],
            "r_auroc_low": [measure.interval.low for measure in measures],
            "r_auroc_high": [measure.interval.high for measure in measures],
            "aurc": [measure.aurc for measure in measures],
            "lead_over_nearest_similarity": [measure.beyond_nearest for measure in measures],
            "lead_low": [measure.beyond_interval.low for measure in measures],
            "lead_high": [measure.beyond_interval.high for measure in measures],
        }
    )


def show_coverage(image_set: ImageSet, results: Results) -> None:
    """Recall@1 of the kept queries, with the least certain left out."""
    table = coverage_table(results.pictures, results.measures)
    _title("Leaving out the least certain", table, f"{image_set.root.name}-coverage", key="coverage")
    st.plotly_chart(drawn_coverage(results), width="stretch", key="evaluate.coverage", config=_QUIET)
    st.caption(
        "Click a name to show or hide its curve. A good order stays near the oracle, a random one near the dotted line."
    )


def drawn_coverage(results: Results) -> "Figure":
    """The curves of all measures; most baselines are hidden at first."""
    pictures, curves = results.pictures, {one.name: one.curve for one in results.measures}
    hidden = [name for name in curves if not shown_at_first(name)]
    return coverage_figure(curves, oracle=pictures.oracle, recall=pictures.recall, hidden=hidden, height_px=350)


def coverage_table(pictures: Counted, measures: tuple[Measured, ...]) -> pd.DataFrame:
    """Coverage, and recall@1 of the kept queries by each measure and by an oracle, at the points of the curves."""
    oracle = pictures.oracle
    curves = {measure.name: measure.curve.recall for measure in measures}
    return pd.DataFrame({"coverage": oracle.coverage, "oracle": oracle.recall, **curves})


def pick_measure(results: Results) -> str:
    """The measure that deciles and classes show."""
    names = list(results.pictures.values)
    picked = st.segmented_control(
        "Deciles and classes by",
        names,
        default=names[0],
        required=True,
        format_func=lambda name: escape(title_of(name)),
        key="evaluate.measure." + "-".join(names),
    )
    return picked if picked in names else names[0]


def show_deciles(image_set: ImageSet, pictures: Counted, *, measure: str) -> None:
    """Recall@1 by deciles of a measure."""
    tenths = deciles(pictures.values[measure], pictures.is_right)
    _title("From clear to ambiguous", deciles_table(tenths), f"{image_set.root.name}-tenths-{measure}", key="deciles")
    figure = deciles_figure(tenths, measure=measure, recall=pictures.recall)
    st.plotly_chart(figure, width="stretch", key="evaluate.deciles", config=_QUIET)
    st.caption("With a good measure, recall falls from left to right. Dotted: all pictures.")


def deciles_table(tenths: Deciles) -> pd.DataFrame:
    """Deciles with recall@1, its interval, and the number of pictures, for other programs."""
    return pd.DataFrame(
        {
            "percentile_from": np.arange(len(tenths.recall)) * 10,
            "pictures": tenths.pictures,
            "recall": tenths.recall,
            "recall_low": tenths.low,
            "recall_high": tenths.high,
        }
    )


def show_classes(image_set: ImageSet, pictures: Counted, *, measure: str) -> int | None:
    """The table of classes, and the pictures of the selected class; return the id of a picture that was clicked."""
    table = by_class(pictures, measure)
    table = table.sort_values(["recall", "pictures", "label"], ascending=[True, False, True], ignore_index=True)
    _title(f"Classes · {len(table):,}", table, f"{image_set.root.name}-classes-{measure}", key="classes")
    event = st.dataframe(
        table.assign(recall=100 * table["recall"]),
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(table)),
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_config=_columns(measure),
        key=f"evaluate.classes.{measure}",
    )
    rows = event["selection"]["rows"]
    if not rows:
        st.caption("Click a heading to sort, or the left edge of a row to see the pictures of that class.")
        return None
    return show_class(image_set, pictures, label=str(table["label"].iloc[rows[0]]), measure=measure)


def _columns(measure: str) -> dict[str, Any]:
    column = st.column_config
    return {
        "label": column.TextColumn("Class"),
        "pictures": column.NumberColumn("Pictures", format="localized"),
        "recall": column.ProgressColumn("Recall@1", format="%.0f %%", min_value=0, max_value=100),
        "mean_percentile": column.NumberColumn(
            "Mean percentile", format="%.0f", help=f"Of {title_of(measure).lower()}, among all counted pictures"
        ),
        "r_auroc": column.NumberColumn(
            "R-AUROC", format="%.2f", help="Empty if the whole class is right, or wrong; unreliable for few pictures"
        ),
        "taken_for": column.TextColumn("Most often confused with"),
    }


def show_class(image_set: ImageSet, pictures: Counted, *, label: str, measure: str) -> int | None:
    """The pictures of a class, wrong ones first, then the most ambiguous; return the id of one that was clicked."""
    positions = class_order(pictures, label=label, measure=measure)
    wrong = int((~pictures.is_right[positions]).sum())
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text(label, width="content")  # not Markdown: a folder's name may contain markup
        st.caption(f"{wrong:,} of {len(positions):,} have a neighbour of another class (shown first)", width="content")
    shown = tuple(_tiles(image_set, pictures, positions[:MOST_TILES], measure=measure))
    return show_gallery(shown, key="evaluate.class", empty="No pictures.", columns=6).clicked_id


def class_order(pictures: Counted, *, label: str, measure: str) -> NDArray[np.int64]:
    """Positions of a class's pictures among the counted ones: wrong before right, then the most ambiguous first."""
    positions = np.flatnonzero(pictures.labels == label)
    return positions[np.lexsort((-pictures.values[measure][positions], pictures.is_right[positions]))]


def _tiles(image_set: ImageSet, pictures: Counted, positions: NDArray[np.int64], *, measure: str) -> Iterator[Tile]:
    shown = image_set.table().iloc[pictures.rows[positions]][["id", "path"]]
    for position, (image_id, path) in zip(positions, shown.itertuples(index=False), strict=True):
        yield Tile(
            id=int(image_id),
            name=str(path),
            thumbnail=thumbnail_url(image_set.set_id, int(image_id)),
            value=value_text(float(pictures.values[measure][position]), float("nan")),
            label=f"nearest: {pictures.nearest_labels[position]}",
            mark=None if pictures.is_right[position] else "wrong",
        )


def _title(title: str, table: pd.DataFrame, name: str, *, key: str) -> None:
    """A figure's title, and a download of its numbers."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape(title)}**", width="stretch")
        download_table("CSV", table, file_name=f"{name}.csv", key=f"evaluate.csv.{key}")
