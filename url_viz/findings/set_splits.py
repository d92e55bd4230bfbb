"""Splits of an image set and what leaks between them, and its copies and views."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Doc

from url_viz.base.command_line import Fraction, Seed
from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import command, counted
from url_viz.capability import AsPath, capability
from url_viz.columns.twin_groups import left_of_copies, one_of_each, twin_table, within_pictures
from url_viz.core import SetCore, SetSubject, require_same_kind
from url_viz.findings.findings import Finding, findings_that_need
from url_viz.findings.leaks import APART, SAME_FILE, Splits, leaked_pictures, leaks, leaks_between_sets, splits
from url_viz.findings.made_splits import TEST, TRAIN, MadeSplits, make_splits, shares_of
from url_viz.imaging.folder_classes import SPLIT
from url_viz.pipeline.near_copies import Pixels, stored_pixels
from url_viz.pipeline.twins import copy_stars, joined_by, joined_groups, twins_across
from url_viz.store.about import raising_disk_errors
from url_viz.store.columns.imported_columns import Import, imported_names, write_import
from url_viz.store.columns.source_columns import PICTURE
from url_viz.store.columns.user_files import Values
from url_viz.store.decisions.decisions import Action
from url_viz.store.tables.tables import Twins, no_twins, positions_of

CHOSEN = "splits"
"""The name of the import of splits that a user told."""
MOST_OFFERED = 20
"""Values of a column that is offered as one of splits."""


class SetSplits(SetSubject):
    """The splits of an image set, as `image_set.splits`."""

    def get(self) -> Splits | None:
        """The split of each picture, and what tells it; None if there are no splits."""
        return self._core.derived.get(splits)

    @property
    def missing(self) -> str:
        """What to do about a set without splits, for an error."""
        return (
            f"{str(self._core.root)!r} has no splits to compare. Say which pictures are test "
            "(`url-viz splits leaks FOLDER --test 'test_*'`, or --by COLUMN), put them below train/ and "
            "test/, or compare the set with another one (`url-viz splits leaks FOLDER --against OTHER`)."
        )

    @property
    def listed_only(self) -> str:
        """What to do about leaks of a set of objects, for an error."""
        return (
            f"Leaks of {str(self._core.root)!r} are pictures, and a review of objects would drop boxes from them. List "
            f"them, and move whole pictures to one split: `{command('splits', 'leaks', self._core.root)}`."
        )

    def columns(self) -> list[str]:
        """The columns that may tell the splits: of two values or more, and of few."""
        table = self._core.frame
        texts = [
            name for name in table if table[name].dtype == object or isinstance(table[name].dtype, pd.CategoricalDtype)
        ]
        return [str(name) for name in texts if name != SPLIT and self._tells(table[name])]

    @staticmethod
    def _tells(values: "pd.Series[str]") -> bool:
        present = values.dropna()
        return all(isinstance(value, str) for value in present) and 1 < present.nunique() <= MOST_OFFERED

    @property
    def can_change(self) -> bool:
        """Whether a user may say which pictures are test: unless the source, folders or a list, says it."""
        return SPLIT not in self._core.frame or CHOSEN in imported_names(self._core.store.paths)

    def tell(self, *, test: str | None = None, column: str | None = None) -> str:
        """Say which pictures are test, as a column `split` of the user's: returns that in words.

        They are those whose path, or name, matches the pattern `test` (test_*, val/*), the others are for training; or
        each is in the split that the text in `column` names. Raises ImageSetError for a pattern that parts nothing, a
        column that is not there, and a set whose folders or lists name splits already.
        """
        table = self._core.frame
        self._refuse_if_source_splits()
        split = self._by_pattern(table, test) if column is None else self._by_column(table, column)
        self._write(split, test or column or "")
        counts = split.value_counts()
        return f"Splits: {', '.join(f'{name} {count:,}' for name, count in counts.items())}."

    @capability("splits make", noun="class", plural="classes")
    def make(
        self,
        *,
        test: Annotated[Fraction, Doc("fraction of the pictures that are for testing")] = 0.2,
        validation: Annotated[Fraction, Doc("fraction of the pictures that are for validation")] = 0.0,
        by: Annotated[str | None, Doc("a column (patient, video) of which each value stays in one split")] = None,
        keep: Annotated[
            bool, Doc("pictures that are in a split already stay there, their copies and views with them")
        ] = False,
        seed: Annotated[Seed, Doc("another one deals pictures differently")] = 0,
    ) -> MadeSplits:
        """Split pictures into train, validation and test so that nothing leaks, with the classes in each alike.

        Copies, views, what is kept apart (`labels keep-apart`), the objects of one picture, and the pictures of one
        value of `--by` stay together; dropped pictures are in no split. The column `split` holds the result; `export
        folders --by split` writes it, and `splits leaks` checks it.

        In Python `.counts`, `.by_class`, `.unbalanced`, `.words`. Groups are dealt by scikit-learn's
        StratifiedGroupKFold. Raises ImageSetError where folders or lists name splits already, for shares that leave
        nothing to train on and for more splits than source groups.
        """
        shares = shares_of(test, validation)
        self._refuse_if_source_splits()
        table, groups = self._core.frame, self._leaking_groups()
        for column in (by, PICTURE if self._core.is_of_objects else None):
            if column is not None and column not in table:
                raise ImageSetError(f"There is no column {column!r}. There are: {', '.join(map(str, table.columns))}.")
            if column is not None:
                groups = joined_groups(groups, pd.factorize(table[column])[0])
        before = table[SPLIT].tolist() if keep and SPLIT in table else None
        used, labels = self._core.keep_mask(), table["label"].tolist()
        if not used.any():
            raise ImageSetError(f"All {self._core.noun}s are dropped: there is nothing to split.")
        made = make_splits(groups, labels, shares=shares, is_used=used, before=before, seed=seed)
        self._write(pd.Series(made.split, dtype=object), f"splits make --test {test:g} --seed {seed}")
        return made

    def _leaking_groups(self) -> NDArray[np.int32]:
        """The group (N,) of each picture of all that would leak: chains of twins, and what is kept apart."""
        core, graph = self._core, self._core.graph
        if graph is None:
            content = np.unique(core.contents, return_inverse=True)[1].astype(np.int32)
        else:
            content = joined_by(len(graph.content), graph.twins.pair)[positions_of(core.contents, graph.content)]
        return joined_groups(content, core.source_groups)

    def _refuse_if_source_splits(self) -> None:
        """Raise ImageSetError where folders or lists name the splits."""
        now = self.get()
        if now is not None and not self.can_change:
            raise ImageSetError(
                f"{str(self._core.root)!r} names its splits already: {' and '.join(now.names)}, by {now.column!r}. "
                "Move its files to change them; `splits leaks` lists what leaks between them."
            )

    def _write(self, split: "pd.Series[Any]", source: str) -> None:
        with raising_disk_errors(self._core.store.paths):
            columns = {SPLIT: Values.from_series(split)}
            write_import(self._core.store.paths, Import(CHOSEN, source, self._core.ids, self._core.contents, columns))

    def _by_pattern(self, table: pd.DataFrame, test: str | None) -> "pd.Series[Any]":
        paths = table[PICTURE if PICTURE in table else "path"].astype(str)
        wanted = (test or "").strip()
        is_test = np.array([fnmatch(path, wanted) or fnmatch(path.rpartition("/")[2], wanted) for path in paths], bool)
        if is_test.all() or not is_test.any():
            which = "All" if is_test.all() else "None"
            raise ImageSetError(
                f"{which} of {counted(len(table), self._core.noun)} match {wanted!r}, as paths or names such as "
                f"{paths.iloc[0]!r}. Give a pattern that some match: test_*, or val/*."
            )
        return pd.Series(np.where(is_test, TEST, TRAIN))

    def _by_column(self, table: pd.DataFrame, column: str) -> "pd.Series[Any]":
        if column not in self.columns():
            names = ", ".join(map(repr, self.columns())) or "none"
            raise ImageSetError(f"{column!r} is no column of 2 to {MOST_OFFERED} texts. There are: {names}.")
        return pd.Series(table[column].tolist(), dtype=object)

    def leaks(self, against: SetSubject | None = None) -> pd.DataFrame | None:
        """Pictures in two splits, or with a twin in another: one row for each of the smaller split, with its twin.

        Twins are as `url_viz.pipeline.twins` has them. Columns: id, path, label, split, twin_id,
        twin_path, twin_label, twin_split, cosine, kind ("exact", "copy", "same scene" for a view, "same file" for a
        picture that its source names in two splits, or "kept apart": no twin, but of one patient, `labels.set_apart`).
        Splits are levels of folders such as train/ and test/, or a column of the user's named like one
        (`url_viz.findings.leaks.find_splits`). None without splits.
        `against` another image set, the pictures of this set that have a twin there, of objects only copies; the splits
        are then the names of the folders. Dropped pictures are left out. Raises ImageSetError for a set that another
        model has read.
        """
        if against is not None:
            return _leaks_between(self._core, against._core)
        return self._core.derived.get(leaks)

    def leaked_pictures(self) -> pd.DataFrame | None:
        """The pictures of `leaks()`, each with the one of the other split; None without splits.

        Columns: picture, split, twin_picture, twin_split, kind, and rows: of objects, how many both show.
        """
        found = self.leaks()
        return None if found is None else leaked_pictures(found, is_of_objects=self._core.is_of_objects)

    @capability("splits leaks", top=20)
    def list_leaks(
        self,
        *,
        against: Annotated[
            "SetSubject | Path | None", AsPath(), Doc("another folder that was read with the same model")
        ] = None,
        test: Annotated[str | None, Doc("say which are test: a pattern of their paths or names, test_*")] = None,
        by: Annotated[str | None, Doc("say which are test: a column that names each picture's split")] = None,
    ) -> Printout:
        """List the pictures of a split with a copy or another view in another (train/ and test/), or in another folder.

        `--test` and `--by` say for good which pictures are test.

        In Python `leaks` and `leaked_pictures` give the rows, `tell` says which are test. Raises ImageSetError without
        splits.
        """
        if isinstance(against, Path):
            raise TypeError("Give the image set that was read of this folder.")
        told = [self.tell(test=test, column=by)] if test is not None or by is not None else []
        is_of_pictures = self._core.is_of_objects and against is None
        rows = self.leaked_pictures() if is_of_pictures else self.leaks(against)
        if rows is None:
            raise ImageSetError(self.missing)
        if is_of_pictures:
            words = counted(rows["picture"].nunique(), "picture is", "pictures are")
            words += f" in two splits, or {'shows' if len(rows) == 1 else 'show'} objects of pictures in another."
            columns = ("kind", "rows", "split", "picture", "twin_split", "twin_picture")
        else:
            where = "another split" if against is None else str(against._core.root)
            also = ", or a picture that is kept apart with them," if (rows["kind"] == APART).any() else ""
            also += ", or are themselves," if (rows["kind"] == SAME_FILE).any() else ""
            words = f"{len(rows):,} of {counted(len(self._core.ids), self._core.noun)} have a copy or another view"
            words += f"{also} in {where}."
            columns = ("cosine", "kind", "split", "path", "twin_split", "twin_path")
        return Printout([*told, words], [Table(rows, columns, noun="leak")])

    def findings(self) -> tuple[Finding, ...]:
        """Those of `ImageSet.findings()` that are of splits."""
        return findings_that_need(self._core.derived, "splits")


def _leaks_between(core: SetCore, other: SetCore) -> pd.DataFrame:
    require_same_kind(core, other)
    if other.space.key != core.space.key:
        raise ImageSetError(
            f"{str(other.root)!r} was read with {other.source.title}, and {str(core.root)!r} with "
            f"{core.source.title}. Near copies are told by one model: read both with the same."
        )
    both = core, other
    keys = [np.unique(each.contents) for each in both]
    embeddings = [each.store.embeddings(each.space.key, key).embedding for each, key in zip(both, keys, strict=True)]
    pixels = Pixels.joined(*(stored_pixels(each.store, key) for each, key in zip(both, keys, strict=True)))
    rows = positions_of(core.contents, keys[0]), len(keys[0]) + positions_of(other.contents, keys[1])
    mine, others = ((each.frame, each.contents) for each in both)
    names = core.root.name, other.root.name
    twins = twins_across(*embeddings, pixels=pixels)
    if core.is_of_objects:  # crops of different things are as near as views: only what lies around them could tell
        twins = twins.copies
    twins = twins.with_pairs(_same_files(*keys))
    return leaks_between_sets(mine, others, twins, rows, names)


def _same_files(mine: NDArray[np.int64], others: NDArray[np.int64]) -> Twins:
    """The contents that are in both, as pairs of copies: of blank pictures the pixels do not tell."""
    _, own, other = np.intersect1d(mine, others, return_indices=True)
    pair = np.stack([own, len(mine) + other], axis=1)
    every = np.ones(len(pair))
    return Twins(len(mine) + len(others), pair.astype(np.int32), every.astype(np.float32), every.astype(bool))


NO_TWINS = "There are no copies, and no views of one thing."


def _groups_shown(twins: Any, groups: pd.DataFrame) -> Printout:
    if groups.empty:
        return Printout([NO_TWINS], [Table(groups, noun="group")], figures=[])
    core = twins._core
    names = pd.Series(core.frame["path"].to_numpy(object), index=core.ids)
    least_alike = groups["first"].map(names) + " | " + groups["second"].map(names)
    rows = groups.assign(least_alike=least_alike).rename(columns={"keep": "keep_id", "path": "keep"})
    sizes = f"{counted(len(groups), 'group')}, {counted(int(groups['size'].sum()), core.noun)}"
    left = f"{sizes}; {groups['left'].sum():,} of them stay, if one of each copy is kept."
    columns = ("size", "kind", "classes", "cosine", "keep", "least_alike")
    return Printout(tables=[Table(rows, columns, "", "{:.4f}", "group")], closing=[left])


def _keep_one_printout(twins: Any, done: Action) -> Printout:
    return Printout([f"{done.sentence}." if done.count + done.unchanged else NO_TWINS])


class SetTwins(SetSubject):
    """The copies and views in an image set, as `image_set.twins`."""

    @capability("twins list", show=_groups_shown, top=20)
    def groups(self) -> pd.DataFrame:
        """List groups of copies and views, with the pair that is least alike and the picture to keep.

        In Python one row each; see `twin_table`.
        """
        core = self._core
        return twin_table(core.frame, core.contents, lambda rows: core.unit[rows], self._left())

    @capability("twins keep-one", show=_keep_one_printout)
    def keep_one(self) -> Action:
        """Decide to keep one of each pictures that are copies, and to drop those that are a copy of one that is kept.

        Views stay, and of a chain of copies several: only a copy of a picture that is kept is dropped. Of objects only
        boxes of one picture are dropped.

        In Python see `left_of_copies`; raises ImageSetError where no picture has two boxes of one object.
        """
        table = self._core.frame
        decided = one_of_each(table, self._left())
        if self._core.is_of_objects:
            decided = within_pictures(table, decided)
            if not decided:
                raise ImageSetError(
                    "No picture has two boxes on one object. Copies in different pictures stay: without its box, an "
                    "object would be missing from the annotations of its picture."
                )
        return self._core.decisions.decide_each(decided)

    def to_keep(self) -> NDArray[np.int64]:
        """Ids (M,) of the pictures that `keep_one` leaves, those without a copy too."""
        return self._core.ids[self._left()]

    def _left(self) -> NDArray[np.bool_]:
        """Which pictures (N,) are left once one of each is kept; copies alone are pairs before there is a graph."""
        core, graph = self._core, self._core.graph
        if graph is None:
            content, key = np.unique(core.contents, return_inverse=True)
            return left_of_copies(core.frame, key, no_twins(len(content)), lambda _: no_twins(len(content)))

        def stars(order: NDArray[np.int64]) -> Twins:
            return copy_stars(graph.twins, order, stored_pixels(core.store, graph.content))

        return left_of_copies(core.frame, positions_of(core.contents, graph.content), graph.twins.copies, stars)
