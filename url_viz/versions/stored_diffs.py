"""Diffs of large sets that were computed before, by a job: read again while neither side has changed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from url_viz.base.errors import DamageError
from url_viz.columns.table import table
from url_viz.store.about import raising_disk_errors
from url_viz.store.tables.stored_arrow import RecordParquet
from url_viz.versions.changes import ProbeChange
from url_viz.versions.set_versions import Diff, Version, models_of

MOST = 4
"""So many diffs of a set are kept, those computed last."""
_ADVICE = "Compare again."
_PARTS = "new_leaks", "class_ambiguity", "on_map"


@dataclass(frozen=True)
class StoredFigures:
    """The figures of a diff that was computed before."""

    accuracy: ProbeChange | None
    ambiguity: pd.DataFrame
    on_map: pd.DataFrame


@dataclass(frozen=True)
class _Stored:
    """What stands with the table of a stored diff: its accuracy, and whether splits were looked at for leaks."""

    accuracy: ProbeChange | None
    has_splits: bool


@dataclass(frozen=True)
class _Part:
    """What stands with another table of it."""

    name: str


def store_diff(diff: Diff) -> None:
    """Compute all of a diff and keep it with the later set. Raises WorkspaceError if the disk is full."""
    key, folder = _key(diff.before, diff.after), _folder(diff.after)
    leaks = diff.new_leaks
    tables = pd.DataFrame() if leaks is None else leaks, diff.ambiguity, diff.on_map
    with raising_disk_errors(diff.after.core.store.paths):
        for name, table in zip(_PARTS, tables, strict=True):
            _part(folder, key, name).write(_Part(name), _to_arrow(table))
        _file(folder, key).write(_Stored(diff.accuracy, leaks is not None), _to_arrow(diff.table))  # the last: whole
        others = [path for path in folder.glob("*.parquet") if not path.name.startswith(key)]
        keys = {path.name.partition(".")[0]: path.stat().st_mtime_ns for path in others}
        for gone in sorted(keys, key=keys.__getitem__, reverse=True)[MOST - 1 :]:
            for path in folder.glob(f"{gone}.*"):
                path.unlink(missing_ok=True)


def stored_diff(before: Version, after: Version) -> Diff | None:
    """The diff of these versions as it was stored; None if it was not, or cannot be read."""
    key, folder = _key(before, after), _folder(after)
    try:
        facts, table = _file(folder, key).read(lambda facts, rows: (facts, _to_pandas(rows)))
        leaks, *figures = (_part(folder, key, name).read(lambda _, rows: _to_pandas(rows)) for name in _PARTS)
    except DamageError:
        return None
    return Diff(before, after, table, leaks if facts.has_splits else None, StoredFigures(facts.accuracy, *figures))


def _to_arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, preserve_index=False)


def _to_pandas(rows: pa.Table) -> pd.DataFrame:
    table: pd.DataFrame = rows.to_pandas(integer_object_nulls=True)  # ids have more digits than a float
    return table


def _file(folder: Path, key: str) -> RecordParquet[_Stored]:
    return RecordParquet(folder / f"{key}.parquet", _Stored, b"url-viz diff", _ADVICE)


def _part(folder: Path, key: str, name: str) -> RecordParquet[_Part]:
    return RecordParquet(folder / f"{key}.{name}.parquet", _Part, b"url-viz diff", _ADVICE)


def _folder(after: Version) -> Path:
    return after.core.store.paths.derived / "diffs"


def _key(before: Version, after: Version) -> str:
    """What both sides are: another one as soon as anything that the diff is of has changed."""
    digest = hashlib.blake2b(digest_size=12)
    for version in (before, after):
        core = version.core
        words = core.set_id, version.number, version.title, core.derived.fingerprint(table), models_of(core)
        digest.update(repr(words).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
