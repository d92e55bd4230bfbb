"""Parts of the Evaluate page: figures, coverage curves, deciles, classes, and the crop test."""

import weakref
from functools import partial
from weakref import ReferenceType

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import percent
from url_viz.base.workspace import is_in_bucket
from url_viz.columns.measures import measure_title, quoted
from url_viz.columns.ranking import percentile
from url_viz.drawing.tiles import tile_of, value_text
from url_viz.evidence.evaluation import NEEDED, CountedPictures, Evaluated, MeasureFigures, by_class, by_two_models
from url_viz.evidence.order_metrics import share_of, spearman
from url_viz.image_set import ImageSet
from url_viz.labels.calibration import MIN_LABELLED, reliability
from url_viz.outside.occlusion import TESTED, CropTest, Subject, crop_test
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.buttons import download_table, offered
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


def show_without_classes(image_set: ImageSet) -> None:
    """Say what evaluation needs, and how similar two orders are without classes."""
    st.info(
        f"{NEEDED} Recall@1, R-AUROC and risk–coverage appear once the folder has them.",
        icon=":material/label:",
    )
    table = image_set.table()
    both = table[["uncertainty", "confusability"]].dropna()
    rho = spearman(both["uncertainty"], both["confusability"])
    if np.isfinite(rho):
        st.markdown(
            f"Without classes: “General model” and “Easily mistaken” have a rank correlation of **{rho:.2f}** over "
            f"{len(both):,} pictures. This says how similar the two orders are, not which of them is right."
        )


def show_recall(results: Evaluated) -> None:
    """Recall@1 with its interval and sample, and which of two measures without classes predicts errors better."""
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with left:
        st.metric(
            "Recall@1",
            f"{100 * results.pictures.recall:.1f} %",
            help="How often the nearest other picture, near copies aside, has the same class",
        )
    with right:
        st.markdown(escape(f"{results.recall_words} {results.verdict}"))


def show_intervals(image_set: ImageSet, results: Evaluated) -> None:
    """R-AUROC of every measure with its interval, as a figure."""
    name = f"{image_set.root.name}-measures"
    _title("How well each measure predicts errors", results.table(), name, key="measures")
    if any(np.isfinite(measure.auroc.value) for measure in results.measures):
        show_figure(
            cached_result(image_set, intervals_figure, results),
            key="evaluate.intervals",
            alt="R-AUROC of each measure with its interval; the table below has the numbers",
            svg=name,
        )
    else:
        st.caption("No measure has an R-AUROC here.")


def show_measures(image_set: ImageSet, results: Evaluated) -> None:
    """Every measure's figures with intervals, as a table, and how to read them."""
    st.dataframe(results.shown(), hide_index=True, width="stretch", alt="The figures of each measure")
    if results.gaps:
        st.caption(escape(results.gaps))
    st.caption(escape(results.how_to_read))
    if second := image_set.core.second.active:
        st.caption(escape(by_two_models(second.title)))


def show_reliability(image_set: ImageSet) -> None:
    """Whether shares are shares of cases here, as a figure and a sentence; few pictures have none."""
    shown = image_set.cached_of_table(reliability)
    if shown is None:
        st.caption(f"Calibration can be measured with {MIN_LABELLED} labelled pictures or more.")
        return
    table = pd.DataFrame({"share": shown.share, "right": shown.right})
    _title("Calibration: how often a share is right", table, f"{image_set.root.name}-shares", key="shares")
    show_figure(
        reliability_figure(shown),
        key="evaluate.reliability",
        alt="How often the label is the first class, by the share given to that class; the diagonal is perfect",
        svg=f"{image_set.root.name}-shares",
    )
    st.caption(escape(shown.words))


def show_coverage(image_set: ImageSet, results: Evaluated) -> None:
    """Recall@1 of the kept queries, with the least certain left out."""
    table = coverage_table(results.pictures, results.measures)
    _title("Leaving out the most ambiguous", table, f"{image_set.root.name}-coverage", key="coverage")
    show_figure(
        cached_result(image_set, curves_of_coverage, results),
        key="evaluate.coverage",
        alt="Recall@1 of the pictures kept as the most ambiguous are left out, a curve for each measure",
        svg=f"{image_set.root.name}-coverage",
    )
    st.caption(
        "Click a name to show or hide its curve. A good order stays near the oracle, a random one near the dotted line."
    )


def coverage_table(pictures: CountedPictures, measures: tuple[MeasureFigures, ...]) -> pd.DataFrame:
    """Coverage, and recall@1 of the kept queries by each measure and by an oracle, at the points of the curves."""
    oracle = pictures.oracle
    curves = {measure.name: measure.curve.recall for measure in measures}
    return pd.DataFrame({"coverage": oracle.coverage, "oracle": oracle.recall, **curves})


def pick_measure(results: Evaluated) -> str:
    """The measure that deciles and classes show."""
    names = list(results.pictures_of)
    picked = st.segmented_control(
        "Deciles and classes by",
        names,
        default=names[0],
        required=True,
        format_func=lambda name: escape(measure_title(name)),
        key="evaluate.measure." + "-".join(names),
    )
    return picked if picked in names else names[0]


def show_deciles(image_set: ImageSet, pictures: CountedPictures, *, measure: str) -> None:
    """Recall@1 by deciles of a measure."""
    tenths, figure = cached_result(image_set, deciles_figure, pictures, measure)
    _title("From the least to the most ambiguous", tenths, f"{image_set.root.name}-tenths-{measure}", key="deciles")
    show_figure(
        figure,
        key="evaluate.deciles",
        alt="Recall@1 of each tenth of the pictures, from the least to the most ambiguous",
        svg=f"{image_set.root.name}-tenths-{measure}",
    )
    st.caption("With a good measure, recall falls from left to right. Dotted: all pictures.")


def show_classes(image_set: ImageSet, pictures: CountedPictures, *, measure: str) -> None:
    """The table of classes, and the pictures of the selected class."""
    table, column = cached_result(image_set, classes_by, pictures, measure), st.column_config
    _title(f"Classes · {len(table):,}", table, f"{image_set.root.name}-classes-{measure}", key="classes")
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
            "pictures": column.NumberColumn("Pictures", format="localized"),
            "recall": column.ProgressColumn("Recall@1", format="%.0f %%", min_value=0, max_value=100),
            "mean_percentile": column.NumberColumn(
                "Mean percentile", format="%.0f", help=f"Of {quoted(measure)}, among all counted pictures"
            ),
            "r_auroc": column.NumberColumn(
                "R-AUROC",
                format="%.2f",
                help="Empty if the whole class is right, or wrong; unreliable for few pictures",
            ),
            "taken_for": column.TextColumn("Most often mistaken for"),
        },
        key=f"evaluate.classes.{measure}",
        alt="Each class with its pictures and recall@1",
    )
    rows = event["selection"]["rows"]
    if not rows:
        st.caption("Click a heading to sort, or tick a row to see the pictures of that class.")
        return
    _show_class(image_set, pictures, label=str(table["label"].iloc[rows[0]]), measure=measure)


def classes_by(pictures: CountedPictures, measure: str) -> pd.DataFrame:
    """The table of classes, that with the lowest recall first."""
    table = by_class(pictures, measure)
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


def _title(title: str, table: pd.DataFrame, name: str, *, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.header(f"{escape(title)}", width="stretch", anchor=False)
        download_table("CSV", table, file_name=f"{name}.csv", key=f"evaluate.csv.{key}")


CROP_ASKED: Key[str] = Key("page.crop_asked")
"""The version of the set whose crop test was asked for, until it has ended."""
CROP_TEST: "Key[tuple[ReferenceType[ImageSet], CropTest]]" = Key("evaluate.crop.result")

SIZES = (100, 200, 500, 1000)
SEED = 0


def show_crop_test(image_set: ImageSet) -> None:
    """The button, the progress, and the result, which is stored for this snapshot of the set."""
    st.header("Crop test", anchor=False)
    single_model = f", by {image_set.source.title} alone" if image_set.core.second.active else ""
    st.caption(
        "Compares each picture with its own centre crop (10 to 75 % of its side, scaled back up). A crop shows less "
        "than the whole picture, so a good order ranks it as more ambiguous. 50 % is chance; no classes are needed. "
        f"“Torn between classes” and “Easily mistaken” leave out the picture and its near copies{escape(single_model)}."
    )
    if is_in_bucket(image_set.root):
        st.caption("It needs files in a folder, and the pictures of this set are in object storage.")
        return
    size = _pick_size(len(image_set))
    ask = partial(CROP_ASKED.set, image_set.version)
    st.button("Run the crop test", icon=":material/crop:", key="evaluate.crop.run", on_click=ask)
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


def show_evaluation(image_set: ImageSet) -> None:
    """How well each measure orders the set, with intervals and baselines."""
    if is_growing(image_set.set_id):
        st.caption("The figures appear once reading has finished. Until then they would change with every picture.")
        end_page()
    with st.spinner(f"Computing intervals on {len(image_set):,} pictures"):
        results = image_set.cached(ImageSet.evaluate)
    if results is None:
        show_without_classes(image_set)
        show_crop_test(image_set)
        end_page()
    show_recall(results)
    left, right = st.columns(2, gap="large")
    with left:
        show_intervals(image_set, results)
    with right:
        show_coverage(image_set, results)
    show_measures(image_set, results)
    measure = pick_measure(results)
    left, right = st.columns(2, gap="large")
    with left:
        show_deciles(image_set, results.pictures_of[measure], measure=measure)
    with right:
        show_reliability(image_set)
        show_crop_test(image_set)
    show_classes(image_set, results.pictures_of[measure], measure=measure)
    options = offered(image_set)
    show_opened(image_set, measure=measure if measure in options or not options else options[0])
