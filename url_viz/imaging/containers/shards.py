"""Archives, Parquet and Arrow files as a source of pictures: one file, or a folder of them, read without unpacking."""

import json
import os
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import repeat
from pathlib import Path
from threading import Lock

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.wording import counted
from url_viz.imaging.containers.archives import MOST_COLUMNS, Columns, Entries, read_at
from url_viz.imaging.decode import VANISHED, open_plain_file
from url_viz.imaging.folder_classes import SPLIT, split_in_name
from url_viz.imaging.limited_readers import ending, readers, with_pages
from url_viz.imaging.pages import PagedFile, page_of
from url_viz.imaging.scan import SHARD_ENDINGS, Scan, ScannedFile, Walk, is_hidden

_NAMES = {b".tar": "tar archive", b".zip": "zip archive", b".parquet": "Parquet file", b".arrow": "Arrow file"}
_STORED = (b".tar", b".arrow")
"""Kinds whose pictures are stored as they are."""
_ARCHIVES = (b".tar", b".zip")
_BATCHES_AHEAD = 2
_LARGEST_STATE = 1 << 20
_SHARD = re.compile(rb"(?s)(.*?(?:%s))/(.*)" % b"|".join(map(re.escape, SHARD_ENDINGS)), re.IGNORECASE)


def is_sharded(root: Path) -> bool:
    """Whether a path is a file that holds pictures, or a folder with such files and without any picture."""
    if not os.path.isdir(root):
        return os.path.isfile(root) and _is_shard(os.fsencode(root.name))
    has_pictures = next(filter(None, Walk(root).steps()), None) is not None  # ends at the first
    return not has_pictures and next(_below(root), None) is not None


class Shards:
    """The pictures in the file `root`, or in those of a folder; nothing outside `within` is read. Thread-safe."""

    at_a_time = None

    def __init__(self, root: Path, within: Sequence[Path] | None = None) -> None:
        self.root, self.within = root, within
        self.is_each_page = True
        self._faults: dict[bytes, str] = {}
        self._lock = Lock()
        self._ahead = deque[dict[tuple[bytes, tuple[int, int], int], bytes]](maxlen=_BATCHES_AHEAD)
        self._places: tuple[bytes, tuple[int, int], Mapping[bytes, tuple[int, int]]] = (b"", (-1, -1), {})

    @property
    def base(self) -> Path:
        return self.root

    @property
    def summary(self) -> str:
        megabytes = sum(self._status(shard)[1] for shard in self._shards) / 2**20
        kinds = Counter(_NAMES[ending(self._path(shard))] for shard in self._shards)
        files = " and ".join(counted(number, name) for name, number in sorted(kinds.items()))
        return f"{files} ({megabytes:,.1f} MB), read without unpacking"

    def list(self) -> Scan:
        """Every picture by its shard and key, with columns. Raises FolderError if the only shard cannot be read."""
        files: list[ScannedFile] = []
        columns_of_shards: list[tuple[int, Columns]] = []
        other = Counter[str]()
        for shard in self._shards:
            entries = self._entries_or_fault(shard)
            stamp = self._status(shard)[0]
            files += _files(shard, entries, stamp)
            split = split_in_name(os.path.basename(shard))
            given = {SPLIT: [split] * len(entries.keys)} if split else {}
            columns_of_shards.append((len(entries.keys), {**given, **entries.columns}))
            other.update(entries.other)
            faults = self._noted(shard, entries)
            files += (ScannedFile(path, 0, stamp) for path in faults)
            columns_of_shards.append((len(faults), {}))
        names = [*dict.fromkeys(name for _, given in columns_of_shards for name in given)][:MOST_COLUMNS]
        columns = {
            name: [value for count, given in columns_of_shards for value in given.get(name, [None] * count)]
            for name in names
        }
        listed = in_order(Scan(self.root, tuple(files), tuple(other.most_common()), (), self.within, columns))
        return with_pages(listed, self._paged, is_each=self.is_each_page)

    def _paged(self, files: Sequence[ScannedFile]) -> Sequence[PagedFile | None]:
        answers: list[PagedFile | None] = []
        for file in files:
            is_file = file.size_bytes > 0 and file.block is None
            is_asked = is_file and ending(self._path(self._parted(file.path)[0])) in _ARCHIVES
            answers.append(readers.paged_bytes(self.read(file)) if is_asked else None)
        return answers

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of a picture, or of a page of it, as a file.

        Raises ImageError for a fault of it or of its shard.
        """
        if file.path in self._faults:
            raise ImageError(self._faults[file.path])
        shard, key = self._parted(file.path)
        page = page_of(file.path) if file.position is None or page_of(file.path) == file.block else None
        try:
            place = self._place(shard, key) if file.position is None else (file.position, file.size_bytes)
            data = self._bytes(shard, *place)
            return data if page is None else readers.page_of_bytes(data, page[1])
        except (OSError, OverflowError, ValueError) as error:  # an offset that cannot be, in a damaged shard
            raise ImageError(f"cannot be read from its file: {error}") from error

    def _bytes(self, shard: bytes, position: int, size_bytes: int) -> bytes:
        path = self._path(shard)
        if position >= 0 and ending(path) in _STORED:
            with open_plain_file(path, within=self.within) as opened:
                return read_at(opened, position, size_bytes)
        if ending(path) != b".parquet":
            return readers.read(path, position=position, size_bytes=size_bytes, within=self.within)[0]
        return self._row(shard, position)

    def _row(self, shard: bytes, position: int) -> bytes:
        """The picture of a row; those that are unpacked with it wait to be asked for."""
        version = self._status(shard)
        with self._lock:
            for rows in self._ahead:
                if (shard, version, position) in rows:
                    return rows.pop((shard, version, position))
            first, *others = readers.read(self._path(shard), position=position, size_bytes=0, within=self.within)
            self._ahead.append({(shard, version, row): data for row, data in enumerate(others, position + 1)})
            return first

    @cached_property
    def _shards(self) -> tuple[bytes, ...]:
        """The shards below the root; an empty name if the root itself is one."""
        return (b"",) if os.path.isfile(self.root) else tuple(sorted(_below(self.root)))

    def _path(self, shard: bytes) -> bytes:
        return os.path.join(os.fsencode(self.root), shard) if shard else os.fsencode(self.root)

    def _status(self, shard: bytes) -> tuple[int, int]:
        try:
            status = os.stat(self._path(shard))
            return status.st_mtime_ns, status.st_size
        except OSError:  # opening it gives the reason
            return 0, 0

    def _parted(self, path: bytes) -> tuple[bytes, bytes]:
        if os.path.isfile(self.root):
            return b"", path
        match = _SHARD.fullmatch(path)
        return (match[1], match[2]) if match else (path, b"")

    def _entries_or_fault(self, shard: bytes) -> Entries:
        try:
            return readers.entries(self._path(shard), within=self.within)
        except ImageError as error:
            if len(self._shards) == 1:
                raise FolderError(f"{str(self.root)!r} {error}. Give a file with pictures.") from error
            return Entries(fault=str(error))

    def _noted(self, shard: bytes, entries: Entries) -> Mapping[bytes, str]:
        """The reasons why parts of a shard cannot be read, by path; they are remembered."""
        prefix = shard + b"/" if shard else b""
        faults = {prefix + key: why for key, why in entries.faults.items()}
        if entries.fault:
            faults[(shard or os.fsencode(self.root.name)) + b"/"] = entries.fault
        self._faults |= faults
        return faults

    def _place(self, shard: bytes, key: bytes) -> tuple[int, int]:
        """The position and size of a picture with this key; a shard is listed once while its keys are asked for."""
        version, latest = self._status(shard), self._places
        if latest[:2] != (shard, version):
            entries = readers.entries(self._path(shard), within=self.within)
            places = dict(zip(entries.keys, zip(entries.positions, entries.sizes_bytes, strict=True), strict=True))
            latest = self._places = shard, version, places
            self._noted(shard, entries)
        if key not in latest[2] and (page := page_of(key)) is not None:
            key = page[0]
        if key not in latest[2]:
            raise ImageError(self._faults.get(shard + b"/" + key if shard else key, VANISHED))
        return latest[2][key]


def _files(shard: bytes, entries: Entries, stamp: int) -> Iterator[ScannedFile]:
    prefix = shard + b"/" if shard else b""
    names = {group: b"%s%d" % (prefix, group) for group in set(entries.groups)}
    blocks = zip(map(names.__getitem__, entries.groups), entries.parts, strict=True) if names else repeat(None)
    for key, size_bytes, position, block in zip(
        entries.keys, entries.sizes_bytes, entries.positions, blocks, strict=False
    ):
        yield ScannedFile(prefix + key, size_bytes, stamp, position=position, block=block)


def in_order(scan: Scan) -> Scan:
    """A scan with its files, and their columns, sorted by path."""
    order = sorted(range(len(scan.files)), key=lambda number: scan.files[number].path)
    columns = {name: [values[number] for number in order] for name, values in scan.columns.items()}
    return replace(scan, files=tuple(scan.files[number] for number in order), columns=columns)


def _is_shard(name: bytes) -> bool:
    return name.lower().endswith(SHARD_ENDINGS) and not is_hidden(name) and not name.startswith(b"cache-")


def _below(root: Path) -> Iterator[bytes]:
    """The shards in a folder and below it, relative to it; of a saved Hugging Face data set, those that it lists."""
    top = os.fsencode(root)
    for here, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        listed = _listed(os.path.join(here, b"state.json"))
        for name in names:
            if _is_shard(name) and (listed is None or name in listed):
                yield os.path.relpath(os.path.join(here, name), top)


def _listed(state: bytes) -> set[bytes] | None:
    """The files of a saved Hugging Face data set; None in other folders."""
    try:
        with open_plain_file(state) as file:
            return {os.fsencode(entry["filename"]) for entry in json.loads(file.read(_LARGEST_STATE))["_data_files"]}
    except (ImageError, ValueError, KeyError, TypeError, RecursionError):
        return None
