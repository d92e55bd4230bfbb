"""The versions of an image set, as it is and as it was; and what changed between two, with what that did."""

import datetime
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import FEW, counted, decimal, first_of
from url_viz.columns.table import imported, with_user_columns
from url_viz.core import SetCore, SetSubject, require_same_kind
from url_viz.evidence.order_metrics import holm
from url_viz.findings.leaks import find_splits, leaks
from url_viz.imaging.places import image_id, picture_path
from url_viz.imaging.quality import Hashes
from url_viz.imaging.scan import display_name
from url_viz.labels.label_choice import labels, stored_source
from url_viz.outside.new_pictures import NewPictures, nearest_without_twins
from url_viz.outside.uploads import placed_on_map
from url_viz.pipeline.near_copies import NEVER, Pixels, alike, bits_apart, stored_pixels
from url_viz.pipeline.nearest import NONE, top_k
from url_viz.pipeline.twins import cosines, joined_groups, twin_groups, twins_of, twins_of_objects
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.about import raising_disk_errors
from url_viz.store.columns.imported_columns import NAMES, TAGS
from url_viz.store.columns.source_columns import PICTURE, Boxes
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import DECIDED
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Embeddings, Twins, no_twins, positions_of
from url_viz.store.version_files import (
    ROWS,
    ROWS_OF_OBJECTS,
    StoredVersion,
    damaged_versions,
    rows_of,
    store_version,
    stored_versions,
    version_numbers,
)
from url_viz.versions.changes import (
    BOX,
    CHANGES,
    LEAST_DIFFERENCE,
    Matching,
    ProbeChange,
    ambiguity_by_class,
    changes,
    class_sizes,
    content_codes_of,
    contents_with_one_label,
    match,
    new_leaks,
    probe_change,
)

CURRENT = "now"
LEAST_COSINE, NEAR_COSINE = 0.5, 0.95
"""The raw cosine of a copy that is known by its hash alone: of one that hardly differs, and of one that may differ."""
NEAREST = 8
"""So many of the nearest are looked at for the latter."""


@dataclass(frozen=True)
class Version:
    """An image set at one time: `rows` has id, path, content, label, split, decision and ambiguity of each picture.

    label, split and decision are None for none, ambiguity (of the reading) nan. Of objects also picture, and box_x …
    `core` is the set as it is opened now, `title` names the version, `number` is CURRENT for the set as it is.
    """

    core: SetCore
    title: str
    rows: pd.DataFrame
    number: int | str = CURRENT

    @property
    def is_now(self) -> bool:
        """Whether it is the set as it is opened, of which leaks and thumbnails are known."""
        return self.number == CURRENT

    def size(self, *, is_named: bool) -> str:
        """How large it is: "24", or "24 pictures"; of objects "2,805 in 561", "2,805 objects in 561 pictures"."""
        counts = [(len(self.rows), self.core.noun)]
        if PICTURE in self.rows:
            counts.append((self.rows[PICTURE].nunique(), "picture"))
        return " in ".join(counted(count, noun) if is_named else f"{count:,}" for count, noun in counts)


class SetVersions(SetSubject):
    """The versions of an image set, as `image_set.versions`.

    One is kept at the end of each reading that changed something, and when other labels are chosen. What was decided
    and corrected is known at any time since the first of them.
    """

    def stored(self) -> tuple[StoredVersion, ...]:
        """The versions that are kept and can be read, the oldest first."""
        damaged = self.damaged()
        return tuple(each for each in stored_versions(self._core.store.paths) if each.number not in damaged)

    def damaged(self) -> tuple[int, ...]:
        """The numbers of versions that are damaged: `mend` lays them aside."""
        return damaged_versions(self._core.store.paths)

    def table(self) -> pd.DataFrame:
        """The versions that are kept, by number: at (UTC), pictures, and state, which is "damaged" or ""."""
        whole = [(version.number, version.at, version.pictures, "") for version in self.stored()]
        damaged = [(number, "", None, "damaged") for number in self.damaged()]
        table = pd.DataFrame(sorted([*whole, *damaged]), columns=["number", "at", "pictures", "state"])
        return table.astype({"pictures": "Int64"})

    def store(self, *, is_quick: bool = False) -> bool:
        """Keep the set as it is opened, unless it is as in the last version; returns whether it was kept.

        If `is_quick`, without ambiguity, which the next reading adds.
        """
        core, rows = self._core, _given_rows(self._core, is_quick=is_quick)
        with raising_disk_errors(core.store.paths):
            source = core.derived.get(labels).source
            decided, models = core.decisions.version, "" if is_quick else models_of(core)
            return store_version(core.store.paths, rows, decisions=decided, label_source=source, models=models)

    def now(self) -> Version:
        """The set as it is opened, with the decisions and labels of now."""
        core = self._core
        rows = pd.DataFrame({name: core.frame[name].to_numpy(object) for name in ("label", "decision")})
        return Version(core, core.store.about().title, _rows(core, _given_rows(core, is_quick=False), rows))

    def at(self, since: int | str) -> Version:
        """The version of a number, or that of a time such as "2026-11-28" or "2026-11-28 14:30" (of this machine).

        Of a number with what was decided at the end of that reading; of a time with what was decided until then. Raises
        ImageSetError for a number or time of which nothing is kept, DamageError for a version that is damaged.
        """
        versions, core = stored_versions(self._core.store.paths), self._core
        number = int(since) if str(since).isdecimal() else None
        if number in version_numbers(core.store.paths):
            rows_of(core.store.paths, number)  # raises what is wrong with it
        until = "" if number is not None else _utc(str(since))
        fitting = [
            version for version in versions if (version.number == number if number is not None else version.at <= until)
        ]
        if not fitting:
            there = (
                f"{versions[0].number} ({versions[0].at}) to {versions[-1].number} ({versions[-1].at})"
                if versions
                else "none yet"
            )
            raise ImageSetError(
                f"No version {str(since)!r} of {str(core.root)!r} is kept; there are: {there}. One is kept at the end "
                "of each reading that changes something: `python -m url_viz versions FOLDER` lists them."
            )
        version = fitting[-1]
        decisions = max(version.decisions, core.decisions.version_at(until)) if until else version.decisions
        stored = rows_of(core.store.paths, version.number)
        rows = _as_decided(core, stored, version.label_source, decisions)
        if version.models != models_of(core):
            stored = stored.set_column(
                stored.schema.get_field_index("ambiguity"), "ambiguity", pa.nulls(len(stored), pa.float32())
            )
        title = f"{core.store.about().title}, version {version.number} ({since if until else version.at[:16]})"
        return Version(core, title, _rows(core, stored, rows), version.number)


def models_of(core: SetCore) -> str:
    """By which models ambiguity is: of others it is not compared."""
    second = core.second.active
    return core.space.key if second is None else f"{core.space.key}.{second.space.key}"


def _utc(text: str) -> str:
    """A time of this machine as decisions are logged. Raises ImageSetError for what is no time."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ImageSetError(
            f"{text!r} is neither the number of a version nor a time. Give a number of `python -m url_viz versions "
            'FOLDER`, or a time such as 2026-11-28 or "2026-11-28 14:30".'
        ) from error
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds")


def _given_rows(core: SetCore, *, is_quick: bool) -> pa.Table:
    """The rows of ROWS as they are opened; if `is_quick` without ambiguity. What takes long, reasons, is not needed."""
    brought = core.derived.get(imported)
    table = with_user_columns(core.base.table, brought)
    splits = find_splits(table, [column.name for column in brought.listed])
    label = core.derived.get(labels).columns.get("label_given", core.base.table["label"])
    ambiguity = (table if is_quick else core.measured)["ambiguity"]
    columns = {
        "path": core.base.paths.cast(pa.binary()),
        "content": core.contents,
        "label": pa.array(label.to_numpy(object), pa.string(), from_pandas=True),
        "split": pa.nulls(len(table), pa.string()) if splits is None else pa.array(splits.texts, pa.string()),
        "ambiguity": pa.array(ambiguity.to_numpy(np.float32), from_pandas=True),
    }
    schema = ROWS
    if core.is_of_objects and set(BOX) <= set(table.columns):
        columns, schema = columns | {name: table[name].to_numpy(np.float64) for name in BOX}, ROWS_OF_OBJECTS
    for name in ("label", "split"):
        columns[name] = columns[name].dictionary_encode()
    return pa.table(columns, schema=schema)


def _as_decided(core: SetCore, stored: pa.Table, source: str | None, version: int) -> pd.DataFrame:
    """Label and decision of each row of a version, by what was decided at a version of the log."""
    ids = np.array([image_id(path) for path in stored["path"].to_pylist()], np.int64)
    decided = core.decisions.as_of(version, FileKeys(ids, stored["content"].to_numpy()))
    given = _words(stored["label"])
    if source in (TAGS, NAMES):
        given = decided.first_tags if source == TAGS else decided.name
    corrected = decided.labels_of(stored_source(source))
    return pd.DataFrame(
        {"label": np.where(pd.notna(corrected), corrected, given), "decision": decided.decision}, dtype=object
    )


def _words(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of words (N,), None for none."""
    return np.array([*column.cast(pa.string()).to_pylist(), None], object)[:-1]


def _rows(core: SetCore, stored: pa.Table, decided: pd.DataFrame) -> pd.DataFrame:
    """`Version.rows` from stored ones and what was decided of them."""
    paths = stored["path"].to_pylist()
    columns = {
        "id": np.array([image_id(path) for path in paths], np.int64),
        "path": np.array([display_name(path) for path in paths], object),
        "content": stored["content"].to_numpy(),
        "label": decided["label"].to_numpy(object),
        "split": _words(stored["split"]),
        "decision": decided["decision"].to_numpy(object),
        "ambiguity": stored["ambiguity"].to_numpy(zero_copy_only=False).astype(np.float32),
    }
    if core.is_of_objects and set(BOX) <= set(stored.column_names):
        columns |= {PICTURE: np.array([display_name(picture_path(path)) for path in paths], object)}
        columns |= {name: stored[name].to_numpy() for name in BOX}
    return pd.DataFrame(columns)


WORDS = {
    "added": "added",
    "removed": "removed",
    "moved": "moved or renamed",
    "reencoded": "encoded anew",
    "replaced": "replaced by another at their path",
    "relabelled": "relabelled",
    "split_changed": "in another split",
    "decided": "with another decision",
    "boxes_changed": "with another box",
}
"""What is said of so many pictures with a change."""
NEW, GONE, CHANGED, SAME = "new", "gone", "changed", "same"

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BothContents:
    """The distinct contents of two versions (M,), sorted, and the twins among them.

    `raw` (R, D) are embeddings of those that the later version's set does not have now; `group` (M,) are source groups:
    twins of both versions, joined with what either set keeps apart.
    """

    content: Rows
    twins: Twins
    raw: NDArray[np.floating]
    group: NDArray[np.int32]


class DiffFigures(Protocol):
    """What takes long of a `Diff`, under the same names: computed once it is asked for, or computed before."""

    @property
    def ambiguity(self) -> pd.DataFrame: ...
    @property
    def accuracy(self) -> ProbeChange | None: ...
    @property
    def on_map(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class ComputedFigures:
    """The figures of a diff as they are asked for."""

    before: Version
    after: Version
    table: pd.DataFrame
    matching: Matching
    contents: BothContents

    @cached_property
    def ambiguity(self) -> pd.DataFrame:
        return ambiguity_by_class(*self._sides)

    @cached_property
    def accuracy(self) -> ProbeChange | None:
        core, both = self.after.core, self.contents
        if not core.has_graph:
            return None
        row = positions_of(both.content, core.contents)
        white = core.whitened.rows[row].astype(np.float32)
        if len(both.raw):
            white[row < 0] = core.whitened.whitening.transform(both.raw)
        before, after = content_codes_of(self._sides, both.content)
        is_test = contents_with_one_label(*self._sides, self.matching, both.content)
        return probe_change(white, before, after, is_test, both.group)

    @cached_property
    def _sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of both versions with source groups, dropped pictures without a label."""
        both = self.contents

        def side(rows: pd.DataFrame) -> pd.DataFrame:
            label = rows["label"].where(rows["decision"] != "drop", None)
            return rows.assign(label=label, group=both.group[positions_of(rows["content"].to_numpy(), both.content)])

        return side(self.before.rows), side(self.after.rows)

    @cached_property
    def on_map(self) -> pd.DataFrame:
        now, table, was = self.after.core.frame[["id", "path", "label", "x", "y"]], self.table, self.before.rows
        is_new, is_changed = (
            now["id"].isin(table.loc[rows, "id"]) for rows in (table["added"], ~table["added"] & ~table["removed"])
        )
        gone = was[was["id"].isin(table.loc[table["removed"], "id_before"]) & ~was["id"].isin(now["id"])]
        x, y = _placed(self.after.core, self.before.core, gone["content"].to_numpy(np.int64)).T
        parts = (
            now[~is_new & ~is_changed].assign(change=SAME),
            gone[["id", "path", "label"]].assign(x=x, y=y, change=GONE),
            now[is_changed].assign(change=CHANGED),
            now[is_new].assign(change=NEW),  # drawn last, on top
        )
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Diff:
    """What changed from the version `before` to `after`.

    `added`, `removed`, `moved`, `reencoded`, `relabelled`, `replaced`, `split_changed`, `decided` and `boxes_changed`
    are tuples of paths, as now (of removed ones as before); a picture may be in several. `table` has a row for each of
    these pictures (`url_viz.versions.changes.changes`). `new_leaks` are those of `SetSplits.leaks` that are
    new, None without splits or of an earlier version. What takes longer stands in `figures`.
    """

    before: Version
    after: Version
    table: pd.DataFrame
    new_leaks: pd.DataFrame | None
    figures: DiffFigures

    def __getattr__(self, name: str) -> tuple[str, ...]:
        if name not in CHANGES:
            object.__getattribute__(self, name)  # raises again what a property of this name has raised
            raise AttributeError(name)
        return tuple(self.table.loc[self.table[name], "path"])

    def counts(self) -> dict[str, int]:
        """How many pictures have each change, without those that none has."""
        counts = {name: int(self.table[name].sum()) for name in CHANGES}
        return {name: count for name, count in counts.items() if count}

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes that have pictures only after, by name; dropped pictures do not count."""
        return tuple(sorted({*class_sizes(self.after.rows)} - {*class_sizes(self.before.rows)}))

    @property
    def emptied_classes(self) -> tuple[str, ...]:
        """Classes that had pictures only before."""
        return tuple(sorted({*class_sizes(self.before.rows)} - {*class_sizes(self.after.rows)}))

    @property
    def ambiguity(self) -> pd.DataFrame:
        """The mean ambiguity of each class before and after: `analysis.versions.change_figures.ambiguity_by_class`."""
        return self.figures.ambiguity

    @property
    def accuracy(self) -> ProbeChange | None:
        """What the same linear probe gets right before and after; None without classes. May take seconds, once."""
        return self.figures.accuracy

    @property
    def on_map(self) -> pd.DataFrame:
        """Pictures of both versions on the map of the later one, as it is now: id, path, label, x, y and change.

        The change is NEW, GONE, CHANGED or SAME. Gone ones lie among their neighbours, as new pictures do (nan if they
        cannot be placed); one whose path now has another picture is left out, since its id is taken.
        """
        return self.figures.on_map

    @property
    def is_measured(self) -> bool:
        """Whether `accuracy` is there without being computed."""
        return "accuracy" in vars(self.figures)

    @property
    def rose(self) -> pd.DataFrame:
        """Classes that became more ambiguous: rows of `ambiguity` by LEAST_DIFFERENCE, more than chance among all."""
        return self._changed[self._changed["difference"] >= LEAST_DIFFERENCE]

    @property
    def fell(self) -> pd.DataFrame:
        """Classes that became clearer, likewise."""
        return self._changed[self._changed["difference"] <= -LEAST_DIFFERENCE]

    @property
    def _changed(self) -> pd.DataFrame:
        """The classes that differ by more than chance: of many some would by an interval of each (Holm 1979)."""
        return self.ambiguity[holm(self.ambiguity["p"].to_numpy(np.float64))]

    @property
    def words(self) -> tuple[str, ...]:
        """What changed and what it did, a sentence each; the accuracy last."""
        return (*self.words_of_changes, *([self.accuracy.words] if self.accuracy is not None else []))

    @property
    def words_of_changes(self) -> tuple[str, ...]:
        """The same without the accuracy, which takes seconds."""
        words = {name: f"{count:,} {WORDS[name]}" for name, count in self.counts().items()}
        if "decided" in words:
            now = self.table.loc[self.table["decided"], "decision"].map(DECIDED).fillna("no longer decided on")
            words["decided"] = ", ".join(f"{count:,} {decided}" for decided, count in now.value_counts().items())
        sizes = f"{self.before.size(is_named=True)} before, {self.after.size(is_named=False)} after"
        sentences = [f"{sizes}: {', '.join(words.values()) or 'nothing changed'}."]
        for names, what in ((self.new_classes, "new class"), (self.emptied_classes, "emptied class")):
            end = "" if len(names) > FEW else "."
            sentences += [f"{counted(len(names), what)}: {first_of(names)}{end}"] if names else []
        if self.new_leaks is not None and len(self.new_leaks):
            sentences.append(f"{counted(len(self.new_leaks), 'new leak')} between splits.")
        if (count := len(self.ambiguity)) and words:
            rose, fell = counted(len(self.rose), "class"), f"{len(self.fell):,}"
            least, compared = (
                decimal(LEAST_DIFFERENCE),
                f"of {counted(count, 'class')} compared, by Holm over all of them",
            )
            sentences.append(f"Mean ambiguity rose by {least} or more in {rose}, and fell in {fell} ({compared}).")
        return tuple(sentences)

    def as_json(self) -> dict[str, Any]:
        """All of it for a JSON file: lists of paths by change, findings, figures, and each changed picture."""
        sides = {"before": self.before, "after": self.after}
        return {
            **{name: {"folder": str(side.core.root), "version": side.number} for name, side in sides.items()},
            **{name: list(getattr(self, name)) for name in CHANGES},
            "findings": {
                "new_leaks": [] if self.new_leaks is None else _records(self.new_leaks, "id", "twin_id"),
                "new_classes": list(self.new_classes),
                "emptied_classes": list(self.emptied_classes),
                "ambiguity_rose": list(self.rose["label"]),
                "ambiguity_fell": list(self.fell["label"]),
            },
            "figures": {
                "pictures": {name: len(side.rows) for name, side in sides.items()},
                "classes": {name: class_sizes(side.rows) for name, side in sides.items()},
                "ambiguity": _records(self.ambiguity),
                "accuracy": None if self.accuracy is None else asdict(self.accuracy),
            },
            "pictures": _records(self.table, "id", "id_before"),
        }


def _records(table: pd.DataFrame, *without: str) -> list[dict[str, Any]]:
    """The rows with null for nan, as JSON has no other, without some columns."""
    records: list[dict[str, Any]] = json.loads(table.drop(columns=list(without)).to_json(orient="records"))
    return records


def _placed(core: SetCore, before: SetCore, content: Rows) -> NDArray[np.float32]:
    """Where pictures (R,) of an earlier version lie on the map: (R, 2), nan for one whose embedding is gone."""
    xy = np.full((len(content), 2), np.nan, np.float32)
    reference = core.reference(is_single_model=True)
    stored = before.store.embeddings(core.space.key, np.unique(content))
    if not len(stored) or not core.has_graph:
        return xy
    gone = NewPictures(stored.embedding, stored.content, stored_pixels(before.store, stored.content))
    nearest, twin = nearest_without_twins(gone, reference)
    row = positions_of(content, stored.content)
    xy[row >= 0] = placed_on_map(stored.content, nearest, twin, reference)[row[row >= 0]]
    return xy


def diff_of(before: Version, after: Version) -> Diff:
    """The difference of two versions that one model has read; each may be of the same set or of another.

    Twins among pictures of the later version are as its graph has them, others are searched. Raises ImageSetError for
    sets that two models have read, or of pictures and objects.
    """
    _check(before, after)
    if models_of(before.core) != models_of(after.core):
        before, after = map(_by_one_model, (before, after))
    contents = _contents(before, after)
    matching = match(before.rows, after.rows, contents.content, contents.twins.copies)
    leaks_now = after.core.derived.get(leaks) if after.is_now else None
    if leaks_now is not None:
        leaks_now = new_leaks(leaks_now, before.rows, after.rows, matching)
    table = changes(before.rows, after.rows, matching)
    return Diff(before, after, table, leaks_now, ComputedFigures(before, after, table, matching, contents))


def _by_one_model(version: Version) -> Version:
    """With ambiguity by the first model alone: what a second one says in one version only is no change."""
    by_one = version.core.single_model.measured["ambiguity"].to_numpy(np.float32) if version.is_now else np.nan
    return replace(version, rows=version.rows.assign(ambiguity=by_one))


def _check(before: Version, after: Version) -> None:
    first, second = before.core, after.core
    if first.space.key != second.space.key:
        raise ImageSetError(
            f"{str(first.root)!r} was read with {first.source.title}, and {str(second.root)!r} with "
            f"{second.source.title}. "
            "Versions are compared by one model: read both with the same."
        )
    require_same_kind(first, second)


def _contents(before: Version, after: Version) -> BothContents:
    content = np.union1d(before.rows["content"].to_numpy(), after.rows["content"].to_numpy())
    others = np.flatnonzero(positions_of(content, after.core.contents) < 0)
    twins, raw = _known_twins(after.core, content), np.zeros((0, 0), np.float16)
    if len(others):
        every, twins_of_rows = _twins_of_others(before, after, content, others)
        twins, raw = twins.with_pairs(twins_of_rows), every[others]
    return BothContents(content, twins, raw, _groups(before, after, content, twins))


def _twins_of_others(before: Version, after: Version, content: Rows, others: Rows) -> tuple[NDArray[np.float16], Twins]:
    """The embeddings (M, D) of contents (M,), and the twins of those at the rows `others`."""
    key, stores = after.core.space.key, (after.core.store, before.core.store)
    embeddings = Embeddings.joined([store.embeddings(key, content) for store in stores])
    row = positions_of(content, embeddings.content)
    if (row < 0).any():
        raise ImageSetError(
            f"{int((row < 0).sum()):,} pictures of {before.title!r} have no embedding by {after.core.source.title} any "
            "more, so that their near copies cannot be found. Choose a later version."
        )
    raw = embeddings.embedding[row]
    whitened = whitened_rows(content, raw, stored=after.core.store.whitened(key))
    earlier, later = (stored_pixels(store, content) for store in stores)
    pixels = Pixels(
        np.maximum(earlier.hashes, later.hashes), lambda rows: earlier.patches_of(rows).or_else(later.patches_of(rows))
    )
    linked = twins_of(others, whitened, raw, pixels=pixels)
    is_here = np.isin(content, np.concatenate([core.contents for core in (after.core, before.core)]))
    linked = linked.with_pairs(_copies_by_hash(raw, pixels.hashes, others, is_here, whitened))
    if after.core.is_of_objects:
        linked = twins_of_objects(linked, _boxes(before.rows, after.rows, content))
    return raw, linked


def _copies_by_hash(
    raw: NDArray[np.floating], hashes: Hashes, rows: Rows, is_here: NDArray[np.bool_], whitened: WhitenedRows
) -> Twins:
    """Pairs of one of some rows with another of (M,) that are copies by hash: what was replaced has left no pixels.

    Among the nearest the hashes may differ more, as long as the embeddings hardly do.
    """
    nearest = top_k(whitened.rows[rows], whitened.rows, NEAREST).position
    near = np.stack([np.repeat(rows, nearest.shape[1]), nearest.ravel()], axis=1)
    near = near[(near[:, 1] != NONE) & (near[:, 0] != near[:, 1])]
    near = near[(bits_apart(hashes, *near.T) < NEVER) & (cosines(raw, *near.T) >= NEAR_COSINE)]
    pairs = np.concatenate([near, *(pair for pair, _ in alike(hashes, queries=rows))])
    pairs = np.unique(np.sort(pairs[~is_here[pairs].all(axis=1)], axis=1), axis=0)
    cosine = cosines(raw, *pairs.T)
    copies = Twins(len(raw), pairs.astype(np.int32), cosine, np.ones(len(pairs), bool))
    return copies.take(np.flatnonzero(cosine >= LEAST_COSINE))


def _boxes(before: pd.DataFrame, after: pd.DataFrame, content: Rows) -> Boxes:
    """Where each content (M,) lies; a picture of one path counts as one in both versions."""
    rows = pd.concat([after, before], ignore_index=True)
    place = positions_of(content, rows["content"].to_numpy(np.int64))
    picture = pd.factorize(rows[PICTURE])[0].astype(np.int32)
    return Boxes(picture[place], rows[BOX].to_numpy(np.float64)[place])


def _known_twins(core: SetCore, content: Rows) -> Twins:
    """The pairs of the set's graph among these contents (M,)."""
    graph = core.graph
    if graph is None:
        return no_twins(len(content))
    row = positions_of(graph.content, content)[graph.twins.pair]
    here = np.flatnonzero((row >= 0).all(axis=1))
    pair = np.sort(row[here], axis=1).astype(np.int32)
    return replace(graph.twins.take(here), rows=len(content), pair=pair)


def _groups(before: Version, after: Version, content: Rows, twins: Twins) -> NDArray[np.int32]:
    group = twin_groups(twins)
    for core in (before.core, after.core):
        row = positions_of(content, core.contents)
        group = joined_groups(group, np.where(row >= 0, core.source_groups[row], -1))
    return group
