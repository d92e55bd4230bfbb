"""The user's own columns: matched to pictures, made into measures if they are logits, joined to the table."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.apart import NAME_PARTS, apart_codes, apart_in_words
from url_viz.analysis.baselines import margin, max_probability, softmax_entropy
from url_viz.analysis.derived import Get
from url_viz.analysis.label_choice import check_choice, is_column, level_of
from url_viz.analysis.table import Frame
from url_viz.errors import FolderError, ImageSetError, WorkspaceError
from url_viz.imaging.folder_classes import COLUMN_OF
from url_viz.imaging.scan import display_name
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store import imported_columns as imports
from url_viz.store.damage import raising_disk_errors
from url_viz.store.imported_columns import FIRST_FOLDERS, FOLDERS, NAMES, Column, Import
from url_viz.store.user_cells import Kind, Values
from url_viz.store.user_files import ARRAY, Matrix, UserFile, opened, read_user_file
from url_viz.store.user_paths import match
from url_viz.workspace import SetPaths

MOST_KEPT = 200
OF_LOGITS = {"own_entropy": softmax_entropy, "own_max_probability": max_probability, "own_margin": margin}
"""Made of logits, each higher = more ambiguous: nats; one minus the largest; one minus the lead of the largest."""
NAME = "name"
"""The column of the names that somebody gave."""
RESERVED = frozenset(
    (
        *("similarity", "twins", "rank_percentile", "fusion", "nearest_gap", "change", "decision", "tags", "reasons"),
        *("comment", "side", "none", NAME, NAMES, FOLDERS, FIRST_FOLDERS),
    )
)
"""Names that pages and commands give to columns of their own, or to a choice."""


@dataclass(frozen=True)
class UserColumn:
    """A column of the user's own as it stands in the table: how many pictures have a value, and where it is from."""

    name: str
    kind: Kind
    known: int
    source: str
    is_uncertainty: bool = False


@dataclass(frozen=True)
class MatchablePictures:
    """The pictures that a file is matched to: `ids` and `contents` (N,) int64, root-relative `paths` (N) as bytes."""

    root: Path
    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    paths: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Prepared:
    """A file matched to an image set and not kept yet.

    `names` are the columns' names in the table by those in the file. `rows` of the file, of which those in `examples`
    (and more) are of no picture; `without` pictures have no row. `left_out` pairs columns with reasons; `infinite`
    counts infinities that became missing.
    """

    content: Import
    columns: tuple[UserColumn, ...]
    names: Mapping[str, str]
    rows: int
    examples: tuple[str, ...]
    without: int
    left_out: tuple[tuple[str, str], ...]
    infinite: int

    @property
    def matched(self) -> int:
        """How many rows are of a picture."""
        return len(self.content.ids)

    def named(self, column: str) -> str:
        """The name in the table of a column of the file. Raises FolderError for one that was not taken."""
        if column not in self.names:
            raise FolderError(
                f"{self.content.file!r} brought no column {column!r}. It brought: {', '.join(map(repr, self.names))}."
            )
        return self.names[column]

    @property
    def words(self) -> tuple[str, ...]:
        """What became of the file, a sentence each."""
        said = [f"{self.matched:,} of {self.rows:,} rows of {self.content.file!r} are of a picture of this set."]
        if self.examples:
            more = ", …" if self.rows - self.matched > len(self.examples) else ""
            said.append(f"No picture was found for {', '.join(map(repr, self.examples))}{more}.")
        if self.without:
            said.append(f"{self.without:,} pictures have no row.")
        if self.infinite:
            said.append(f"{self.infinite:,} infinite values count as missing.")
        return (*said, *(f"{name!r} is left out: {reason}." for name, reason in self.left_out))


def prepare(
    file: str | Path | IncomingFile,
    pictures: MatchablePictures,
    *,
    name: str | None = None,
    path_column: str | None = None,
    paths: str | Path | IncomingFile | None = None,
    uncertainties: Collection[str] = (),
    taken: Collection[str] = (),
) -> Prepared:
    """Match a file's rows to pictures, and make of its columns what will be kept.

    Logits become the three measures of `OF_LOGITS`. `uncertainties` names numeric columns of the file that are higher
    if a picture is more ambiguous; `taken` are names of other columns of the table: one of the file's that clashes
    gets the import's name in front. Raises FolderError if nothing matches or nothing can be kept.
    """
    source = opened(file)
    found = _with_measures(read_user_file(source, path_column=path_column, paths=paths, pictures=len(pictures)))
    called = imports.import_name(name if name is not None else Path(source.name).stem)
    matched = match(found.paths, pictures.paths, root=pictures.root, is_csv=found.is_csv)
    if not matched.count:
        raise FolderError(_nothing_matches(found, pictures))
    _check_uncertainties(found, uncertainties)
    has_picture = matched.row >= 0
    row = matched.row[has_picture]
    choices = filter(level_of, found.columns)  # names that choose a level of folders
    names = {own: _free(own, called, {*taken, *RESERVED, *choices}) for own in found.columns}
    of_logits = {own for own in OF_LOGITS if own in found.columns} if found.lists else set()
    content = Import(
        name=called,
        file=source.name,
        ids=pictures.ids[row],
        contents=pictures.contents[row],
        columns={names[own]: _taken(values, has_picture) for own, values in found.columns.items()},
        uncertainties=frozenset(names[own] for own in {*uncertainties, *of_logits}),
    )
    return Prepared(
        content=content,
        columns=tuple(_described(content)),
        names=names,
        rows=len(found.paths),
        examples=matched.examples,
        without=len(pictures) - matched.count,
        left_out=found.left_out,
        infinite=sum(values.infinite for values in found.columns.values()),
    )


def _taken(values: Values, rows: NDArray[np.bool_]) -> Values:
    return replace(values, values=values.values[rows])


def _with_measures(found: UserFile) -> UserFile:
    """The file with its logits made into measures. Raises FolderError if no column is left."""
    columns, left_out = dict(found.columns), list(found.left_out)
    for name, rows in found.lists.items():
        if name != ARRAY and "logit" not in name.casefold():
            left_out.append((name, "a list of numbers is read as logits only where its name says so"))
        elif rows.shape[1] < 2:
            left_out.append((name, "logits of one class tell nothing"))
        else:
            columns |= {measure: _of_logits(measure, rows) for measure in OF_LOGITS}
    if not columns:
        why = "".join(f" {name!r} is left out: {reason}." for name, reason in left_out[:5])
        raise FolderError(f"{found.name!r} has no column of values beside the paths in {found.path_column!r}.{why}")
    if len(columns) > MOST_KEPT:
        raise FolderError(f"{found.name!r} has {len(columns):,} columns of values; at most {MOST_KEPT} are kept.")
    return replace(found, columns=columns, left_out=tuple(left_out))


def _of_logits(measure: str, rows: Matrix) -> Values:
    """A measure (N,) of logits; nan if any logit is none."""
    is_known = np.isfinite(rows).all(axis=1)
    values = np.full(len(rows), np.nan)
    values[is_known] = OF_LOGITS[measure](rows[is_known])
    return Values("numeric", values)


def _check_uncertainties(found: UserFile, uncertainties: Collection[str]) -> None:
    numeric = [name for name, values in found.columns.items() if values.kind == "numeric"]
    for name in uncertainties:
        if name not in numeric:
            raise FolderError(
                f"{name!r} is no column of numbers of {found.name!r}, so it is no uncertainty. "
                f"Numbers are in: {', '.join(map(repr, numeric)) or 'none of its columns'}."
            )


def _nothing_matches(found: UserFile, pictures: MatchablePictures) -> str:
    theirs = ", ".join(map(repr, found.paths[:3]))
    ours = ", ".join(repr(display_name(path)) for path in sorted(pictures.paths)[:3])
    return (
        f"None of the {len(found.paths):,} paths in the column {found.path_column!r} of {found.name!r} is a picture of "
        f"{str(pictures.root)!r}: they are such as {theirs}, and the pictures such as {ours}. "
        f"Say which column holds the paths, or write them relative to the folder."
    )


def _free(name: str, source: str, taken: Collection[str]) -> str:
    """The name in the table: the column's own, with the import's in front (and a number behind) if it is taken."""
    if name not in taken:
        return name
    number, unique = 1, f"{source}_{name}"
    while unique in taken:
        number += 1
        unique = f"{source}_{name}_{number}"
    return unique


def _described(one: Import) -> Iterable[UserColumn]:
    for name, values in one.columns.items():
        yield UserColumn(name, values.kind, values.known, one.name, name in one.uncertainties)


@dataclass(frozen=True)
class Imported:
    """What the imports of a set give its N pictures: `columns` by their names in the table, and what each `listed` is.

    `uncertainty` (N,) float32 is the first that the user marked as one; None if there is none.
    """

    columns: Mapping[str, Column]
    listed: tuple[UserColumn, ...]

    @property
    def uncertainty(self) -> NDArray[np.float32] | None:
        name = next((column.name for column in self.listed if column.is_uncertainty), None)
        return None if name is None else np.asarray(self.columns[name], np.float32)


def imported_columns(base: Frame, paths: SetPaths, present: Callable[[], NDArray[np.int64]]) -> Imported:
    """The columns of all imports for the rows of a table; `present` gives the ids of all files of the folder.

    Raises DamageError if an import is damaged.
    """
    columns: dict[str, Column] = {}
    listed: list[UserColumn] = []
    ids = base.table["id"].to_numpy(np.int64)
    for one in imports.read_imports(paths):
        row = one.rows_of(ids, base.contents, present=present())
        for column in _described(one):
            values = imports.values_at(one.columns[column.name], row)
            name = _free(column.name, one.name, {*base.table.columns, NAME, *columns} - {*COLUMN_OF.values()})
            columns[name] = values
            listed.append(replace(column, name=name, known=int(pd.notna(values).sum())))
    return Imported(columns, tuple(listed))


def with_user_columns(table: pd.DataFrame, imported: Imported) -> pd.DataFrame:
    """A table with the user's columns at its end; one named like a level of folders takes its place."""
    if not imported.columns:
        return table
    ours = table.drop(columns=[name for name in COLUMN_OF.values() if name in imported.columns], errors="ignore")
    return pd.concat([ours, pd.DataFrame(dict(imported.columns))], axis=1)


class UserImports:
    """Brings columns of the user's to an image set, and chooses its labels."""

    def __init__(self, get: Get, paths: SetPaths, root: Path) -> None:
        """`get` gives the set's columns (`url_viz.analysis.columns`); what is written here is seen by it at once."""
        self._get, self._paths, self._root = get, paths, root

    def match(
        self,
        file: str | Path | IncomingFile,
        *,
        name: str | None = None,
        path_column: str | None = None,
        paths: str | Path | IncomingFile | None = None,
        uncertainties: Collection[str] = (),
    ) -> Prepared:
        """Match a file to the pictures without keeping it; see `prepare`."""
        called = imports.import_name(name if name is not None else Path(opened(file).name).stem)
        others = [other for other in imports.read_imports(self._paths) if other.name != called]
        return prepare(
            file,
            self._pictures,
            name=called,
            path_column=path_column,
            paths=paths,
            uncertainties=uncertainties,
            taken={*self._get("base").table.columns, *imports.column_names(others)},
        )

    def keep(self, prepared: Prepared) -> str:
        """Keep what was matched; an import of the same name is replaced whole. Raises WorkspaceError on a full disk.

        Returns what became of choices whose column was replaced, in sentences; "" for nothing.
        """
        with raising_disk_errors(self._paths):
            imports.write_import(self._paths, prepared.content)
        return self._without_lost_choices()

    def remove(self, name: str) -> str:
        """Take an import away; returns what became of choices of its columns, in sentences; "" for nothing."""
        imports.remove_import(self._paths, name)
        return self._without_lost_choices()

    def _without_lost_choices(self) -> str:
        said = []
        with suppress(WorkspaceError):  # other damage is reported where it is shown, and must not prevent this repair
            chosen, apart = imports.read_label_choice(self._paths), imports.read_apart(self._paths)
            if is_column(chosen) and chosen not in self._get("imported").columns:
                imports.write_label_choice(self._paths, FOLDERS)
                said.append("The label was one of its columns, and is the class folder again.")
            if is_column(apart) and apart not in (*NAME_PARTS, *self._get("imported").columns):
                imports.write_apart(self._paths, None)
                said.append(f"Pictures of one {apart!r} are no longer kept apart.")
        return " ".join(said)

    def use_labels(self, chosen: str | None) -> None:
        """Choose what the label is, as in `ImageSet.labels.use`. Raises ImageSetError for what there is not."""
        columns = self._get("imported").columns if is_column(chosen) else {}
        check_choice(chosen, self._get("base").found.levels, columns)
        with raising_disk_errors(self._paths):
            imports.write_label_choice(self._paths, chosen)

    def use_apart(self, chosen: str | None) -> None:
        """Choose what is kept apart, as in `ImageSet.labels.set_apart`. Raises ImageSetError for what there is not."""
        if chosen and not apart_codes(chosen, self._get("base"), self._get("imported").columns).any():
            raise ImageSetError(f"All pictures have the same {apart_in_words(chosen)}: none would be a witness.")
        with raising_disk_errors(self._paths):
            imports.write_apart(self._paths, chosen)

    @cached_property
    def _pictures(self) -> MatchablePictures:
        """All readable pictures of the folder, whatever model read them."""
        files = self._get("files")
        files = files.filter(files["content"].is_valid())
        return MatchablePictures(
            root=self._root,
            ids=np.asarray(files["id"].to_numpy(), np.int64),
            contents=np.asarray(files["content"].to_numpy(), np.int64),
            paths=files["path"].to_pylist(),
        )
