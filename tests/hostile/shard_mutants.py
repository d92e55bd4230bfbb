"""Mutants of archives, Parquet and Arrow files, and lists: what comes of listing and reading each.

Run as `python -m tests.hostile.shard_mutants HERE FIRST COUNT` it prints how many were read and refused, and the
seconds of the slowest. What ends it, or takes it more memory than `MOST_BYTES`, leaves its file, under its number, in
the folder HERE.
"""

import json
import random
import resource
import shutil
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.imaging.test_shards import MADE, PICTURES, readable, write_tar, write_zip
from url_viz.base.errors import FolderError
from url_viz.imaging.source import source_of

MOST_BYTES = 2 << 30
"""Address space of this process, most of it for libraries; those in which files are unpacked have their own bounds."""
_WORDS = (b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff\xff\xff\xff", b"\0\0\0\0")
_SIZES = (
    b"\xff" * 10 + b"\xfe\0",
    b"\x80" + b"\xff" * 11,
    b"\x80" + bytes(6) + b"\x7f" + b"\xff" * 4,
    b"77777777777\0",
)
"""Sizes of a tar's header: −512, 2^88, half a terabyte, eight gigabytes."""
_END = 600
"""Bytes at the end of a file, where Parquet and zip have their lists."""


def long_names(kind: int) -> Callable[[Path], Path]:
    """A tar whose names do not fit into plain headers."""
    members = [("n" * 120 + name, data) for name, data in PICTURES.items()]
    return lambda folder: write_tar(folder / "p.tar", members, kind=kind)


def listed(ending: str, line: Callable[[str], str]) -> Callable[[Path], Path]:
    """A list of pictures that lie beside it."""

    def write(folder: Path) -> Path:
        for name, data in PICTURES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        path = folder / f"p.{ending}"
        path.write_text("".join(map(line, PICTURES)))
        return path

    return write


KINDS = {
    **MADE,
    "GNU": long_names(tarfile.GNU_FORMAT),
    "pax": long_names(tarfile.PAX_FORMAT),
    "LZMA": lambda at: write_zip(at / "p.zip", method=zipfile.ZIP_LZMA),
    "csv": listed("csv", lambda name: f"{name},{name[0]}\n"),
    "json lines": listed("jsonl", lambda name: json.dumps({"path": name, "label": name[0], "n": [1], "x": 1.5}) + "\n"),
}


def main(here: Path, first: int, count: int) -> None:
    """Read `count` mutants, the first numbered `first`."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    seen: Counter[str] = Counter()
    slowest = 0.0
    for number in range(first, first + count):
        folder = here / str(number)
        folder.mkdir()
        path, start = mutant(folder, random.Random(number)), time.monotonic()
        try:
            readable(source_of(path))
            seen["read"] += 1
        except FolderError:
            seen["refused"] += 1
        slowest = max(slowest, time.monotonic() - start)
        shutil.rmtree(folder)
    print(json.dumps([seen, slowest]))


def mutant(folder: Path, rng: random.Random, kinds: Mapping[str, Callable[[Path], Path]] = KINDS) -> Path:
    """A shard with up to six changes of bytes, words, gaps and insertions, half of them near its end."""
    path = kinds[rng.choice(list(kinds))](folder)
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data)) if rng.random() < 0.5 else max(0, len(data) - 1 - rng.randrange(_END))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at : at + 4] = rng.choice(_WORDS)
        elif kind == 2:
            del data[at : at + rng.randint(1, 50)]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 50))
        data = data or bytearray(b"x")
    if path.suffix == ".tar" and rng.random() < 0.5:
        spoil_header(data, rng)
    path.write_bytes(data)
    return path


def spoil_header(data: bytearray, rng: random.Random) -> None:
    """Give a header another size or kind, and the right checksum."""
    at = rng.choice([at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"] or [0])
    data[at + 124 : at + 136] = rng.choice(_SIZES)
    if rng.random() < 0.5:
        data[at + 156 : at + 157] = rng.choice([b"L", b"K", b"x", b"g", b"S", b"1", b"5"])
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
