"""The earlier versions of an image set: its pictures at the end of each reading, in Parquet files that can be deleted.

Decisions and corrected labels are in the decision log, which knows them at any time. `pack` takes the files along.
"""

import datetime
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa

from url_viz.base.errors import DamageError
from url_viz.base.workspace import SetPaths
from url_viz.imaging.decode import size_and_time
from url_viz.store.columns.source_columns import BOX_COLUMNS
from url_viz.store.tables.stored_arrow import RecordParquet

MOST_VERSIONS = 50
MOST_BYTES = 500_000_000
"""Beyond these the oldest versions go, but for the last two."""
_ABOUT = b"url-viz version"
_WORDS = pa.dictionary(pa.int32(), pa.string())
_BOX = [(name, pa.float64()) for name in BOX_COLUMNS[:4]]
ROWS = pa.schema(
    [
        *(pa.field("path", pa.binary(), nullable=False), pa.field("content", pa.int64(), nullable=False)),
        *(("label", _WORDS), ("split", _WORDS), ("ambiguity", pa.float32())),
    ]
)
"""Label and split are as given, before corrections; ambiguity is null for none."""
ROWS_OF_OBJECTS = pa.schema([*ROWS, *_BOX])


@dataclass(frozen=True)
class StoredVersion:
    """One version: its `number`, when it was read (`at`, UTC), and how many `pictures` it has.

    `decisions` is the version of the decision log then, `label_source` the choice of the label, `models` the keys of
    the spaces behind ambiguity; `digest` is of the rows, but for ambiguity.
    """

    number: int
    at: str
    pictures: int
    decisions: int
    label_source: str | None
    models: str
    digest: str


def stored_versions(paths: SetPaths) -> tuple[StoredVersion, ...]:
    """The versions on disk, the oldest first, without those whose record is damaged."""
    found = []
    for number in version_numbers(paths):
        with suppress(DamageError):
            found.append(version_file(paths, number).find())
    return tuple(filter(None, found))  # one of the oldest may be gone by now


def damaged_versions(paths: SetPaths) -> tuple[int, ...]:
    """The numbers of the versions that `mend` lays aside; each file is read once as long as it stays as it is."""
    files = {number: version_file(paths, number) for number in version_numbers(paths)}
    stamps = {number: size_and_time(os.fsencode(file.path), within=None) for number, file in files.items()}
    return tuple(number for number, file in files.items() if not _is_whole(file, stamps[number]))


@lru_cache(maxsize=10 * MOST_VERSIONS)
def _is_whole(file: RecordParquet[StoredVersion], stamp: tuple[int, int]) -> bool:
    try:
        file.read(_checked_rows)
    except DamageError:
        return not file.path.exists()  # it was one of the oldest
    return True


def read_version(paths: SetPaths, number: int) -> pa.Table:
    """The rows of a version (ROWS or ROWS_OF_OBJECTS). Raises DamageError if they are not as they were written."""
    return version_file(paths, number).read(_checked_rows)


def version_file(paths: SetPaths, number: int) -> RecordParquet[StoredVersion]:
    """The file of a version."""
    advice = (
        f"It is version {number} of this image set: compare with another one, or lay it aside by `url-viz "
        "sets repair FOLDER`."
    )
    return RecordParquet(paths.versions / f"{number}.parquet", StoredVersion, _ABOUT, advice)


def version_numbers(paths: SetPaths) -> list[int]:
    """The numbers of all versions on disk, the oldest first, also of damaged ones."""
    return sorted(int(file.stem) for file in paths.versions.glob("[1-9]*.parquet") if file.stem.isdecimal())


def _checked_rows(version: StoredVersion, table: pa.Table) -> pa.Table:
    schema = ROWS_OF_OBJECTS if set(BOX_COLUMNS[:4]) <= set(table.column_names) else ROWS
    rows = table.select(schema.names).cast(schema)
    if digest_of(rows) != version.digest or rows["path"].null_count or rows["content"].null_count:
        raise ValueError("its rows are not as they were written")
    return rows


def digest_of(rows: pa.Table) -> str:
    """A digest of rows, without their ambiguity."""
    digest = hashlib.blake2b(digest_size=8)
    for name in rows.column_names:
        if name != "ambiguity":
            column = rows[name].cast(pa.string()) if pa.types.is_dictionary(rows[name].type) else rows[name]
            batch = pa.RecordBatch.from_arrays([pa.concat_arrays(column.chunks or [pa.array([], column.type)])], [name])
            digest.update(name.encode() + memoryview(batch.serialize()))
    return digest.hexdigest()


def store_version(paths: SetPaths, rows: pa.Table, *, decisions: int, label_source: str | None, models: str) -> bool:
    """Store rows (ROWS) as a version of now, unless the last one has the same; returns whether it was stored.

    The same rows by other models replace the last version.
    """
    digest, is_written = digest_of(rows), False
    while not is_written:
        number = max(version_numbers(paths), default=0) + 1  # before the look at what is there: no number is skipped
        versions = stored_versions(paths)
        if versions and versions[-1].digest == digest:
            if versions[-1].models != models:
                _write(paths, rows, replace(versions[-1], models=models))
            return False
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        version = StoredVersion(number, now, len(rows), decisions, label_source, models, digest)
        is_written = _write(paths, rows, version, is_new=True)
    files = [version_file(paths, version.number).path for version in stored_versions(paths)]
    sizes = [file.stat().st_size if file.exists() else 0 for file in files]
    while len(files) > 2 and (len(files) > MOST_VERSIONS or sum(sizes) > MOST_BYTES):
        files.pop(0).unlink(missing_ok=True)
        sizes.pop(0)
    return True


def _write(paths: SetPaths, rows: pa.Table, version: StoredVersion, *, is_new: bool = False) -> bool:
    """Write a version; returns False if `is_new`, and another process was first to write one of its number."""
    words = [field.name for field in rows.schema if pa.types.is_dictionary(field.type)]
    file = version_file(paths, version.number)
    try:
        file.write(
            version,
            rows,
            is_new=is_new,
            compression="zstd",
            use_dictionary=words,
            column_encoding={"path": "DELTA_BYTE_ARRAY"},
        )
    except FileExistsError:
        if not file.path.exists():
            raise
        return False
    return True
