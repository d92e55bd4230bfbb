"""The difference of two versions, of one set or two: what changed, and what that did to leaks, classes and a probe."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.change_figures import (
    LEAST_DIFFERENCE,
    ProbeChange,
    ambiguity_by_class,
    content_codes_of,
    contents_with_one_label,
    counted_labels,
    probe_change,
)
from url_viz.analysis.changes import BOX, CHANGES, Changes, Matching, changes, class_sizes, match, new_leaks
from url_viz.analysis.label_choice import in_words
from url_viz.analysis.new_pictures import nearest_without_twins
from url_viz.analysis.order_metrics import Figure
from url_viz.analysis.uploads import placed
from url_viz.errors import ImageSetError
from url_viz.pipeline.object_twins import twins_of_objects
from url_viz.pipeline.twins import joined_groups, twin_groups, twin_pairs
from url_viz.store.object_columns import PICTURE, Boxes
from url_viz.store.tables import Embeddings, Twins, no_twins, positions_of
from url_viz.subjects.set_core import SetCore
from url_viz.subjects.set_versions import Version
from url_viz.wording import counted, decimal

WORDS = {
    "added": "added",
    "removed": "removed",
    "moved": "moved or renamed",
    "reencoded": "encoded anew",
    "replaced": "replaced by another at their path",
    "relabelled": "relabelled",
    "split_changed": "in another split",
    "decided": "decided on otherwise",
    "boxes_changed": "with another box",
}
"""What is said of so many pictures with a change."""
NEW, GONE, CHANGED, SAME = "new", "gone", "changed", "same"

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BothContents:
    """The distinct contents of two versions (M,), sorted, their `twins`, and embeddings of those that are gone by now.

    `of_now` (M,) is whether the later version's set has them now, `raw` (R, D) are of the others; `group` (M,) are
    source groups: twins of both versions, joined with what either set keeps apart.
    """

    content: Rows
    twins: Twins
    of_now: NDArray[np.bool_]
    raw: NDArray[np.floating]
    group: NDArray[np.int32]


@dataclass(frozen=True)
class Diff:
    """What changed from the version `before` to `after`.

    `added`, `removed`, `moved`, `reencoded`, `relabelled`, `replaced`, `split_changed`, `decided` and `boxes_changed`
    are tuples of paths, as now (of removed ones as before); a picture may be in several. `table` has a row for each of
    these pictures (`url_viz.analysis.changes.Changes`). `new_leaks` are those of `SetSplits.leaks` that are new, None
    without splits or of an earlier version.
    """

    before: Version
    after: Version
    changes: Changes
    matching: Matching
    contents: BothContents
    new_leaks: pd.DataFrame | None

    @cached_property
    def ambiguity(self) -> pd.DataFrame:
        """The mean ambiguity of each class before and after: `url_viz.analysis.change_figures.ambiguity_by_class`."""
        return ambiguity_by_class(*self._sides)

    @cached_property
    def accuracy(self) -> ProbeChange | None:
        """What the same linear probe gets right before and after; None without classes. Takes seconds, once."""
        core, both = self.after.core, self.contents
        if not core.has_graph:
            return None
        white = core.whitened
        rows = np.zeros((len(both.content), white.rows.shape[1]), np.float32)
        rows[both.of_now] = white.rows[positions_of(both.content[both.of_now], core.contents)]
        if len(both.raw):
            rows[~both.of_now] = white.whitening.transform(both.raw)
        before, after = content_codes_of(self._sides, both.content)
        is_test = contents_with_one_label(*self._sides, self.matching, both.content)
        return probe_change(rows, before, after, is_test, both.group)

    @cached_property
    def _sides(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of both versions with source groups, dropped pictures without a label."""
        one, other = (
            counted_labels(version.rows).assign(
                group=self.contents.group[positions_of(version.rows["content"].to_numpy(), self.contents.content)]
            )
            for version in (self.before, self.after)
        )
        return one, other

    @property
    def table(self) -> pd.DataFrame:
        """One row a changed picture."""
        return self.changes.table

    def __getattr__(self, name: str) -> tuple[str, ...]:
        if name not in CHANGES:
            raise AttributeError(name)
        return self.changes.paths(name)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not len(self.table)

    @cached_property
    def _classes(self) -> tuple[set[str], set[str]]:
        before, after = (set(class_sizes(version.rows).index) for version in (self.before, self.after))
        return after - before, before - after

    @property
    def new_classes(self) -> tuple[str, ...]:
        """Classes that have pictures only after, by name; dropped pictures do not count."""
        return tuple(sorted(self._classes[0]))

    @property
    def emptied_classes(self) -> tuple[str, ...]:
        """Classes that had pictures only before."""
        return tuple(sorted(self._classes[1]))

    @property
    def rose(self) -> pd.DataFrame:
        """Classes that became more ambiguous: rows of `ambiguity` by LEAST_DIFFERENCE, the interval above zero."""
        return self.ambiguity[(self.ambiguity["low"] > 0) & (self.ambiguity["difference"] >= LEAST_DIFFERENCE)]

    @property
    def fell(self) -> pd.DataFrame:
        """Classes that became clearer, likewise."""
        return self.ambiguity[(self.ambiguity["high"] < 0) & (self.ambiguity["difference"] <= -LEAST_DIFFERENCE)]

    def count(self, change: str) -> int:
        """How many pictures have a change."""
        return int(self.table[change].sum())

    @property
    def words(self) -> tuple[str, ...]:
        """What changed and what it did, a sentence each; the accuracy last."""
        return (*self.words_of_changes, *([self.accuracy.words] if self.accuracy is not None else []))

    @property
    def words_of_changes(self) -> tuple[str, ...]:
        """The same without the accuracy, which takes seconds."""
        noun = self.after.core.noun
        counts = [f"{self.count(name):,} {WORDS[name]}" for name in CHANGES if self.count(name)]
        sizes = f"{len(self.before.rows):,} {noun}s before, {len(self.after.rows):,} after"
        said = [f"{sizes}: {', '.join(counts)}." if counts else f"{sizes}: nothing changed."]
        for names, what in ((self.new_classes, "new class"), (self.emptied_classes, "emptied class")):
            said += [f"{counted(len(names), what)}: {_some(names)}."] if names else []
        if self.new_leaks is not None and len(self.new_leaks):
            said.append(f"{counted(len(self.new_leaks), 'new leak')} between splits.")
        return (*said, *([self._words_of_ambiguity] if len(self.ambiguity) else []))

    @property
    def _words_of_ambiguity(self) -> str:
        count = len(self.ambiguity)
        rose, fell = counted(len(self.rose), "class"), f"{len(self.fell):,}"
        by_chance = f"of {counted(count, 'class')} compared, up to {count / 20:.0f} of these by chance"
        return (
            f"Mean ambiguity rose by {decimal(LEAST_DIFFERENCE)} or more in {rose}, and fell in {fell} ({by_chance})."
        )

    @property
    def kind(self) -> "pd.Series[str]":
        """What happened to each row of `table`: NEW, GONE or CHANGED."""
        added, removed = self.table["added"], self.table["removed"]
        return pd.Series(np.where(added, NEW, np.where(removed, GONE, CHANGED)), index=self.table.index, dtype=object)

    def on_map(self) -> pd.DataFrame:
        """Pictures of both versions on the map of the later one: id, path, label, x, y and change (NEW, GONE …, SAME).

        Gone ones lie among their neighbours, as new pictures do (nan if they cannot be placed); one whose path now has
        another picture is left out, since its id does. Raises ImageSetError unless `after` is the set as it is now.
        """
        core, kind = self.after.core, self.kind
        if not self.after.is_now:
            raise ImageSetError("Only the map of a set as it is now is kept. Compare with that.")
        rows = core.frame[["id", "path", "label", "x", "y"]]
        of_id = pd.Series(kind[kind != GONE].to_numpy(), index=self.table.loc[kind != GONE, "id"])
        gone = self.before.rows[self.before.rows["id"].isin(self.table.loc[kind == GONE, "id_before"])]
        gone = gone[~gone["id"].isin(rows["id"])]
        xy = _placed(core, self.before.core, gone["content"].to_numpy(np.int64))
        now = rows.assign(change=rows["id"].map(of_id).fillna(SAME))
        is_same = now["change"] == SAME
        was = gone[["id", "path", "label"]].assign(x=xy[:, 0], y=xy[:, 1], change=GONE)
        return pd.concat([now[is_same], was, now[~is_same]], ignore_index=True)  # what changed is drawn on top

    def as_json(self) -> dict[str, Any]:
        """All of it for a JSON file: lists of paths by change, findings, figures, and each changed picture."""
        leaks = [] if self.new_leaks is None else _records(self.new_leaks.drop(columns=["id", "twin_id"]))
        sizes = {"before": class_sizes(self.before.rows).to_dict(), "after": class_sizes(self.after.rows).to_dict()}
        accuracy = self.accuracy
        return {
            "before": {"folder": str(self.before.core.root), "version": self.before.number},
            "after": {"folder": str(self.after.core.root), "version": self.after.number},
            **{name: list(self.changes.paths(name)) for name in CHANGES},
            "findings": {
                "new_leaks": leaks,
                "new_classes": list(self.new_classes),
                "emptied_classes": list(self.emptied_classes),
                "ambiguity_rose": list(self.rose["label"]),
                "ambiguity_fell": list(self.fell["label"]),
            },
            "figures": {
                "pictures": {"before": len(self.before.rows), "after": len(self.after.rows)},
                "classes": sizes,
                "ambiguity": _records(self.ambiguity),
                "accuracy": None
                if accuracy is None
                else {
                    "pictures": accuracy.pictures,
                    **{name: _figure(getattr(accuracy, name)) for name in ("before", "after", "difference")},
                },
            },
            "pictures": _records(self.table.drop(columns=["id", "id_before"])),
        }


def _placed(core: SetCore, before: SetCore, content: Rows) -> NDArray[np.float32]:
    """Where pictures (R,) of an earlier version lie on the map: (R, 2), nan for one whose embedding is gone."""
    xy = np.full((len(content), 2), np.nan, np.float32)
    reference = core.reference(is_single_model=True)
    stored = before.store.embeddings(core.space.key, np.unique(content))
    if not len(stored) or not core.has_graph:
        return xy
    white = reference.whitened.whitening.transform(stored.embedding)
    hashes = before.store.hashes(stored.content)
    nearest, twin = nearest_without_twins(stored.embedding, stored.content, reference, white, hashes=hashes)
    row = positions_of(content, stored.content)
    xy[row >= 0] = placed(stored.content, nearest, twin, reference)[row[row >= 0]]
    return xy


def _some(names: Sequence[str]) -> str:
    return in_words(names) if len(names) <= 5 else ", ".join(names[:5]) + ", …"


def _figure(figure: Figure) -> dict[str, float | None]:
    values = {"value": figure.value, "low": figure.interval.low, "high": figure.interval.high}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with null for nan, as JSON has no other."""
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=6))
    return records


def diff_of(before: Version, after: Version) -> Diff:
    """The difference of two versions that one model has read; each may be of the same set or of another.

    Twins among pictures of the later version are as its graph has them, others are searched. Raises ImageSetError for
    sets that two models have read, or of pictures and objects.
    """
    _check(before, after)
    contents = _contents(before, after)
    matching = match(before.rows, after.rows, contents.content, contents.twins)
    leaks = after.core.derived.get("leaks") if after.is_now else None
    if leaks is not None:
        leaks = new_leaks(leaks, before.rows, after.rows, matching)
    return Diff(before, after, changes(before.rows, after.rows, matching), matching, contents, leaks)


def _check(before: Version, after: Version) -> None:
    one, other = before.core, after.core
    if one.space.key != other.space.key:
        raise ImageSetError(
            f"{str(one.root)!r} was read with {one.source.title}, and {str(other.root)!r} with {other.source.title}. "
            "Versions are compared by one model: read both with the same."
        )
    if one.is_of_objects != other.is_of_objects:
        raise ImageSetError(
            f"One of {str(one.root)!r} and {str(other.root)!r} is a set of objects, the other of whole pictures. "
            "Read both from annotations, or both as folders."
        )


def _contents(before: Version, after: Version) -> BothContents:
    content = np.union1d(before.rows["content"].to_numpy(), after.rows["content"].to_numpy())
    of_now = positions_of(content, after.core.contents) >= 0
    others = np.flatnonzero(~of_now)
    twins, raw = _known_twins(after.core, content), np.zeros((0, 0), np.float16)
    if len(others):
        every, found = _twins_of_others(before, after, content, others)
        pair, cosine = np.concatenate([twins.pair, found.pair]), np.concatenate([twins.cosine, found.cosine])
        twins, raw = Twins(len(content), pair, cosine), every[others]
    return BothContents(content, twins, of_now, raw, _groups(before, after, content, twins))


def _twins_of_others(before: Version, after: Version, content: Rows, others: Rows) -> tuple[NDArray[np.float16], Twins]:
    """The embeddings (M, D) of contents (M,), and the twins of those at the rows `others`."""
    key, stores = after.core.space.key, (after.core.store, before.core.store)
    embeddings = Embeddings.joined([store.embeddings(key, content) for store in stores])
    row = positions_of(content, embeddings.content)
    if (row < 0).any():
        raise ImageSetError(
            f"{int((row < 0).sum()):,} pictures of {before.title!r} have no embedding by {after.core.source.title} any "
            "more, so that their twins cannot be found. Choose a later version."
        )
    raw = embeddings.embedding[row]
    hashes = np.maximum(*(store.hashes(content) for store in stores))
    found = twin_pairs(raw, of=others, hashes=hashes)
    if after.core.is_of_objects:
        found = twins_of_objects(found, _boxes(before.rows, after.rows, content))
    return raw, found


def _boxes(before: pd.DataFrame, after: pd.DataFrame, content: Rows) -> Boxes:
    """Where each content (M,) lies; a picture of one path counts as one in both versions."""
    rows = pd.concat([after, before], ignore_index=True)
    at = positions_of(content, rows["content"].to_numpy(np.int64))
    picture = pd.factorize(rows[PICTURE])[0].astype(np.int32)
    return Boxes(picture[at], rows[BOX].to_numpy(np.float64)[at])


def _known_twins(core: SetCore, content: Rows) -> Twins:
    """The pairs of the set's graph among these contents (M,)."""
    graph = core.graph
    if graph is None:
        return no_twins(len(content))
    row = positions_of(graph.content, content)[graph.twins.pair]
    is_here = (row >= 0).all(axis=1)
    return Twins(len(content), np.sort(row[is_here], axis=1).astype(np.int32), graph.twins.cosine[is_here])


def _groups(before: Version, after: Version, content: Rows, twins: Twins) -> NDArray[np.int32]:
    group = twin_groups(twins)
    for core in (before.core, after.core):
        row = positions_of(content, core.contents)
        group = joined_groups(group, np.where(row >= 0, core.source_groups[row], -1))
    return group
