"""Files that appear whole or not at all, names that no system refuses, and records with a digest of their content."""

import hashlib
import json
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from url_viz.base.errors import FolderError

_UMASK = os.umask(0o077)  # the only way to read it is to set it
os.umask(_UMASK)
LEFTOVER_S = 600.0
"""A hidden file that nobody has written to for this time belongs to a process that was killed."""


@contextmanager
def replaced(path: Path, *, is_flushed: bool = True, is_new: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder to write to; on success it replaces `path` in one step.

    With `is_new` it replaces nothing, and raises FileExistsError if another process was first. Without `is_flushed` a
    power cut may leave an empty file of that name: only for what is verified as it is read, and can be made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp's is for secrets; others of a shared workspace read this
        if is_flushed:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if is_new:
            os.link(temporary, path)  # LanceDB needs hard links as well
        else:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes left below a folder of files that they were writing with `replaced`."""
    before = time.time() - LEFTOVER_S
    for path in folder.rglob(".*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()


def require_parent(path: Path | None) -> None:
    """Raise FolderError if the folder for a user's file is missing: it is not created unasked."""
    if path is None:
        return
    parent = path.expanduser().absolute().parent
    if not os.path.lexists(parent):
        raise FolderError(
            f"There is no folder {str(parent)!r} to write {path.name!r} into. Make it first "
            f"(mkdir -p {shlex.quote(str(parent))}), or choose another place."
        )


_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def is_device(name: str) -> bool:
    """Whether Windows takes a file name, with any extension, for one of its devices."""
    return _DEVICES.fullmatch(name) is not None


SEAL = "seal"


def sealed(record: Mapping[str, Any]) -> str:
    """The record as JSON text, with the digest of its other fields under `seal`."""
    assert SEAL not in record
    return json.dumps({**record, SEAL: _digest(record)})


def unsealed(text: str | bytes) -> dict[str, Any]:
    """The record in a JSON text, without its digest.

    Raises ValueError if the text is not a JSON object, or has no digest that matches.
    """
    record = record_in(text)
    if record.pop(SEAL, None) != _digest(record):
        raise ValueError("it is not as it was written")
    return record


def record_in(text: str | bytes) -> dict[str, Any]:
    """The object in an untrusted JSON text. Raises ValueError for any other text, and if it is nested too deeply."""
    try:
        record = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(record, dict):
        raise ValueError(f"{text[:40]!s} instead of a record")
    return record


def _digest(record: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(record, sort_keys=True)
    except RecursionError as error:  # it could be read, by a little
        raise ValueError("it is nested too deeply") from error
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def ids_in(path: Path) -> list[int]:
    """The picture ids that a file, or standard input, lists. Raises FolderError if they cannot be read."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(
            f"Cannot read ids from {str(path)!r}: {error}. Give a text file with one id per line."
        ) from error
    try:
        ids = [int(line) for line in text.split()]
        if any(not -(2**63) <= number < 2**63 for number in ids):
            raise ValueError("a number of more than 64 bits")
        return ids
    except ValueError as error:
        raise FolderError(f"{str(path)!r} holds more than ids: {error}. Take the column id of an export.") from error
