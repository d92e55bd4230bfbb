"""Repair of a damaged image set: tables go back to an intact version, damaged files are laid aside."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from url_viz.base.errors import DamageError
from url_viz.base.files import remove_leftovers
from url_viz.base.records import RecordFile
from url_viz.base.wording import counted
from url_viz.base.workspace import SetPaths
from url_viz.store.about import (
    About,
    about_copy,
    about_file,
    raising_damage_errors,
    read_about,
    second_model_switch,
    write_about,
)
from url_viz.store.columns.imported_columns import (
    FOLDERS,
    LabelChoice,
    import_file,
    imported_names,
    label_choice,
    read_import,
)
from url_viz.store.columns.source_columns import CLASS, OBJECTS, PICTURE, SOURCE
from url_viz.store.decisions.answers import review_files
from url_viz.store.decisions.decision_log import DecisionLog, strange_journals
from url_viz.store.tables import versions
from url_viz.store.tables.reader import verify_table
from url_viz.store.tables.tables import connect
from url_viz.store.tables.writer import Writer
from url_viz.store.training_records import damaged_files
from url_viz.store.version_files import read_version, version_file, version_numbers

LAID_ASIDE = "damaged"
_HINT = "latest_version_hint.json"
_SOURCES = ("embeddings", "whitening", "whitened")
"""The tables that the others of a space are made of, perhaps after the damage: reading does not find all damage."""


@dataclass(frozen=True)
class Mended:
    """A repaired part of an image set, such as "images", what was `done`, and whether reading makes the rest again."""

    part: str
    done: str
    is_made_again: bool = True


def repair_set(writer: Writer, root: Path) -> tuple[Mended, ...]:
    """Verify everything stored for the folder `root`, and repair what is not as it was written.

    A table goes back to its last intact version, or is moved to the set's folder `damaged`, with the tables made of it;
    the next `embed` makes what is missing. set.json and the decisions are restored from their copies. Other records
    (choices, columns, versions, reviews, runs) cannot be made again: a damaged one is moved to `damaged`.
    """
    paths = writer.paths
    remove_leftovers(paths.folder)
    mended = [_mend_label(paths, root), *_mend_tables(paths), _mend_decisions(paths), *_mend_records(paths)]
    return tuple(part for part in mended if part is not None)


def _mend_records(paths: SetPaths) -> Iterator[Mended]:
    for path in damaged_records(paths):
        _lay_aside(paths, path)
        part = path.relative_to(paths.folder)
        if path == paths.labels:  # as in a new set with these columns
            names = imported_names(paths)
            has_classes = SOURCE in names and CLASS in read_import(paths, SOURCE).columns
            first = LabelChoice(CLASS, apart=PICTURE) if OBJECTS in names else None
            label_choice(paths).write(first or LabelChoice(CLASS if has_classes else FOLDERS))
            yield Mended(str(part), "was laid aside; the label is what it is in a new set", is_made_again=False)
        elif path.parent == paths.columns and path.stem in (SOURCE, OBJECTS):
            yield Mended(str(part), "was laid aside")
        else:
            yield Mended(str(part), "was laid aside; it cannot be made again", is_made_again=False)


def damaged_records(paths: SetPaths) -> list[Path]:
    """The files of damaged records, but for set.json and the decisions."""
    records: list[RecordFile[Any]] = [label_choice(paths), second_model_switch(paths), *review_files(paths)]
    checks: dict[Path, Callable[[], object]] = {
        **{import_file(paths, name).path: partial(read_import, paths, name) for name in imported_names(paths)},
        **{file.path: file.find for file in records},
        **{version_file(paths, number).path: partial(read_version, paths, number) for number in version_numbers(paths)},
    }
    damaged = []
    for path, check in checks.items():
        try:
            check()
        except DamageError as error:
            if isinstance(error.__cause__, PermissionError):  # another user's, perhaps, who can read it
                raise
            damaged += [path] if path.exists() else []  # columns may be removed meanwhile
    return [*damaged, *damaged_files(paths)]


def _mend_label(paths: SetPaths, root: Path) -> Mended | None:
    if about_file(paths).is_whole():
        if paths.about_copy.exists() and about_copy(paths).is_whole():
            return None
        write_about(paths, read_about(paths))
        return Mended(paths.about_copy.name, "was written again", is_made_again=False)
    try:
        about, done = read_about(paths), "was put back from its copy"
    except DamageError:
        about, done = About(root, ()), "was written again, without the set's name and the models it was read with"
    _lay_aside(paths, paths.about)
    write_about(paths, about)
    return Mended(paths.about.name, done)


def _mend_decisions(paths: SetPaths) -> Mended | None:
    log = DecisionLog(paths.decisions)
    strange = [journal for path in (log.path, log.copy_path) for journal in strange_journals(path)]
    for path in strange:
        _lay_aside(paths, path)
    if log.is_whole():
        if log.renew_copy():
            return Mended(log.copy_path.name, "was written again")
        return Mended(", ".join(path.name for path in strange), "was laid aside") if strange else None
    for path in (paths.decisions, paths.decisions.with_name(f"{paths.decisions.name}-journal")):
        if path.exists():
            _lay_aside(paths, path)
    is_back = log.put_back()
    for path in () if is_back else (log.copy_path, log.record_path):
        if path.exists():
            _lay_aside(paths, path)
    return Mended(paths.decisions.name, "was put back from its copy" if is_back else "was laid aside")


def _mend_tables(paths: SetPaths) -> list[Mended]:
    mended = []
    for folder in sorted(paths.tables.glob("*.lance")):
        back = _go_back(paths, folder)
        if back is None:
            mended.append(Mended(folder.stem, "was laid aside"))
        elif back:
            mended.append(Mended(folder.stem, f"went back {counted(back, 'version')}"))
    parts = [one.part for one in mended]
    spaces = {key for kind, _, key in (part.partition("-") for part in parts) if kind in _SOURCES}
    for folder in sorted(paths.tables.glob("*.lance")):
        kind, _, rest = folder.stem.partition("-")
        if kind != "embeddings" and rest.partition("-")[0] in spaces and folder.stem not in parts:
            _lay_aside(paths, folder)
            mended.append(Mended(folder.stem, "was laid aside: it was made of what is damaged"))
    return mended


def _go_back(paths: SetPaths, folder: Path) -> int | None:
    """How many versions a table went back until it could be read; None if it was laid aside, since none can."""
    if _is_whole(folder, is_newest=True):
        versions.note(folder)  # a writer that was stopped did not
        return 0
    (folder / "_versions" / _HINT).unlink(missing_ok=True)  # Lance looks for the newest version itself without it
    manifests = sorted((folder / "_versions").glob("*.manifest"))  # the newest first: Lance counts names downwards
    for back in range(len(manifests) + 1):
        if _is_whole(folder, is_newest=False):
            versions.note(folder)
            return max(back, 1)
        if back < len(manifests):
            _lay_aside(paths, manifests[back])
    _lay_aside(paths, folder)
    return None


def _is_whole(folder: Path, *, is_newest: bool) -> bool:
    try:
        with raising_damage_errors(folder):
            verify_table(connect(folder.parent).open_table(folder.stem), folder, is_newest=is_newest)
    except DamageError:
        return False
    return True


def _lay_aside(paths: SetPaths, path: Path) -> None:
    target = paths.folder / LAID_ASIDE / path.relative_to(paths.folder)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{path.name}.{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
