"""Containers and lists that were made to end, hang or fill the process that reads them, each beside a good picture."""

import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.imaging.pictures import encoded, noise

GOOD = encoded(noise(1, width=9, height=8), "PNG")
_NAMED = pa.struct({"bytes": pa.binary(), "path": pa.int64()})


def member(name: str, size: int, *, kind: Literal[0, 1, 2] = tarfile.GNU_FORMAT) -> bytes:
    """The header of a tar's member, whatever its size."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(kind)


def tar(*parts: bytes) -> bytes:
    """A tar of a good picture, and of these parts behind it."""
    return b"".join([member("good.png", len(GOOD)), padded(GOOD), *parts, bytes(1024)])


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def negative(path: Path) -> None:
    """Python 3.11.7's `tarfile` returns to the same header for ever (CVE-2025-8194)."""
    path.write_bytes(tar(member("bad.png", -512)))


def endless_pax(path: Path) -> None:
    """The same by a record in front of the header."""
    info = tarfile.TarInfo("bad.png")
    info.pax_headers = {"size": "-1024", "comment": "x"}
    path.write_bytes(tar(info.tobuf(tarfile.PAX_FORMAT)))


def beyond(path: Path) -> None:
    path.write_bytes(tar(member("bad.png", 1 << 80)))


def long_name(path: Path) -> None:
    """A name of so many bytes that no memory has them."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 50
    path.write_bytes(tar(info.tobuf(tarfile.GNU_FORMAT), padded(b"name"), member("bad.png", 3), padded(b"abc")))


def sparse(path: Path) -> None:
    info = tarfile.TarInfo("sparse.png")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:410] = b"%011o\0%011o\0" % (4096, 512)
    head[483:495] = b"%011o\0" % 8192
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + 8 * 32 + sum(head[156:512]))
    path.write_bytes(tar(bytes(head), bytes(512)))


def outside(path: Path) -> None:
    path.write_bytes(tar(member("a/../../bad.png", len(GOOD)), padded(GOOD)))


def many_columns(path: Path) -> None:
    """Each sample says other things."""
    parts = []
    for number in range(60):
        said = json.dumps({f"{number}-{key}": key for key in range(3_000)}).encode()
        parts += [member(f"{number}.png", len(GOOD)), padded(GOOD), member(f"{number}.json", len(said)), padded(said)]
    path.write_bytes(tar(*parts))


def damaged_lzma(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("bad.png", GOOD)
        archive.writestr("good.png", GOOD, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[30 + len("bad.png") + 4 :][:5] = b""
    data[30 + len("bad.png") + 4] = 0xFF  # the properties of the stream
    path.write_bytes(data)


def tight(path: Path) -> None:
    """A gigabyte in a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", GOOD)
        with archive.open("bad.png", "w") as file:
            for _ in range(64):
                file.write(bytes(1 << 24))


def table(path: Path, images: pa.Array, **columns: pa.Array) -> None:
    made = pa.table({"image": images, **columns})
    if path.suffix == ".parquet":
        pq.write_table(made, path, compression="zstd")
        return
    with pa.ipc.new_stream(str(path), made.schema) as writer:
        writer.write_table(made)


def number_as_path(path: Path) -> None:
    table(path, pa.array([{"bytes": GOOD, "path": 1}, {"bytes": None, "path": 5}], _NAMED))


def more_rows_than_bytes(path: Path) -> None:
    table(path, pa.nulls(4_000_000, pa.binary()))


def one_long_text(path: Path) -> None:
    """Five megabytes that stand once in the file, and once a row when unfolded."""
    texts = pa.array(["x" * 5_000_000] * 400)
    table(path, pa.array([GOOD] * 400, pa.binary()), caption=texts)


def one_large_picture(path: Path) -> None:
    table(path, pa.array([bytes(20_000_000)] * 30 + [GOOD], pa.binary()))


def lines(path: Path) -> None:
    """Paths that no file has, in JSON's and in plain text."""
    path.with_name("good.png").write_bytes(GOOD)
    paths = ["good.png", "zero\0.png", "\ud800.png", "x" * 5_000 + ".png", "good.png/none.png"]
    said = [{"path": one, "label": "\udfff", "number": 10**400, "rest": float("nan")} for one in paths]
    path.write_text("\n".join(map(json.dumps, said)))


@dataclass(frozen=True)
class Hostile:
    """A file: how it is written, how many good pictures it has, and a part of the reason for the others.

    Without any good one it is refused as a whole.
    """

    write: Callable[[Path], object]
    ending: str
    good: int
    why: str


HOSTILE: Mapping[str, Hostile] = {
    "negative size": Hostile(negative, ".tar", 1, "damaged after 1 picture"),
    "negative size in a record": Hostile(endless_pax, ".tar", 1, "damaged after 1 picture"),
    "size beyond all": Hostile(beyond, ".tar", 1, "cut off|files over 1,024 are not read"),
    "endless name": Hostile(long_name, ".tar", 1, "damaged after 1 picture"),
    "sparse": Hostile(sparse, ".tar", 1, "sparse"),
    "leads out": Hostile(outside, ".tar", 1, "leads out of the archive"),
    "columns without end": Hostile(many_columns, ".tar", 61, ""),
    "damaged LZMA": Hostile(damaged_lzma, ".zip", 1, "cannot be read"),
    "packed tightly": Hostile(tight, ".zip", 1, "packed 1,0.. to 1"),
    "number as path": Hostile(number_as_path, ".parquet", 1, "cannot be read"),
    "number as path, Arrow": Hostile(number_as_path, ".arrow", 1, "cannot be read"),
    "more rows than bytes": Hostile(more_rows_than_bytes, ".parquet", 0, "4,000,000 rows, and cannot in"),
    "one long text": Hostile(one_long_text, ".parquet", 400, ""),
    "one large picture": Hostile(one_large_picture, ".parquet", 31, ""),
    "paths of no file": Hostile(lines, ".jsonl", 1, "zero byte|no longer exists|cannot be opened"),
}
