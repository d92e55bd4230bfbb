"""The paper's figure of a data set as a picture file: clear pictures small and crisp, ambiguous ones large and faint.

Sizes and opacities follow *Pretrained Visual Uncertainties* (its authors' script): of a value v, scaled to 0..1 over
the pictures that are shown, area ((v + .2) · 3.5)^4.2 square points, opacity (1 − v)^1.4, at least .07. No axes.
"""

import io
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from url_viz.analysis.ranking import ends
from url_viz.errors import FolderError, ImageSetError
from url_viz.export.table_files import write_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside

WIDTH_INCHES, HEIGHT_INCHES, DPI = 3.25, 3.2, 300
POINTS_PER_INCH = 72
MARGIN = 0.06
USUAL = 600
"""As many pictures the paper's figure has; the areas of more are smaller in the same measure."""
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
    image_set: ImageSet, out: Path, *, by: str | None, classes: tuple[str, ...], method: Literal["umap", "tsne"]
) -> tuple[str, int]:
    """Write the figure of a set, or of some of its classes, as PNG; returns the measure and the number of pictures."""
    require_outside(out, image_set.root)
    measure, rows = _rows(image_set, by, classes)
    projection = image_set.maps.project(rows["id"], method=method)
    rows = rows.set_index("id").loc[projection.ids].reset_index()
    write_png(figure_picture(rows, projection.xy, by=measure), out)
    return measure, int(rows[measure].notna().sum())


def write_gallery(image_set: ImageSet, out: Path, *, by: str, classes: tuple[str, ...], count: int) -> None:
    """Write the clearest and the most ambiguous pictures of a set, or of some of its classes, as one PNG."""
    require_outside(out, image_set.root)
    _, rows = _rows(image_set, by, classes)
    both = ends(rows, by=by)
    lines = {"clear": both.clear.head(count), "ambiguous": both.ambiguous.head(count)}
    thumbnails = image_set.thumbnails(pd.concat(lines.values())["id"])
    write_png(gallery_picture(lines, thumbnails, by=by), out)


def _rows(image_set: ImageSet, by: str | None, classes: tuple[str, ...]) -> tuple[str, pd.DataFrame]:
    table = image_set.table()
    measure = by or image_set.order().measure
    if measure is None or measure not in table or not pd.api.types.is_numeric_dtype(table[measure]):
        measures = ", ".join(image_set.measures()) or "none yet"
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
    """Raise FolderError for a file that does not end in .png."""
    if out.suffix.lower() != ".png":
        raise FolderError(f"{str(out)!r} is not a PNG file. Give a name that ends in .png.")


def figure_picture(table: pd.DataFrame, xy: NDArray[np.floating], *, by: str) -> Image.Image:
    """The figure of the rows of `table` at `xy` (N, 2), by the measure `by`; rows without a value are left out.

    Coloured by class (the ten colours repeat); the largest clouds lie lowest.
    """
    values = table[by].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(values) & np.isfinite(xy).all(axis=1))
    size = round(WIDTH_INCHES * DPI) * SMOOTH, round(HEIGHT_INCHES * DPI) * SMOOTH
    picture = Image.new("RGB", size, "white")
    if len(rows):
        v = scaled(values[rows])
        shrink = min(1.0, USUAL / len(rows))
        radius = np.sqrt(areas_of(v) * shrink / math.pi) * DPI * SMOOTH / POINTS_PER_INCH
        colours, opacities = _colours(table["label"].iloc[rows]), opacities_of(v)
        centres = _centres(xy[rows], size)
        for i in np.argsort(-v, kind="stable"):
            _disc(picture, centres[i], max(float(radius[i]), 1.0), colours[i], float(opacities[i]))
    return picture.resize((size[0] // SMOOTH, size[1] // SMOOTH), Image.Resampling.LANCZOS)


def _colours(labels: "pd.Series[str]") -> list[tuple[int, int, int]]:
    codes, _ = pd.factorize(labels, sort=True)
    named = [NO_CLASS if code < 0 else COLOURS[code % len(COLOURS)] for code in codes]
    return [(int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)) for name in named]


def _centres(xy: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    low, high = xy.min(axis=0), xy.max(axis=0)
    place = (xy - low) / np.maximum(high - low, 1e-9)
    place[:, 1] = 1 - place[:, 1]  # the picture's y axis points down
    return np.asarray((MARGIN + (1 - 2 * MARGIN) * place) * np.array(size), np.float64)


def _disc(picture: Image.Image, centre: NDArray[np.floating], radius: float, colour: object, opacity: float) -> None:
    left, top = (math.floor(float(middle) - radius) for middle in centre)
    side = math.ceil(2 * radius) + 2
    mask = Image.new("L", (side, side), 0)
    middle = float(centre[0]) - left, float(centre[1]) - top
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    ImageDraw.Draw(mask).ellipse(box, fill=round(255 * opacity))
    picture.paste(Image.new("RGB", (side, side), colour), (left, top), mask)  # type: ignore[arg-type]


def gallery_picture(lines: dict[str, pd.DataFrame], thumbnails: dict[int, bytes], *, by: str) -> Image.Image:
    """Some lines of pictures (rows of a table) below their title, each with its class and its value of `by`."""
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
                draw.text((left, top + TILE_PX + (1 + number) * LINE_PX + 2), _drawable(text), fill="black", font=font)
    return picture


def _drawable(text: str) -> str:
    """Text as the font can draw it, cut to a tile's width."""
    return "".join(letter if " " <= letter < "\u0250" else "?" for letter in text)[:22]


def _square(thumbnail: bytes | None) -> Image.Image:
    tile = Image.new("RGB", (TILE_PX, TILE_PX), "#dddddd")
    if thumbnail is not None:
        with Image.open(io.BytesIO(thumbnail)) as image:
            shown = image.convert("RGB")
        shown.thumbnail((TILE_PX, TILE_PX))
        tile.paste(shown, ((TILE_PX - shown.width) // 2, (TILE_PX - shown.height) // 2))
    return tile
