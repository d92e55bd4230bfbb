"""The map of the Explore page: colours, filters, separate maps of selected pictures, and to make it again."""

import time
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.analysis.categories import MOST_CATEGORIES, category_colours, category_names
from url_viz.analysis.filters import Filter, OneOf, kind_of, passes_all
from url_viz.analysis.measures import is_measure
from url_viz.analysis.runs.two_by_two import TRAINING, by_training, has_training
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, cancel_job, why_it_failed
from url_viz.jobs.configs import Method, RefitConfig
from url_viz.jobs.kinds import REFIT
from url_viz.jobs.mapping import Subset, find_map, start_map
from url_viz.ui.explore.controls import VALUE, title_of_measure
from url_viz.ui.explore.view_address import take_set
from url_viz.ui.http import MOST_DRAWN, mask_url
from url_viz.ui.session import (
    MAP,
    OPENED,
    PLACES,
    SPACE,
    SUBSET_IDS,
    SUBSET_MAP,
    ExploreView,
    Key,
    change_view,
    view,
)
from url_viz.ui.text import Markdown, errors_shown, escape, with_toast
from url_viz.ui.urls import card_url, points_url, representatives_url
from url_viz.ui.widgets.embed_job import running, set_name
from url_viz.ui.widgets.filter_controls import set_filter, title_of_column
from url_viz.ui.widgets.jobs import CANCEL_GRACE_S, progress_of
from url_viz.ui.widgets.map import MapView, show_map
from url_viz.ui.widgets.picture import open_picture
from url_viz.ui.widgets.shown_value import control

_DECIDED = ("decision", "tags", "name")
TICK_S = 0.5
NOTABLE_SHARE = 0.1
_TSNE = "This map was laid out with t-SNE."
_NOT_YET = "This is the UMAP map, until t-SNE is ready."
PROBED = 8
"""So many pictures show whether the map was computed again: all of them move then."""


def map_key(image_set: ImageSet) -> Key[MutableMapping[str, object]]:
    """The key of the map that is shown."""
    subset = subset_shown(image_set)
    return MAP.of(image_set.set_id, subset.key if subset is not None else space_shown(image_set))


def space_shown(image_set: ImageSet) -> str:
    """The space of the map that is shown: that which is chosen, or "" where no run has it."""
    return TRAINING if view().space == TRAINING and has_training(image_set.table()) else ""


def pick_space(image_set: ImageSet) -> None:
    """What the map is by, look or training, where a run was recorded over epochs."""
    if has_training(image_set.table()):
        st.segmented_control(
            "Map",
            ["", TRAINING],
            required=True,
            default=view().space,
            format_func=lambda space: Markdown("Map by training" if space else "Map by look"),
            label_visibility="collapsed",
            **control(SPACE, view().space, _choose_space),
        )


def _choose_space(space: str) -> None:
    change_view(space=space, polygon=None)
    PLACES.clear()


def subset_shown(image_set: ImageSet) -> Subset | None:
    """The pictures on a separate map, if any; a map that was dropped meanwhile is started again."""
    key, ids = SUBSET_MAP.get(), SUBSET_IDS.get()
    if space_shown(image_set):
        return None
    if key is None or ids is None:
        return _whole_by_tsne(image_set) if view().is_tsne and len(image_set) else None
    subset = find_map(image_set, key)
    if subset is None:
        _show_subset_map(image_set, ids)
        subset = find_map(image_set, SUBSET_MAP.get() or "")
    return subset


def _whole_by_tsne(image_set: ImageSet) -> Subset | None:
    key = ""
    with errors_shown():
        key = _start_map(image_set, image_set.table()["id"].to_numpy(np.int64))
    return find_map(image_set, key)


def _start_map(image_set: ImageSet, ids: NDArray[np.int64], *, again: bool = False) -> str:
    method: Method = "tsne" if view().is_tsne else "umap"
    return start_map(image_set, ids, method=method, name=set_name(image_set.root), again=again)


def show_subset_button(image_set: ImageSet, rows: pd.DataFrame, *, total: int) -> None:
    """Offer a separate map of the pictures in scope."""
    if 2 < len(rows) < total and SUBSET_MAP.get() is None:
        ids = rows["id"].to_numpy(np.int64)
        st.button(
            "Separate map",
            icon=":material/zoom_in_map:",
            key="alone",
            on_click=_show_subset_map,
            args=(image_set, ids),
            help="Computes a map of these pictures only; you can go back to the full map at any time",
        )


def rows_on_map(image_set: ImageSet, table: pd.DataFrame) -> pd.DataFrame:
    """The table, or its rows on the separate map with their coordinates there; then also shows the way back."""
    if space_shown(image_set):
        return by_training(table)
    subset = subset_shown(image_set)
    if subset is None:
        return table
    show_subset(image_set, subset, on_back=_show_full_map, on_again=partial(_try_again, image_set, subset.ids))
    return subset.table_of(table)


def without_stale_lasso(image_set: ImageSet, now: ExploreView) -> ExploreView:
    """The view without its lasso if the map was computed again since: the lasso would hold other pictures."""
    table, columns = image_set.table(), ["id", "x", "y"]
    table = by_training(table) if space_shown(image_set) else table
    before = PLACES.get()
    PLACES.set(table.head(PROBED)[columns])
    if before is None or now.polygon is None:
        return now
    places = table[np.isin(table["id"].to_numpy(np.int64), before["id"].to_numpy(np.int64))][columns]
    both = before.merge(places, on="id", suffixes=("_before", ""))
    if np.allclose(both[["x_before", "y_before"]].to_numpy(), both[["x", "y"]].to_numpy(), equal_nan=True):
        return now
    change_view(polygon=None)
    st.toast("The map was recomputed, so the selection on it was cleared.", icon=":material/info:")
    return replace(now, polygon=None)


def draw_map(
    image_set: ImageSet, table: pd.DataFrame, now: ExploreView, *, measure: str, colour: str, note: str = ""
) -> None:
    """Draw the map of `table`, pictures outside the filters dimmed."""
    subset, space = subset_shown(image_set), space_shown(image_set)
    shown = map_view(image_set, table, now, measure=measure, colour=colour, subset=subset, space=space)
    shown = replace(shown, ringed_id=OPENED.get(), note=_note(table, note, space=space))
    category = _category(table, colour)
    can_pick = not pd.api.types.is_bool_dtype(table[category])
    on_pick = partial(_pick, category) if can_pick else None
    key = map_key(image_set)
    show_map(shown, key=key, on_pick=on_pick, on_click=open_picture, on_set=partial(take_set, key))


def _category(table: pd.DataFrame, colour: str) -> str:
    """The column whose names the map knows: the one that it is coloured by, else the class."""
    return colour if colour != VALUE and kind_of(table[colour]) != "numeric" else "label"


def map_view(
    image_set: ImageSet,
    table: pd.DataFrame,
    now: ExploreView,
    *,
    measure: str,
    colour: str,
    subset: Subset | None = None,
    space: str = "",
) -> MapView:
    """The map of `table` as `now` has it, on the whole set's map or that of a subset or space."""
    category = _category(table, colour)
    is_category = category == colour
    value = measure if colour == VALUE or is_category else colour
    names = category_names(table, category)
    key, state = (subset.key, subset.state) if subset is not None else ("", "")
    version = str(image_set.decisions.version) if category in _DECIDED else ""
    return MapView(
        points_url=points_url(
            image_set,
            measure=value,
            category=category if len(names) <= MOST_CATEGORIES else None,
            size=measure if now.size == VALUE else now.size or None,
            subset=key,
            space=space,
            state=f"{state}{version}{image_set.runs.chosen if space else ''}",
        ),
        card_url=card_url(image_set, measure=measure),
        mask_url=mask_url(table, passes_all(table, now.filters), measure=value, within=image_set.table()),
        representatives_url="" if space else representatives_url(image_set, subset=key, state=state),
        total=len(table),
        unit=image_set.noun,
        colour="category" if is_category else "value",
        is_of_order=value == measure,
        measure=title_of_measure(value),
        ends=_ends_of(image_set, value),
        categories=names,
        category_title="" if category == "label" else title_of_column(category),
        category_colours=category_colours(names, category),
        threshold_percentile=now.threshold_percentile,
        polygon=now.polygon,
        style=now.style,
        size_title=title_of_measure(measure if now.size == VALUE else now.size) if now.size else "",
        with_representatives=now.representatives,
        with_names=now.names,
        chosen=_chosen(names, category, now.filters),
    )


def _chosen(names: tuple[str, ...], column: str, filters: tuple[Filter, ...]) -> tuple[int, ...]:
    wanted = {name for one in filters if isinstance(one, OneOf) and one.column == column for name in one.values}
    return tuple(number for number, name in enumerate(names) if name in wanted)


def _pick(column: str, names: tuple[str, ...]) -> None:
    set_filter(column, OneOf(column, names) if names else None)


def _ends_of(image_set: ImageSet, measure: str) -> tuple[str, str]:
    """The names of the low and the high end of the colours: a width, for one, is not clear or ambiguous."""
    return ("clear", "ambiguous") if is_measure(measure) or measure in image_set.measures() else ("low", "high")


def _note(table: pd.DataFrame, note: str, *, space: str) -> str:
    placed = int(table["x"].notna().sum())
    notes = [note] if note else []
    if space:
        missing = f", {len(table) - placed:,} not trained on" if placed < len(table) else ""
        notes.append(f"up: confidence, right: variability{missing}")
    if placed > MOST_DRAWN:
        notes.append(f"drawn: {MOST_DRAWN:,} of {placed:,}, including the extremes")
    return " · ".join(notes)


def _show_subset_map(image_set: ImageSet, ids: NDArray[np.int64]) -> None:
    """Show a separate map of those of `ids` that are still in the set; the full map if none is."""
    present = ids[np.isin(ids, image_set.table()["id"].to_numpy(np.int64))]
    if not len(present):
        _show_full_map()
        st.toast("The pictures of the separate map are no longer in this image set.", icon=":material/info:")
        return
    with errors_shown():
        key = _start_map(image_set, present)
        change_view(polygon=None, space="")  # a lasso was drawn on the full map
        SUBSET_MAP.set(key)
        SUBSET_IDS.set(present)


def _try_again(image_set: ImageSet, ids: NDArray[np.int64]) -> None:
    with errors_shown():
        _start_map(image_set, ids, again=True)


def _show_full_map() -> None:
    change_view(polygon=None, is_tsne=view().is_tsne and SUBSET_MAP.get() is not None)
    SUBSET_MAP.clear()
    SUBSET_IDS.clear()


def show_subset(
    image_set: ImageSet, subset: Subset, *, on_back: Callable[[], None], on_again: Callable[[], None]
) -> None:
    """Say what this map shows, with a button that calls `on_back`.

    Until their map is computed they keep their coordinates on the full one; then the page runs again. Where that failed
    or was stopped, a button calls `on_again`.
    """
    is_whole, is_missing = len(subset.ids) == len(image_set), subset.projection is None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        shown = "" if is_whole else f"This map shows only **{len(subset.ids):,}** of {len(image_set):,} pictures. "
        by = _TSNE if subset.method == "tsne" else ""
        by = _NOT_YET if by and is_missing else by
        st.markdown(Markdown(shown + by), width="content")
        words = "Back to UMAP" if is_whole else "Back to all"
        st.button(escape(words), icon=":material/zoom_out_map:", key="subset.back", on_click=on_back)
        if subset.is_being_made and subset.job is not None:
            st.button(
                "Stop",
                icon=":material/stop:",
                key="subset.stop",
                on_click=with_toast(partial(cancel_job, subset.job, grace_s=CANCEL_GRACE_S)),
            )
        elif is_missing:
            st.button("Try again", icon=":material/refresh:", key="subset.again", on_click=on_again)
    if subset.is_being_made and subset.job is not None:
        st.fragment(_await, run_every=TICK_S)(image_set, subset.key, subset.job)
    elif is_missing:
        st.error(_why_not(subset.job), icon=":material/error:")


def _why_not(job: Job | None) -> Markdown:
    if job is None:
        return Markdown("The map of these pictures no longer exists.")
    if job.state is JobState.CANCELLED:
        return Markdown("The map of these pictures was stopped.")
    return Markdown(f"The map of these pictures could not be computed: {escape(why_it_failed(job))}")


def _await(image_set: ImageSet, key: str, job: Job) -> None:
    now = find_map(image_set, key)
    if now is None or not now.is_being_made:
        st.rerun()
    if job.state is JobState.QUEUED:
        st.caption(Markdown(f":material/hourglass_top: {escape(progress_of(job)[1])}"))
        return
    st.caption(
        f":material/hourglass_top: Computing the map of these pictures: {time.time() - job.created:.0f} s so far. "
        "UMAP takes up to half a minute; t-SNE of thousands of pictures takes minutes."
    )


def show_refit(image_set: ImageSet) -> None:
    """Offer to recompute the map, as a job, if a notable share of its pictures was added after its fit.

    It moves all points, so it is only done on request. Its progress is shown in the same line as that of reading.
    """
    share = image_set.maps.placed_fraction
    if share < NOTABLE_SHARE or running(image_set.set_id) is not None:
        return
    st.button(
        f"Recompute the map ({share:.0%} added later)",
        icon=":material/refresh:",
        key="refit",
        help="Pictures added after the map was computed were placed next to their neighbours. Recomputing the map "
        "places all of them properly; all points move.",
        on_click=with_toast(partial(_refit, image_set)),
    )


def _refit(image_set: ImageSet) -> None:
    config = RefitConfig(image_set.root, image_set.source.name, image_set.workspace.root)
    REFIT.start_on(image_set, config, name=set_name(image_set.root))
