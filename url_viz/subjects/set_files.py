"""The files of an image set's pictures: where they are, opened and read only where reading is allowed."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from url_viz.errors import ImageError, ImageSetError
from url_viz.imaging.bucket import Bucket
from url_viz.imaging.containers.picture_lists import Listing
from url_viz.imaging.containers.python_dataset import is_dataset
from url_viz.imaging.decode import read_file, refuse_large
from url_viz.imaging.object_source import Objects
from url_viz.imaging.pages import page_of
from url_viz.imaging.places import SEPARATOR, Place, picture_path
from url_viz.imaging.plain_file import open_plain_file
from url_viz.imaging.scan import ScannedFile, absolute, display_name
from url_viz.imaging.source import Folder, Source, has_files, refuse_without_files, source_of
from url_viz.imaging.workers import decoders
from url_viz.roots import is_in_bucket
from url_viz.store.about import embed_command
from url_viz.store.columns.object_columns import BOX_COLUMNS
from url_viz.subjects.set_core import SetCore

if TYPE_CHECKING:
    from url_viz.imaging.read import Picture

SHOWN_S = 20.0
"""How long object storage may take to give one picture that somebody waits for."""


class SetFiles:
    """The files of an image set's pictures, as `image_set.files`; none outside `within` is opened, where given."""

    def __init__(self, core: SetCore, *, within: Sequence[Path] | None) -> None:
        self._core, self._within = core, within

    def path(self, image_id: int) -> Path:
        """The file of a picture. Raises ImageSetError if it is not there any more, FolderError in object storage."""
        if not has_files(self.source):
            refuse_without_files(self._core.root)
        row = self._core.row_of(image_id)
        path = Path(os.fsdecode(self.place(self._core.base.paths[row].as_py())))
        if not path.is_file():
            raise ImageSetError(
                f"{self._core.frame['path'].iloc[row]!r} is not in {str(self._core.root)!r} any more. "
                f"Read the folder again: {embed_command(self._core.root)}."
            )
        return path

    def open(self, path: bytes) -> AbstractContextManager[BinaryIO]:
        """A picture's file by its root-relative path, open for reading; every file of a set is opened here.

        Of a picture without a file of its own (in a shard, or listed in object storage), a copy of its bytes.
        Raises ImageError as `url_viz.imaging.plain_file` does, also for one that leads out of `within`; FolderError for
        pictures in object storage.
        """
        if self.are_copied or self._page_of(path) is not None:
            return _copy_of(self.source.read(ScannedFile(path, 0, 0)))
        return open_plain_file(self.place(path), within=self._within)

    @property
    def are_copied(self) -> bool:
        """Whether pictures have no files of their own that could be linked to: some are pages of files, say."""
        return not has_files(self.source) or self._has_pages

    @cached_property
    def _has_pages(self) -> bool:
        if self._core.is_of_objects or not isinstance(self.source, Folder):
            return False
        return any(self._page_of(path) for path in self._core.base.paths.to_pylist() if SEPARATOR in path)

    def _page_of(self, path: bytes) -> tuple[bytes, int] | None:
        """The file and number of a page by its root-relative path; None of what is a file, or an object."""
        page = None if self._core.is_of_objects else page_of(path)
        return None if page is None or os.path.lexists(absolute(self._core.folder, path)) else page

    @cached_property
    def source(self) -> Source:
        """Where the pictures are; object storage may take no longer than `SHOWN_S`."""
        if is_in_bucket(self._core.root):
            return Bucket(self._core.root, fetch_s=SHOWN_S, retry_s=SHOWN_S / 4)
        source = source_of(self._core.root, within=self._within)
        return Listing(source.root, self._within, fetch_s=SHOWN_S) if isinstance(source, Listing) else source

    def place(self, path: bytes) -> bytes:
        """Where the file of a picture lies, by its root-relative path. Raises FolderError in object storage."""
        page = self._page_of(path)
        file = page[0] if page is not None else picture_path(path) if self._core.is_of_objects else path
        return absolute(self._core.folder, file)

    @contextmanager
    def open_crop(self, path: bytes) -> Iterator[BinaryIO]:
        """An object's crop as a PNG that is open for reading, of its picture's time and permissions; as `open`."""
        with self.open(path) as picture:
            status = os.fstat(picture.fileno())
            refuse_large(status.st_size)
            place = self._place(ScannedFile(path, 0, 0).id)
            data = decoders.cut(picture.read(), place, rendering=self._core.rendering)
        times = status.st_atime_ns, status.st_mtime_ns
        with _copy_of(data, mode=stat.S_IMODE(status.st_mode) & 0o777, times=times) as crop:
            yield crop

    def without_objects(self) -> list[str]:
        """The paths of pictures in which no object is annotated, as the annotations say now; none of other sets."""
        pictures = self.source.annotations.pictures.values() if isinstance(self.source, Objects) else ()
        return [display_name(picture.path) for picture in pictures if not picture.objects]

    def data(self, image_id: int) -> bytes:
        """The bytes of a picture's file, from its folder or from object storage; an object's crop as a PNG.

        Raises ImageError if it is not there, cannot be read or leads out of `within`, BucketError if its store does
        not answer within `SHOWN_S`.
        """
        data = self.whole(image_id)
        if not self._core.is_of_objects:
            return data
        with self._naming_the_picture(self._core.paths_of([image_id])[0]):
            return decoders.cut(data, self._place(image_id), rendering=self._core.rendering)

    def whole(self, image_id: int) -> bytes:
        """The bytes of the file that a picture is in, also of an object; raises as `data` does."""
        path = self._core.paths_of([image_id])[0]
        with self._naming_the_picture(path):
            if self._core.is_of_objects:
                return read_file(self.place(path), within=self._within)
            return self.source.read(ScannedFile(path, 0, 0))

    def of_picture(self, name: str) -> bytes:
        """The bytes of an annotated picture by its name, also of one without objects; raises as `data` does."""
        pictures = self.source.annotations.pictures if isinstance(self.source, Objects) else {}
        path = next((path for path in pictures if display_name(path) == name), None)
        if path is None:
            raise ImageError(f"{name!r} is in {str(self._core.root)!r} no more. Match the predictions again.")
        with self._naming_the_picture(path):
            return read_file(absolute(self._core.folder, path), within=self._within)

    def _place(self, image_id: int) -> Place:
        row = self._core.frame.iloc[self._core.row_of(image_id)]
        if not set(BOX_COLUMNS) <= set(row.index):
            raise ImageError("has no box any more, since the columns of its annotations were removed")
        x, y, width, height, margin = (float(row[name]) for name in BOX_COLUMNS)
        return Place(b"", "", (x, y, width, height), margin)

    def read(self, image_id: int) -> "Picture":
        """A picture read again for the model of this set, in a process of its own; raises as `data` does."""
        data = self.data(image_id)
        with self._naming_the_picture(self._core.paths_of([image_id])[0]):
            return decoders.read(data, self._core.space.preprocessing)

    @contextmanager
    def _naming_the_picture(self, path: bytes) -> Iterator[None]:
        """Say of which picture an ImageError is, and what to do."""
        try:
            yield
        except ImageError as error:
            name = f"{display_name(path)!r} of {str(self._core.root)!r}"
            again = "" if is_dataset(self._core.root) else f" Read the folder again: {embed_command(self._core.root)}."
            raise ImageError(f"{name} {error}.{again}") from error


@contextmanager
def _copy_of(data: bytes, *, mode: int = 0o644, times: tuple[int, int] = (0, 0)) -> Iterator[BinaryIO]:
    """Bytes as an open file; by default of a constant time, so that copies of one picture are known as such."""
    with TemporaryFile() as copy:
        copy.write(data)
        copy.seek(0)
        os.fchmod(copy.fileno(), mode)
        os.utime(copy.fileno(), ns=times)
        yield copy
