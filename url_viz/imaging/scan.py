"""Recursive folder scan for image files: every candidate once, sorted by path, and counts of other files."""

import os
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.wording import printable
from url_viz.base.workspace import address_in, is_in_bucket
from url_viz.imaging.decode import open_plain_file
from url_viz.imaging.dicom import MARK, MARK_AT
from url_viz.imaging.places import Place, image_id

EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .heic .heif .avif .tga .jp2 .j2k "
    b".mpo .ico .pcx .dcm .dicom .ima".split()
)
SHARD_ENDINGS = (b".tar", b".zip", b".parquet", b".arrow")
"""Files that hold pictures."""
_COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
LEADS_OUT = "link that leads out of the allowed folders"
IGNORED_FOLDERS = frozenset((b"__MACOSX", b"@eaDir", b"$RECYCLE.BIN", b"lost+found"))


Block = tuple[Hashable, int]
"""A group of rows, such as a row group of a Parquet file, and the number of a part of it."""


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """One candidate file: root-relative path as bytes, size, and time of last change.

    For an object in a picture, the path is its `place`'s, and the time a digest of the file's time and the place.
    For a picture in a shard, the time is the shard's, and `position` is where it lies there; files of one `block` are
    read together, the blocks of a group in order.
    """

    path: bytes
    size_bytes: int
    mtime_ns: int
    place: Place | None = None
    position: int | None = None
    block: Block | None = None

    @property
    def file(self) -> bytes:
        """The path of the file that is read: for an object, its picture's."""
        return self.path if self.place is None else self.place.picture

    @property
    def id(self) -> int:
        return image_id(self.path)


@dataclass(frozen=True)
class Scan:
    """The contents of a folder. `files` are sorted by path; `other` counts ignored files by extension.

    `unreadable_folders` pairs root-relative folder paths with the reason they could not be listed; each is also in
    `files`, with a slash at its end, so that reading it adds a row to the failure list. Nothing outside `within` was
    listed, or may be read. `columns` has what the source states about each of the `files`, by name; `remarks` are
    sentences on what it states twice, or may mean otherwise. `apart` is the column by which pictures of a new set are
    kept apart, if there is one.
    """

    root: Path
    files: tuple[ScannedFile, ...]
    other: tuple[tuple[str, int], ...] = ()
    unreadable_folders: tuple[tuple[bytes, str], ...] = ()
    within: Sequence[Path] | None = None
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    apart: str = ""


def why_empty(root: Path, other: Sequence[tuple[str, int]]) -> str:
    """The message for a folder without pictures: which `other` files were ignored, and what to give instead."""
    examples = ", ".join(f"{count} {extension}" for extension, count in other[:5])
    passed = f" (passed over: {examples})" if examples else ""
    wanted = "one with pictures" if root.is_file() else "the folder that contains the pictures; subfolders are read too"
    return f"There are no pictures in {str(root)!r}{passed}. Give {wanted}."


def display_name(path: bytes) -> str:
    """A path as valid UTF-8, with odd bytes and control characters as escapes."""
    return printable(path.decode("utf-8", "backslashreplace"))


def absolute(root: Path, relative: bytes) -> bytes:
    """The file-system path of a root-relative path. Raises FolderError for pictures in object storage."""
    refuse_bucket(root)
    return located(root, relative)


def located(root: Path, relative: bytes) -> bytes:
    """A picture's file-system path, or its address in object storage."""
    return os.path.join(os.fsencode(root), relative)


def refuse_bucket(root: Path) -> None:
    """Raise FolderError if the pictures are in object storage, where files of a folder are needed."""
    if is_in_bucket(root):
        raise FolderError(
            f"The pictures of {str(root)!r} lie in object storage, and this works on files in a folder only. Copy them "
            "into one, and read that: what is embedded is not embedded again once the set is moved there (`repoint`)."
        )


def scan(root: Path, *, within: Sequence[Path] | None = None) -> Scan:
    """List every picture below `root`, following symlinks but no folder twice.

    Hidden files and folders and the shadow folders of archives are ignored; with `within` also links that lead
    out of all these folders, counted as LEADS_OUT. Raises FolderError if `root` cannot be read as a folder, or lies
    outside `within`.
    """
    walk = Walk(root, within=within)
    candidates = [file for file in walk.steps() if file is not None]
    candidates += [ScannedFile(folder + b"/", 0, 0) for folder, _ in walk.unreadable if folder]
    files = sorted(candidates, key=lambda file: file.path)
    walk.refuse_unlisted()
    return Scan(root, tuple(files), tuple(walk.other.most_common()), tuple(walk.unreadable), within)


def _why_no_folder(root: Path) -> str:
    if root.name.lower().endswith(_COMPRESSED) and root.is_file():
        return "is compressed, and pictures in it cannot be reached one by one. Decompress it (gunzip makes a .tar)."
    if root.is_file():
        return (
            "is a file, not a folder, and none that holds pictures (.tar, .zip, .parquet, .arrow) or lists them (.csv, "
            ".tsv, .jsonl, .txt). Give the folder that contains the pictures."
        )
    return "does not exist. Give the folder that contains the pictures."


def _refuse_outside(root: Path, within: Sequence[Path]) -> None:
    for folder in within:
        if folder.resolve() != folder:
            raise FolderError(f"{str(folder)!r} is a link to {str(folder.resolve())!r}. Give that path itself.")
    if not any(root.resolve().is_relative_to(folder) for folder in within):
        raise FolderError(
            f"{str(root)!r} lies outside the folders that may be read ({', '.join(map(str, within))}). "
            "Give a folder inside them."
        )


class Walk:
    """One depth-first walk; remembers folders by device and inode, so that a loop of symlinks ends.

    Raises FolderError if `root` is not a folder, or lies outside `within`.
    """

    def __init__(self, root: Path, *, within: Sequence[Path] | None = None) -> None:
        refuse_bucket(address_in(root) or root)
        if within is not None:
            _refuse_outside(root, within)
        if not os.path.isdir(root):
            raise FolderError(f"{str(root)!r} {_why_no_folder(root)}")
        self.root = root
        self._root = os.fsencode(root)
        self._within = within
        self.other: Counter[str] = Counter()
        self.unreadable: list[tuple[bytes, str]] = []
        self._seen: set[tuple[int, int]] = set()

    def refuse_unlisted(self) -> None:
        """Raise FolderError if the root itself could not be listed."""
        why = next((reason for path, reason in self.unreadable if path == b""), None)
        if why is not None:
            raise FolderError(f"{str(self.root)!r} cannot be listed: {why}. Check its permissions.")

    def steps(self) -> Iterator[ScannedFile | None]:
        """Every candidate file, and None for every folder, so that callers can stop also where no files are.

        Ignored files are counted in `other`.
        """
        pending = [b""]
        while pending:
            folder = pending.pop()
            yield None
            for entry in self._entries(folder):
                relative = os.path.join(folder, entry.name)
                if is_hidden(entry.name):
                    continue
                if self._leads_out(entry):
                    self.other[LEADS_OUT] += 1
                elif _is_folder(entry):
                    pending.append(relative)
                elif (candidate := self._candidate(entry, relative)) is not None:
                    yield candidate

    def _entries(self, folder: bytes) -> list["os.DirEntry[bytes]"]:
        path = os.path.join(self._root, folder)
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in self._seen:
                return []
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                return list(entries)
        except OSError as error:
            self.unreadable.append((folder, error.strerror or str(error)))
            return []

    def _leads_out(self, entry: "os.DirEntry[bytes]") -> bool:
        if self._within is None or not entry.is_symlink():
            return False
        try:
            target = Path(os.fsdecode(entry.path)).resolve()
        except (OSError, RuntimeError):  # a link to itself leads nowhere
            return False
        return not any(target.is_relative_to(folder) for folder in self._within)

    def _candidate(self, entry: "os.DirEntry[bytes]", relative: bytes) -> ScannedFile | None:
        other = other_kind(entry.name)
        if other is not None and not self._is_dicom(entry):
            self.other[other] += 1
            return None
        try:
            status = entry.stat()
        except OSError:  # a dangling symlink, or deleted meanwhile: reading it later gives the reason
            return ScannedFile(relative, 0, 0)
        return ScannedFile(relative, status.st_size, status.st_mtime_ns)

    def _is_dicom(self, entry: "os.DirEntry[bytes]") -> bool:
        ending = os.path.splitext(entry.name)[1]
        if ending and not ending[1:].isdigit():
            return False
        with suppress(ImageError, OSError), open_plain_file(entry.path, within=self._within) as file:
            return file.read(MARK_AT + len(MARK))[MARK_AT:] == MARK
        return False


def is_hidden(name: bytes) -> bool:
    """Whether a file or folder of this name is ignored without being counted."""
    return name.startswith(b".") or name in IGNORED_FOLDERS


def other_kind(name: bytes) -> str | None:
    """The extension under which a file that is not a picture is counted; None for a picture."""
    extension = os.path.splitext(name)[1].lower()
    return None if extension in EXTENSIONS else display_name(extension) or "no extension"


def _is_folder(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink to itself, or to a forbidden path: not a folder, and reading it gives the reason
        return False
