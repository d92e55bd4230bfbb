"""The paper's figure of a data set as PNG or SVG, with names of classes beside its points."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape as escape_xml

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from url_viz.base.errors import FolderError, ImageSetError
from url_viz.base.wording import printable
from url_viz.columns.ranking import ends
from url_viz.export.table_files import write_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside

CELLS = 48
"""Along the longer side; a class is named at its fullest cell."""
AWAY = (0.0, 3.0, 7.0, 12.0, 18.0, 25.0)
"""Points between that place and the name."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1))
GAP = 1.5
POINTS_PER_PICTURE = 3.5
"""How far a name goes to cover one picture less."""
MOST_COVERED = 10
"""Pictures under a name that count: in a crowd it stays at its place."""

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in points."""


Name = tuple[str, Box]
"""A class, and the box that its name fills."""


def place_names(
    labels: "pd.Series[str]",
    centres: Floats,
    size: tuple[float, float],
    *,
    height: float,
    width_of: Callable[[str], float],
) -> list[Name]:
    """The names that have room in a figure of this `size`, those of the largest classes first; all in points.

    `labels` (N,) and `centres` (N, 2), y down, are those of the pictures; a name is `height` high, `width_of` it wide.
    """
    crowd, placed = _crowd(centres, size), list[Name]()
    for text, anchor in _anchors(labels, centres):
        boxes = [
            (away, box)
            for away, box in _places(anchor, width_of(text), height)
            if min(box) >= 0
            and box[2] <= size[0]
            and box[3] <= size[1]
            and not any(_overlap(box, other) for _, other in placed)
        ]
        if boxes:
            _, best = min(boxes, key=lambda one: one[0] + POINTS_PER_PICTURE * min(MOST_COVERED, crowd(one[1])))
            placed.append((text, best))
    return placed


def _anchors(labels: "pd.Series[str]", centres: Floats) -> Iterator[tuple[str, Floats]]:
    """Each class, the largest first, and the middle of its pictures in and about the cell that holds most of them."""
    cell = np.floor(centres / max(float(np.ptp(centres, axis=0).max()) / CELLS, 1e-9)) if len(centres) else centres
    names = labels.to_numpy(dtype=object)
    for name in labels.dropna().value_counts(sort=True).index:
        of_class = names == name
        cells, count = np.unique(cell[of_class], axis=0, return_counts=True)
        is_near = (np.abs(cell[of_class] - cells[count.argmax()]) <= 1).all(axis=1)
        yield str(name), centres[of_class][is_near].mean(axis=0)


def _places(anchor: Floats, width: float, height: float) -> Iterator[tuple[float, Box]]:
    """Boxes about a place, and how far away each is."""
    for away in AWAY:
        for right, down in DIRECTIONS if away else ((0, 0),):
            x, y = anchor[0] + right * (width / 2 + away), anchor[1] + down * (height / 2 + away)
            yield away, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _crowd(centres: Floats, size: tuple[float, float]) -> Callable[[Box], int]:
    """What counts the pictures whose centre lies under a box."""
    columns, rows = (int(side) + 2 for side in size)
    counts, _, _ = np.histogram2d(centres[:, 1], centres[:, 0], bins=(np.arange(rows + 1), np.arange(columns + 1)))
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)

    def crowd(box: Box) -> int:
        left, top, right, bottom = (round(end) for end in box)
        return int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    return crowd


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] + GAP and other[0] < one[2] + GAP and one[1] < other[3] + GAP and other[1] < one[3] + GAP


WIDTH_INCHES, HEIGHT_INCHES, DPI = 3.25, 3.2, 300
POINTS_PER_INCH = 72
SIZE = WIDTH_INCHES * POINTS_PER_INCH, HEIGHT_INCHES * POINTS_PER_INCH
"""In points."""
NAME_POINTS, HALO_POINTS, NAME_COLOUR = 6, 0.6, "#1f2328"
WIDEST_FONT = 1.15
"""How much wider than ours a font that shows the SVG may be."""
MARGIN = 0.06
PICTURES_IN_PAPER = 600
"""The areas of more pictures than the paper's figure has are smaller in proportion."""
LEAST_OPACITY = 0.07
SMOOTH = 2
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8b7bd8", "#7a1f4b", "#666666", "#17becf")
NO_CLASS = "#0072b2"
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


def write_figure(
    image_set: ImageSet,
    out: Path,
    *,
    by: str | None,
    classes: tuple[str, ...],
    method: Literal["umap", "tsne"],
    with_names: bool = True,
) -> tuple[str, int]:
    """Write the figure of a set, or of some classes, as PNG or SVG; returns its measure and the number of pictures.

    Raises FolderError for another ending, or if it cannot be written.
    """
    require_outside(out, image_set.root)
    if out.suffix.lower() not in (".png", ".svg"):
        raise FolderError(f"{str(out)!r} is neither a PNG nor an SVG file. Give a name that ends in .png or .svg.")
    measure, rows = _rows(image_set, by, classes)
    projection = image_set.maps.project(rows["id"], method=method)
    rows = rows.set_index("id").loc[projection.ids].reset_index()
    discs = discs_of(rows, projection.xy, by=measure)
    names = names_of(discs) if with_names else []
    if out.suffix.lower() == ".svg":
        write_bytes(figure_svg(discs, names).encode(), out)
    else:
        write_png(figure_picture(discs, names), out)
    return measure, len(discs)


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
    data = io.BytesIO()
    picture.save(data, "PNG", dpi=(DPI, DPI))
    write_bytes(data.getvalue(), out)


def require_png(out: Path) -> None:
    """Raise FolderError for a name that does not end in .png."""
    if out.suffix.lower() != ".png":
        raise FolderError(f"{str(out)!r} is not a PNG file. Give a name that ends in .png.")


@dataclass(frozen=True)
class Discs:
    """M pictures as the figure draws them, the lowest first: `centre` (M, 2) and `radius` (M,) in points, y down,
    `colour` (M,) as #rrggbb, `opacity` (M,) 0 to 1, `label` (M,), None for none."""

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    colour: NDArray[np.str_]
    opacity: NDArray[np.float64]
    label: "pd.Series[str]"

    def __len__(self) -> int:
        return len(self.radius)


def discs_of(table: pd.DataFrame, xy: NDArray[np.floating], *, by: str) -> Discs:
    """The rows of `table` at `xy` (N, 2), by the measure `by`; rows without a value are left out.

    Coloured by class (the ten colours repeat); the largest clouds lie lowest.
    """
    values = table[by].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(values) & np.isfinite(xy).all(axis=1))
    v = scaled(values[rows]) if len(rows) else values[rows]
    lowest_first = np.argsort(-v, kind="stable")
    rows, v = rows[lowest_first], v[lowest_first]
    shrink = min(1.0, PICTURES_IN_PAPER / max(1, len(rows)))
    label = table["label"].iloc[rows].reset_index(drop=True)
    codes, _ = pd.factorize(label, sort=True)
    colour = np.array([NO_CLASS if code < 0 else COLOURS[code % len(COLOURS)] for code in codes], dtype=np.str_)
    radius = np.sqrt(areas_of(v) * shrink / math.pi)
    return Discs(_centres(xy[rows]), radius, colour, opacities_of(v), label)


def names_of(discs: Discs) -> list[Name]:
    """The classes' names that have room."""
    font = ImageFont.load_default(NAME_POINTS)
    width_of = lambda text: WIDEST_FONT * float(font.getlength(text))  # noqa: E731 - in this font
    return place_names(discs.label, discs.centre, SIZE, height=NAME_POINTS + 1, width_of=width_of)


def figure_picture(discs: Discs, names: Sequence[Name] = ()) -> Image.Image:
    """The figure in pixels, DPI to the inch."""
    scale = DPI * SMOOTH / POINTS_PER_INCH
    size = round(WIDTH_INCHES * DPI) * SMOOTH, round(HEIGHT_INCHES * DPI) * SMOOTH
    picture = Image.new("RGB", size, "white")
    for centre, radius, colour, opacity in zip(discs.centre, discs.radius, discs.colour, discs.opacity, strict=True):
        _disc(picture, centre * scale, max(float(radius * scale), 1.0), str(colour), float(opacity))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(NAME_POINTS * scale)
    for text, (left, top, right, bottom) in names:
        middle = (left + right) / 2 * scale, (top + bottom) / 2 * scale
        halo = round(HALO_POINTS * scale)
        draw.text(middle, _in_font(text), NAME_COLOUR, font, anchor="mm", stroke_width=halo, stroke_fill="white")
    return picture.resize((size[0] // SMOOTH, size[1] // SMOOTH), Image.Resampling.LANCZOS)


def figure_svg(discs: Discs, names: Sequence[Name] = ()) -> str:
    """The figure as SVG, in points: a circle for each picture, and names as text."""
    width, height = SIZE
    circles = (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:.2f}" fill="{colour}" fill-opacity="{opacity:.3f}"/>'
        for (x, y), radius, colour, opacity in zip(discs.centre, discs.radius, discs.colour, discs.opacity, strict=True)
    )
    texts = (
        f'<text x="{(left + right) / 2:.2f}" y="{(top + bottom) / 2:.2f}">{escape_xml(printable(text))}</text>'
        for text, (left, top, right, bottom) in names
    )
    look = (
        f'font-family="Helvetica, Arial, sans-serif" font-size="{NAME_POINTS}" fill="{NAME_COLOUR}" stroke="white" '
        f'stroke-width="{2 * HALO_POINTS}" paint-order="stroke" text-anchor="middle" dominant-baseline="central"'
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_INCHES}in" height="{HEIGHT_INCHES}in"'
    parts = [f'{head} viewBox="0 0 {width:g} {height:g}">', '<rect width="100%" height="100%" fill="white"/>']
    return "\n".join([*parts, *circles, f"<g {look}>", *texts, "</g>", "</svg>\n"])


def _centres(xy: NDArray[np.floating]) -> NDArray[np.float64]:
    if not len(xy):
        return np.zeros((0, 2))
    low, high = xy.min(axis=0), xy.max(axis=0)
    place = (xy - low) / np.maximum(high - low, 1e-9)
    place[:, 1] = 1 - place[:, 1]  # the picture's y axis points down
    return np.asarray((MARGIN + (1 - 2 * MARGIN) * place) * np.array(SIZE), np.float64)


def _disc(picture: Image.Image, centre: NDArray[np.floating], radius: float, colour: str, opacity: float) -> None:
    left, top = (math.floor(float(middle) - radius) for middle in centre)
    side = math.ceil(2 * radius) + 2
    mask = Image.new("L", (side, side), 0)
    middle = float(centre[0]) - left, float(centre[1]) - top
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    ImageDraw.Draw(mask).ellipse(box, fill=round(255 * opacity))
    picture.paste(Image.new("RGB", (side, side), colour), (left, top), mask)


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
