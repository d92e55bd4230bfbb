"""Packed image sets as an attacker makes them: other files in the archive, journals that SQLite acts on."""

import io
import struct
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

JOURNAL = bytes.fromhex("d9d505f920a163d7")
PAGE, SECTOR = 4096, 512
Member = tuple[str, bytes]


def members_of(packed: Path) -> list[Member]:
    """The names and bytes of the files in an archive."""
    with tarfile.open(packed) as archive:
        opened = ((member.name, archive.extractfile(member)) for member in archive)
        return [(name, file.read()) for name, file in opened if file is not None]


def write_packed(out: Path, members: Iterable[Member]) -> Path:
    """An archive of these files, in this order."""
    with tarfile.open(out, "w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out


def deleting_journal(database: bytes, victim: str) -> bytes:
    """A rollback journal of no pages, after which SQLite deletes the file `victim`, as if it were a super-journal."""
    header = JOURNAL + struct.pack(">IIIII", 0, 0, len(database) // PAGE, SECTOR, PAGE)
    name = victim.encode()
    lock_page = 2**30 // PAGE + 1
    name_record = struct.pack(">I", lock_page) + name + struct.pack(">II", len(name), sum(name)) + JOURNAL
    return header.ljust(SECTOR, b"\0") + name_record


def table_bytes(cached: bytes) -> bytes:
    """The Arrow table in a file of `store/tables/stored_arrow.py`, without checksums and length."""
    return cached[: int.from_bytes(cached[-8:], "little")]


def with_checksums(table: bytes) -> bytes:
    """A file of `store/tables/stored_arrow.py` around the bytes of a small Arrow table, its checksums right."""
    return table + zlib.crc32(table).to_bytes(4, "little") + len(table).to_bytes(8, "little")


def with_rows(cached: bytes, before: int, after: int) -> bytes:
    """Such a file that states another number of rows than `before`, which it has."""
    return with_checksums(table_bytes(cached).replace(struct.pack("<q", before), struct.pack("<q", after)))
