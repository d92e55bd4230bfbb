"""What the label of a picture is, and the table with labels, user columns and every measure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout
from url_viz.base.wording import counted, first_of, listed
from url_viz.columns.engine import column
from url_viz.columns.ranking import percentile
from url_viz.columns.table import Frame, Imported, with_user_columns
from url_viz.imaging.folder_classes import COLUMN_OF, SPLIT, FolderClasses, FolderLevel
from url_viz.store.columns.imported_columns import FOLDERS, NAMES, TAGS, Column
from url_viz.store.columns.source_columns import CLASS
from url_viz.store.columns.user_files import as_text
from url_viz.store.decisions.decision_rows import Both, Decided

CONFIRMED, CORRECTED, EITHER = "confirmed", "corrected", "either"
"""What somebody did with the label of a picture: said that it is right, gave another, or said that two classes are."""
_LEVEL = re.compile(r"level:([1-9]\d{0,3})")


@dataclass(frozen=True)
class ClassLevels:
    """The levels of folders, and what the label is: `chosen` as in `ImageSet.labels.use`, and its number of `classes`.

    `folder_level` is the number of the level whose folders are named after classes; None if there is no such level.
    `annotated` are the splits that the annotations of objects tell; None of a set that is not of objects.
    """

    levels: tuple[FolderLevel, ...]
    chosen: str | None
    classes: int
    folder_level: int | None
    annotated: tuple[str, ...] | None = None
    apart: str = ""
    """What pictures are kept apart by, in words."""

    @property
    def label(self) -> int | None:
        """The number of the level that is the label; None if that is something else."""
        return self.folder_level if self.chosen == FOLDERS else level_of(self.chosen)

    @property
    def words(self) -> str:
        """What was taken, without a full stop: "81 classes; train and test as split"."""
        taken = counted(self.classes, "class") if self.classes else "No classes"
        own = FOLDERS if self.annotated is None else CLASS
        taken += f" from {source_in_words(self.chosen)}" if self.classes and self.chosen != own else ""
        annotated = self.annotated or ()
        levels = (level for level in self.levels if level.kind in COLUMN_OF and level.number != self.label)
        others = [f"{level.words} as {COLUMN_OF[level.kind]}" for level in levels if {*level.names} != {*annotated}]
        others += [f"{listed(annotated)} as {SPLIT}"] if annotated else []
        return "; ".join(filter(None, [taken, *others, self.apart]))

    def printout(self) -> Printout:
        """What the label is, and the levels of folders that it may be."""
        lines = [f"{self.words}."]
        for level in self.levels:
            notes = [(level.number == self.folder_level, "the class folder"), (level.number == self.label, "the label")]
            shown = ", ".join([f"({first_of(level.names)})", *(note for is_so, note in notes if is_so)])
            lines.append(f"{level.choice}: {counted(len(level.names), 'folder')} {shown}")
        return Printout(lines)

    def outcome_in(self, folders: Sequence[str]) -> str:
        """What new pictures in a folder, by its names from the root, are to the classes: a sentence."""
        number = self.label
        if number is None or len(folders) < number:
            return "They have no label there."
        for level, name in zip(self.levels[: number - 1], folders, strict=False):
            if name not in level.names:
                return f"{name!r} is a new folder beside {first_of(level.names)}: other folders may become the classes."
        name = folders[number - 1]
        if name in self.levels[number - 1].names:
            return f"Their label is {name!r}, the class of that folder."
        return f"The folder {name!r} becomes a new class, besides the {self.classes:,} of the set."


def source_in_words(chosen: str | None) -> str:
    """A choice of the label within a sentence: "the class folder", "level 2 of the folders", "the column 'kind'"."""
    if chosen is None:
        return "nothing"
    if chosen in (TAGS, NAMES):
        return "the first tag" if chosen == TAGS else "the name"
    number = level_of(chosen)
    if number is not None:
        return f"level {number} of the folders"
    return "the class folder" if chosen == FOLDERS else f"the column {chosen!r}"


def relabelled(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows (N,) of `ImageSet.table()` somebody gave another label than their files."""
    checked = table["label_checked"]
    is_other, is_either = checked == CORRECTED, checked == EITHER
    if is_either.any():
        is_other |= is_either & (table["label"] != table["label_given"])
    return is_other.to_numpy(dtype=bool)


def label_first(given: object, classes: Both) -> Both:
    """Two classes that a picture rightly is, with its label as `given` first if that is one of them."""
    return (classes[1], classes[0]) if classes[1] == given else classes


def stored_source(chosen: str | None) -> str:
    """The choice of the label as the name under which labels that somebody gave are stored: "none" for no labels.

    Each choice has its own: a picture's class on one level of folders says nothing of another.
    """
    return "none" if chosen is None else chosen


def level_of(chosen: str | None) -> int | None:
    """The number of the level that is chosen; None for another choice."""
    match = _LEVEL.fullmatch(chosen or "")
    return None if match is None else int(match[1])


def is_column(chosen: str | None) -> bool:
    """Whether a choice can only be a user's column."""
    return chosen not in (None, FOLDERS, TAGS, NAMES) and level_of(chosen) is None


def _given_labels(
    chosen: str | None, folder_classes: FolderClasses, columns: Mapping[str, Column], decided: Decided
) -> NDArray[np.object_]:
    if chosen is not None and chosen in columns:
        values = np.asarray(columns[chosen])
        return values if values.dtype == object else np.array([as_text(float(each)) or None for each in values], object)
    if chosen in (TAGS, NAMES):
        return decided.first_tags if chosen == TAGS else decided.name
    return folder_classes.names_at(level_of(chosen))


@dataclass(frozen=True)
class Labels:
    """The labels of N pictures: the `source` that they are taken from, and the columns that say so.

    `columns` are label, label_given and label_checked of the table (N,), or none where they are the class folders, and
    nobody gave or confirmed one; and either, the class that a picture rightly is besides its label, if any is.
    """

    source: str | None
    columns: Mapping[str, "pd.Series[str]"]


def _digest(labels: Labels) -> bytes:
    source = str(labels.source).encode("utf-8", "surrogatepass")
    return b"\0".join([source, *map(digest_of_words, labels.columns.values())])


def digest_of_words(words: "pd.Series[str] | NDArray[np.object_]") -> bytes:
    """Other bytes once any of the words (N,), None for none, is another."""
    codes, names = pd.factorize(words)
    return codes.tobytes() + "\0".join(map(str, names)).encode("utf-8", "surrogatepass")


def digest_of_people(said: NDArray[np.object_]) -> bytes:
    """Other bytes once anybody says anything else."""
    return digest_of_words(np.array([None if each is None else repr(sorted(each.items())) for each in said], object))


@column(digest=_digest)
def labels(
    base: Frame, imported: Imported, stored_label: str | None, given_labels: Decided, file_rows: NDArray[np.int64]
) -> Labels:
    """The labels of the pictures by the choice on disk, as corrected; ImageSetError for a column that is gone."""
    decided, source, columns = given_labels.rows_at(file_rows), stored_label, imported.columns
    if is_column(source) and source not in columns:
        there = ", ".join(map(repr, columns)) or "no column of your own"
        raise ImageSetError(
            f"The label was chosen to be the column {source!r}, which is gone; there is {there}. Add it again "
            f"(`url-viz columns add FOLDER FILE`), or choose another label: `url-viz labels use FOLDER folders`."
        )
    is_folders = source == FOLDERS
    given = base.table["label"].to_numpy(object) if is_folders else _given_labels(source, base.found, columns, decided)
    checked, either = (read(stored_source(source)) for read in (decided.labels_of, decided.eithers_of))
    has = pd.notna(checked)
    if is_folders and not has.any():
        return Labels(source, {})
    kind = np.where(pd.notna(either), EITHER, np.where(checked == given, CONFIRMED, CORRECTED))
    values = {
        "label": np.where(has, checked, given),
        "label_given": given,
        "label_checked": np.where(has, kind, np.array(None)),
        **({"either": either} if pd.notna(either).any() else {}),
    }
    return Labels(source, {name: pd.Series(value, dtype=object) for name, value in values.items()})


@column(digest=digest_of_people)
def label_people(stored_label: str | None, given_labels: Decided, file_rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """What each person said last of the label of each picture (N,), by name; None if nobody said anything."""
    return given_labels.rows_at(file_rows).people_of(stored_source(stored_label))


def check_choice(chosen: str | None, levels: Sequence[FolderLevel], columns: Collection[str]) -> None:
    """Raise ImageSetError if `chosen` is no level of folders, no column of the user's, and none of the fixed words."""
    number = level_of(chosen)
    if chosen in (None, FOLDERS, TAGS, NAMES) or chosen in columns or (number is not None and number <= len(levels)):
        return
    if number is not None:
        there = "; ".join(f"{each.choice} ({first_of(each.names)})" for each in levels)
        raise ImageSetError(f"There is no level {number} of folders in this set. There are: {there or 'no folders'}.")
    there = ", ".join(map(repr, columns)) or "none yet (add some: `url-viz columns add FOLDER FILE`)"
    raise ImageSetError(
        f"There is no column {chosen!r} of your own. There are: {there}. The label can also be `folders`, `tags`, "
        "`names` or a level of folders such as `level:1`."
    )


@column()
def measured(
    base: Frame, imported: Imported, labels: Labels, measures: Mapping[str, Any], *, is_external: bool
) -> pd.DataFrame:
    """The table before reasons and decisions are joined to it; `measures` are all columns that give it one."""
    columns: dict[str, Any] = dict(labels.columns)
    if is_external and imported.uncertainty is not None:
        columns |= {"uncertainty": imported.uncertainty, "percentile": percentile(imported.uncertainty)}
    return with_user_columns(base.table.assign(**columns), imported).assign(**measures)
