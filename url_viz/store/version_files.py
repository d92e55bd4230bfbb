"""The earlier versions of an image set: what each picture was at the end of a reading, a Parquet file for each.

Decisions and corrected labels are not in them but in the decision log, which knows them at any time. The files can be
deleted; `pack` takes them along.
"""

import datetime
import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from url_viz.errors import DamageError
from url_viz.files import replaced
from url_viz.records import read_plain
from url_viz.sealed import sealed, unsealed
from url_viz.store.object_columns import BOX_COLUMNS
from url_viz.workspace import SetPaths

MOST_VERSIONS = 50
MOST_BYTES = 500_000_000
"""More versions, or more bytes of them, are not kept: the oldest go, but for the last two."""
_ABOUT = b"url-viz version"
_WORDS = pa.dictionary(pa.int32(), pa.string())
_BOX = [(name, pa.float64()) for name in BOX_COLUMNS[:4]]
ROWS = pa.schema(
    [
        *(pa.field("path", pa.binary(), nullable=False), pa.field("content", pa.int64(), nullable=False)),
        *(("label", _WORDS), ("split", _WORDS), ("ambiguity", pa.float32())),
    ]
)
"""A picture of a version: label and split as given, before corrections, and ambiguity, null for none."""
ROWS_OF_OBJECTS = pa.schema([*ROWS, *_BOX])


@dataclass(frozen=True)
class StoredVersion:
    """One version: its `number`, when it was read (`at`, UTC), and how many `pictures` it has.

    `decisions` is the version of the decision log at that time, `label_source` what labels were taken from, `models`
    the keys of the spaces that ambiguity is by; `digest` is of the rows, but for ambiguity.
    """

    number: int
    at: str
    pictures: int
    decisions: int
    label_source: str | None
    models: str
    digest: str


def stored_versions(paths: SetPaths) -> tuple[StoredVersion, ...]:
    """The versions that are kept, the oldest first, without those that are damaged."""
    found = []
    for file in paths.versions.glob("[0-9]*.parquet") if paths.versions.is_dir() else ():
        try:
            about = pq.read_schema(file).metadata[_ABOUT]
            found.append(read_plain(StoredVersion, unsealed(about)))
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            continue  # what cannot be read is not offered
    return tuple(sorted(found, key=lambda version: version.number))


def rows_of(paths: SetPaths, version: StoredVersion) -> pa.Table:
    """The rows of a version (ROWS, of objects ROWS_OF_OBJECTS). Raises DamageError if they are not as written."""
    file = _file(paths, version.number)
    try:
        table = pq.read_table(file, partitioning=None, page_checksum_verification=True)
        schema = ROWS_OF_OBJECTS if set(BOX_COLUMNS[:4]) <= set(table.column_names) else ROWS
        rows = table.select(schema.names).cast(schema)
        if digest_of(rows) != version.digest or rows["path"].null_count or rows["content"].null_count:
            raise ValueError("its rows are not as they were written")
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamageError(
            f"Version {version.number} of this image set is damaged ({file}). Remove that file, and choose another "
            "version: `python -m url_viz versions FOLDER`."
        ) from error
    return rows


def digest_of(rows: pa.Table) -> str:
    """What another set of rows does not have; their ambiguity does not count."""
    digest = hashlib.blake2b(digest_size=8)
    for name in rows.column_names:
        if name != "ambiguity":
            column = rows[name].cast(pa.string()) if pa.types.is_dictionary(rows[name].type) else rows[name]
            batch = pa.RecordBatch.from_arrays([pa.concat_arrays(column.chunks or [pa.array([], column.type)])], [name])
            digest.update(name.encode() + memoryview(batch.serialize()))
    return digest.hexdigest()


def store_version(paths: SetPaths, rows: pa.Table, *, decisions: int, label_source: str | None, models: str) -> bool:
    """Keep rows (ROWS) as a version of now, unless they are those of the last one; returns whether it was kept.

    The same rows by other models take the place of the last version.
    """
    known, digest = stored_versions(paths), digest_of(rows)
    if known and known[-1].digest == digest:
        if known[-1].models != models:
            _write(paths, rows, replace(known[-1], models=models))
        return False
    number = known[-1].number + 1 if known else 1
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    _write(paths, rows, StoredVersion(number, now, len(rows), decisions, label_source, models, digest))
    _drop_oldest(paths)
    return True


def _write(paths: SetPaths, rows: pa.Table, version: StoredVersion) -> None:
    words = [field.name for field in rows.schema if pa.types.is_dictionary(field.type)]
    with replaced(_file(paths, version.number)) as temporary:
        pq.write_table(
            rows.replace_schema_metadata({_ABOUT: sealed(asdict(version)).encode()}),
            temporary,
            compression="zstd",
            use_dictionary=words,
            column_encoding={"path": "DELTA_BYTE_ARRAY"},
            write_page_checksum=True,
        )


def _drop_oldest(paths: SetPaths) -> None:
    files = [_file(paths, version.number) for version in stored_versions(paths)]
    sizes = [file.stat().st_size for file in files]
    while len(files) > 2 and (len(files) > MOST_VERSIONS or sum(sizes) > MOST_BYTES):
        files.pop(0).unlink(missing_ok=True)
        sizes.pop(0)


def _file(paths: SetPaths, number: int) -> Path:
    return paths.versions / f"{number}.parquet"
