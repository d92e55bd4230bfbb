"""The map's figures show every picture, name their categories, and follow the fog's law."""

import html

import numpy as np
import pandas as pd
import pytest

from url_viz.columns.filters import DECISION_COLOURS
from url_viz.columns.ranking import percentile
from url_viz.pictures.map_figure import NO_CATEGORY, Style, fog_looks, map_figure


def table_of(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.random(n).astype(np.float32) for name in ("x", "y", "uncertainty", "width")})
    table.loc[:1, "x"] = np.nan
    table["percentile"] = percentile(table["uncertainty"].to_numpy())
    table["path"] = [f"<b>{row}.jpg" for row in range(n)]
    table["label"] = [None if row % 7 == 0 else f"class {row % 20}" for row in range(n)]
    table["decision"] = [("keep", "drop", None)[row % 3] for row in range(n)]
    return table


@pytest.mark.parametrize("style", ["points", "fog"])
@pytest.mark.parametrize("colour", ["uncertainty", "width", "label", "decision"])
def test_every_placed_picture_is_a_point(style: Style, colour: str) -> None:
    figure = map_figure(table_of(60), by="uncertainty", colour=colour, style=style)
    assert sum(len(layer.x) for layer in figure.data) == 58
    assert all(not str(text).startswith("<b>") for layer in figure.data for text in layer.text)


def test_the_legend_names_the_categories_and_decisions_keep_their_colours() -> None:
    layers = {layer.name: layer for layer in map_figure(table_of(60), colour="decision").data}
    assert set(layers) == {"keep", "drop", "look-again", "none"}
    assert layers["drop"].marker.color == DECISION_COLOURS["drop"]
    assert len(map_figure(table_of(400), colour="label").data) == 13


def test_fog_is_crisp_where_clear_and_faint_where_ambiguous() -> None:
    diameter, opacity = fog_looks(np.array([0, 50, 100, np.nan]), largest_px=24)
    assert diameter == pytest.approx([1.5, 24 * (0.7 / 1.2) ** 2.1, 24, 24 * (0.7 / 1.2) ** 2.1])
    assert opacity == pytest.approx([1, 0.5**1.4, 0.07, 0.5**1.4])
    many = fog_looks(np.linspace(0, 100, 50), largest_px=24)
    assert (np.diff(many[0]) >= 0).all()
    assert (np.diff(many[1]) <= 0).all()


def test_without_a_colour_it_is_the_leading_measure_that_colours() -> None:
    table = table_of(60)
    layer = map_figure(table, by="uncertainty").data[0]
    assert layer.marker.color == pytest.approx(table["percentile"].to_numpy()[2:])
    assert layer.marker.colorbar.title.text == "General model,<br>percentile"
    assert "General model %{customdata[0]}" in layer.hovertemplate
    grey = map_figure(table).data[0]
    assert grey.marker.color == NO_CATEGORY
    assert grey.hovertemplate == "<b>%{text}</b><extra></extra>"


@pytest.mark.parametrize("colour", ["label", "is_good"])
def test_fog_of_categories_is_sized_by_the_leading_measure(colour: str) -> None:
    table = table_of(60).assign(is_good=np.arange(60) % 2 == 0)
    layers = map_figure(table, by="width", colour=colour, style="fog").data
    by_path = {path: size for layer in layers for path, size in zip(layer.text, layer.marker.size, strict=True)}
    shown = table.iloc[2:].sort_values("width")["path"].map(html.escape)
    sizes = [by_path[path] for path in shown]
    assert len(layers) > 1
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_sizes_follow_a_column() -> None:
    table = table_of(30)
    layer = map_figure(table, by="uncertainty", size_by="width").data[0]
    order = np.argsort(table["width"].to_numpy()[2:])
    assert (np.diff(np.asarray(layer.marker.size)[order]) > 0).all()


def test_density_has_most_where_most_pictures_are() -> None:
    table = table_of(400)
    table.loc[:300, ["x", "y"]] = [0.75, 0.25]
    layer = map_figure(table, style="density").data[0]
    row, column = np.unravel_index(np.nanargmax(np.asarray(layer.z)), np.asarray(layer.z).shape)
    assert (layer.x[column], layer.y[row]) == pytest.approx((0.75, 0.25), abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"colour": "colour"}, "'colour'"), ({"style": "smoke"}, "'smoke'"), ({"size_by": "label"}, "no numbers")],
)
def test_what_is_not_there_is_told(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        map_figure(table_of(5), **wrong)  # type: ignore[arg-type]


def test_no_pictures_make_an_empty_figure() -> None:
    for style in ("points", "fog", "density"):
        assert map_figure(table_of(30).iloc[:0], style=style) is not None


def test_names_and_values_of_others_are_no_markup() -> None:
    """Plotly makes links of text between < and >."""
    link = '<a href="https://beacon.example">x</a>'
    table = table_of(60).rename(columns={"label": link})
    table[link] = link
    for figure in (map_figure(table, colour=link), map_figure(table.assign(**{link: range(60)}), colour=link)):
        assert link not in figure.to_json().replace('\\"', '"')
        assert "&lt;a href" in figure.to_json()
