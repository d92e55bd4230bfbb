"""Mutants of archives, Parquet and Arrow files: what comes of listing and reading each.

Run as `python -m tests.hostile.shard_mutants HERE FIRST COUNT` it prints how many were read and refused. A crash leaves
the file that did it, under its number, in the folder HERE.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

from tests.imaging.test_shards import MADE, readable
from url_viz.errors import FolderError
from url_viz.imaging.containers.shards import Shards

_WORDS = (b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff\xff\xff\xff", b"\0\0\0\0")
_END = 600
"""Bytes at the end of a file, where Parquet and zip have their lists."""


def main(here: Path, first: int, count: int) -> None:
    """Read `count` mutants, the first numbered `first`."""
    seen: Counter[str] = Counter()
    for number in range(first, first + count):
        folder = here / str(number)
        folder.mkdir()
        path = mutant(folder, random.Random(number))
        try:
            readable(Shards(path))
            seen["read"] += 1
        except FolderError:
            seen["refused"] += 1
        path.unlink()
        folder.rmdir()
    print(json.dumps(seen))


def mutant(folder: Path, rng: random.Random) -> Path:
    """A shard with up to six changes of bytes, words, gaps and insertions, half of them near its end."""
    path = MADE[rng.choice(list(MADE))](folder)
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
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
