"""Does the order hold: a verdict, a table of orders and baselines, one chart, and what can be tried beyond."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from weakref import ReferenceType

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, percent
from url_viz.base.workspace import is_in_bucket
from url_viz.columns.measures import every_measure, measure_title, quoted
from url_viz.columns.ranking import percentile
from url_viz.drawing.tiles import tile_of, value_text
from url_viz.evidence.compare import DEFINITIONS as OF_TWO_MODELS
from url_viz.evidence.compare import DIFFERENCE, Comparison
from url_viz.evidence.evaluation import (
    DEFINITIONS,
    NEEDED,
    CountedPictures,
    Evaluated,
    by_class,
    by_two_models,
)
from url_viz.evidence.order import FEWEST_WRONG, verdict_in_words
from url_viz.evidence.order_metrics import share_of, spearman
from url_viz.image_set import ImageSet
from url_viz.labels.calibration import MIN_LABELLED, reliability
from url_viz.outside.occlusion import TESTED, CropTest, Subject, crop_test
from url_viz.ui.compare_models import comparison_of, pick_second, second_named, show_agreement
from url_viz.ui.leaving_out import show_evidence
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.buttons import control_of, download_table, offered
from url_viz.ui.widgets.charts import (
    cached_result,
    curves_of_coverage,
    deciles_figure,
    intervals_figure,
    reliability_figure,
    show_figure,
)
from url_viz.ui.widgets.embed_job import is_growing
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.picture import open_picture, show_opened

MOST_TILES = 12
CROP_TEST_S = 0.7
"""Seconds a picture."""
FOLDED = ("AURC", "Lead over nearest similarity", "Pictures")
"""Columns of the table that its own menu shows."""

CHART: Key[str] = Key("view.evaluate.chart")
BY: Key[str] = Key("view.evaluate.by")
"""The measure of the charts that are of one."""
WITHOUT = Key[bool]("evaluate.leaving_out")


def show_evaluation(image_set: ImageSet) -> None:
    """Whether the order holds: the verdict, every order beside the baselines, and beside another model's."""
    if is_growing(image_set.set_id):
        st.caption("The figures appear once reading has finished. Until then they would change with every picture.")
        end_page()
    with st.spinner(f"Computing intervals on {len(image_set):,} pictures"):
        results = image_set.cached(ImageSet.evaluate)
    if results is None:
        show_without_classes(image_set)
    else:
        show_verdict(image_set, results)
    numbers = show_orders(image_set, results)
    measure = offered(image_set)[0] if offered(image_set) else ""
    if results is not None:
        measure = show_chart(image_set, results, numbers)
        show_leaving_out(image_set, results)
    with st.expander("Crop test: needs no classes", icon=":material/crop:"):
        show_crop_test(image_set)
    options = offered(image_set)
    show_opened(image_set, measure=measure if measure in options or not options else options[0])


def show_without_classes(image_set: ImageSet) -> None:
    """Say what it takes to see whether an order holds, and how similar two orders are without classes."""
    st.markdown("**Without classes, nothing shows how well the order holds.**")
    st.info(escape(image_set.core.in_words(NEEDED)), icon=":material/label:")
    both = image_set.table()[["uncertainty", "confusability"]].dropna()
    rho = spearman(both["uncertainty"], both["confusability"])
    if np.isfinite(rho):
        st.caption(
            f"“General model” and “Easily mistaken” have a rank correlation of **{rho:.2f}** over "
            f"{escape(counted(len(both), image_set.noun))}: how similar the two orders are, not which of them is right."
        )


def show_verdict(image_set: ImageSet, results: Evaluated) -> None:
    """How well the leading order holds, and how often the nearest picture has the same class."""
    measure = _judged_order(image_set, results)
    judged, wrong = results.pictures_of[measure], int((~results.pictures_of[measure].is_right).sum())
    verdict = verdict_in_words(measure, results.figure(measure), wrong=wrong, judged=len(judged))
    said = image_set.core.in_words(verdict or results.verdict)
    said = said[:1].upper() + said[1:]
    sentence, colon, why = said.partition(": ")
    st.markdown(Markdown(f"**{escape(sentence)}**{escape(colon + why)}"))
    pictures = results.pictures
    words = f"The nearest has the same class for {percent(pictures.recall, digits=1)} of {len(pictures):,} pictures"
    wrong = int((~pictures.is_right).sum())
    rests = f"; all figures below rest on the {wrong:,} others" if 0 < wrong < FEWEST_WRONG else ""
    st.caption(
        escape(image_set.core.in_words(f"{words} (recall@1){rests}.")),
        help=escape(
            image_set.core.in_words(
                f"Nearest by cosine in the set's whitened space, near copies aside. {results.recall_words}"
            )
        ),
    )


def _judged_order(image_set: ImageSet, results: Evaluated) -> str:
    """The leading order, or the first that has figures."""
    leading = image_set.order().measure
    return leading if leading is not None and leading in results.pictures_of else next(iter(results.pictures_of))


def show_orders(image_set: ImageSet, results: Evaluated | None) -> pd.DataFrame:
    """The table of orders and baselines; with another model, how far it agrees, and where it does not.

    Returns its numbers.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if results is not None:
            what = _what_is_compared(image_set, results)
            st.header("Orders and baselines", width="stretch", anchor=False, help=escape(what))
        name = pick_second(image_set)
    second = None if name is None else second_named(image_set, name)
    comparison = None
    if second is not None:
        with st.spinner(f"Comparing {len(image_set):,} pictures"):
            comparison = comparison_of(image_set, second)
    shown, numbers = orders_table(results, comparison)
    if shown.empty:
        return numbers
    meanings = {**DEFINITIONS, **OF_TWO_MODELS, "Measure": _orders_in_words(shown["Measure"])}
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={
            column: st.column_config.TextColumn(
                "Order" if column == "Measure" else image_set.core.in_words(column),
                help=f"{meanings[column][:1].upper()}{meanings[column][1:]}",
            )
            | {"hidden": column in FOLDED}
            for column in map(str, shown)
        },
        placeholder="–",
        alt="The figures of each order",
    )
    if results is not None and results.gaps:
        st.caption(escape(results.gaps))
    if second is not None and comparison is not None:
        show_agreement(image_set, second, comparison)
    return numbers


def _orders_in_words(titles: "pd.Series[str]") -> str:
    """What each order is."""
    meanings = [f"{each.title}: {each.meaning}" for each in every_measure() if titles.str.startswith(each.title).any()]
    return "\n\n".join(["Higher means more ambiguous, by every order.", *meanings])


def _what_is_compared(image_set: ImageSet, results: Evaluated) -> str:
    """What keeps orders from being compared without thought."""
    second = image_set.core.second.active
    by_two = by_two_models(second.title) if second else ""
    return " ".join(filter(None, (results.what_is_fair, results.verdict, by_two)))


def orders_table(results: Evaluated | None, comparison: Comparison | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the table of orders, for people and as numbers; with a comparison, its columns beside the others."""
    if results is None:
        if comparison is None or not comparison.measures:
            return pd.DataFrame(), pd.DataFrame()
        return comparison.shown().drop(columns="Difference in R-AUROC"), comparison.table()
    shown, numbers = results.shown(), results.table()
    if comparison is None or not comparison.measures:
        return shown, numbers
    beside = comparison.shown()
    joined = shown.merge(beside.drop(columns="Knows"), "left", on="Measure")
    not_judged = beside[~beside["Measure"].isin(shown["Measure"])].drop(columns=DIFFERENCE)
    numbers = numbers.merge(comparison.table(), "outer" if len(not_judged) else "left", on="measure")
    return pd.concat([joined, not_judged], ignore_index=True), numbers


class Chart(NamedTuple):
    """A chart of the tab: what draws it, what it shows, and whether it is of one order."""

    draw: Callable[..., None]
    meaning: str
    is_of_one: bool = False


def show_chart(image_set: ImageSet, results: Evaluated, numbers: pd.DataFrame) -> str:
    """The chart that is chosen, by the order that is chosen where it is of one; returns that order.

    The `numbers` of the table stand below the chart of them.
    """
    chosen, names = CHART.get(), list(results.pictures_of)
    title = chosen if chosen in CHARTS else next(iter(CHARTS))
    by = BY.get()
    measure = by if by in names else _judged_order(image_set, results)
    meanings = Markdown("\n\n".join(f"**{escape(name)}**: {escape(each.meaning)}" for name, each in CHARTS.items()))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.segmented_control(
            "Chart",
            list(CHARTS),
            format_func=escape,
            default=title,
            required=True,
            help=meanings,
            **control_of(CHART, title, options=tuple(CHARTS)),
        )
        if CHARTS[title].is_of_one:
            st.selectbox(
                "Order of the chart",
                names,
                index=names.index(str(measure)),
                format_func=lambda name: f"Order: {measure_title(name)}",
                label_visibility="collapsed",
                width=260,
                **control_of(BY, str(measure), options=tuple(names)),
            )
    if CHARTS[title].is_of_one:
        CHARTS[title].draw(image_set, results.pictures_of[str(measure)], measure=measure)
    else:
        CHARTS[title].draw(image_set, results)
    if CHARTS[title].draw is show_intervals:
        _below(numbers, f"{image_set.root.name}-measures", key="measures")
    return str(measure)


def show_intervals(image_set: ImageSet, results: Evaluated) -> None:
    """R-AUROC of every measure with its interval, as a figure."""
    if not any(np.isfinite(results.figure(measure).value) for measure in results.measures):
        st.caption("No order has an R-AUROC here.")
        return
    show_figure(
        cached_result(image_set, intervals_figure, results),
        key="evaluate.intervals",
        alt="R-AUROC of each order with its interval; the table above has the numbers",
        svg=f"{image_set.root.name}-measures",
    )


def show_reliability(image_set: ImageSet, _: Evaluated) -> None:
    """Whether shares are shares of cases here, as a figure and a sentence; few pictures have none."""
    shown = image_set.cached_of_table(reliability)
    if shown is None:
        st.caption(f"This can be measured with {MIN_LABELLED} labelled pictures or more.")
        return
    name = f"{image_set.root.name}-shares"
    show_figure(
        reliability_figure(shown),
        key="evaluate.reliability",
        alt="How often the label is the first class, by the share given to that class; the diagonal is perfect",
        svg=name,
    )
    _below(pd.DataFrame({"share": shown.share, "right": shown.right}), name, key="shares", words=shown.words)


def show_coverage(image_set: ImageSet, results: Evaluated) -> None:
    """Recall@1 of the kept queries, with the least certain left out."""
    name = f"{image_set.root.name}-coverage"
    show_figure(
        cached_result(image_set, curves_of_coverage, results),
        key="evaluate.coverage",
        alt="Recall@1 of the pictures kept as the most ambiguous are left out, a curve for each order",
        svg=name,
    )
    words = "Click a name to show or hide its curve."
    _below(coverage_table(results), name, key="coverage", words=words)


def coverage_table(results: Evaluated) -> pd.DataFrame:
    """Coverage, and recall@1 of the kept queries by each measure and by an oracle, at the points of the curves."""
    oracle = results.pictures.oracle
    curves = {measure: results.curve(measure).recall for measure in results.measures}
    return pd.DataFrame({"coverage": oracle.coverage, "oracle": oracle.recall, **curves})


def show_deciles(image_set: ImageSet, pictures: CountedPictures, *, measure: str) -> None:
    """Recall@1 by deciles of a measure."""
    tenths, figure = cached_result(image_set, deciles_figure, pictures, measure)
    name = f"{image_set.root.name}-tenths-{measure}"
    alt = "Recall@1 of each tenth of the pictures, from the least to the most ambiguous"
    show_figure(figure, key="evaluate.deciles", alt=alt, svg=name)
    _below(tenths, name, key="deciles")


def show_classes(image_set: ImageSet, pictures: CountedPictures, *, measure: str) -> None:
    """The table of classes, and the pictures of the selected class."""
    table, column = cached_result(image_set, classes_by, pictures, measure), st.column_config
    event = st.dataframe(
        table.assign(recall=100 * table["recall"]),
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(table)),
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_config={
            "label": column.TextColumn("Class"),
            "pictures": column.NumberColumn(image_set.core.in_words("Pictures"), format="localized"),
            "recall": column.ProgressColumn("Recall@1", format="%.0f %%", min_value=0, max_value=100),
            "mean_percentile": column.NumberColumn(
                "Mean percentile", format="%.0f", help=f"Of {quoted(measure)}, among all counted pictures"
            ),
            "r_auroc": column.NumberColumn(
                "R-AUROC",
                format="%.2f",
                help=f"Of classes with {FEWEST_WRONG} wrong and {FEWEST_WRONG} right or more: fewer tell nothing",
            ),
            "taken_for": column.TextColumn("Most often mistaken for"),
        },
        key=f"evaluate.classes.{measure}",
        alt="Each class with its pictures and recall@1",
    )
    rows = event["selection"]["rows"]
    words = "" if rows else f"{counted(len(table), 'class')}. Tick a row to see its pictures."
    _below(table, f"{image_set.root.name}-classes-{measure}", key="classes", words=words)
    if rows:
        _show_class(image_set, pictures, label=str(table["label"].iloc[rows[0]]), measure=measure)


def classes_by(pictures: CountedPictures, measure: str) -> pd.DataFrame:
    """The table of classes, that with the lowest recall first; an R-AUROC where enough are right, and wrong."""
    table = by_class(pictures, measure)
    right = table["recall"] * table["pictures"]
    is_enough = np.minimum(right, table["pictures"] - right) > FEWEST_WRONG - 0.5
    table["r_auroc"] = table["r_auroc"].where(is_enough)
    return table.sort_values(["recall", "pictures", "label"], ascending=[True, False, True], ignore_index=True)


def _show_class(image_set: ImageSet, pictures: CountedPictures, *, label: str, measure: str) -> None:
    positions = class_order(pictures, label=label, measure=measure)
    wrong = int((~pictures.is_right[positions]).sum())
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text(label, width="content")  # not Markdown: a folder's name may contain markup
        st.caption(f"{wrong:,} of {len(positions):,} have a neighbour of another class (shown first)", width="content")
    positions, ranks = positions[:MOST_TILES], percentile(pictures.values[measure])
    rows = image_set.table().iloc[pictures.rows[positions]][["id", "path"]]
    tiles = tuple(
        tile_of(
            row,
            set_id=image_set.set_id,
            value=value_text(float(pictures.values[measure][position]), float(ranks[position])),
            label=f"nearest: {pictures.nearest_labels[position]}",
            mark=None if pictures.is_right[position] else "wrong",
        )
        for position, row in zip(positions, rows.to_dict("records"), strict=True)
    )
    show_gallery(tiles, key="evaluate.class", empty="No pictures.", columns=6, on_click=open_picture)


def class_order(pictures: CountedPictures, *, label: str, measure: str) -> NDArray[np.int64]:
    """Positions of a class's pictures among the counted ones: wrong before right, then the most ambiguous first."""
    positions = np.flatnonzero(pictures.labels == label)
    return positions[np.lexsort((-pictures.values[measure][positions], pictures.is_right[positions]))]


CHARTS = {
    "R-AUROC": Chart(show_intervals, "the first column of the table. Dotted: chance."),
    "Leaving out": Chart(
        show_coverage,
        "recall@1 of what is kept as the most ambiguous are left out. A good order stays near the oracle, a random one "
        "near the dotted line.",
    ),
    "Tenths": Chart(
        show_deciles,
        "recall@1 of each tenth, the least ambiguous first. With a good order it falls. Dotted: all pictures.",
        is_of_one=True,
    ),
    "Shares": Chart(
        show_reliability,
        "how often the label is the class that has this share of a picture's look-alikes. On the diagonal, a share of "
        "70 % is right 70 times in 100.",
    ),
    "Classes": Chart(show_classes, "recall@1 of each class, and what it is mistaken for.", is_of_one=True),
}


def _below(table: pd.DataFrame, name: str, *, key: str, words: str = "") -> None:
    """A sentence on a chart, and its numbers to download."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", gap="small"):
        if words:
            st.caption(escape(words), width="stretch")
        download_table("CSV", table, file_name=f"{name}.csv", key=f"evaluate.csv.{key}")


def show_leaving_out(image_set: ImageSet, results: Evaluated) -> None:
    """Whether refusing and leaving out help a search, computed once it is opened."""
    measure = _judged_order(image_set, results)
    title = "Does leaving out help a search?"
    folded = st.expander(title, icon=":material/filter_alt:", key=WITHOUT, on_change="rerun")
    if folded.open:
        with folded:
            show_evidence(image_set, measure=measure)


CROP_ASKED: Key[str] = Key("page.crop_asked")
"""The version of the set whose crop test was asked for, until it has ended."""
CROP_TEST: "Key[tuple[ReferenceType[ImageSet], CropTest]]" = Key("evaluate.crop.result")

SIZES = (100, 200, 500, 1000)
SEED = 0


def show_crop_test(image_set: ImageSet) -> None:
    """The button, the progress, and the result, which is stored for this snapshot of the set."""
    single_model = f" Both by {image_set.source.title} alone." if image_set.core.second.active else ""
    if is_in_bucket(image_set.root):
        st.caption("It needs files in a folder, and the pictures of this set are in object storage.")
        return
    size = _pick_size(len(image_set))
    minutes = "under a minute" if size * CROP_TEST_S < 55 else f"about {max(1, round(size * CROP_TEST_S / 60)):,} min"
    st.caption(f"Takes {minutes} on two CPU cores. It runs on this page: leaving it ends the test.")
    ask = partial(CROP_ASKED.set, image_set.version)
    st.button(
        "Run the crop test",
        icon=":material/crop:",
        key="evaluate.crop.run",
        on_click=ask,
        help=escape(
            "Compares each picture with its own centre crop (10 to 75 % of its side, scaled back up). A crop shows "
            "less than the whole picture, so a good order ranks it as more ambiguous. 50 % is chance. “Torn between "
            f"classes” and “Easily mistaken” leave out the picture and its near copies.{single_model}"
        ),
    )
    if CROP_ASKED.get() == image_set.version:  # it begins again where a click has ended its run
        _run(image_set, size)
    stored = CROP_TEST.get()
    if stored is not None and stored[0]() is image_set:
        _show_result(image_set, stored[1])


def crop_sample(image_set: ImageSet, size: int, *, seed: int = SEED) -> list[Subject]:
    """At most `size` distinct pictures, sampled with a seed, ordered by path."""
    first = np.unique(image_set.core.contents, return_index=True)[1]
    rows = np.sort(np.random.default_rng(seed).permutation(np.sort(first))[:size])
    ids, names = (image_set.table()[column].iloc[rows].tolist() for column in ("id", "path"))
    return [
        Subject(image_id, name, partial(image_set.files.data, image_id))
        for image_id, name in zip(ids, names, strict=True)
    ]


def _pick_size(pictures: int) -> int:
    sizes = [size for size in SIZES if size < pictures]
    options = [*sizes, pictures] if len(sizes) < len(SIZES) else sizes
    picked = st.segmented_control(
        "Pictures to test",
        options,
        default=options[min(1, len(options) - 1)],
        required=True,
        format_func=lambda size: f"all {size:,}" if size == pictures else f"{size:,}",
        key=f"evaluate.crop.size.{pictures}",
    )
    return picked if picked in options else options[0]


def _run(image_set: ImageSet, size: int) -> None:
    bar, sample = st.progress(0.0, text="Loading the model"), crop_sample(image_set, size)
    try:
        reference = image_set.core.reference(is_single_model=True)
        with running_model(image_set.source.name, image_set.space) as model:
            for done, so_far in crop_test(model, sample, reference=reference, seed=SEED):
                test = so_far
                bar.progress(done / len(sample), text=f"Reading and cropping · {done:,} of {len(sample):,}")
        CROP_TEST.set((weakref.ref(image_set), test))
        CROP_ASKED.clear()
    except UrlVizError as error:
        CROP_ASKED.clear()
        show_error(error)
    finally:
        bar.empty()


def _show_result(image_set: ImageSet, test: CropTest) -> None:
    lines = [_line(test, measure, leads=measure == image_set.order().measure) for measure in TESTED]
    st.markdown("  \n".join(filter(None, lines)) or "None of the files could be read.")
    if test.unreadable:
        st.caption(f"{test.unreadable:,} files could not be read and are not counted.")
    download_table(
        "Crop test (CSV)", test.table, file_name=f"{image_set.root.name}-crop-test.csv", key="evaluate.csv.crop"
    )


def _line(test: CropTest, measure: str, *, leads: bool) -> Markdown:
    wins, count = test.wins(measure)
    if not count:
        return Markdown("")
    interval, fraction = share_of(wins, count).interval, percent(wins / count, digits=1)
    title = escape(f"{quoted(measure)}{', which orders this set,' if leads else ''}")
    return Markdown(
        f"{title} is higher on the crop for **{escape(fraction)}** of {count:,} pictures "
        f"(95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} %)."
    )
