"""The user's own columns: matched to pictures, made into measures if they are logits, joined to the table."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
from typing_extensions import Doc

from url_viz.base.errors import FolderError, WorkspaceError
from url_viz.base.printout import Printout
from url_viz.base.wording import command, counted
from url_viz.capability import AsKind, capability
from url_viz.columns.engine import GIVEN
from url_viz.columns.filters import LABEL_CHECK
from url_viz.columns.table import LIKE_COLUMNS, NAME, UserColumn, base, files, free_name, imported
from url_viz.core import SetSubject
from url_viz.evidence.baselines import margin, max_probability, softmax_entropy
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.apart import NAME_PARTS
from url_viz.labels.label_choice import is_column, level_of, source_in_words
from url_viz.labels.set_labels import SetLabels
from url_viz.store.about import raising_disk_errors
from url_viz.store.columns import imported_columns
from url_viz.store.columns.imported_columns import FOLDERS, NAMES, Import
from url_viz.store.columns.source_columns import OBJECTS, PICTURE
from url_viz.store.columns.user_files import ARRAY, Cells, UserFile, Values, opened, read_user_file
from url_viz.store.columns.user_paths import Matched, match_file

MOST_KEPT = 200
LOGIT_MEASURES = {"own_entropy": softmax_entropy, "own_max_probability": max_probability, "own_margin": margin}
"""Made of logits, each higher = more ambiguous: nats; one minus the largest; one minus the lead of the largest."""
LABEL_SCORES = ("possible_fp", "possible_fn", "possible_label_confusion")
"""Ultralytics' scores of a picture's labels (`image_metrics`), each higher = more doubtful."""
RESERVED = frozenset(
    (
        *("similarity", "twins", "rank_percentile", "fusion", "nearest_gap", "change", "decision", "tags", "reasons"),
        *("logistic_regression", "comment", "side", "none", LABEL_CHECK, NAME, NAMES, FOLDERS, *LIKE_COLUMNS),
    )
)
"""Names that pages and commands give to columns of their own, or to a choice."""


@dataclass(frozen=True)
class Prepared:
    """A file matched to the pictures of an image set, of which there are `pictures`, and not kept yet.

    `content` is what would be kept, `names` the columns' names in the table by those in the `file`.
    """

    content: Import
    file: UserFile
    names: Mapping[str, str]
    matches: Matched
    pictures: int
    noun: str = "picture"
    done: tuple[str, ...] = ()
    """What else became of it once it was kept."""

    def printout(self) -> Printout:
        """What matched, and what was added."""
        added = f"Added as {self.content.name!r}: {', '.join(self.content.columns)}."
        return Printout([*self.words, *self.done, added])

    @property
    def matched(self) -> int:
        """How many rows are of a picture."""
        return self.matches.count

    def named(self, column: str) -> str:
        """The name in the table of a column of the file. Raises FolderError for one that was not taken."""
        if column not in self.names:
            raise FolderError(
                f"{self.file.name!r} brought no column {column!r}. It brought: {', '.join(map(repr, self.names))}."
            )
        return self.names[column]

    def marked_in(self, columns: Iterable[UserColumn]) -> list[str]:
        """Which numeric columns of the file have the name of one that is an uncertainty in the set already."""
        marked = {column.name for column in columns if column.is_uncertainty}
        return [own for own in numeric_columns(self.file) if {own, self.names[own]} & marked]

    @property
    def words(self) -> tuple[str, ...]:
        """What became of the file, a sentence each."""
        sentences = self.matches.words(self.file.name, whole="set")
        if without := self.pictures - len(self.content.ids):
            sentences.append(f"{counted(without, f'{self.noun} has', f'{self.noun}s have')} no row.")
        if infinite := sum(values.infinite for values in self.file.columns.values()):
            sentences.append(f"{infinite:,} infinite values count as missing.")
        return (*sentences, *(f"{name!r} is left out: {reason}." for name, reason in self.file.left_out))


def _with_measures(file: UserFile) -> UserFile:
    """The file with its logits made into measures. Raises FolderError if no column is left."""
    cells: dict[str, Cells] = dict(file.cells)
    for name, rows in file.lists.items():
        if name != ARRAY and "logit" not in name.casefold():
            cells[name] = "a list of numbers is read as logits only where its name says so"
        elif rows.shape[1] < 2:
            cells[name] = "logits of one class tell nothing"
        else:
            is_known = np.isfinite(rows).all(axis=1)
            for measure, of_logits in LOGIT_MEASURES.items():
                values = np.full(len(rows), np.nan)
                values[is_known] = of_logits(rows[is_known])
                cells[measure] = Values("numeric", values)
    file = replace(file, cells=cells)
    if not file.columns:
        why = "".join(f" {name!r} is left out: {reason}." for name, reason in file.left_out[:5])
        raise FolderError(f"{file.name!r} has no column of values beside the paths in {file.path_column!r}.{why}")
    if len(file.columns) > MOST_KEPT:
        raise FolderError(f"{file.name!r} has {len(file.columns):,} columns of values; at most {MOST_KEPT} are kept.")
    return file


def numeric_columns(file: UserFile) -> list[str]:
    """The names of a file's columns of numbers."""
    return [name for name, values in file.columns.items() if values.kind == "numeric"]


def _check_uncertainties(file: UserFile, uncertainties: Collection[str]) -> None:
    numeric = numeric_columns(file)
    for name in uncertainties:
        if name not in numeric:
            raise FolderError(
                f"{name!r} is not a column of numbers of {file.name!r}, so it cannot be used. "
                f"Numbers are in: {', '.join(map(repr, numeric)) or 'none of its columns'}."
            )


def _listed(columns: "SetColumns", listed: tuple[UserColumn, ...]) -> Printout:
    """The columns in a line each, and what the label is."""
    core, label = columns._core, SetLabels(columns._core).chosen
    lines = [
        f"{column.name}: {'uncertainty' if column.is_uncertainty else column.kind}, "
        f"{column.known:,} of {counted(len(core.ids), core.noun)}, from {column.source!r}"
        for column in listed
    ]
    advice = [f"No columns yet. Add some: {command('columns', 'add', core.root, 'FILE')}"]
    return Printout([*(lines or advice), f"The label is {source_in_words(label)}."], figures=[*map(asdict, listed)])


PathColumn = Annotated[str | None, Doc("the column that holds the paths, if its name is unusual")]
RowPaths = Annotated[
    str | Path | IncomingFile | None,
    AsKind(Path),
    Doc("paths of the rows of a .npy or .npz of logits, one per line"),
]


class SetColumns(SetSubject):
    """The columns that a user brought to an image set, as `image_set.columns`."""

    @capability("columns list", show=_listed)
    def list(self) -> tuple[UserColumn, ...]:
        """List your columns: name, kind, how many pictures have a value, and the import's name."""
        return self._core.derived.get(imported).listed

    @capability("columns add")
    def add(
        self,
        file: Annotated[str | Path | IncomingFile, AsKind(Path), Doc("the file to add")],
        *,
        name: Annotated[str | None, Doc("what to call the import (default: the file's name)")] = None,
        path_column: PathColumn = None,
        paths: RowPaths = None,
        uncertainty: Annotated[
            tuple[str, ...], Doc("a column of numbers that is higher for more ambiguous pictures; may be repeated")
        ] = (),
        label: Annotated[str | None, Doc("the column that is the label from now on")] = None,
        apart: Annotated[str | None, Doc("the column by which pictures are no witnesses for each other")] = None,
    ) -> Prepared:
        """Add columns of a CSV, Parquet, JSON or NumPy file to the pictures of a folder, by path.

        Another import of that name is replaced.

        In Python it returns what matched. Raises FolderError if the file cannot be read or nothing matches.
        """
        added = self.match(file, name=name, path_column=path_column, paths=paths, uncertainties=uncertainty)
        as_label, as_apart = (None if column is None else added.named(column) for column in (label, apart))
        became = self.keep(added)
        labels, done = SetLabels(self._core), [became] if became else []
        if as_label is not None:
            done.append(labels.use(as_label))
        if as_apart is not None:
            done.append(labels.set_apart(as_apart))
        return replace(added, done=tuple(done))

    def match(
        self,
        file: str | Path | IncomingFile,
        *,
        name: str | None = None,
        path_column: str | None = None,
        paths: str | Path | IncomingFile | None = None,
        uncertainties: Collection[str] = (),
    ) -> Prepared:
        """Match a file's rows to the pictures, and make of its columns what would be kept.

        Logits become the three measures of `LOGIT_MEASURES`. `uncertainties` names numeric columns of the file that are
        higher if a picture is more ambiguous; `LABEL_SCORES` are. A column whose name the table has already gets the
        import's name (by default the file's) in front. In a set of objects a row of a whole picture is of all in it.
        Raises FolderError if nothing matches or nothing can be kept.
        """
        source, files = opened(file), self._files
        user_file = _with_measures(read_user_file(source, path_column=path_column, paths=paths, pictures=len(files)))
        called = imported_columns.import_name(name if name is not None else Path(source.name).stem)
        matches = match_file(user_file, files["path"].to_pylist(), root=self._core.root, or_wholes=True)
        _check_uncertainties(user_file, uncertainties)
        taken = self._taken(called, user_file)
        names = {own: free_name(own, called, taken) for own in user_file.columns}
        of_logits = {own for own in LOGIT_MEASURES if own in user_file.columns} if user_file.lists else set()
        of_scores = {own for own in LABEL_SCORES if own in numeric_columns(user_file)}
        written, row = matches.pairs
        content = Import(
            name=called,
            file=source.name,
            ids=files["id"].to_numpy()[row],
            contents=files["content"].to_numpy()[row],
            columns={
                names[own]: replace(values, values=values.values[written]) for own, values in user_file.columns.items()
            },
            uncertainties=frozenset(names[own] for own in {*uncertainties, *of_logits, *of_scores}),
        )
        noun = "object" if self._core.derived.get(imported).source_of(PICTURE) == OBJECTS else "picture"
        return Prepared(content, user_file, names, matches, len(files), noun)

    def _taken(self, called: str, file: UserFile) -> set[str]:
        others = [other for other in imported_columns.read_imports(self._core.store.paths) if other.name != called]
        choices = filter(level_of, file.columns)  # names that choose a level of folders
        return {
            *self._core.derived.get(base).table.columns,
            *imported_columns.column_names(others),
            *RESERVED,
            *GIVEN,
            *choices,
        }

    def keep(self, prepared: Prepared) -> str:
        """Keep what was matched; an import of the same name is replaced whole. Raises WorkspaceError on a full disk.

        Returns what became of choices whose column was replaced, in sentences; "" for nothing.
        """
        with raising_disk_errors(self._core.store.paths):
            imported_columns.write_import(self._core.store.paths, prepared.content)
        return self._forget_lost_choices()

    @capability("columns remove")
    def remove(self, name: Annotated[str, Doc("the name of the import")]) -> str:
        """Remove an import with its columns.

        In Python it returns that, and what became of choices of its columns, in sentences. Raises ImageSetError if
        there is none of this name.
        """
        imported_columns.remove_import(self._core.store.paths, name)
        return f"Removed {name!r}. {self._forget_lost_choices()}".rstrip()

    def _forget_lost_choices(self) -> str:
        sentences = []
        with suppress(WorkspaceError):  # other damage is reported where it is shown, and must not prevent this repair
            choice = imported_columns.label_choice(self._core.store.paths).read()
            chosen, apart = choice.label, choice.apart
            if is_column(chosen) and chosen not in self._core.derived.get(imported).columns:
                imported_columns.write_label_choice(self._core.store.paths, FOLDERS)
                sentences.append("The label was one of its columns, and is the class folder again.")
            if is_column(apart) and apart not in (*NAME_PARTS, *self._core.derived.get(imported).columns):
                imported_columns.write_apart(self._core.store.paths, None)
                sentences.append(f"Pictures of one {apart!r} are no longer kept apart.")
        return " ".join(sentences)

    @cached_property
    def _files(self) -> pa.Table:
        """All readable pictures of the folder, whatever model read them."""
        every = self._core.derived.get(files)
        return every.filter(every["content"].is_valid())
