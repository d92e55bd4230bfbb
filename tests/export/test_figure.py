"""The paper's figure: sizes and opacities by hand, where discs lie, and the files that are written."""

import io
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.imaging.pictures import noise
from url_viz.base.errors import FolderError, ImageSetError
from url_viz.export.figure import (
    NO_CLASS,
    _mask,
    areas_of,
    discs_of,
    figure_picture,
    figure_svg,
    gallery_picture,
    legend_of,
    map_figure_file,
    names_of,
    opacities_of,
    scaled,
    write_figure,
    write_gallery,
)
from url_viz.export.map_names import leader
from url_viz.image_set import ImageSet


def test_areas_and_opacities_are_those_of_the_authors_script_and_values_scaled_by_the_ends() -> None:
    """METHOD: v = 0 → .22 and 1; v = .5 → 43 and .38; v = 1 → 415 and .07."""
    v = np.array([0, 0.5, 1])
    np.testing.assert_allclose(areas_of(v), [0.22, 43, 415], rtol=0.02)
    np.testing.assert_allclose(opacities_of(v), [1, 0.38, 0.07], rtol=0.01)
    np.testing.assert_allclose(scaled(np.array([3.0, 5, 4])), [0, 1, 0.5])
    np.testing.assert_allclose(scaled(np.array([2.0, 2])), [0.5, 0.5])


def table_of(values: list[float], labels: Sequence[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(len(values)), "label": labels, "entropy": values})


def drawn(table: pd.DataFrame, xy: np.ndarray) -> Image.Image:
    return figure_picture(discs_of(table, xy, by="entropy"))


def test_a_clear_picture_is_a_small_dark_dot_and_an_ambiguous_one_a_large_faint_cloud() -> None:
    xy = np.array([[0.0, 0], [1, 1]])
    picture = np.asarray(drawn(table_of([0.0, 1.0], ["a", "b"]), xy)).astype(int)
    high, wide, _ = picture.shape
    painted = (picture < 250).any(axis=2)
    below_left, above_right = painted[high // 2 :, : wide // 2], painted[: high // 2, wide // 2 :]
    assert 0 < below_left.sum() < 200
    assert above_right.sum() > 20 * below_left.sum()
    assert picture[high // 2 :, : wide // 2].min() < 60
    assert picture[: high // 2, wide // 2 :].min() > 200
    assert not painted[: high // 2, : wide // 2].any()


def test_what_has_no_value_is_not_drawn_and_nothing_is_a_white_picture() -> None:
    xy = np.zeros((2, 2))
    one = np.asarray(drawn(table_of([np.nan, 0.5], ["a", None]), xy))
    assert (one < 250).any()
    none = np.asarray(drawn(table_of([np.nan, np.nan], ["a", None]), xy))
    assert (none == 255).all()


def test_names_stand_beside_their_pictures_and_none_over_another() -> None:
    number = np.arange(300)
    xy = np.stack([number % 3 * 10 + np.sin(number), np.cos(number)], axis=1)
    names = ["cat", "<b>dog & co", "emu"]
    discs = discs_of(table_of(list(number / 300), [names[i % 3] for i in number]), xy, by="entropy")
    placed = names_of(discs)
    assert {text for text, *_ in placed} == set(names)
    for text, (left, _, right, _), _ in placed:
        own = discs.centre[(discs.label == text).to_numpy()].mean(axis=0)
        assert abs((left + right) / 2 - own[0]) < 50, "of three clouds, some 100 points apart, its own"
    same = discs_of(table_of([0.1, 0.2, 0.3], names), np.array([[0.0, 0], [0, 0], [1, 1]]), by="entropy")
    boxes = [box for _, box, _ in names_of(same)]
    assert len(boxes) == 3
    assert all(a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for a, b in combinations(boxes, 2))
    with_names, without = (np.asarray(figure_picture(discs, some)).astype(int) for some in (placed, []))
    assert (with_names.sum(axis=2) < 150).sum() > (without.sum(axis=2) < 150).sum()
    svg = ElementTree.fromstring(figure_svg(discs, placed))
    assert [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")] == [text for text, *_ in placed]
    opacities = [float(disc.attrib["fill-opacity"]) for disc in svg.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(opacities) == 300
    assert opacities == sorted(opacities), "the most ambiguous lie lowest"


def test_a_gallery_has_a_line_for_each_end_and_a_grey_tile_for_what_is_gone() -> None:
    buffer = io.BytesIO()
    noise(1, width=64, height=48).save(buffer, "PNG")
    rows = table_of([0.1, 0.9], ["a" * 50, "\u4e2d"])
    lines = {"clear": rows.head(1), "ambiguous": rows.tail(1)}
    picture = gallery_picture(lines, {0: buffer.getvalue()}, by="entropy")
    assert picture.width == 8 + 168
    assert np.asarray(picture)[:80].std() > np.asarray(picture)[300:330, 20:150].std()


def test_figures_of_a_set_are_written(shared_set: ImageSet, tmp_path: Path) -> None:
    written = write_figure(shared_set, tmp_path / "map.png", by="entropy", method="umap")
    assert written == (f"{len(shared_set)} pictures by entropy in {tmp_path / 'map.png'}.",)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size == (975, 960)
    write_figure(shared_set, tmp_path / "map.svg", by="entropy", classes=(), method="umap", names=False)
    svg = (tmp_path / "map.svg").read_text()
    assert svg.count("<circle ") == len(shared_set)
    assert "<text " not in svg
    write_gallery(shared_set, tmp_path / "ends.png", by="entropy", classes=(), count=3)
    with Image.open(tmp_path / "ends.png") as picture:
        assert picture.width == 8 + 3 * 168


def test_a_legend_says_what_sizes_and_colours_mean_where_nothing_else_does() -> None:
    number = np.arange(40)
    xy = np.stack([number % 7, number // 7], axis=1).astype(float)
    table = pd.DataFrame({"label": ["a", "b"] * 20, "ambiguity": number / 40, "decision": ["keep", None] * 20})
    of_measure = legend_of(discs_of(table, xy, by="ambiguity", colour="ambiguity"), is_named=False)
    assert [words for _, _, words in of_measure.texts] == [
        "Ambiguity (torn between classes), percentile",
        *("0", "26", "49", "74", "90", "100"),
    ]
    assert len({colour for *_, colour, _ in of_measure.discs}) == len(of_measure.discs), "the colours of the map's ramp"
    table["size in px"] = -number
    of_number = discs_of(table, xy, by="size in px", colour="ambiguity")
    words = [words for _, _, words in legend_of(of_number, is_named=True).texts]
    assert words[:2] == ["Size in px, percentile", "0"]
    assert words[-3:] == ["Torn between classes", "low", "high"]
    assert len(set(of_number.colour)) > 30
    of_classes = discs_of(table, xy, by="ambiguity", colour="decision")
    assert set(of_classes.colour) == {of_classes.keys["keep"], NO_CLASS}
    assert [words for _, _, words in legend_of(of_classes, is_named=False).texts][7:] == [
        "Decision",
        "keep",
        "drop",
        "put aside for later",
    ]
    named, unnamed = (legend_of(of_classes, is_named=is_named) for is_named in (True, False))
    assert named.height < unnamed.height
    svg = figure_svg(of_classes, legend=unnamed)
    assert "Ambiguity (torn between classes), percentile" in svg
    assert figure_picture(of_classes, legend=unnamed).height > figure_picture(of_classes).height


def test_colour_and_size_go_together_in_the_legend_as_in_the_data() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": None, "ambiguity": rng.random(300) ** 4})
    discs = discs_of(table, rng.normal(size=(300, 2)), by="ambiguity", colour="ambiguity")
    legend = legend_of(discs, is_named=True)
    data = set(zip(discs.radius, discs.colour, discs.opacity, strict=True))
    assert {(radius, colour, opacity) for _, _, radius, colour, opacity in legend.discs} <= data
    assert [words for *_, words in legend.texts][1:] == ["0", "25", "50", "75", "90", "100"]
    assert discs.radius.min() >= 0.6
    assert discs.opacity.min() >= 0.15
    part = discs_of(
        table[table["ambiguity"] > table["ambiguity"].median()], rng.normal(size=(150, 2)), by="ambiguity", within=table
    )
    assert legend_of(part, is_named=True).texts[1][2] == "50", "its place in the whole set"


def test_a_name_away_from_its_class_is_joined_to_it_by_a_line() -> None:
    rng = np.random.default_rng(0)
    names = [f"class number {number}" for number in range(30)]
    xy = np.repeat(rng.normal(size=(30, 2)), 10, axis=0) + rng.normal(size=(300, 2)) * 0.2
    table = table_of(list(rng.random(300)), np.repeat(names, 10).tolist())
    discs = discs_of(table, xy, by="entropy")
    placed = names_of(discs)
    lines = [leader(name) for name in placed]
    assert sum(line is not None for line in lines) > 0
    for (text, (left, top, right, bottom), place), line in zip(placed, lines, strict=True):
        own = discs.centre[(discs.label == text).to_numpy()]
        assert np.abs(own - place).sum(axis=1).min() < 1e-9, "it ends at a picture of the class"
        gap = np.hypot(max(left - place[0], 0, place[0] - right), max(top - place[1], 0, place[1] - bottom))
        assert (line is None) == (gap <= 4)
    for line, (_, (left, top, right, bottom), _) in product(filter(None, lines), placed):
        x, y = (line[0] + line[2]) / 2, (line[1] + line[3]) / 2
        assert not (left < x < right and top < y < bottom), "no name lies on the line of another"
    svg = figure_svg(discs, placed)
    assert svg.count("<line ") == sum(line is not None for line in lines)


def test_the_map_as_it_is_shown_is_a_figure_at_once(shared_set: ImageSet, tmp_path: Path) -> None:
    ids = shared_set.table()["id"].tolist()[:5]
    svg = map_figure_file(shared_set.table(), ".svg", by="entropy", ids=ids, with_names=False).decode()
    assert svg.count("<circle ") == 5 + 5, "each stands once in the legend"
    with Image.open(io.BytesIO(map_figure_file(shared_set.table(), ".png", by="entropy", colour="label"))) as picture:
        assert (picture.format, picture.width) == ("PNG", 975)
    write_figure(shared_set, tmp_path / "m.svg", by="entropy", classes=(), method="map", colour="entropy", legend=True)
    assert "ImageNet entropy, percentile" in (tmp_path / "m.svg").read_text()


def test_a_hundred_thousand_discs_are_drawn_from_few_masks() -> None:
    """Drawn one by one each would take its own picture: ten seconds instead of one."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": None, "entropy": rng.random(5_000)})
    discs = discs_of(table, rng.normal(size=(5_000, 2)), by="entropy")
    _mask.cache_clear()
    figure_picture(discs)
    assert _mask.cache_info().misses < 500


def test_wrong_words_are_refused_by_name(shared_set: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "map.png"
    with pytest.raises(ImageSetError, match="no measure 'beauty'"):
        write_figure(shared_set, out, by="beauty", classes=(), method="umap")
    with pytest.raises(ImageSetError, match="no column 'hue'"):
        write_figure(shared_set, out, by="entropy", classes=(), method="map", colour="hue")
    with pytest.raises(ImageSetError, match="no class 'unicorn'"):
        write_figure(shared_set, out, by="entropy", classes=("unicorn",), method="umap")
    with pytest.raises(FolderError, match=r"ends in \.png or \.svg"):
        write_figure(shared_set, tmp_path / "map.jpg", by="entropy", classes=(), method="umap")
    assert not list(tmp_path.iterdir())
