"""Shortcuts: properties that are no content of a picture, and tell its class all the same.

Each property is asked by itself which class a picture has, by its nearest others in it (a vote of k-nearest neighbours,
after Cover and Hart, 1967). What is of one source group, a copy, a view, a patient, is never among them. How well a
class is told is Matthews' correlation of being called so with being so: 0 by chance, however small the class, 1 for
always.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from url_viz.base.printout import Printout, Table
from url_viz.base.processes import usable_cores
from url_viz.base.rows import mid_ranks
from url_viz.base.wording import counted, first_of, listed, percent
from url_viz.columns.engine import OnDisk, column
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame, Imported
from url_viz.findings.checks import Check, Listed, Said
from url_viz.imaging.folder_classes import SPLIT, is_split_column
from url_viz.labels.classes import CodedLabels
from url_viz.labels.label_choice import Labels, level_of
from url_viz.store.columns.imported_columns import FOLDERS
from url_viz.store.columns.source_columns import OBJECTS, PICTURE
from url_viz.store.tables.stored_arrow import numbers_from_table
from url_viz.store.tables.tables import positions_of

STRONG = 0.5
"""A class is told from this correlation on. On seven development sets nothing but brightness, of one class of one set,
comes above .26; the largest of 39 shuffles is .37."""
BEYOND_INSIDE = 0.4
"""By how much the border must tell a class better than the same numbers of the inside, in Fisher's z (.5 against .15,
.9 against .8): else it shows content, as the inside does."""
SHUFFLES = 39
"""Classes are dealt anew to source groups this often; a class counts as told if none of all classes by any property
comes as far in any of these, which happens by chance once in forty sets."""
NEIGHBOURS = 7
FOLDS = 5
FEWEST_GROUPS = 8
"""Source groups that a class needs to be judged."""
MOST = 10_000
"""Pictures that are looked at of a larger set: whole source groups, drawn by a seed."""
MOST_VALUES = 50
"""A column of text with more values names pictures, or groups of them."""
NOT_JUDGED = (
    "Shortcuts are sought among two classes or more, of 8 source groups each. Choose labels: `labels use`. Of objects "
    "none are sought."
)
KNOWN = 0.95
"""The share of pictures of which a property of files must be known."""
RIM = 0.02
"""The border is this share of the shorter side."""
BORDER_PX = 64
"""Borders are measured in thumbnails whose shorter side is that or up to twice that, which decode faster."""

Codes = NDArray[np.int32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BORDER = [f"{part}_{what}" for part in ("rim", "inside") for what in ("red", "green", "blue", "spread")]


@dataclass(frozen=True)
class Property:
    """What pictures are asked by: `values` (N, V), nan for none; `shown` says those of some rows in words.

    One that only the collection shows, and no pixel, is not a finding (`is_finding`). `inside` (N, V) are numbers that
    must not tell as much.
    """

    name: str
    values: Floats
    shown: Callable[[Ints], str]
    is_finding: bool = True
    inside: Floats | None = None


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """What tells classes: a row of `rows` for each class and property, the strongest property first.

    `rows`: property, label, right (the share of its pictures that the property calls so), chance (the same where
    classes are shuffled), strength (the correlation), p (corrected for the number of properties and classes), here and
    others (the property's usual value in the class and elsewhere), and is_finding. `tried`: property, right (of all
    pictures), strength (of the class that it tells best), classes (how many it tells). `of` classes were judged, on
    `pictures`.
    """

    rows: pd.DataFrame
    tried: pd.DataFrame
    of: int
    pictures: int

    @cached_property
    def findings(self) -> pd.DataFrame:
        """The rows of `rows` that a model could learn, or that show how pictures were taken."""
        return self.rows[self.rows["is_finding"].to_numpy(bool)].reset_index(drop=True)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in `findings`."""
        return tuple(dict.fromkeys(self.findings["label"]))

    def words(self, rows: pd.DataFrame | None = None) -> list[str]:
        """A sentence for each property: "JPEG quality alone tells 4 of 12 classes (a, …): 71 % right, chance 20 %"."""
        rows = self.findings if rows is None else rows
        lines = []
        for name, some in rows.groupby("property", sort=False):
            weight = some["pictures"].to_numpy(float)
            right, chance = (float(np.average(some[each], weights=weight)) for each in ("right", "chance"))
            named = listed(some["label"].tolist()) if len(some) < 3 else first_of(some["label"].tolist())
            told = f"{len(some):,} of {counted(self.of, 'class')} ({named})"
            lines.append(f"{name} alone tells {told}: {percent(right)} right, chance {percent(chance)}")
        return lines

    def printout(self) -> Printout:
        """The sentences, each class with the property that tells it, and what was tried."""
        own = self.rows[~self.rows["is_finding"].to_numpy(bool)]
        lines = [f"{line}." for line in self.words()] or [
            f"Nothing that is no content tells any of {self.of:,} classes."
        ]
        lines += [f"{line}. No pixel shows it; it may be the class itself, in other words." for line in self.words(own)]
        columns = ("property", "label", "right", "chance", "strength", "p", "here", "others")
        tables = [Table(self.rows, columns, noun="class")] if len(self.rows) else []
        return Printout(lines, [*tables, Table(self.tried, title="Tried:", noun="property", plural="properties")])


_COLUMNS = ("property", "label", "right", "chance", "strength", "p", "pictures", "here", "others", "is_finding")


def find_shortcuts(
    properties: Sequence[Property], labels: CodedLabels, groups: Codes, *, strong: float = STRONG, seed: int = 0
) -> Shortcuts | None:
    """What tells the classes of N pictures by itself; None where fewer than two classes can be judged.

    `groups` (N,) are source groups, dealt to folds whole. A class is told from the correlation `strong` on. Pictures
    without a label are left out.
    """
    rows = np.flatnonzero(labels.codes != NONE)
    pairs = np.unique(np.stack([labels.codes[rows], groups[rows]]), axis=1)
    is_judged = np.bincount(pairs[0], minlength=len(labels.names)) >= FEWEST_GROUPS
    if is_judged.sum() < 2 or not properties:
        return None
    label, group = labels.codes[rows], np.unique(groups[rows], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    fold = rng.permutation(group.max() + 1)[group] % FOLDS
    near = [_neighbours(each.values[rows], fold, rng) for each in properties]
    seen = [_scores(label, nearest, is_judged) for nearest in near]
    strength = np.stack([told.strength for told in seen])
    for number, each in enumerate(properties):
        if each.inside is not None:
            inside = _scores(label, _neighbours(each.inside[rows], fold, rng), is_judged)
            lead = _fisher_z(strength[number]) - _fisher_z(inside.strength)
            strength[number, lead < BEYOND_INSIDE] = 0
    tells = strength >= strong
    chance, p = np.zeros_like(strength), np.ones_like(strength)
    if tells.any():  # else nothing need be shuffled
        dealt = [[_scores(other, nearest, is_judged) for nearest in near] for other in shuffles(label, group, rng)]
        chance = np.mean([[told.right for told in each] for each in dealt], axis=0)
        best = np.array([max(told.strength.max() for told in each) for each in dealt])
        p = (1 + (best[:, None, None] >= strength).sum(axis=0)) / (SHUFFLES + 1)
        tells &= p <= 1 / (SHUFFLES + 1)

    def row(number: int, code: int) -> tuple[Any, ...]:
        each, of_class = properties[number], label == code
        figures = seen[number].right[code], chance[number, code], strength[number, code], p[number, code]
        usual = each.shown(rows[of_class]), each.shown(rows[~of_class])
        return each.name, labels.names[code], *figures, int(of_class.sum()), *usual, each.is_finding

    order = np.argsort(-np.where(tells, strength, 0).sum(axis=1), kind="stable")
    places = [(number, code) for number in order for code in np.argsort(-strength[number]) if tells[number, code]]
    tried = {
        "property": [each.name for each in properties],
        "right": [each.share for each in seen],
        "strength": strength.max(axis=1),
        "classes": tells.sum(axis=1),
    }
    table = pd.DataFrame([row(*place) for place in places], columns=list(_COLUMNS))
    return Shortcuts(table, pd.DataFrame(tried), int(is_judged.sum()), len(rows))


@dataclass(frozen=True)
class _Scores:
    """How C classes are told: correlation and share of right answers (C,), 0 where not judged; of all, the `share`."""

    strength: Floats
    right: Floats
    share: float


def _scores(label: Codes, near: Ints, is_judged: NDArray[np.bool_]) -> _Scores:
    """How the votes of neighbours (N, K) tell classes (N,); of a tie the nearest decides."""
    votes = label[near]
    agree = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    called = votes[np.arange(len(votes)), agree.argmax(axis=1)]
    count, classes = len(label), len(is_judged)
    hits = np.bincount(label[called == label], minlength=classes).astype(float)
    of, calls = (np.bincount(each, minlength=classes).astype(float) for each in (label, called))
    spread = np.sqrt(of * (count - of) * calls * (count - calls))
    strength = np.where(is_judged & (spread > 0), (hits * count - of * calls) / np.maximum(spread, 1), 0)
    return _Scores(strength, np.where(is_judged, hits / np.maximum(of, 1), 0), float(hits.sum() / count))


def _fisher_z(correlation: Floats) -> Floats:
    """Correlations on a scale on which a step means as much near 1 as near 0."""
    return np.arctanh(np.clip(correlation, -0.999, 0.999))


def _neighbours(values: Floats, fold: Ints, rng: np.random.Generator) -> Ints:
    """The nearest (N, K) of other folds by the ranks of values (N, V), equal ones in random order."""
    filled = np.where(np.isfinite(values), values, -np.inf)
    ranks = np.stack([mid_ranks(each) / len(each) for each in filled.T], axis=1)
    ranks += 1e-7 * rng.standard_normal(ranks.shape)
    near = np.zeros((len(ranks), NEIGHBOURS), np.int64)
    for number in range(FOLDS):
        asked, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        near[asked] = others[cKDTree(ranks[others]).query(ranks[asked], NEIGHBOURS)[1]]
    return near


def shuffles(label: Codes, group: Ints, rng: np.random.Generator) -> Iterator[Codes]:
    """Labels (N,) where each source group has those of another one, repeated or cut to its size."""
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    own, place = group[order], np.arange(len(group)) - np.repeat(start, size)
    for _ in range(SHUFFLES):
        other = rng.permutation(len(size))[own]
        shuffled = np.empty_like(label)
        shuffled[order] = label[order][start[other] + place % size[other]]
        yield shuffled


@column()
def shortcut_rows(base: Frame, sources: Codes) -> Ints:
    """The pictures (M,) that are looked at: all, or whole source groups that are MOST together."""
    count = len(base.table)
    if count <= MOST:
        return np.arange(count)
    place = np.random.default_rng(0).permutation(int(sources.max()) + 1)[sources]
    return np.sort(np.argsort(place, kind="stable")[:MOST])


def _borders_from(table: pa.Table, shortcut_rows: Ints) -> Floats:
    schema = pa.schema([(name, pa.float64()) for name in _BORDER])
    columns = numbers_from_table(table, schema, len(shortcut_rows))
    return np.stack([np.asarray(columns[name], np.float64) for name in _BORDER], axis=1)


@column(on_disk=OnDisk(lambda values: pa.table(dict(zip(_BORDER, values.T, strict=True))), _borders_from, most=1))
def borders(base: Frame, shortcut_rows: Ints, thumbnails_of: Callable[[Iterable[int]], dict[int, bytes]]) -> Floats:
    """Colour and its spread (M, 8) along the border of the pictures that are looked at, then of their inside."""
    ids = base.table["id"].to_numpy(np.int64)[shortcut_rows].tolist()
    values = np.full((len(ids), len(_BORDER)), np.nan)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for start in range(0, len(ids), 1_000):
            some = thumbnails_of(ids[start : start + 1_000])
            found = [start + number for number, image_id in enumerate(ids[start : start + 1_000]) if image_id in some]
            values[found] = list(pool.map(border_of, (some[ids[row]] for row in found)))
    return values


def border_of(jpeg: bytes) -> Floats:
    """The mean red, green and blue of a thumbnail's border, 0 to 1, and their mean spread; then those of its inside."""
    image = Image.open(io.BytesIO(jpeg))
    image.draft("RGB", (BORDER_PX, BORDER_PX))
    pixels = np.asarray(image.convert("RGB"), np.float32) / 255
    height, width = pixels.shape[:2]
    rim = max(1, round(RIM * min(height, width)))
    is_inside = np.zeros((height, width), bool)
    is_inside[rim : height - rim, rim : width - rim] = True
    border, inside = pixels[~is_inside], pixels[height // 4 : height - height // 4, width // 4 : width - width // 4]
    parts = border, inside.reshape(-1, 3)
    return np.concatenate([np.append(part.mean(axis=0), part.std(axis=0).mean()) for part in parts]).astype(np.float64)


@column()
def shortcuts(
    base: Frame,
    imported: Imported,
    labels: Labels,
    picture_labels: CodedLabels,
    sources: Codes,
    shortcut_rows: Ints,
    borders: Floats,
    encodings: pa.Table,
) -> Shortcuts | None:
    """What is no content and tells the class; None without classes, and of objects, whose boxes are of the content."""
    if imported.source_of(PICTURE) == OBJECTS:
        return None
    rows = shortcut_rows
    properties = [
        *pixel_properties(base.table.iloc[rows], borders),
        *file_properties(encodings, base.contents[rows]),
        *collection_properties(base, imported, labels.source, rows),
    ]
    chosen = CodedLabels(picture_labels.names, picture_labels.codes[rows])
    return find_shortcuts([each for each in properties if differs(each.values)], chosen, sources[rows])


def differs(values: Floats) -> bool:
    """Whether values (N, V) are not all the same."""
    filled = np.where(np.isfinite(values), values, -np.inf)
    return len(values) > 0 and bool((filled != filled[0]).any())


def pixel_properties(table: pd.DataFrame, borders: Floats) -> Iterator[Property]:
    """What pixels show: `borders` (N, 8) as of the column."""
    width, height, bright = (table[name].to_numpy(np.float64) for name in ("width", "height", "brightness"))
    size = np.stack([width, height], axis=1)
    yield Property("Size", size, lambda rows: " × ".join(f"{each:.0f}" for each in np.median(size[rows], axis=0)))
    shape = np.round(width / np.maximum(height, 1), 2)  # what is resized is a pixel off
    yield Property("Shape", shape[:, None], _median(shape, "width / height {:.2f}"))
    yield Property("Brightness", bright[:, None], _median(bright, "{:.0%} grey"))
    rim, inside = borders[:, :4], borders[:, 4:]

    def colour(rows: Ints) -> str:
        mean = np.median(np.nan_to_num(rim[rows]), axis=0)
        return f"#{''.join(f'{round(255 * each):02x}' for each in mean[:3])}, spread {mean[3]:.2f}"

    yield Property("Border", rim, colour, inside=inside)


def file_properties(encodings: pa.Table, contents: Ints) -> Iterator[Property]:
    """What headers of files say, where nearly all were read since it is kept."""
    place = positions_of(contents, np.asarray(encodings["content"].to_numpy(), np.int64))
    if not len(place) or (place >= 0).mean() < KNOWN:
        return
    known = encodings.to_pandas()
    known = known.reindex(np.where(place >= 0, place, len(known)))
    quality, taken = known["quality"].to_numpy(np.float64), known["taken"].to_numpy(np.float64)
    yield _named("Format", known["format"])
    yield Property("JPEG quality", quality[:, None], _median(quality, "{:.0f}"))
    yield _named("Camera", known["camera"])
    days = known["taken"] // 86_400
    yield Property("Date taken", taken[:, None], lambda rows: _day(days.to_numpy()[rows]), is_finding=False)


def collection_properties(base: Frame, imported: Imported, source: str | None, rows: Ints) -> Iterator[Property]:
    """Folders above the class, and the user's columns: no pixel shows these."""
    level = base.found.class_level
    number = level.number if source == FOLDERS and level is not None else level_of(source)
    for above in base.found.levels[: number - 1 if number else 0]:
        yield _named(
            f"Folder, level {above.number}", pd.Series(base.found.names_at(above.number)[rows]), is_finding=False
        )
    for each in imported.listed:
        if each.name in (source, SPLIT) or is_split_column(each.name):
            continue
        values = pd.Series(imported.columns[each.name]).iloc[rows].reset_index(drop=True)
        name = f"Column {each.name}"
        if each.kind == "numeric":
            numbers = values.to_numpy(np.float64)
            yield Property(name, numbers[:, None], _median(numbers, "{:.4g}"), is_finding=False)
        elif values.nunique() <= MOST_VALUES:
            yield _named(name, values, is_finding=False)


def _named(name: str, values: "pd.Series[Any]", *, is_finding: bool = True) -> Property:
    """A property of words, or None."""
    codes = pd.factorize(values)[0].astype(np.float64)[:, None]
    texts = values.reset_index(drop=True)

    def usual(rows: Ints) -> str:
        return str(next(iter(texts.iloc[rows].fillna("none").mode()), ""))

    return Property(name, codes, usual, is_finding=is_finding)


def _median(values: Floats, text: str) -> Callable[[Ints], str]:
    """The median of some rows in words; "" where none has a value."""

    def shown(rows: Ints) -> str:
        some = values[rows][np.isfinite(values[rows])]
        return text.format(float(np.median(some))) if len(some) else ""

    return shown


def _day(days: Floats) -> str:
    some = days[np.isfinite(days)]
    return str(np.datetime64(int(np.median(some)), "D")) if len(some) else ""


def _said_of_shortcuts(shortcuts: Shortcuts | None) -> Said | None:
    if shortcuts is None or not shortcuts.classes:
        return None
    first, *others = shortcuts.words()
    more = f", and {counted(len(others), 'other property', 'other properties')}" if others else ""
    return Said(len(shortcuts.classes), f"{first}{more}")


def _shortcuts_bound(shortcuts: Shortcuts | None) -> Listed | None:
    """Classes, each with what tells it."""
    if shortcuts is None:
        return None
    rows = shortcuts.findings
    told = pd.DataFrame({"path": rows["label"], "detail": "told by " + rows["property"].str.cat(rows["here"], sep=" ")})
    return told.groupby("path", sort=False, as_index=False).agg({"detail": ", ".join}), shortcuts.of


SHORTCUTS = Check(
    "shortcuts",
    needs="classes",
    place=45,
    says=_said_of_shortcuts,
    short="class{es} told by a shortcut",
    why="A model may learn this in place of what the pictures show, and fails where the two part. Give all classes the "
    "same, or test on pictures in which it does not go with the class.",
    listed_by="shortcuts",
    bound=_shortcuts_bound,
)
