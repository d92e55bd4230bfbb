"""The paper's figure of a data set as PNG or SVG, with names of classes beside its points."""

import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from xml.sax.saxutils import escape as escape_xml

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont
from typing_extensions import Doc

from url_viz.base.command_line import Output, Within
from url_viz.base.errors import FolderError, ImageSetError
from url_viz.base.wording import counted, printable
from url_viz.capability import capability
from url_viz.columns.filters import categories_of, category_colours, filter_kind
from url_viz.columns.measures import in_text, is_measure, shown_value, title_of_column
from url_viz.columns.ranking import ends, percentile_of_each
from url_viz.export.map_names import Name, leader, place_names
from url_viz.export.table_files import write_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside

WIDTH_INCHES, HEIGHT_INCHES, DPI = 3.25, 3.2, 300
POINTS_PER_INCH = 72
SIZE = WIDTH_INCHES * POINTS_PER_INCH, HEIGHT_INCHES * POINTS_PER_INCH
"""In points."""
NAME_POINTS, HALO_POINTS, NAME_COLOUR = 6, 0.6, "#1f2328"
LINE_POINTS, LINE_COLOUR = 0.4, "#57606a"
WIDEST_FONT = 1.15
"""How much wider than ours a font that shows the SVG may be."""
MARGIN = 0.06
PICTURES_IN_PAPER = 600
"""The areas of more pictures than the paper's figure has are smaller in proportion."""
LEAST_OPACITY = 0.07
"""In the paper's figure."""
LEAST_PRINTED, LEAST_RADIUS = 0.15, 0.6
"""Opacity, and radius in points, that can still be seen on paper."""
SMOOTH = 2
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8b7bd8", "#7a1f4b", "#666666", "#17becf")
NO_CLASS = "#0072b2"
RAMP = ("#3b527c", "#634e93", "#8b4e9e", "#ad5695", "#c6617c", "#db6a56", "#ed7200")
"""The map's, clear to ambiguous, in even steps."""
QUIET = "#8a8f98"
"""What has no value, and discs that say what sizes mean."""
PICTURE_FORMATS = (".svg", ".png")
TILE_PX, GAP_PX, LINE_PX = 160, 8, 18


def scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Values (N,) scaled to 0..1 by the least and the largest; .5 where all are alike."""
    low, high = float(values.min()), float(values.max())
    return np.full(len(values), 0.5) if high <= low else (values.astype(np.float64) - low) / (high - low)


def areas_of(v: NDArray[np.floating]) -> NDArray[np.float64]:
    """Areas (N,) in square points of scaled values (N,)."""
    return np.asarray(np.power((v + 0.2) * 3.5, 4.2), np.float64)


def opacities_of(v: NDArray[np.floating]) -> NDArray[np.float64]:
    """Opacities (N,), 0 to 1, of scaled values (N,)."""
    return np.asarray(np.maximum(np.power(1 - v, 1.4), LEAST_OPACITY), np.float64)


Layout = Literal["umap", "tsne", "map"]
"""Where pictures lie: on a map of their own, or where they are on the set's."""


@capability("export figure")
def write_figure(
    image_set: ImageSet,
    out: Annotated[Path, Doc("a .png or .svg file"), Output()],
    *,
    method: Annotated[Layout, Doc("t-SNE as in the paper's figure, UMAP, or the set's map as it is")] = "tsne",
    by: Annotated[str | None, Doc("the measure (default: the order that holds on this set)")] = None,
    colour: Annotated[str, Doc("the column of the colours, such as label or ambiguity")] = "label",
    legend: Annotated[bool, Doc("say below what sizes and colours mean")] = False,
    classes: Annotated[tuple[str, ...], Doc("only pictures of this class; may be repeated")] = (),
    names: Annotated[bool, Doc("the names of classes beside their pictures, where there is room")] = True,
    gallery: Annotated[Path | None, Doc("a .png file for the least and the most ambiguous pictures"), Output()] = None,
    count: Annotated[int, Within(1, 100), Doc("pictures in each line of the gallery")] = 8,
) -> tuple[str, ...]:
    """Draw the paper's figure of a set: clear pictures small and crisp, ambiguous ones large and faint.

    In Python it returns what was written where, a sentence a file. Raises FolderError for another ending, or if it
    cannot be written.
    """
    if (ending := out.suffix.lower()) not in PICTURE_FORMATS:
        raise FolderError(f"{str(out)!r} is neither a PNG nor an SVG file. Give a name that ends in .png or .svg.")
    measure, rows = _rows(image_set, by, classes)
    if colour not in rows:
        raise ImageSetError(f"There is no column {colour!r} in {str(image_set.root)!r} to colour by.")
    xy: NDArray[np.floating]
    if method == "map":
        rows, xy = rows_on_map(rows)
    else:
        projection = image_set.maps.project(rows["id"], method=method)
        rows, xy = rows.set_index("id").loc[projection.ids].reset_index(), projection.xy
    discs = discs_of(rows, xy, by=measure, colour=colour, within=image_set.table())
    named = names_of(discs) if names else []
    meaning = legend_of(discs, is_named=bool(named)) if legend else None
    write_bytes(figure_file(discs, ending, names=named, legend=meaning), out)
    written = f"{counted(len(discs), 'picture')} by {measure} in {out}."
    if gallery is None:
        return (written,)
    write_gallery(image_set, gallery, by=measure, classes=classes, count=count)
    return written, f"The least and the most ambiguous in {gallery}."


def map_figure_file(
    table: pd.DataFrame,
    ending: str,
    *,
    by: str,
    ids: Collection[int] | None = None,
    colour: str | None = None,
    with_names: bool = True,
) -> bytes:
    """The map of `ImageSet.table()`, or some pictures of it (None: all), as a figure for a paper: .svg or .png.

    Each picture is where it is on the map. `by` is the measure that sizes go by, `colour` a column, by default that
    measure. Below stands what sizes mean, and colours that are not named.
    """
    rows, xy = rows_on_map(table if ids is None else table[table["id"].isin(ids)])
    discs = discs_of(rows, xy, by=by, colour=colour or by, within=table)
    names = names_of(discs) if with_names else []
    return figure_file(discs, ending, names=names, legend=legend_of(discs, is_named=bool(names)))


def rows_on_map(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """The rows of `ImageSet.table()` that are on the set's map, and their places (M, 2) there."""
    rows = table[np.isfinite(table["x"].to_numpy(float))].reset_index(drop=True)
    return rows, rows[["x", "y"]].to_numpy(np.float64)


def figure_file(discs: "Discs", ending: str, *, names: Sequence[Name] = (), legend: "Legend | None" = None) -> bytes:
    """The figure as a file of a format, by its ending: .svg or .png."""
    if ending == ".svg":
        return figure_svg(discs, names, legend).encode()
    return _png(figure_picture(discs, names, legend))


def write_gallery(image_set: ImageSet, out: Path, *, by: str, classes: tuple[str, ...], count: int) -> None:
    """Write the clearest and the most ambiguous pictures of a set, or of some of its classes, as one PNG."""
    require_outside(out, image_set.root)
    _, rows = _rows(image_set, by, classes)
    both = ends(rows, by=by)
    lines = {"clear": both.clear.head(count), "ambiguous": both.ambiguous.head(count)}
    thumbnails = image_set.core.store.thumbnails(pd.concat(lines.values())["id"])
    write_png(gallery_picture(lines, thumbnails, by=by), out)


def _rows(image_set: ImageSet, by: str | None, classes: tuple[str, ...]) -> tuple[str, pd.DataFrame]:
    table = image_set.table()
    measure = by or image_set.order().measure
    if measure is None or measure not in table or not pd.api.types.is_numeric_dtype(table[measure]):
        measures = ", ".join(image_set.core.measures()) or "none yet"
        raise ImageSetError(f"There is no measure {measure!r} in {str(image_set.root)!r}. It has: {measures}.")
    if unknown := set(classes) - set(table["label"].dropna()):
        raise ImageSetError(f"There is no class {sorted(unknown)[0]!r} in {str(image_set.root)!r}.")
    return measure, table[table["label"].isin(classes)] if classes else table


def write_png(picture: Image.Image, out: Path) -> None:
    """Write a picture as PNG, atomically. Raises FolderError for another ending, or if it cannot be written."""
    require_png(out)
    write_bytes(_png(picture), out)


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG", dpi=(DPI, DPI))
    return data.getvalue()


def require_png(out: Path) -> None:
    """Raise FolderError for a name that does not end in .png."""
    if out.suffix.lower() != ".png":
        raise FolderError(f"{str(out)!r} is not a PNG file. Give a name that ends in .png.")


@dataclass(frozen=True)
class Discs:
    """M pictures as the figure draws them, the lowest first: `centre` (M, 2) and `radius` (M,) in points, y down,
    `colour` (M,) as #rrggbb, `opacity` (M,) 0 to 1, `label` (M,), None for none.

    `by` is the measure of their sizes, `percentile` (M,) by it, `colour_by` the column of their colours, `keys` its
    categories and their colours, empty for numbers.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    colour: NDArray[np.str_]
    opacity: NDArray[np.float64]
    label: "pd.Series[str]"
    percentile: NDArray[np.floating]
    by: str
    colour_by: str
    keys: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.radius)


def discs_of(
    table: pd.DataFrame,
    xy: NDArray[np.floating],
    *,
    by: str,
    colour: str = "label",
    within: pd.DataFrame | None = None,
) -> Discs:
    """The rows of `table` at `xy` (N, 2), by the measure `by`; rows without a value are left out.

    Coloured by a column: of categories (the ten colours repeat), or of numbers by their percentile. Percentiles are
    `within` a table, by default the same; the largest clouds lie lowest.
    """
    values = table[by].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(values) & np.isfinite(xy).all(axis=1))
    v = scaled(values[rows]) if len(rows) else values[rows]
    lowest_first = np.argsort(-v, kind="stable")
    rows, v = rows[lowest_first], v[lowest_first]
    shrink = min(1.0, PICTURES_IN_PAPER / max(1, len(rows)))
    drawn = table.iloc[rows].reset_index(drop=True)
    label, keys = drawn["label"], dict[str, str]()
    whole = table if within is None else within
    if filter_kind(drawn[colour]) == "numeric":
        colours = ramp_colours(percentile_of_each(drawn, colour, within=whole))
    else:
        categories = categories_of(drawn, colour)
        fixed = category_colours(categories.names, colour)
        keys = {
            name: (fixed or COLOURS)[number % len(fixed or COLOURS)] for number, name in enumerate(categories.names)
        }
        palette, text = np.array([*keys.values(), NO_CLASS], dtype=np.str_), np.array([*keys, None], object)
        colours, label = palette[categories.numbers], pd.Series(text[categories.numbers], name=label.name)
    radius = np.maximum(np.sqrt(areas_of(v) * shrink / math.pi), LEAST_RADIUS)
    opacity, ranks = np.maximum(opacities_of(v), LEAST_PRINTED), percentile_of_each(drawn, by, within=whole)
    return Discs(_centres(xy[rows]), radius, colours, opacity, label, ranks, by, colour, keys)


def ramp_colours(percentile: NDArray[np.floating]) -> NDArray[np.str_]:
    """Colours (N,) of percentiles (N,) on the map's ramp; the grey one for nan."""
    stops = np.array([[int(stop[place : place + 2], 16) for place in (1, 3, 5)] for stop in RAMP], float)
    at = np.round(np.nan_to_num(percentile, nan=-1)).astype(int)
    steps = np.linspace(0, len(RAMP) - 1, 101)
    levels = (
        np.stack([np.interp(steps, np.arange(len(RAMP)), channel) for channel in stops.T], axis=1).round().astype(int)
    )
    hexed = np.array([*(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in levels), QUIET], dtype=np.str_)
    return np.asarray(hexed[at], np.str_)  # −1 finds the last


def names_of(discs: Discs) -> list[Name]:
    """The classes' names, or those of the categories that colours are of, that have room."""
    return place_names(discs.label, discs.centre, SIZE, height=NAME_POINTS + 1, width_of=_width)


LEGEND_GAP = 4.0
SIZES_SHOWN = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Which discs stand in the legend, from the smallest to the largest."""
SWATCH, SWATCHES = 6.0, 24
"""The height of a bar of colours in points, and how many it has."""
MOST_KEYS = 12


@dataclass(frozen=True)
class Legend:
    """What stands below a figure, in points from its own top: discs (x, y, radius, colour, opacity), rectangles (left,
    top, right, bottom, colour) and texts (left, middle, words), on a strip `height` high."""

    discs: tuple[tuple[float, float, float, str, float], ...]
    rectangles: tuple[tuple[float, float, float, float, str], ...]
    texts: tuple[tuple[float, float, str], ...]
    height: float


def legend_of(discs: Discs, *, is_named: bool) -> Legend:
    """What sizes mean, by discs of the figure, and what colours mean if they are of numbers, or not named."""
    writer, title = _LegendWriter(), title_of_column(discs.by)
    noun = in_text(discs.by).capitalize()
    is_told_twice = not is_measure(discs.by) or noun.lower() in title.lower() or title.lower().endswith(noun.lower())
    writer.text(f"{title if is_told_twice else f'{noun} ({title.lower()})'}, percentile")
    writer.next_line()
    last, is_of_measure = len(discs) - 1, discs.colour_by == discs.by
    writer.scale(
        (
            float(discs.radius[disc]),
            float(discs.opacity[disc]),
            str(discs.colour[disc]) if is_of_measure else QUIET,
            f"{discs.percentile[disc]:.0f}",
        )
        for disc in dict.fromkeys(round((1 - size) * last) for size in SIZES_SHOWN if last >= 0)
    )
    if not discs.keys and discs.colour_by != discs.by:
        writer.next_line()
        writer.text(title_of_column(discs.colour_by))
        writer.bar()
    if discs.keys and not is_named and len(discs.keys) <= MOST_KEYS:
        writer.next_line()
        writer.text(title_of_column(discs.colour_by))
        for name, colour in discs.keys.items():
            writer.key(shown_value(discs.colour_by, name), colour)
    return writer.legend()


class _LegendWriter:
    """Sets a legend from left to right, line by line."""

    def __init__(self) -> None:
        self._discs: list[tuple[float, float, float, str, float]] = []
        self._rectangles: list[tuple[float, float, float, float, str]] = []
        self._texts: list[tuple[float, float, str]] = []
        self._left, self._high = MARGIN * SIZE[0], float(NAME_POINTS)
        self._x, self._top = self._left, 0.0

    def text(self, words: str) -> None:
        self._texts.append((self._x, self._middle(), words))
        self._x += _width(words) + LEGEND_GAP

    def scale(self, discs: Iterable[tuple[float, float, str, str]]) -> None:
        """Discs (radius, opacity, colour), each before its words."""
        shown = list(discs)
        self._high = max([self._high, *(2 * radius for radius, *_ in shown)])
        for radius, opacity, colour, words in shown:
            self._discs.append((self._x + radius, self._middle(), radius, colour, opacity))
            self._x += 2 * radius + LEGEND_GAP / 2
            self.text(words)
            self._x += LEGEND_GAP

    def bar(self) -> None:
        self.text("low")
        top = self._middle() - SWATCH / 2
        for colour in ramp_colours(np.linspace(0, 100, SWATCHES)):
            self._rectangles.append((self._x, top, self._x + 2.2, top + SWATCH, str(colour)))  # no gaps between
            self._x += 2.0
        self._x += LEGEND_GAP
        self.text("high")

    def key(self, name: str, colour: str) -> None:
        if self._x + SWATCH + _width(name) > SIZE[0] - self._left:
            self.next_line()
        self._discs.append((self._x + SWATCH / 3, self._middle(), SWATCH / 3, colour, 1.0))
        self._x += SWATCH
        self.text(name)

    def next_line(self) -> None:
        self._top += self._high + LEGEND_GAP
        self._x, self._high = self._left, float(NAME_POINTS)

    def legend(self) -> Legend:
        height = self._top + self._high + 2 * LEGEND_GAP
        return Legend(tuple(self._discs), tuple(self._rectangles), tuple(self._texts), height)

    def _middle(self) -> float:
        return self._top + self._high / 2


def _width(words: str) -> float:
    return WIDEST_FONT * float(ImageFont.load_default(NAME_POINTS).getlength(words))


def figure_picture(discs: Discs, names: Sequence[Name] = (), legend: Legend | None = None) -> Image.Image:
    """The figure in pixels, DPI to the inch."""
    scale, below = DPI * SMOOTH / POINTS_PER_INCH, 0.0 if legend is None else legend.height
    wide, high = round(WIDTH_INCHES * DPI) * SMOOTH, round((HEIGHT_INCHES + below / POINTS_PER_INCH) * DPI) * SMOOTH
    picture = Image.new("RGB", (wide, high), "white")
    for (x, y), radius, colour, opacity in zip(
        discs.centre * scale, discs.radius * scale, discs.colour, discs.opacity, strict=True
    ):
        _disc(picture, x, y, max(radius, 1.0), str(colour), opacity)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(NAME_POINTS * scale)
    for line in filter(None, map(leader, names)):
        draw.line([each * scale for each in line], LINE_COLOUR, round(LINE_POINTS * scale))
    for text, (left, top, right, bottom), _ in names:
        middle = (left + right) / 2 * scale, (top + bottom) / 2 * scale
        halo = round(HALO_POINTS * scale)
        draw.text(middle, _in_font(text), NAME_COLOUR, font, anchor="mm", stroke_width=halo, stroke_fill="white")
    if legend is not None:
        top = SIZE[1]
        for x, y, radius, colour, opacity in legend.discs:
            _disc(picture, x * scale, (top + y) * scale, max(radius * scale, 1.0), colour, opacity)
        for left, above, right, under, colour in legend.rectangles:
            draw.rectangle((left * scale, (top + above) * scale, right * scale, (top + under) * scale), fill=colour)
        for left, middle_y, words in legend.texts:
            draw.text((left * scale, (top + middle_y) * scale), _in_font(words), NAME_COLOUR, font, anchor="lm")
    return picture.resize((wide // SMOOTH, high // SMOOTH), Image.Resampling.LANCZOS)


def figure_svg(discs: Discs, names: Sequence[Name] = (), legend: Legend | None = None) -> str:
    """The figure as SVG, in points: a circle for each picture, and names as text."""
    width, height = SIZE[0], SIZE[1] + (0.0 if legend is None else legend.height)
    circles = [
        _circle(x, y, radius, colour, opacity)
        for (x, y), radius, colour, opacity in zip(
            discs.centre.tolist(), discs.radius.tolist(), discs.colour, discs.opacity.tolist(), strict=True
        )
    ]
    texts = [
        f'<text x="{(left + right) / 2:.2f}" y="{(top + bottom) / 2:.2f}">{escape_xml(printable(text))}</text>'
        for text, (left, top, right, bottom), _ in names
    ]
    lines = [
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"/>'
        for x1, y1, x2, y2 in filter(None, map(leader, names))
    ]
    font = f'font-family="Helvetica, Arial, sans-serif" font-size="{NAME_POINTS}" fill="{NAME_COLOUR}"'
    halo = f'stroke="white" stroke-width="{2 * HALO_POINTS}" paint-order="stroke"'
    look = f'{font} {halo} text-anchor="middle" dominant-baseline="central"'
    inches = f'width="{WIDTH_INCHES}in" height="{height / POINTS_PER_INCH:g}in"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {inches} viewBox="0 0 {width:g} {height:g}">'
    parts = [head, '<rect width="100%" height="100%" fill="white"/>', *circles]
    parts += [f'<g stroke="{LINE_COLOUR}" stroke-width="{LINE_POINTS}">', *lines, "</g>"] if lines else []
    parts += [f"<g {look}>", *texts, "</g>"]
    if legend is not None:
        parts += [f'<g {font} dominant-baseline="central" transform="translate(0 {SIZE[1]:g})">']
        parts += [_circle(*disc) for disc in legend.discs]
        parts += [
            f'<rect x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" height="{low - top:.2f}" fill="{colour}"/>'
            for left, top, right, low, colour in legend.rectangles
        ]
        parts += [
            f'<text x="{x:.2f}" y="{y:.2f}">{escape_xml(printable(words))}</text>' for x, y, words in legend.texts
        ]
        parts += ["</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _circle(x: float, y: float, radius: float, colour: str, opacity: float) -> str:
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="{colour}" fill-opacity="{opacity:.3f}"/>'


def _centres(xy: NDArray[np.floating]) -> NDArray[np.float64]:
    if not len(xy):
        return np.zeros((0, 2))
    low, high = xy.min(axis=0), xy.max(axis=0)
    place = (xy - low) / np.maximum(high - low, 1e-9)
    place[:, 1] = 1 - place[:, 1]  # the picture's y axis points down
    return np.asarray((MARGIN + (1 - 2 * MARGIN) * place) * np.array(SIZE), np.float64)


def _disc(picture: Image.Image, x: float, y: float, radius: float, colour: str, opacity: float) -> None:
    """Paint a disc; its middle is rounded to a pixel, of which SMOOTH make one in the end."""
    mask = _mask(round(4 * radius), round(255 * opacity))
    side = mask.width // 2
    picture.paste(ImageColor.getrgb(colour), (round(x) - side, round(y) - side), mask)


@lru_cache(maxsize=4096)
def _mask(quarters: int, alpha: int) -> Image.Image:
    """A disc of a radius in quarters of a pixel: many thousand of a figure are alike."""
    radius = quarters / 4
    side = math.ceil(radius) + 1
    mask = Image.new("L", (2 * side + 1, 2 * side + 1), 0)
    box = (side - radius, side - radius, side + radius, side + radius)
    ImageDraw.Draw(mask).ellipse(box, fill=alpha)
    return mask


def gallery_picture(lines: dict[str, pd.DataFrame], thumbnails: dict[int, bytes], *, by: str) -> Image.Image:
    """Lines of pictures (rows of a table) under their titles, each with its class and its value of `by`."""
    step, high = TILE_PX + GAP_PX, TILE_PX + 3 * LINE_PX + GAP_PX
    across = max((len(some) for some in lines.values()), default=0)
    picture = Image.new("RGB", (GAP_PX + step * max(1, across), high * max(1, len(lines))), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for line, (title, some) in enumerate(lines.items()):
        top = line * high
        draw.text((GAP_PX, top + 2), title, fill="black", font=font)
        for column, row in enumerate(some.to_dict("records")):
            left = GAP_PX + column * step
            picture.paste(_square(thumbnails.get(int(row["id"]))), (left, top + LINE_PX))
            words = [str(row["label"]) if isinstance(row["label"], str) else "", f"{float(row[by]):.3g}"]
            for number, text in enumerate(words):
                draw.text(
                    (left, top + TILE_PX + (1 + number) * LINE_PX + 2), _in_font(text)[:22], fill="black", font=font
                )
    return picture


def _in_font(text: str) -> str:
    """Text with a question mark for each letter that the font lacks."""
    return "".join(letter if " " <= letter < "\u0250" else "?" for letter in text)


def _square(thumbnail: bytes | None) -> Image.Image:
    tile = Image.new("RGB", (TILE_PX, TILE_PX), "#dddddd")
    if thumbnail is not None:
        with Image.open(io.BytesIO(thumbnail)) as image:
            shown = image.convert("RGB")
        shown.thumbnail((TILE_PX, TILE_PX))
        tile.paste(shown, ((TILE_PX - shown.width) // 2, (TILE_PX - shown.height) // 2))
    return tile
