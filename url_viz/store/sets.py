"""The image sets of a workspace: list, disk use, rename, move, compact, repair and forget."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from typing_extensions import Doc

from url_viz.base.errors import DamageError, FolderError, ImageError, ImageSetError, WorkspaceError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import command, counted
from url_viz.base.workspace import SetPaths, Workspace, is_in_bucket, root_of
from url_viz.capability import AsKind, capability
from url_viz.imaging.containers.picture_lists import is_listing
from url_viz.imaging.containers.shards import is_sharded
from url_viz.imaging.places import content_key
from url_viz.imaging.scan import ScannedFile, display_name
from url_viz.imaging.source import source_of
from url_viz.parameters import AnyWorkspace, KnownFolder
from url_viz.store.about import (
    About,
    about_file,
    embed_command,
    find_set,
    known_sets,
    read_before,
    sets_with_pictures,
    sets_without_label,
    write_about,
)
from url_viz.store.columns.imported_columns import label_choice
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.repair import Mended, repair_set
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of
from url_viz.store.tables.writer import Writer, is_being_written

LONGEST_NAME = 80
SAMPLE = 50
"""How many pictures are compared before a folder is accepted as one that was moved."""
MUST_AGREE = 0.9
_FORGOTTEN = "forgotten-"
"""Begins the name of a folder of the workspace that is being removed."""
DAMAGED = "damaged"
"""The state of an image set that needs `repair`."""
_NONE_YET = "No image sets yet. Read one: url-viz embed FOLDER"
PER_MODEL = ("embeddings", "scores", "whitening", "whitened", "graph", "neighbours")


@dataclass(frozen=True)
class Agreement:
    """A folder's pictures and stored contents: how many were `compared`, how many are `equal`, one that differs."""

    compared: int
    equal: int
    example: str = ""

    @property
    def words(self) -> str:
        return f"{self.equal:,} of {counted(self.compared, 'picture')} compared are the same"


@dataclass(frozen=True)
class Unfinished:
    """An unfinished reading: how many of its `files`, each a `noun`, are read."""

    read: int
    files: int
    noun: str = "picture"

    @property
    def words(self) -> str:
        """Such as "256 of 3,656 pictures: reading was stopped"."""
        if self.read < self.files:
            return f"{self.read:,} of {counted(self.files, self.noun)}: reading was stopped"
        return f"{counted(self.read, self.noun)}: reading was stopped before neighbours and map were made"


def unfinished(set_id: str, workspace: Workspace) -> Unfinished | None:
    """The unfinished reading by the model that read a set last; None if it was finished, or one is in progress.

    A second model that has not read everything leaves the set whole.
    """
    store = Store(workspace.set_paths(set_id))
    about = store.about()
    key = about.spaces[-1].key if about.spaces else ""
    count = about.files_begun(key)
    if count is None or is_being_written(store.paths):
        return None
    files = store.images(["content", "failure"])
    content = files["content"].drop_null().to_numpy()
    read = int((positions_of(content, store.embedded(key).content) >= 0).sum())
    return Unfinished(min(count, read + len(files) - files["failure"].null_count), count, about.noun)


@dataclass(frozen=True)
class StoredData:
    """The stored data of a folder: `judged` pictures have a decision, a tag or a corrected label; None if damaged."""

    megabytes: float
    judged: int | None


@capability("sets list")
def listing(
    folder: Annotated[str | Path | None, AsKind(Path), Doc("only this image set: its disk use by part")] = None,
    *,
    skipped: Annotated[bool, Doc("list the files that the scan ignored, by extension")] = False,
    workspace: AnyWorkspace = None,
) -> Printout:
    """List the image sets of the workspace; for one folder, its disk use or the files ignored in it.

    In Python `list_sets`, `disk_use` and `skipped_files` give the tables.
    """
    table = list_sets(workspace) if folder is None else None
    roots = [str(folder)] if table is None else [root for root in table["folder"] if root]
    if not roots and (table is None or table.empty or skipped):
        return Printout([_NONE_YET], figures=[])
    if table is not None and not skipped:
        damaged = table["folder"][table["state"] == DAMAGED]
        advice = [
            f"Repair it: {command('sets', 'repair', root or 'FOLDER')}" + ("" if root else ", that of its pictures")
            for root in damaged
        ]
        return Printout(tables=[Table(table, number="{:,.1f}")], closing=advice)
    of_folder = skipped_files if skipped else disk_use
    parts = [Table(of_folder(root, workspace=workspace), title=f"{root}:", noun="kind of file") for root in roots]
    none = [f"{part.title} no file was ignored" for part in parts if part.rows.empty]
    return Printout(none, [part for part in parts if len(part.rows)])


def list_sets(workspace: str | Path | None = None) -> pd.DataFrame:
    """The image sets of a workspace: id, name, folder, pictures, failures, models, megabytes on disk, state.

    `state` is DAMAGED, or how much was read of a set whose reading was stopped, or "". Where a damaged set's folder is
    unknown, that is "", and its id stands for its name.
    """
    home = Workspace.at(workspace)
    rows = [
        (set_id, about.title, str(about.root), *_listed(home, set_id, about))
        for set_id, about in sets_with_pictures(home)
    ]
    rows += [(set_id, set_id, "", 0, 0, "", _megabytes(home, set_id), DAMAGED) for set_id in sets_without_label(home)]
    columns = ["id", "name", "folder", "pictures", "failures", "models", "megabytes", "state"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)  # pandas' own text is UTF-8, which names need not be
    return table.astype({"pictures": int, "failures": int, "megabytes": float})


def _listed(home: Workspace, set_id: str, about: About) -> tuple[int, int, str, float, str]:
    paths = home.set_paths(set_id)
    models = ", ".join(dict.fromkeys(space.backbone for space in about.spaces))
    try:
        files = Store(paths).images(["failure"])
        partial = unfinished(set_id, home)
        state = "" if partial is None else partial.words
    except DamageError:
        return 0, 0, models, _megabytes(home, set_id), DAMAGED
    failed = len(files) - files["failure"].null_count
    is_whole = about_file(paths).is_whole() and label_choice(paths).is_whole()
    return len(files) - failed, failed, models, _megabytes(home, set_id), state if is_whole else DAMAGED


def _megabytes(home: Workspace, set_id: str) -> float:
    return round(_bytes_in(home.set_paths(set_id).folder) / 2**20, 1)


def disk_use(folder: str | Path, *, workspace: str | Path | None = None) -> pd.DataFrame:
    """The disk use of an image set: columns part, megabytes.

    Scores and neighbours count with a model's embeddings, and so does its other look at the pictures.
    """
    paths, about = _known(folder, workspace)
    parts = {"files and thumbnails": _bytes_in(paths.tables / "images.lance")}
    for space in about.spaces:
        title = f"{space.backbone} ({space.precision}, weights {space.weights_digest[:6]})"
        keys = space.key, space.squeezed.key
        tables = [p for kind in PER_MODEL for key in keys for p in paths.tables.glob(f"{kind}-{key}*.lance")]
        parts[f"embeddings of {title}"] = sum(map(_bytes_in, tables))
        parts[f"map of {title}"] = _bytes_in(paths.tables / f"coordinates-{space.key}.lance")
    parts["decisions and the rest"] = max(0, _bytes_in(paths.folder) - sum(parts.values()))
    megabytes = [round(size / 2**20, 3) for size in parts.values()]
    return pd.DataFrame({"part": pd.Series(list(parts), dtype=object), "megabytes": megabytes})


def skipped_files(folder: str | Path, *, workspace: str | Path | None = None) -> pd.DataFrame:
    """Files that the last scan of a folder ignored; columns extension, files; the most frequent first."""
    _, about = _known(folder, workspace)
    return pd.DataFrame(list(about.skipped), columns=["extension", "files"], dtype=object).astype({"files": int})


@capability("sets rename", show=lambda given, title: Printout([f"{given['folder']} is called {title!r} now."]))
def rename(
    folder: KnownFolder,
    name: Annotated[str, Doc('what to call it; "" for the name of its folder')],
    *,
    workspace: AnyWorkspace = None,
) -> str:
    """Rename an image set.

    In Python it returns the title. Raises ImageSetError for a name that is too long or cannot be printed,
    WorkspaceError while the folder is read.
    """
    chosen = name.strip()
    if len(chosen) > LONGEST_NAME or not chosen.isprintable():
        raise ImageSetError(
            f"{name[:LONGEST_NAME]!r} cannot be a name: choose at most {LONGEST_NAME} characters on one line."
        )
    with _labelled(folder, workspace) as writer:
        changed = replace(writer.about(), name=chosen)
        write_about(writer.paths, changed)
    return changed.title


def _moved(given: dict[str, Any], done: Agreement) -> Printout:
    return Printout([f"{given['old']} lies in {given['new']} now: {done.words}."])


@capability("sets move", show=_moved)
def move(
    old: Annotated[str | Path, AsKind(Path), Doc("where the folder lay")],
    new: Annotated[str | Path, AsKind(Path), Doc("where the same pictures lie now")],
    *,
    workspace: AnyWorkspace = None,
) -> Agreement:
    """Change the folder of an image set whose pictures were moved; all stored data stay, decisions included.

    In Python it returns how many pictures were compared. Raises FolderError if `new` is not a folder or holds other
    pictures, ImageSetError if `old` was never read or `new` was, WorkspaceError while the folder is read.
    """
    home = Workspace.at(workspace)
    root = root_of(new)
    refuse_known(root, home)
    with _labelled(old, workspace) as writer:
        agreement = check_agreement(writer, root)
        write_about(writer.paths, replace(writer.about(), root=root))
    return agreement


def _dropped(given: dict[str, Any], freed: float) -> Printout:
    words = f"Dropped what {given['model']} left of {given['folder']}: {freed:,.1f} MiB."
    return Printout([f"{words} Reading the folder with that model makes it again."])


@capability("sets drop-model", show=_dropped)
def drop_model(
    folder: KnownFolder,
    model: Annotated[str, Doc("the backbone whose embeddings go")],
    *,
    workspace: AnyWorkspace = None,
) -> float:
    """Remove one model's embeddings, scores, neighbours and map of an image set.

    In Python it returns megabytes freed. Raises ImageSetError if the folder was not read with it, or with nothing else.
    """
    with _labelled(folder, workspace) as writer:
        about = writer.about()
        gone = [space for space in about.spaces if model == space.backbone]
        if not gone:
            names = ", ".join(dict.fromkeys(space.backbone for space in about.spaces)) or "no model"
            raise ImageSetError(
                f"{str(about.root)!r} was not read with {model!r} (but with {names}). Choose one of these."
            )
        if len(gone) == len(about.spaces):
            raise ImageSetError(
                f"{str(about.root)!r} was read with {model!r} only. To remove all that is kept of it, forget it: "
                f"`{command('sets', 'forget', about.root)}`."
            )
        before = _bytes_in(writer.paths.folder)
        for space in gone:
            writer.drop_space(space)
        return (before - _bytes_in(writer.paths.folder)) / 2**20


@capability(
    "sets compact",
    show=lambda given, freed: Printout([f"Compacted {given['folder']}: {freed:,.1f} MiB freed."]),
)
def compact(folder: KnownFolder, *, workspace: AnyWorkspace = None) -> float:
    """Remove unused tables, and merge the fragments of many small writes.

    In Python it returns megabytes freed.
    """
    with _labelled(folder, workspace) as writer:
        before = _bytes_in(writer.paths.folder)
        writer.drop_unnamed_spaces()
        writer.compact()
        return (before - _bytes_in(writer.paths.folder)) / 2**20


def _repaired(given: dict[str, Any], mended: tuple[Mended, ...]) -> Printout:
    again = any(part.is_made_again for part in mended)
    return Printout(
        [f"{part.part} {part.done}" for part in mended] or ["Everything can be read."],
        closing=[f"Read it again: {command('embed', given['folder'])}"] if again else [],
    )


@capability("sets repair", show=_repaired)
def repair(folder: KnownFolder, *, workspace: AnyWorkspace = None) -> tuple[Mended, ...]:
    """Repair an image set whose files were cut off, lost or altered.

    They go back to intact versions; reading the folder again makes the rest.
    """
    home = Workspace.at(workspace)
    root = root_of(folder)  # not from set.json, which may be damaged
    with Writer(home.set_paths(read_before(folder, home)), root) as writer:
        return repair_set(writer, root)


def stored_data(folder: str | Path, *, workspace: str | Path | None = None) -> StoredData:
    """The data that `forget` would remove, also of a damaged set. Raises ImageSetError if the folder was never read."""
    home = Workspace.at(workspace)
    paths = home.set_paths(read_before(folder, home))
    try:
        with DecisionLog(paths.decisions).reading() as log:
            judged = 0 if log is None else len(log.stored)
    except WorkspaceError:
        judged = None
    return StoredData(_bytes_in(paths.folder) / 2**20, judged)


def forget(folder: str | Path, *, workspace: str | Path | None = None) -> Path:
    """Remove all stored data of a folder; the pictures are not touched. Returns the folder's path.

    Raises ImageSetError if it was never read, WorkspaceError while it is read, or if its files cannot be removed.
    """
    home = Workspace.at(workspace)
    paths = home.set_paths(read_before(folder, home))
    root = root_of(folder)  # not from set.json, which may be damaged
    aside = home.root / f"{_FORGOTTEN}{secrets.token_hex(8)}"
    with Writer(paths, root):  # in one step, under the lock: who reads the folder again begins in one of its own
        os.rename(paths.folder, aside)
    for forgotten in home.root.glob(f"{_FORGOTTEN}*"):  # also one that a killed process has left
        shutil.rmtree(forgotten, ignore_errors=True)
    if aside.exists():
        raise WorkspaceError(
            f"{str(root)!r} is forgotten, but not all of its stored data could be removed. Remove "
            f"{str(aside)!r} by hand."
        )
    return root


def check_agreement(store: Store, root: Path) -> Agreement:
    """Compare a sample of the stored contents with the files below `root`; raises FolderError if too few agree."""
    if store.about().objects_in:
        raise FolderError(
            f"{str(store.about().root)!r} is of objects in pictures, which cannot be moved. Read the annotations at "
            f"their new place: {embed_command(root)}."
        )
    if not is_in_bucket(root) and not root.is_dir() and not is_listing(root) and not is_sharded(root):
        what = "cannot be read as pictures" if root.exists() else "does not exist"
        raise FolderError(f"{str(root)!r} {what}. Give the folder, or the file, where the pictures lie now.")
    rows = store.images(["path", "content"])
    rows = rows.filter(rows["content"].is_valid())
    sample = rows.take(np.random.default_rng(0).permutation(len(rows))[:SAMPLE]).to_pylist()
    source = source_of(root)
    differ = []
    for row in sample:
        with suppress(ImageError):  # what cannot be read counts as different
            if content_key(source.read(ScannedFile(row["path"], 0, 0))) == row["content"]:
                continue
        differ.append(row["path"])
    agreement = Agreement(len(sample), len(sample) - len(differ), display_name(differ[0]) if differ else "")
    if agreement.compared and agreement.equal < MUST_AGREE * agreement.compared:
        raise FolderError(
            f"{str(root)!r} holds other pictures: {agreement.equal} of {agreement.compared} compared are the same "
            f"({agreement.example!r} is not). Give the folder that they were moved to, or read this one as a new "
            f"image set."
        )
    return agreement


def refuse_known(root: Path, home: Workspace) -> None:
    """Raise ImageSetError if `root` already has an image set: two of one folder would be ambiguous."""
    if find_set(root, home) in dict(known_sets(home)):
        raise ImageSetError(
            f"{str(root)!r} is an image set already. Forget it first (`{command('sets', 'forget', root)}`), "
            f"or leave things as they are."
        )


def _known(folder: str | Path, workspace: str | Path | None) -> tuple[SetPaths, About]:
    home = Workspace.at(workspace)
    paths = home.set_paths(read_before(folder, home))
    return paths, Store(paths).about()


@contextmanager
def _labelled(folder: str | Path, workspace: str | Path | None) -> Iterator[Writer]:
    paths, about = _known(folder, workspace)
    with Writer(paths, about.root) as writer:
        yield writer


def _bytes_in(folder: Path) -> int:
    """The size of all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(here, name)).st_size
            except FileNotFoundError:
                continue
    return total
