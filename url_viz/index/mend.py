"""Mend an image set whose files were cut off or lost: go back to what is whole, and lay the rest aside."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import lancedb
import pyarrow as pa

from url_viz.index.damage import LANCE_ERRORS
from url_viz.index.store import Writer
from url_viz.workspace import SetPaths

LAID_ASIDE = "damaged"


@dataclass(frozen=True)
class Mended:
    """What was done to a table: `versions_back` it went, or it was laid aside as a whole (None)."""

    table: str
    versions_back: int | None


def mend(writer: Writer) -> tuple[Mended, ...]:
    """Read every table to its end; one that cannot be read goes back to its last whole version, or is laid aside.

    What is laid aside lies in the set's folder `damaged`. What is missing afterwards is made anew by the next reading:
    the pictures are the source of everything but the decisions, which are not touched.
    """
    found = []
    for folder in sorted(writer.paths.tables.glob("*.lance")):
        back = _go_back(writer.paths, folder)
        if back != 0:
            found.append(Mended(folder.stem, back))
    writer.reopen()
    return tuple(found)


def _go_back(paths: SetPaths, folder: Path) -> int | None:
    """How many versions a table went back until it could be read; None where none can, and it was laid aside."""
    versions = sorted((folder / "_versions").glob("*.manifest"))  # the newest first: Lance counts names downwards
    for back in range(len(versions) + 1):
        if _is_whole(folder):
            return back
        if back < len(versions):
            _lay_aside(paths, versions[back])
    _lay_aside(paths, folder)
    return None


def _is_whole(folder: Path) -> bool:
    try:
        table = lancedb.connect(folder.parent).open_table(folder.stem)
        for _ in table.search().limit(max(1, table.count_rows())).to_batches():
            pass
    except (*LANCE_ERRORS, pa.ArrowException):
        return False
    return True


def _lay_aside(paths: SetPaths, path: Path) -> None:
    target = paths.folder / LAID_ASIDE / path.relative_to(paths.tables)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{path.name}.{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
