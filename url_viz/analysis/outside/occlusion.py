"""Occlusion maps: which parts of a picture put it where it stands in an order, found by covering them, and drawn."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from url_viz.analysis.labels.ambiguity import shares_of_new
from url_viz.analysis.labels.votes import NONE
from url_viz.analysis.measures import AMBIGUITY, CONFUSABILITY, ENTROPY, TUNED, UNCERTAINTY, in_text
from url_viz.analysis.outside.new_pictures import NewPictures, Reference, nearest_without_twins
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Picture
from url_viz.models.model import Model
from url_viz.wording import decimal

GRID = 6
"""Cells along a side: 36 forward passes."""
REACH = 1.0
"""A cover reaches so many cells beyond its own: neighbouring covers overlap, and each hides enough to matter."""
BLUR_SHARE = 0.125
"""Radius of the blur that covers, as a share of the side; found planted parts best (docs/reasons.md)."""
BATCH = 16


@dataclass(frozen=True)
class Explained:
    """What a heat map is of: a measure, and how its value for copies of a picture follows from what the model gives.

    `sides` are what parts may look like: the first and second class (ambiguity) or the nearest picture (confusability).
    `value_of` makes values (Q,) of raw embeddings (Q, D) float16; without it they are the head's, or the entropy.
    `too_far` is the similarity of the nearest picture if that is so low that no part looks like a side, else None.
    """

    measure: str
    sides: tuple[str, ...] = ()
    value_of: Callable[[NDArray[np.float16]], NDArray[np.float32]] | None = None
    too_far: float | None = None


@dataclass(frozen=True)
class Heat:
    """How much covering each part of a picture lowers its value, and which value that is.

    `values` (G, G) float32, rows from the top: positive where the value falls when the part is covered, negative where
    it rises; `base` is the value of the whole picture. Of ambiguity it is the first class's lead over the second (−1 to
    1), of confusability the nearest picture's similarity, else the measure itself. `box` is the part of the upright
    picture that the model sees, left, top, right, bottom as shares of its width and height.
    """

    values: NDArray[np.float32]
    base: float
    explained: Explained
    box: tuple[float, float, float, float]

    @property
    def scale(self) -> float:
        """What an effect is a share of: 1 for leads and similarities, else the value itself."""
        return 1.0 if self.explained.sides else max(self.base, 0.0)


def heat_of(model: Model, picture: Picture, explained: Explained, *, grid: int = GRID) -> Heat:
    """The heat map of a picture that was read: occlusion, by a blur of what is there, through whatever runs the model.

    A gradient would take one backward pass, but OpenVINO has none, and a map should not depend on where a model runs.
    """
    values = np.concatenate([_values(model, batch, explained) for batch in _covered(picture.crop, grid)])
    base = float(_values(model, picture.crop[None], explained)[0])
    box = seen_box((picture.width, picture.height), model.space.preprocessing)
    return Heat((base - values).reshape(grid, grid).astype(np.float32), base, explained, box)


def seen_box(size: tuple[int, int], sheet: Preprocessing) -> tuple[float, float, float, float]:
    """The part of an upright picture of (width, height) that a backbone sees, as `Heat.box`: the middle square."""
    side = sheet.size_px / sheet.resize_px * min(size)
    wide, high = (min(1.0, side / length) for length in size)
    return (1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2


def _covered(crop: NDArray[np.uint8], grid: int) -> Iterator[NDArray[np.uint8]]:
    """The crop with each cell of the grid covered, row by row, in batches (B, S, S, 3)."""
    side = len(crop)
    cover = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(BLUR_SHARE * side)))
    edges = np.linspace(0, side, grid + 1)
    low = np.maximum(0, edges[:-1] - REACH * side / grid).round().astype(int)
    high = np.minimum(side, edges[1:] + REACH * side / grid).round().astype(int)
    cells = [(row, column) for row in range(grid) for column in range(grid)]
    for start in range(0, len(cells), BATCH):
        batch = np.repeat(crop[None], len(cells[start : start + BATCH]), axis=0)
        for picture, (row, column) in zip(batch, cells[start : start + BATCH], strict=True):
            part = slice(low[row], high[row]), slice(low[column], high[column])
            picture[part] = cover[part]
        yield batch


def _values(model: Model, crops: NDArray[np.uint8], explained: Explained) -> NDArray[np.float32]:
    outputs = model.run(crops)
    if explained.value_of is not None:
        return explained.value_of(model.as_stored(outputs.embedding))
    return outputs.entropy if explained.measure == ENTROPY.name else model.uncertainty(outputs.embedding)


RAISES = (213, 94, 0)
LOWERS = (0, 114, 178)
"""Vermilion and blue of Okabe and Ito's palette, which tell apart for nearly everybody."""
MOST_OPAQUE = 0.7
OVERLAY_PX = 256
FAINT = 0.1
"""Of `Heat.scale`: a part that changes the value by less is drawn the fainter, the less it does."""
DRAWN_FROM = 0.4
"""Share of the strongest effect: weaker ones are not drawn."""
LITTLE = 0.02
"""Of `Heat.scale`: below it, no part can be said to matter."""
FAR, FAR_PERCENTILE = 0.3, 10
"""A picture whose nearest is less alike than this, and than those of nine tenths of the set, is like nothing there."""


def overlay(heat: Heat, *, size_px: int = OVERLAY_PX) -> Image.Image:
    """RGBA of the part that the model sees (`heat.box`): the stronger the effect, the less transparent.

    Effects below `DRAWN_FROM` are left out: a veil over most of a picture would not say where.
    """
    smooth = Image.fromarray(_scaled(heat)).resize((size_px, size_px), Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(smooth), 0 if len(heat.explained.sides) == 1 else -1, 1)
    colours = np.where((values > 0)[..., None], RAISES, LOWERS)
    drawn = np.clip((np.abs(values)[..., None] - DRAWN_FROM) / (1 - DRAWN_FROM), 0, 1)
    alpha = drawn * (255 * MOST_OPAQUE if heat.explained.too_far is None else 0)
    return Image.fromarray(np.concatenate([colours, alpha], axis=2).round().astype(np.uint8))


def over(picture: Image.Image, heat: Heat) -> Image.Image:
    """The upright picture, greyed a little so that colours tell, with its heat map over it (RGB)."""
    left, top, right, bottom = heat.box
    width, height = picture.size
    corner, end = (round(left * width), round(top * height)), (round(right * width), round(bottom * height))
    whole = Image.blend(picture.convert("RGB"), picture.convert("L").convert("RGB"), 0.6)
    layer = overlay(heat).resize((max(1, end[0] - corner[0]), max(1, end[1] - corner[1])), Image.Resampling.BICUBIC)
    whole.paste(layer.convert("RGB"), corner, layer.getchannel("A"))
    return whole


def heat_in_words(heat: Heat) -> str:
    """Which order the map explains, what its colours mean, and where they are strongest."""
    title, unit = in_text(heat.explained.measure).capitalize(), "points" if heat.explained.sides else "%"
    effects = [(float(values.max()) / (heat.scale or 1), _place(values)) for values in (heat.values, -heat.values)]
    fall, rise = (f"by up to {100 * effect:.0f} {unit} ({place})" for effect, place in effects)
    up, down = f"Orange parts raise it: covering them lowers it {fall}.", "Blue parts lower it."
    match heat.explained.sides:
        case (first, second):
            title += f" between {first} and {second}"
            up = f"Orange parts support {first}: covering them lowers its lead {fall}."
            down = f"Blue parts support {second}: covering them raises that lead {rise}."
        case (nearest,):
            title += f": likeness to the nearest picture, {nearest}"
            up, down = f"Orange parts look like it: covering them lowers the similarity {fall}.", ""
    if heat.explained.too_far is not None:
        far = f"the nearest picture has a similarity of {decimal(heat.explained.too_far)}"
        return f"{title}. Little here is like anything in the set: {far}, so no part is drawn as supporting it."
    if effects[0][0] < LITTLE:
        up = "No single part: covering any of them hardly lowers the value."
    return " ".join(filter(None, (f"{title}.", up, down if effects[1][0] >= LITTLE else "")))


def _scaled(heat: Heat) -> NDArray[np.float32]:
    """−1 to 1, where the strongest effect stays faint in a map of next to none."""
    most = max(float(np.abs(heat.values).max()), FAINT * heat.scale, 1e-12)
    return heat.values / np.float32(most)


def _place(values: NDArray[np.float32]) -> str:
    """Where the highest of values (G, G) is, in words: `at the top left`."""
    thirds = (min(2, int(3 * (place + 0.5) / len(values))) for place in divmod(int(values.argmax()), len(values)))
    names = (words[third] for words, third in zip((("top", "", "bottom"), ("left", "", "right")), thirds, strict=True))
    return f"at the {where}" if (where := " ".join(filter(None, names))) else "in the middle"


def explained_measure(row: Mapping[str, object], *names: str | None) -> str:
    """The first of these measures that a heat map can explain and the picture of a table's `row` has a value of.

    `tuned` is explained by confusability, which answers made it of. Without any it is the head's value, or the entropy.
    """
    measures = (CONFUSABILITY.name if name == TUNED.name else name for name in (*names, UNCERTAINTY.name))
    can_be = (AMBIGUITY.name, CONFUSABILITY.name, UNCERTAINTY.name, ENTROPY.name)
    return next((name for name in measures if name in can_be and row[name] == row[name]), ENTROPY.name)


def explained(measure: str, row: Mapping[str, object], place: int, reference: Reference) -> Explained:
    """What explains where a measure puts a picture: of ambiguity the lead of its first class over its second, −1 to 1.

    Of confusability it is the similarity of the nearest, else what the model says of the picture by itself. `row` is
    the picture's of `ImageSet.table()`, `place` its row of the reference (by one model), NONE for none.
    """
    among, rows_of = reference.confusability, reference.whitened.whitening.transform
    if measure == AMBIGUITY.name and reference.model is not None and place != NONE:
        without, classes = reference.without(place), (str(row["first_class"]), str(row["second_class"]))
        columns = np.searchsorted(reference.model.classes, [reference.class_names.index(name) for name in classes])
        return Explained(measure, classes, lambda copies: _lead(copies, without, columns), _too_far(row, reference))
    if measure == CONFUSABILITY.name and among is not None and place != NONE:
        nearest = among.models[0].first[place, 0]
        path = str(reference.table["path"].iloc[nearest])
        to = reference.whitened.rows[nearest].astype(np.float32)
        return Explained(
            measure,
            (path,),
            lambda copies: np.asarray(rows_of(copies).astype(np.float32) @ to),
            _too_far(row, reference),
        )
    return Explained(measure if measure == ENTROPY.name else explained_measure(row))


def _too_far(row: Mapping[str, object], reference: Reference) -> float | None:
    similarity = float(str(row["nearest_similarity"]))
    if not similarity < FAR:
        return None
    of_all = reference.table["nearest_similarity"].to_numpy(np.float64)
    return similarity if similarity < np.nanpercentile(of_all, FAR_PERCENTILE) else None


def _lead(copies: NDArray[np.floating], without: Reference, columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """By how much the share of one class exceeds that of another (Q,), for embeddings (Q, D) of copies."""
    assert without.model is not None
    rows = without.whitened.whitening.transform(copies)
    near, _ = nearest_without_twins(NewPictures.of_embeddings(copies), without)
    first, second = shares_of_new([near], np.arange(len(rows)), rows, without.model)[:, columns].T
    return np.asarray(first - second, np.float32)
