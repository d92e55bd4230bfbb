"""What changed between two versions of an image set, or between two sets, and what that did."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.records import read_sealed, sealed_text
from url_viz.base.wording import MOST_NAMED, counted, decimal, first_of
from url_viz.columns import table as table_columns
from url_viz.core import SetCore, require_same_kind
from url_viz.evidence.order_metrics import holm
from url_viz.findings.leaks import leaks
from url_viz.imaging.quality import Hashes
from url_viz.outside.new_pictures import NewPictures, nearest_without_twins
from url_viz.outside.uploads import placed_on_map
from url_viz.pipeline.near_copies import NEVER, Pixels, bits_apart, similar_hashes, stored_pixels
from url_viz.pipeline.nearest import NONE, top_k
from url_viz.pipeline.twins import cosines, joined_groups, twin_groups, twins_of, twins_of_objects
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.about import raising_disk_errors
from url_viz.store.columns.source_columns import PICTURE, Boxes
from url_viz.store.decisions.decisions import DECIDED
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.stored_arrow import read_cached, write_table
from url_viz.store.tables.tables import Embeddings, Twins, no_twins, positions_of
from url_viz.versions.changes import (
    BOX,
    CHANGES,
    LEAST_DIFFERENCE,
    Matching,
    ProbeChange,
    ambiguity_by_class,
    changes,
    content_codes,
    contents_with_one_label,
    counts_of,
    match,
    new_leaks,
    probe_change,
    splits_in_words,
)
from url_viz.versions.set_versions import Version, model_keys

NEW, GONE, CHANGED, SAME = "new", "gone", "changed", "same"
LEAST_COSINE, NEAR_COSINE = 0.5, 0.95
"""The raw cosine of a copy that is known by its hash alone: of one that hardly differs, and of one that may differ."""
NEAREST = 8
"""How many of the nearest are looked at for the latter."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BothContents:
    """The distinct contents of two versions (M,), sorted, and the twins among them.

    `raw` (R, D) are embeddings of those that the later version's set does not have now; `group` (M,) are source groups:
    twins of both versions, joined with what either set keeps together.
    """

    content: Rows
    twins: Twins
    raw: NDArray[np.floating]
    group: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Diff:
    """What changed from the version `before` to `after`; made by `diff_versions`. All but these two is computed once.

    Twins among pictures of the later version are as its graph has them, others are searched.
    """

    before: Version
    after: Version

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each picture that changed: `url_viz.versions.changes.changes`."""
        return changes(self.before.rows, self.after.rows, self._matching)

    @cached_property
    def new_leaks(self) -> pd.DataFrame | None:
        """Those of `SetSplits.leaks` that are new; None without splits, or where `after` is an earlier version."""
        found = self.after.core.derived.get(leaks) if self.after.is_now else None
        return None if found is None else new_leaks(found, self.before.rows, self.after.rows, self._matching)

    @cached_property
    def ambiguity(self) -> pd.DataFrame:
        """The mean ambiguity of each class before and after: `url_viz.versions.changes.ambiguity_by_class`."""
        return ambiguity_by_class(*self._sides)

    @cached_property
    def accuracy(self) -> ProbeChange | None:
        """What the same linear probe gets right before and after; None without classes. May take seconds."""
        core, both = self.after.core, self._contents
        if not core.has_graph:
            return None
        row = positions_of(both.content, core.contents)
        white = core.whitened.rows[row].astype(np.float32)
        if len(both.raw):
            white[row < 0] = core.whitened.whitening.transform(both.raw)
        before, after = content_codes(self._sides, both.content)
        is_test = contents_with_one_label(*self._sides, self._matching, both.content)
        return probe_change(white, before, after, is_test, both.group)

    @cached_property
    def on_map(self) -> pd.DataFrame:
        """Pictures of both versions on the map of the later one, as it is now: id, path, label, x, y and change.

        The change is NEW, GONE, CHANGED or SAME. Gone ones lie among their neighbours, as new pictures do (nan if they
        cannot be placed); one whose path now has another picture is left out, since its id is taken.
        """
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

    @cached_property
    def _contents(self) -> BothContents:
        return _both_contents(self.before, self.after)

    @cached_property
    def _matching(self) -> Matching:
        content, copies = self._contents.content, self._contents.twins.copies
        return match(self.before.rows, self.after.rows, content, copies)

    @cached_property
    def _sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of both versions with source groups, dropped pictures without a label."""
        both = self._contents

        def side(rows: pd.DataFrame) -> pd.DataFrame:
            label = rows["label"].where(rows["decision"] != "drop", None)
            return rows.assign(label=label, group=both.group[positions_of(rows["content"].to_numpy(), both.content)])

        return side(self.before.rows), side(self.after.rows)

    @property
    def is_measured(self) -> bool:
        """Whether `accuracy` is there without being computed."""
        return "accuracy" in vars(self)

    def counts(self) -> dict[str, int]:
        """How many pictures have each change (CHANGES), without those that none has."""
        counts = {name: int(self.table[name].sum()) for name in CHANGES}
        return {name: count for name, count in counts.items() if count}

    def paths(self, change: str) -> tuple[str, ...]:
        """The paths of the pictures with a change, one of CHANGES, as now; of "removed" as before."""
        return tuple(self.table.loc[self.table[change], "path"])

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes that have pictures only after, by name; dropped pictures do not count."""
        return tuple(sorted({*counts_of(self.after.rows)} - {*counts_of(self.before.rows)}))

    @property
    def emptied_classes(self) -> tuple[str, ...]:
        """Classes that had pictures only before."""
        return tuple(sorted({*counts_of(self.before.rows)} - {*counts_of(self.after.rows)}))

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
        words = {name: f"{count:,} {CHANGES[name]}" for name, count in self.counts().items()}
        if "decided" in words:
            now = self.table.loc[self.table["decided"], "decision"].map(DECIDED).fillna("no longer decided on")
            words["decided"] = ", ".join(f"{count:,} {decided}" for decided, count in now.value_counts().items())
        sizes = f"{self.before.size(is_named=True)} before, {self.after.size(is_named=False)} after"
        moved = int(self.table["split_changed"].sum())
        splits = splits_in_words(self.before.rows, self.after.rows, moved=moved)
        nothing = "no picture changed" if splits else "nothing changed"
        sentences = [f"{sizes}: {', '.join(words.values()) or nothing}.", *([splits] if splits else [])]
        for names, what in ((self.new_classes, "new class"), (self.emptied_classes, "emptied class")):
            end = "" if len(names) > MOST_NAMED else "."
            sentences += [f"{counted(len(names), what)}: {first_of(names)}{end}"] if names else []
        if self.new_leaks is not None and len(self.new_leaks):
            sentences.append(f"{counted(len(self.new_leaks), 'new leak')} between splits.")
        if (count := len(self.ambiguity)) and words:
            rose, fell = len(self.rose), len(self.fell)
            among = f"of {counted(count, 'class')} compared, by Holm over all of them"
            if rose or fell:
                by = f"by {decimal(LEAST_DIFFERENCE)} or more"
                sentences.append(
                    f"Mean ambiguity rose {by} in {counted(rose, 'class')}, and fell in {fell:,} ({among})."
                )
            else:
                sentences.append(f"No class became more or less ambiguous ({among}).")
        return tuple(sentences)

    def printout(self) -> Printout:
        """The sentences, then the paths of each change, and the classes whose mean ambiguity rose and fell."""
        listed = [
            Table(pd.DataFrame({"path": self.paths(change)}), title=f"{CHANGES[change].capitalize()}:")
            for change in self.counts()
        ]
        for what, classes in (("rose", self.rose), ("fell", self.fell)):
            listed += [Table(classes, title=f"Mean ambiguity {what} in:")] if len(classes) else []
        words = [f"From {self.before.title} to {self.after.title}.", *self.words]
        changed = Table(self.table, noun="changed picture")
        return Printout(words, listed, figures=self.as_json(), file=changed)

    def as_json(self) -> dict[str, Any]:
        """All of it for a JSON file: lists of paths by change, findings, figures, and each changed picture."""
        sides = {"before": self.before, "after": self.after}
        return {
            **{name: {"folder": str(side.core.root), "version": side.number} for name, side in sides.items()},
            **{name: list(self.paths(name)) for name in CHANGES},
            "findings": {
                "new_leaks": [] if self.new_leaks is None else _records(self.new_leaks, "id", "twin_id"),
                "new_classes": list(self.new_classes),
                "emptied_classes": list(self.emptied_classes),
                "ambiguity_rose": list(self.rose["label"]),
                "ambiguity_fell": list(self.fell["label"]),
            },
            "figures": {
                "pictures": {name: len(side.rows) for name, side in sides.items()},
                "classes": {name: counts_of(side.rows) for name, side in sides.items()},
                "splits": {name: counts_of(side.rows, "split") for name, side in sides.items()},
                "ambiguity": _records(self.ambiguity),
                "accuracy": None if self.accuracy is None else asdict(self.accuracy),
            },
            "pictures": _records(self.table, "id", "id_before"),
        }


def _records(table: pd.DataFrame, *without: str) -> list[dict[str, Any]]:
    """The rows with null for nan, as JSON has no other, without some columns."""
    records: list[dict[str, Any]] = json.loads(table.drop(columns=list(without)).to_json(orient="records"))
    return records


def diff_versions(before: Version, after: Version) -> Diff:
    """The difference of two versions that one model has read; each may be of the same set or of another.

    Raises ImageSetError for sets that two models have read, or of pictures and objects.
    """
    first, second = before.core, after.core
    if first.space.key != second.space.key:
        raise ImageSetError(
            f"{str(first.root)!r} was read with {first.source.title}, and {str(second.root)!r} with "
            f"{second.source.title}. "
            "Versions are compared by one model: read both with the same."
        )
    require_same_kind(first, second)
    if model_keys(first) != model_keys(second):
        before, after = map(_by_one_model, (before, after))
    found = Diff(before, after)
    found.table, found.new_leaks  # noqa: B018  # what cannot be compared is an error here
    return found


def _by_one_model(version: Version) -> Version:
    """With ambiguity by the first model alone: what a second one says in one version only is no change."""
    by_one = version.core.single_model.measured["ambiguity"].to_numpy(np.float32) if version.is_now else np.nan
    return replace(version, rows=version.rows.assign(ambiguity=by_one))


def _both_contents(before: Version, after: Version) -> BothContents:
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
    pairs = np.concatenate([near, *(pair for pair, _ in similar_hashes(hashes, queries=rows))])
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


_STORED = "table", "new_leaks", "ambiguity", "on_map"


def store_diff(diff: Diff) -> None:
    """Compute all of a diff, and cache it with the later set. Raises WorkspaceError if the disk is full."""
    frames = {name: getattr(diff, name) for name in _STORED}
    parts = {name: _packed(each) for name, each in frames.items() if each is not None}
    if diff.accuracy is not None:
        parts["accuracy"] = sealed_text(diff.accuracy).encode()
    table = pa.table({"part": [*parts], "data": pa.array(parts.values(), pa.large_binary())})
    with raising_disk_errors(diff.after.core.store.paths):
        write_table(*_place(diff.before, diff.after), table)


def stored_diff(before: Version, after: Version) -> Diff | None:
    """The diff of these versions as it was stored; None if it was not, or cannot be read."""

    def read(stored: pa.Table) -> Diff:
        parts = dict(zip(stored["part"].to_pylist(), stored["data"].to_pylist(), strict=True))
        accuracy, found = parts.pop("accuracy", None), Diff(before, after)
        values = vars(found)  # where its cached properties look first
        values["accuracy"] = None if accuracy is None else read_sealed(ProbeChange, accuracy)
        values.update({name: _unpacked(parts[name]) if name in parts else None for name in _STORED})
        return found

    return read_cached(*_place(before, after), read)


def _packed(table: pd.DataFrame) -> bytes:
    rows, sink = pa.Table.from_pandas(table, preserve_index=False), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def _unpacked(data: bytes) -> pd.DataFrame:
    table: pd.DataFrame = pa.ipc.open_stream(data).read_pandas(integer_object_nulls=True)  # ids exceed a float's digits
    return table


def _place(before: Version, after: Version) -> tuple[Path, str, str]:
    """Folder, space and key of a stored diff: another key once anything that the diff is made of has changed."""
    digest = hashlib.blake2b(digest_size=12)
    for version in (before, after):
        core = version.core
        fingerprint = core.derived.fingerprint(table_columns.table)
        words = core.set_id, version.number, version.title, fingerprint, model_keys(core)
        digest.update(repr(words).encode("utf-8", "surrogatepass"))
    return after.core.store.paths.derived / "diffs", after.core.space.key, digest.hexdigest()
