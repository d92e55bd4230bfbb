"""Mutants of a packed image set: other names, headers, journals, records, tables; what comes of unpacking each.

Run as `python -m tests.hostile.packed_mutants HERE FIRST COUNT` it prints, as a line of JSON each, the number of a
mutant as it is begun, and then what came of it: parts that are told of, or a traceback. A crash ends it in between.
"""

import json
import os
import random
import shutil
import struct
import sys
import tarfile
import traceback
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.hostile.packed import Member, deleting_journal, members_of, write_packed
from tests.sealing import with_seal
from url_viz.base.errors import UrlVizError
from url_viz.image_set import ImageSet, open_image_set
from url_viz.store.bundle import unpack
from url_viz.store.sets import list_sets, repair

NAMES = (
    *(
        "../thesis.tex",
        "/thesis.tex",
        "thesis.tex",
        "set.json/x",
        "x" * 300,
        "decisions.db-journal",
        "decisions.db-wal",
    ),
    *("decisions.copy.db", "decisions.copy.db-journal", "kept/x.arrow", "class-shares/x.arrow", "reviews/0.json", ""),
    *("columns/a.parquet", "columns/\udcff.parquet", "tables/images.lance", "tables/x.lance/data/x.lance", "a/../b"),
    *("tables/images.lance/_deletions/1-1-1.arrow", "tables/images.lance/_indices/x", "labels.json", "second.json"),
)
RECORDS = (
    *(b"", b"[" * 200_000, b"null", b"{}", b"[]", b'{"label": 1e999}', b'{"label": "x"}', b'{"root": "/etc"}'),
    *(b'{"is_asked": []}', b"1" * 5000, b'"' + b"\\ud800" * 9 + b'"', b'{"begun": "yesterday", "ids": [1]}', b"\xff"),
)
NUMBERS = (0, 1, -1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 255, 4096)
Change = Callable[[list[Member], random.Random], list[Member]]


def _renamed(members: list[Member], rng: random.Random) -> list[Member]:
    at = rng.randrange(len(members))
    name, data = members[at]
    cut = rng.randrange(len(name))
    other = rng.choice([*NAMES, name[:cut] + rng.choice("./\\ \0é") + name[cut:], rng.choice(members)[0]])
    return [*members[:at], (other, data), *members[at + 1 :]]


def _added(members: list[Member], rng: random.Random) -> list[Member]:
    name = rng.choice(NAMES)
    return [*members, (name, rng.choice([*RECORDS, rng.choice(members)[1], rng.randbytes(500)]))]


def _with_journal(members: list[Member], rng: random.Random) -> list[Member]:
    name, victim = (
        rng.choice(["decisions.db", "decisions.copy.db"]),
        rng.choice(["thesis.tex", "/proc/self/cwd/thesis.tex"]),
    )
    database = dict(members).get("decisions.db", bytes(8192))
    added: list[Member] = [(name, database), (f"{name}-journal", deleting_journal(database, victim))]
    return [*(member for member in members if member[0] != name), *added]


def _without(members: list[Member], rng: random.Random) -> list[Member]:
    gone = rng.randrange(1, len(members))
    return members[:gone] + members[gone + 1 :]


def _shuffled(members: list[Member], rng: random.Random) -> list[Member]:
    return [members[0], *rng.sample(members[1:], len(members) - 1)]


def _with_record(members: list[Member], rng: random.Random) -> list[Member]:
    names = [name for name, _ in members if name.endswith(".json")] + ["second.json", "labels.json"]
    name = rng.choice(names)
    return [*(member for member in members if member[0] != name), (name, with_seal(rng.choice(RECORDS)))]


def _spoilt(members: list[Member], rng: random.Random) -> list[Member]:
    at = rng.randrange(len(members))
    name, data = members[at]
    return [*members[:at], (name, spoilt(data, rng)), *members[at + 1 :]]


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Bytes of which some are others: a flipped bit, an odd number, a part cut out or put in."""
    if not data:
        return rng.randbytes(9)
    changed, at = bytearray(data), rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            changed[at] ^= 1 << rng.randrange(8)
        case 1:
            changed[at : at + 8] = struct.pack("<q", rng.choice(NUMBERS) if rng.random() < 0.9 else rng.getrandbits(60))
        case 2:
            del changed[at : at + rng.randrange(1, 600)]
        case _:
            changed[at:at] = rng.randbytes(rng.randrange(1, 600))
    return bytes(changed)


CHANGES: tuple[Change, ...] = (_renamed, _added, _with_journal, _without, _shuffled, _with_record, _spoilt, _spoilt)


def write_mutant(packed: Path, out: Path, seed: int) -> None:
    """The mutant of this number of an archive; of a third the headers are spoilt instead.

    Of another third the tables have no digests, as an attacker would leave them out.
    """
    rng = random.Random(seed)
    members = [member for member in members_of(packed) if seed % 3 != 1 or not member[0].endswith("/checksums.json")]
    for _ in range(rng.choice([1, 1, 2, 3]) if seed % 3 else 0):
        members = rng.choice(CHANGES)(members, rng) or members
    write_packed(out, members)
    if not seed % 3:
        out.write_bytes(_with_spoilt_header(out.read_bytes(), rng))


def _with_spoilt_header(archive: bytes, rng: random.Random) -> bytes:
    """An archive with a header that is spoilt; of half of them its checksum is right."""
    with tarfile.open(fileobj=BytesIO(archive)) as whole:
        start = rng.choice([member.offset for member in whole])
    header = bytearray(archive[start : start + 512])
    at = rng.choice([0, 100, 124, 148, 156, 157, 257, 345, rng.randrange(512)])
    header[at : at + 1] = rng.choice(
        [rng.randbytes(1), b"x", b"g", b"L", b"K", b"S", b"1", b"2", b"3", b"5", b"6", b"\xff"]
    )
    if rng.random() < 0.5:
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
    return archive[:start] + bytes(header) + archive[start + 512 :]


LOOKS: tuple[Callable[[ImageSet], Any], ...] = (
    lambda image_set: image_set.table(),
    lambda image_set: image_set.order(),
    lambda image_set: list(image_set.reviews.kept()),
    lambda image_set: [image_set.search(int(one), k=3) for one in image_set.table()["id"].head(1)],
    lambda image_set: image_set.core.store.thumbnails(image_set.table()["id"]),
    lambda image_set: image_set.findings(),
    lambda image_set: image_set.decisions.undo(),
)


def outcome(here: Path, seed: int) -> list[str]:
    """What comes of a mutant: the kinds of errors for users; none where all of it is shown."""
    box = here / "box"
    shutil.rmtree(box, ignore_errors=True)
    box.mkdir()
    write_mutant(here / "set.tar", box / "mutant.tar", seed)
    found: list[str] = []

    def tried(do: Callable[[], Any]) -> Any:
        try:
            return do()
        except UrlVizError as error:
            found.append(f"{type(error).__name__}: {error}")
            return None

    if tried(lambda: unpack(box / "mutant.tar", root=here / "pictures", workspace=box / "home")) is None:
        assert not (box / "home" / "unpacking").exists()
        assert not list((box / "home" / "sets").glob("*"))
        return ["refused"]
    tried(lambda: list_sets(box / "home"))
    for _ in range(2):
        image_set = tried(
            lambda: open_image_set(here / "pictures", model="tf_efficientnet_lite0", workspace=box / "home")
        )
        for look in LOOKS if image_set is not None else ():
            tried(partial(look, image_set))
        tried(lambda: repair(here / "pictures", workspace=box / "home"))
    return found


def main(here: Path, first: int, count: int) -> None:
    """Try these mutants, in a working directory with a file that is nobody's business."""
    work = here / "work"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    (work / "thesis.tex").write_text("years")
    for seed in range(first, first + count):
        print(json.dumps({"seed": seed}), flush=True)
        try:
            said = {"seed": seed, "found": outcome(here, seed)}
        except BaseException:  # noqa: BLE001 (a panic of native code is no Exception)
            said = {"seed": seed, "raw": traceback.format_exc()}
        said["touched"] = [] if _is_untouched(here) else sorted(os.listdir(work))
        print(json.dumps(said), flush=True)


def _is_untouched(here: Path) -> bool:
    is_whole = (here / "work" / "thesis.tex").exists() and (here / "work" / "thesis.tex").read_text() == "years"
    return is_whole and os.listdir(here / "work") == ["thesis.tex"] and not (here / "box" / "thesis.tex").exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
