"""The crop test on the Evaluate page: each measure of whole pictures against their crops; it needs no labels."""

import weakref
from functools import partial
from weakref import ReferenceType

import numpy as np
import streamlit as st

from url_viz.analysis.evidence.order_metrics import share_of
from url_viz.analysis.measures import quoted
from url_viz.analysis.outside.crop_test import TESTED, CropTest, Subject, crop_test
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.roots import is_in_bucket
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.download import download_table
from url_viz.wording import percent

CROP_ASKED: Key[str] = Key("page.crop_asked")
"""The version of the set whose crop test was asked for, until it has ended."""
CROP_TEST: "Key[tuple[ReferenceType[ImageSet], CropTest]]" = Key("evaluate.crop.result")

SIZES = (100, 200, 500, 1000)
SEED = 0


def show_crop_test(image_set: ImageSet) -> None:
    """The button, the progress, and the result, which is stored for this snapshot of the set."""
    st.header("Crop test", anchor=False)
    single_model = f", by {image_set.source.title} alone" if image_set.second.active else ""
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
    first = np.unique(image_set.contents, return_index=True)[1]
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
