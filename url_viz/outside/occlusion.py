"""Occlusion maps (which parts put a picture where it stands), and the crop test, which needs no labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from url_viz.base.processes import read_ahead
from url_viz.base.wording import decimal
from url_viz.columns.measures import AMBIGUITY, CONFUSABILITY, ENTROPY, TUNED, UNCERTAINTY, in_text
from url_viz.columns.ranking import NONE
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.workers import DecodeResult, Picture, fetch_and_decode_isolated
from url_viz.labels.ambiguity import shares_of_new
from url_viz.models.model import BATCH, Model
from url_viz.outside.new_pictures import NewPictures, Reference, compare_to_reference, nearest_without_twins
from url_viz.store.tables.tables import positions_of

GRID = 6
"""Cells along a side: 36 forward passes."""
REACH = 1.0
"""Cells by which a cover reaches beyond its own: neighbouring covers overlap, and each hides enough to matter."""
BLUR_SHARE = 0.125
"""Radius of the blur that covers, as a share of the side; found planted parts best (docs/look.md)."""
COVERED_AT_ONCE = 16


@dataclass(frozen=True)
class Explained:
    """What a heat map explains: a measure, and how its value for covered copies of a picture is computed.

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
    """The heat map of a picture that was read, by occlusion: parts are blurred, and the model runs again.

    A gradient would take one backward pass, but OpenVINO has none, and a map should not depend on where a model runs.
    """
    values = np.concatenate([_values(model, batch, explained) for batch in _covered(picture.crop, grid)])
    base = float(_values(model, picture.crop[None], explained)[0])
    box = seen_box((picture.width, picture.height), model.space.preprocessing)
    return Heat((base - values).reshape(grid, grid).astype(np.float32), base, explained, box)


def seen_box(size: tuple[int, int], sheet: Preprocessing) -> tuple[float, float, float, float]:
    """The middle square of a picture of (width, height) that a backbone sees, as `Heat.box`."""
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
    for start in range(0, len(cells), COVERED_AT_ONCE):
        batch = np.repeat(crop[None], len(cells[start : start + COVERED_AT_ONCE]), axis=0)
        for picture, (row, column) in zip(batch, cells[start : start + COVERED_AT_ONCE], strict=True):
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
    # The strongest effect is 1, but stays faint in a map of next to none.
    most = max(float(np.abs(heat.values).max()), FAINT * heat.scale, 1e-12)
    scaled = Image.fromarray(heat.values / np.float32(most))
    smooth = scaled.resize((size_px, size_px), Image.Resampling.BICUBIC)
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
    """What the map explains, what its colours mean, and where they are strongest."""
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
        return f"{title}. Little here is like anything in the set: {far}. So nothing is painted."
    if effects[0][0] < LITTLE:
        up = "No single part: covering any of them hardly lowers the value."
    return " ".join(filter(None, (f"{title}.", up, down if effects[1][0] >= LITTLE else "")))


def _place(values: NDArray[np.float32]) -> str:
    """Where the highest of values (G, G) is, in words: `at the top left`."""
    thirds = (min(2, int(3 * (place + 0.5) / len(values))) for place in divmod(int(values.argmax()), len(values)))
    names = (words[third] for words, third in zip((("top", "", "bottom"), ("left", "", "right")), thirds, strict=True))
    return f"at the {where}" if (where := " ".join(filter(None, names))) else "in the middle"


def explained_measure(row: Mapping[str, object], *names: str | None) -> str:
    """The first of these measures that a heat map can explain and a table's `row` has; else uncertainty, or entropy.

    `tuned` is explained by confusability, of which answers made it.
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
    """By how much one class's share exceeds another's (Q,), for embeddings (Q, D) of covered copies."""
    assert without.model is not None
    rows = without.whitened.whitening.transform(copies)
    near, _ = nearest_without_twins(NewPictures.of_embeddings(copies), without)
    first, second = shares_of_new([near], np.arange(len(rows)), rows, without.model)[:, columns].T
    return np.asarray(first - second, np.float32)


CROP_SHARES = (0.1, 0.75)
"""Sides of the crops as shares of the whole (PVU 4.3 of the method: f ~ U(.1, .75))."""
TESTED = ("ambiguity", "confusability", "uncertainty", "entropy")


@dataclass(frozen=True)
class Subject:
    """A picture to crop: its id, its name for people, and what fetches its file."""

    id: int
    name: str
    fetch: Callable[[], bytes]


@dataclass(frozen=True)
class CropTest:
    """A tested sample: `table` has a row per picture that was read, `unreadable` counts the others.

    Columns: id, path, crop_share, and whole and crop values of each of TESTED (`entropy`, `entropy_of_crop`); nan
    without classes, a graph, a head, or a classifier.
    """

    table: pd.DataFrame
    unreadable: int

    def wins(self, measure: str) -> tuple[int, int]:
        """How many crops have a strictly higher value than their picture, and how many pictures have both values."""
        whole, crop = (self.table[name].to_numpy(np.float64) for name in (measure, f"{measure}_of_crop"))
        is_valued = np.isfinite(whole) & np.isfinite(crop)
        return int((crop[is_valued] > whole[is_valued]).sum()), int(is_valued.sum())


def crop_share(image_id: int, *, seed: int = 0) -> float:
    """The side of a picture's crop as a share of the whole, drawn by seed and id alone."""
    return float(np.random.default_rng([seed, image_id % 2**64]).uniform(*CROP_SHARES))


def middle_of(crop: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The middle of a crop (S, S, 3) uint8, its side cut to `share`, blown up to S again (PVU 4.3)."""
    size = crop.shape[0]
    side = max(1, round(size * share))
    start = (size - side) // 2
    image = Image.fromarray(crop[start : start + side, start : start + side])
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def crop_test(
    model: Model, subjects: Sequence[Subject], *, reference: Reference | None = None, seed: int = 0
) -> Iterator[tuple[int, CropTest]]:
    """Read, crop and score pictures batch by batch: yields how many are done, and the test so far, after each batch.

    Ambiguity and confusability are within a `reference` by this model, without the picture and its twins.
    """
    tables: list[pd.DataFrame] = []
    unreadable = 0

    def read(subject: Subject) -> tuple[Subject, DecodeResult]:
        return subject, fetch_and_decode_isolated(subject.fetch, model.space.preprocessing)

    done = 0
    for batch in read_ahead((subjects[start : start + BATCH] for start in range(0, len(subjects), BATCH)), read):
        good = [(subject, reading.crop) for subject, reading in batch if isinstance(reading, Picture)]
        unreadable += len(batch) - len(good)
        if good:
            tables.append(_scored(model, good, reference, seed=seed))
        done += len(batch)
        yield done, CropTest(_joined(tables), unreadable)


def _scored(
    model: Model, good: Sequence[tuple[Subject, NDArray[np.uint8]]], reference: Reference | None, *, seed: int
) -> pd.DataFrame:
    ids = np.array([subject.id for subject, _ in good], np.int64)
    shares = [crop_share(subject.id, seed=seed) for subject, _ in good]
    whole = np.stack([crop for _, crop in good])
    cut = np.stack([middle_of(crop, share) for crop, share in zip(whole, shares, strict=True)])
    columns: dict[str, object] = {"id": ids, "path": [subject.name for subject, _ in good], "crop_share": shares}
    for ending, crops in (("", whole), ("_of_crop", cut)):
        outputs = model.run(crops)
        embeddings = model.as_stored(outputs.embedding)
        within = [np.nan] * 2 if reference is None else _within(reference, ids, embeddings)
        values = *within, model.uncertainty(embeddings), outputs.entropy
        columns |= {f"{name}{ending}": of_crops for name, of_crops in zip(TESTED, values, strict=True)}
    return pd.DataFrame(columns)


def _within(reference: Reference, ids: NDArray[np.int64], embeddings: NDArray[np.float16]) -> NDArray[np.float64]:
    """Ambiguity and confusability (2, Q) of copies of pictures, each without its picture and that one's twins."""
    values = np.full((2, len(ids)), np.nan)
    rows = positions_of(ids, reference.ids)
    for number in np.flatnonzero(rows >= 0):
        crop = NewPictures.of_embeddings(embeddings[[number]])
        compared = compare_to_reference(crop, reference.without(rows[number]))
        values[:, number] = (
            np.nan if compared.shares is None else compared.shares.ambiguity[0],
            compared.confusability[0],
        )
    return values


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["id", "path", "crop_share", *TESTED, *(f"{name}_of_crop" for name in TESTED)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns, dtype=float)
