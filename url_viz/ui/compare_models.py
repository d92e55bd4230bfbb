"""Parts of the Compare models page: second model, agreement in words, linked maps, and what the models disagree on."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.wording import listed, standing
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import Polygon, Scope, scoped
from url_viz.columns.measures import MEASURES, UNCERTAINTY, measure_named, quoted
from url_viz.drawing.points import MapView
from url_viz.drawing.tiles import Tile, card_url, points_url, tile_of
from url_viz.evidence.compare import (
    BOUNDS,
    ComparedMeasure,
    Comparison,
    agreement_in_words,
    disagreements,
    neighbours_in_words,
)
from url_viz.image_set import ImageSet
from url_viz.models.model import model_title
from url_viz.store.about import known_sets
from url_viz.ui.http import mask_url
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import OPENED, Key, choice, take_settings
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.buttons import act_button, download_table, measure_under
from url_viz.ui.widgets.charts import GREY, colour_scale, quiet, sampled, show_figure
from url_viz.ui.widgets.embed_job import running, space_in_set, start_reading
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.map import polygon_of, show_map
from url_viz.ui.widgets.picture import open_picture, show_opened
from url_viz.ui.widgets.sidebar import known_models

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SECOND: Key[str | None] = Key("view.compare.second")
"""The second model, by the name of the first."""
COMPARED_MEASURE: Key[str | None] = Key("view.compare.measure")
LASSO: "Key[tuple[str, Polygon] | None]" = Key("view.compare.lasso")
"""The lasso that was drawn last, and the key of the map that it was drawn on."""
COMPARED_MAPS = "view.compare.map."
COMPARED_GALLERY = "view.compare.gallery."

TILES = 8


def pick_second(image_set: ImageSet) -> ImageSet | None:
    """The image set under the second model alone; None if it was not read with it, after offering to do so."""
    spaces = [space.backbone for space in dict(known_sets(Workspace.at()))[image_set.set_id].spaces]
    known = dict.fromkeys([*known_models(image_set.set_id), *spaces])
    names = [name for name in known if name != image_set.source.name]
    ready = [name for name in names if space_in_set(image_set.set_id, name) is not None]
    options = [*ready, *(name for name in names if name not in ready)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape(image_set.source.title)}** against", width="content")
        picked = st.selectbox(
            "Second model",
            options,
            index=0 if ready else None,
            format_func=lambda name: model_title(name) if name in ready else f"{model_title(name)} (not read yet)",
            accept_new_options=True,
            placeholder="Choose a model, or type a timm name or a checkpoint path",
            label_visibility="collapsed",
            key=SECOND.under(image_set.source.name),
            width=420,
        )
    if not picked:
        st.info(
            f"This image set has only been read with {escape(image_set.source.title)}. Choose a second model above: "
            "another backbone, or a head that you adapted to these pictures. "
            "Reading with another backbone takes as long as the first time.",
            icon=":material/compare:",
        )
        return None
    if picked == image_set.source.name:
        st.info("This is the same model. Choose another one.", icon=":material/info:")
        return None
    second = open_sets().find(image_set.set_id, picked) if space_in_set(image_set.set_id, picked) is not None else None
    if second is None or not len(second):
        _offer_reading(image_set, picked)
        return None
    if second.is_by_same_model(image_set):
        st.info("This is the same model under another name. Choose another one.", icon=":material/info:")
        return None
    return second.single_model


def _offer_reading(image_set: ImageSet, name: str) -> None:
    if running(image_set.set_id) is not None:
        st.caption("The comparison appears once reading has finished.")
        return
    st.info(f"This image set has not been read with {escape(model_title(name))} yet.", icon=":material/info:")
    read = partial(start_reading, image_set.root, set_id=image_set.set_id, model=name)
    if act_button("Read with this model", read, type="primary", key="compare.read"):
        st.rerun()


def comparison_of(first: ImageSet, second: ImageSet) -> Comparison:
    """The comparison of two snapshots, computed once."""
    return _comparison(_key(first), _key(second), first, second)


def _key(image_set: ImageSet) -> str:
    head = image_set.source.head.digest if image_set.source.head else "-"
    return f"{image_set.set_id}.{image_set.space.key}.{head}.{image_set.version}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _comparison(first_key: str, second_key: str, _first: ImageSet, _second: ImageSet) -> Comparison:
    # by the keys: Streamlit's cache neither hashes the snapshots nor keeps them alive
    return _first.compare(_second)


def show_agreement(comparison: Comparison, second: ImageSet) -> None:
    """The agreement of the two models, one sentence per measure; those that are the same under both in one."""
    shown = [comparison.measures[name] for name in offered(comparison)]
    lines = [agreement_in_words(compared, called=quoted) for compared in shown if not compared.is_same]
    same = [quoted(compared.measure) for compared in shown if compared.is_same]
    if same:
        lines.append(f"The order by {listed(same)} is the same under both.")
    if "uncertainty" not in comparison.measures:
        lines.append(f"{quoted(UNCERTAINTY.name)} cannot be compared: one of the two models has no head.")
    if comparison.neighbourhoods is not None:
        lines.append(neighbours_in_words(comparison.neighbourhoods))
    missing = [(comparison.only_first, "the first model"), (comparison.only_second, model_title(second.source.name))]
    lines += [f"{count:,} pictures were read with {model} only and are left out." for count, model in missing if count]
    st.markdown(Markdown("\n".join(f"- {escape(line)}" for line in lines)), help=BOUNDS)


def offered(comparison: Comparison) -> list[str]:
    """The measures that both models have, those that are the same under both last."""
    names = [measure.name for measure in MEASURES if measure.is_offered and measure.name in comparison.measures]
    return sorted(names, key=lambda name: comparison.measures[name].is_same)


def pick_measure(comparison: Comparison, leading: str | None) -> str:
    """The measure that the maps, the scatter plot and the galleries show: at first the leading one, if it differs."""
    names = offered(comparison)
    if leading in names and not comparison.measures[leading].is_same:
        names = sorted(names, key=lambda name: name != leading)
    return measure_under(COMPARED_MEASURE, names)


def show_disagreements(
    first: ImageSet, second: ImageSet, compared: ComparedMeasure, *, selected: "pd.Series[int] | None"
) -> None:
    """The pictures with the largest disagreements, in both directions."""
    table = compared.table
    if selected is not None:
        table = table[table["id"].isin(selected)]
    shown = replace(compared, table=table)
    up, down = disagreements(shown, most=TILES)
    names = f"{first.source.title} / {second.source.title}"
    st.caption(escape(f"On each picture: its percentile under {names}; 100 is the most ambiguous."))
    left, right = st.columns(2, gap="medium")
    with left:
        _gallery(first, second, down, f"More ambiguous for {first.source.title}", key="first")
    with right:
        _gallery(first, second, up, f"More ambiguous for {second.source.title}", key="second")


def _gallery(first: ImageSet, second: ImageSet, rows: pd.DataFrame, title: str, *, key: str) -> None:
    def tile(row: Mapping[Any, Any]) -> Tile:
        ranks = ((first, row["before"]), (second, row["after"]))
        return tile_of(
            row,
            set_id=first.set_id,
            value=f"{row['before']:.0f} / {row['after']:.0f}",
            detail="; ".join(f"{each.source.title}: {standing(rank, of=' of the others')}" for each, rank in ranks),
            is_ringed=int(row["id"]) == OPENED.get(),
        )

    st.header(escape(title), anchor=False)
    tiles, empty = tuple(map(tile, rows.to_dict("records"))), "No pictures differ in this direction."
    show_gallery(tiles, key=f"{COMPARED_GALLERY}{key}", empty=empty, columns=2, on_click=open_picture)


def show_download(first: ImageSet, compared: ComparedMeasure) -> None:
    """A download of both percentiles of every picture."""
    table = compared.table[["id", "path", "label", "before", "after", "change"]]
    named = table.rename(columns={"before": "percentile_first", "after": "percentile_second"})
    download_table(
        "Both percentiles (CSV)",
        named,
        file_name=f"{first.root.name}-{compared.measure}-compared.csv",
        key="compare.csv",
    )


def is_being_read() -> bool:
    """Whether the chosen image set is being read now."""
    set_id = choice().set_id
    return set_id is not None and running(set_id) is not None


MAP_HEIGHT_PX = 500
SIDES = ("first", "second")


@dataclass(frozen=True)
class LinkedSelection:
    """The selection on two maps: the `side` it was drawn on (None: no selection), its outline, its pictures."""

    side: str | None
    polygon: Polygon | None
    ids: "pd.Series[int] | None"


def selection(first: ImageSet, second: ImageSet) -> LinkedSelection:
    """The lasso that was drawn last, on either map. Call it before the maps are drawn."""

    def take(key: str, new: Mapping[str, Any]) -> None:
        polygon = polygon_of(new["polygon"])
        LASSO.set(None if polygon is None else (key, polygon))

    maps = {
        _map_key(image_set, side): (side, image_set) for side, image_set in zip(SIDES, (first, second), strict=True)
    }
    for key in maps:
        take_settings(key, ("polygon",), partial(take, key))
    key, lasso = LASSO.get() or ("", None)
    if key not in maps:
        return LinkedSelection(None, None, None)
    side, image_set = maps[key]
    return LinkedSelection(side, lasso, scoped(image_set.table(), Scope(lasso))["id"])


def show_maps(first: ImageSet, second: ImageSet, measure: str, linked: LinkedSelection) -> None:
    """Both maps; on the one without the lasso, pictures outside the selection are dimmed."""
    for column, side, image_set in zip(st.columns(2, gap="medium"), SIDES, (first, second), strict=True):
        table = image_set.table()
        is_selected = np.ones(len(table), bool)
        if linked.ids is not None and side != linked.side:
            is_selected = table["id"].isin(linked.ids).to_numpy(dtype=bool)
        view = MapView(
            points_url=points_url(image_set, measure=measure),
            card_url=card_url(image_set, measure=measure),
            mask_url=mask_url(table, is_selected, measure=measure),
            total=len(table),
            ringed_id=OPENED.get(),
            polygon=linked.polygon if side == linked.side else None,
            measure=measure_named(measure).title,
        )
        with column:
            st.header(escape(image_set.source.title), anchor=False)
            show_map(view, key=_map_key(image_set, side), height_px=MAP_HEIGHT_PX, on_click=open_picture)


def show_selected(linked: LinkedSelection, *, total: int) -> None:
    """The number of selected pictures, and a button that clears the selection."""
    if linked.ids is None:
        st.caption("Draw a lasso on one map (Shift-drag) to select the same pictures on the other map and below.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{len(linked.ids):,}** of {total:,}")
        st.button("Selection", icon=":material/close:", key="compare.clear", on_click=LASSO.clear)


def _map_key(image_set: ImageSet, side: str) -> str:
    return f"{COMPARED_MAPS}{side}.{image_set.set_id}.{image_set.space.key}"


def scatter_figure(compared: ComparedMeasure, *, names: tuple[str, str], ids: "pd.Series[int] | None") -> "Figure":
    """Percentile under the second model against that under the first; pictures outside `ids` are drawn faint."""
    import plotly.graph_objects as go

    table = compared.table
    drawn = table.iloc[sampled(np.arange(len(table)))]
    chosen = None if ids is None else np.flatnonzero(drawn["id"].isin(ids).to_numpy())
    figure = go.Figure(
        go.Scatter(
            x=drawn["before"],
            y=drawn["after"],
            mode="markers",
            text=[f"{x:.0f} | {y:.0f}" for x, y in zip(drawn["before"], drawn["after"], strict=True)],
            hovertemplate="%{text}<extra></extra>",
            selectedpoints=chosen,
            marker={
                "size": 5 if len(drawn) > 1000 else 7,
                "color": drawn["change"].abs(),
                "cmin": 0,
                "cmax": 100,
                "colorscale": colour_scale(),
                "opacity": 0.75,
            },
            unselected={"marker": {"opacity": 0.08}},
        )
    )
    figure.add_shape(type="line", x0=0, y0=0, x1=100, y1=100, line={"color": GREY, "dash": "dot", "width": 1.4})
    figure.update_xaxes(title=f"Percentile, {html.escape(names[0])}", range=[-2, 102], dtick=25)
    figure.update_yaxes(title=f"Percentile, {html.escape(names[1])}", range=[-2, 102], dtick=25)
    return quiet(figure, height_px=380)


def show_comparison(image_set: ImageSet) -> None:
    """Agreement of two models on the set, linked maps, and disagreements."""
    first = image_set.single_model
    second = pick_second(first)
    if second is None:
        end_page()
    if is_being_read():
        st.caption("The comparison appears once reading has finished. Until then it would change with every picture.")
        end_page()
    with st.spinner(f"Comparing {len(first):,} pictures"):
        comparison = comparison_of(first, second)
    show_agreement(comparison, second)
    if not offered(comparison):
        end_page()
    measure = pick_measure(comparison, first.order().measure)
    compared = comparison.measures[measure]
    linked = selection(first, second)
    show_maps(first, second, measure, linked)
    show_selected(linked, total=len(compared))
    left, right = st.columns([2, 3], gap="large")
    with left:
        figure = scatter_figure(compared, names=(first.source.title, second.source.title), ids=linked.ids)
        alt, name = "Each picture by its percentile under both models", f"{first.root.name}-{measure}-compared"
        show_figure(figure, key="compare.scatter", alt=alt, svg=name)
        show_download(first, compared)
    with right:
        show_disagreements(first, second, compared, selected=linked.ids)
    show_opened(first, measure=measure)
