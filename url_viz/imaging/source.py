"""Where pictures are read from: what lies there, and the bytes of each file; a folder, object storage, or shards."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from url_viz.errors import FolderError
from url_viz.escaping import command
from url_viz.imaging.annotations.formats import format_at
from url_viz.imaging.bucket import Bucket, refuse_outside
from url_viz.imaging.containers.picture_lists import Listing, is_listing
from url_viz.imaging.containers.python_dataset import is_dataset, source_of_dataset
from url_viz.imaging.containers.shards import Shards, is_sharded
from url_viz.imaging.decode import read_file
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.object_source import Objects
from url_viz.imaging.paged_scan import ask_paths, with_pages
from url_viz.imaging.pages import page_of
from url_viz.imaging.scan import Scan, ScannedFile, Walk, absolute, refuse_bucket, scan
from url_viz.roots import is_in_bucket


class Source(Protocol):
    """Where the pictures of a set are."""

    @property
    def root(self) -> Path:
        """The folder, or the address."""

    @property
    def base(self) -> Path:
        """The folder that paths are relative to: the root, or that of an annotation file's pictures."""

    @property
    def within(self) -> Sequence[Path] | None:
        """The only folders from which files are read; None without such a limit, and in object storage."""

    @property
    def at_a_time(self) -> int | None:
        """How many files are read at the same time; None means one per core."""

    def list(self) -> Scan:
        """Every candidate file by path, with its size and time. Raises FolderError if they cannot be listed."""

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of a file. Raises ImageError for a fault of the file, BucketError for one of the store."""


@dataclass(frozen=True)
class Folder:
    """A folder, in which each page of a file may be a picture; nothing outside `within` is listed or read."""

    root: Path
    within: Sequence[Path] | None = None
    is_each_page: bool = True
    at_a_time = None  # a disk is faster than decoding

    @property
    def base(self) -> Path:
        return self.root

    def list(self) -> Scan:
        ask = ask_paths(lambda file: absolute(self.root, file.path), self.within)
        return with_pages(scan(self.root, within=self.within), ask, is_each=self.is_each_page)

    def read(self, file: ScannedFile) -> bytes:
        path = absolute(self.root, file.path)
        page = None if os.path.lexists(path) else page_of(path)
        return read_file(path, within=self.within) if page is None else readers.page(*page, within=self.within)


def source_of(root: Path, *, within: Sequence[Path] | None = None) -> Source:
    """The source at `root` (from `root_of`); nothing outside `within` is read.

    Raises FolderError for an address in object storage outside `within`, BucketError if it cannot be read here.
    """
    if is_in_bucket(root):
        if within is not None:
            refuse_outside(root, within)
        return Bucket(root)
    kind = next((kind for kind, is_one in _KINDS if is_one(root)), Folder)
    return kind(root, within)


_KINDS: Sequence[tuple[Callable[[Path, Sequence[Path] | None], Source], Callable[[Path], bool]]] = (
    (Objects, lambda root: format_at(root) is not None),
    (Listing, is_listing),
    (source_of_dataset, is_dataset),
    (Shards, is_sharded),
)


def by_page(source: Source, *, is_each: bool) -> Source:
    """The same source, in which each page of a file is a picture, or each file is one."""
    if isinstance(source, Folder):
        return replace(source, is_each_page=is_each)
    if isinstance(source, Listing | Shards):
        source.is_each_page = is_each
    return source


def has_files(source: Source) -> bool:
    """Whether each picture lies in a file of its own (or in a bucket), and not in a shard or a Dataset."""
    is_listed = isinstance(source, Listing) and source.at_a_time is None
    return is_listed or isinstance(source, Folder | Objects | Bucket)


def refuse_without_files(root: Path) -> None:
    """Raise FolderError where pictures are no files of one folder, which is needed."""
    refuse_bucket(root)
    if not isinstance(source_of(root), Folder | Objects):
        raise FolderError(
            f"The pictures of {str(root)!r} are no files of one folder, and this works on such only. Write them into "
            f"one (`{command('sort', root, 'OUT', '--by', 'label')}`; those without labels by `share … "
            "--as huggingface`), and read that."
        )


def refuse_what_is_no_source(root: Path) -> None:
    """Raise FolderError for a path that does not exist, and for a file without pictures."""
    if isinstance(source_of(root), Folder):
        Walk(root)
