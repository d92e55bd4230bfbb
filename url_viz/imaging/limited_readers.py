"""Containers, pages and annotations read in processes with limits: a hostile file costs its own rows."""

import atexit
import gc
import io
import json
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from pathlib import Path

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.limited_processes import Answer, LimitedProcesses, allow_memory, end_after, serve
from url_viz.base.processes import read_each, usable_cores
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.containers.archives import Container, Entries, Tar, Zip
from url_viz.imaging.decode import open_plain_file, read_file, size_and_time
from url_viz.imaging.pages import APART, ENDINGS, FILE, PagedFile, ending_of, page_bytes, page_path, paged
from url_viz.imaging.scan import Scan, ScannedFile, display_name

MOST_S, FEWEST_BYTES_S = 60.0, 1 << 20
"""The time of a picture; a file that is listed has besides a second for so many of its bytes."""
ANNOTATIONS_S = 1800.0
"""The time of annotations, which may be a million small files."""
MOST_MEMORY_BYTES, ANNOTATION_TIMES = 4 << 30, 4
"""Besides the file itself where it is mapped (Arrow), and so many times a file of annotations."""
MOST_SAID_BYTES, MOST_SAID_A_BYTE = 64 << 20, 16
"""The most that a file may say of its pictures, in all and for each of its bytes: packed text may grow without end."""
MOST_PROCESSES = 4
_MOST_OPEN = 4


class LimitedReaders(LimitedProcesses):
    """A pool of processes that read containers and annotations; nothing outside `within` is opened in them."""

    def __init__(self) -> None:
        super().__init__(
            "url_viz.imaging.limited_readers",
            most=min(MOST_PROCESSES, max(2, usable_cores())),  # one that never ends does not block the others
            most_s=MOST_S,
            most_memory_bytes=resource.RLIM_INFINITY,  # they limit themselves by the size of each file
            error=ImageError,
        )

    def entries(self, path: bytes, *, within: Sequence[Path] | None) -> Entries:
        """Every picture in a container. Raises ImageError with the reason if it cannot be listed."""
        _, answer = self.ask("entries", os.path.abspath(path), within=_as_text(within))
        return Entries.of_record(json.loads(answer))

    def read(self, path: bytes, *, position: int, size_bytes: int, within: Sequence[Path] | None) -> list[bytes]:
        """The bytes of a picture in a container, and of those after it that come with it.

        Raises ImageError with the reason if it cannot be read.
        """
        facts, body = self.ask(
            "read", os.path.abspath(path), position=position, size_bytes=size_bytes, within=_as_text(within)
        )
        ends = [*accumulate(facts["sizes_bytes"], initial=0)]
        return [body[start:end] for start, end in pairwise(ends)]

    def annotations(self, path: Path, *, within: Sequence[Path] | None) -> Annotations:
        """The objects that a file or folder says of. Raises FolderError if it cannot be read as annotations."""
        _, answer = self._annotated("annotations", path, within)
        return Annotations.of_record(json.loads(answer))

    def annotation_summary(self, path: Path, *, within: Sequence[Path] | None) -> tuple[int, str]:
        """How many pictures and what else annotations say. Raises FolderError as `annotations` does."""
        facts, _ = self._annotated("annotation_summary", path, within)
        return facts["pictures"], facts["summary"]

    def paged(self, paths: Sequence[bytes], *, within: Sequence[Path] | None) -> list[PagedFile | None]:
        """Of each file its pages and facts; None where it has one page and says nothing, or cannot be read."""
        listed = b"\0".join(os.path.abspath(path) for path in paths if b"\0" not in path)  # at which lies no file
        answers = iter(self.ask("paged", listed, within=_as_text(within))[0]["paged"] if listed else ())
        return [_paged_file(None if b"\0" in path else next(answers)) for path in paths]

    def page(self, path: bytes, number: int, *, within: Sequence[Path] | None) -> bytes:
        """The bytes of a page (from 1) of a file, as a file. Raises ImageError with the reason if it cannot be read."""
        return self.ask("page", os.path.abspath(path), number=number, within=_as_text(within))[1]

    def paged_bytes(self, data: bytes) -> PagedFile | None:
        """As `paged`, of the bytes of one file."""
        return _paged_file(self.ask("paged_bytes", data)[0]["paged"])

    def page_of_bytes(self, data: bytes, number: int) -> bytes:
        """As `page`, of the bytes of a file."""
        return self.ask("page_of_bytes", data, number=number)[1]

    def parquet_sizes(self, data: bytes) -> tuple[int, int, int]:
        """The rows and columns of a Parquet file, and the bytes of its values in memory.

        Not in this process: Arrow aborts where what a footer says of a column is damaged. Raises ImageError with the
        reason.
        """
        facts, _ = self.ask("parquet_sizes", data)
        return facts["rows"], facts["columns"], facts["bytes"]

    def _annotated(self, what: str, path: Path, within: Sequence[Path] | None) -> Answer:
        try:
            facts, answer = self.ask(what, os.fsencode(os.path.abspath(path)), within=_as_text(within))
        except ImageError as error:
            raise FolderError(f"{str(path)!r} {error}. Give annotations that can be read.") from error
        if "why" in facts:
            raise FolderError(facts["why"])
        return facts, answer


readers = LimitedReaders()
"""The pool that all threads of this process share."""
atexit.register(readers.close)
os.register_at_fork(after_in_child=readers.forget)


def _ending_of(path: bytes) -> bytes:
    """The ending of a path, which says of what kind a file is."""
    return os.path.splitext(path)[1].lower()


def _as_text(within: Sequence[Path] | None) -> list[str] | None:
    return None if within is None else [*map(str, within)]


# The rest of this module runs in those processes.


def _entries(path: bytes, within: list[str] | None) -> Answer:
    with open_plain_file(path, within=_paths(within)) as file:
        status = os.fstat(file.fileno())
        end_after(MOST_S + status.st_size / FEWEST_BYTES_S)
        entries = _container(path, status.st_ino, status.st_mtime_ns, status.st_size).entries(file)
        data = json.dumps(entries.as_record()).encode()
        if len(data) > MOST_SAID_BYTES + MOST_SAID_A_BYTE * status.st_size:
            raise ImageError(f"says {len(data) >> 20:,} MiB of its pictures in {status.st_size:,} bytes")
    return {}, data


def _read(path: bytes, position: int, size_bytes: int, within: list[str] | None) -> Answer:
    with open_plain_file(path, within=_paths(within)) as file:
        status = os.fstat(file.fileno())
        container = _container(path, status.st_ino, status.st_mtime_ns, status.st_size)
        pictures = container.read(file, position, size_bytes)
    return {"sizes_bytes": [*map(len, pictures)]}, pictures[0] if len(pictures) == 1 else b"".join(pictures)


def _paged(paths: bytes, within: list[str] | None) -> Answer:
    return {"paged": [_paged_or_none(path, within) for path in paths.split(b"\0")]}, b""


def _paged_or_none(path: bytes, within: list[str] | None) -> tuple[int, dict[str, str]] | None:
    try:
        with open_plain_file(path, within=_paths(within)) as file:
            return _as_record(paged(file))
    except (ImageError, OSError):  # reading it gives the reason
        return None


def _paged_file(record: tuple[int, dict[str, str]] | None) -> PagedFile | None:
    return None if record is None else PagedFile(*record)


def _as_record(paged_file: PagedFile | None) -> tuple[int, dict[str, str]] | None:
    return None if paged_file is None else (paged_file.pages, paged_file.facts)


def _paged_bytes(data: bytes) -> Answer:
    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    try:
        return {"paged": _as_record(paged(io.BytesIO(data)))}, b""
    except ImageError:  # reading it gives the reason
        return {"paged": None}, b""


def _page_of_bytes(data: bytes, number: int) -> Answer:
    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    return {}, page_bytes(data, number)


def _page(path: bytes, number: int, within: list[str] | None) -> Answer:
    return {}, page_bytes(_whole(path, *size_and_time(path, within=_paths(within)), _keyed(within)), number)


@lru_cache(maxsize=1)
def _whole(path: bytes, size_bytes: int, mtime_ns: int, within: tuple[str, ...] | None) -> bytes:
    """A file whose pages are asked for one after another."""
    allow_memory(MOST_MEMORY_BYTES + 2 * size_bytes)
    return read_file(path, within=_paths(None if within is None else [*within]))


def _keyed(within: list[str] | None) -> tuple[str, ...] | None:
    return None if within is None else tuple(within)


def _parquet_sizes(data: bytes) -> Answer:
    from url_viz.imaging.containers.arrow_files import parquet_sizes

    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    return parquet_sizes(data), b""


def _annotations(path: bytes, within: list[str] | None) -> Answer:
    try:
        return {}, json.dumps(_annotations_at(path, within).as_record()).encode()
    except FolderError as error:
        return {"why": str(error)}, b""


def _annotation_summary(path: bytes, within: list[str] | None) -> Answer:
    try:
        annotations = _annotations_at(path, within)
        return {"pictures": len(annotations.pictures), "summary": annotations.summary}, b""
    except FolderError as error:
        return {"why": str(error)}, b""


def _annotations_at(path: bytes, within: list[str] | None) -> Annotations:
    from url_viz.imaging.annotations.formats import read_any

    end_after(ANNOTATIONS_S)
    size_bytes, _ = size_and_time(path, within=_paths(within))
    allow_memory(MOST_MEMORY_BYTES + ANNOTATION_TIMES * size_bytes)
    return read_any(Path(os.fsdecode(path)), within=_paths(within))


def _paths(within: list[str] | None) -> list[Path] | None:
    return None if within is None else [*map(Path, within)]


@lru_cache(maxsize=_MOST_OPEN)
def _container(path: bytes, inode: int, mtime_ns: int, size_bytes: int) -> Container:
    """What reads a file in this state; those that were used last stay, with what they have read."""
    allow_memory(MOST_MEMORY_BYTES + (size_bytes if _ending_of(path) == b".arrow" else 0))
    if _ending_of(path) in (b".tar", b".zip"):
        return Tar() if _ending_of(path) == b".tar" else Zip()
    from url_viz.imaging.containers.arrow_files import Arrow, Parquet

    return Arrow(path) if _ending_of(path) == b".arrow" else Parquet(path)


def _prepare(turns: AbstractContextManager[object]) -> None:
    gc.set_threshold(1_000_000)  # a long list is no cycle


if __name__ == "__main__":
    serve(
        {
            "entries": _entries,
            "read": _read,
            "paged": _paged,
            "page": _page,
            "paged_bytes": _paged_bytes,
            "page_of_bytes": _page_of_bytes,
            "parquet_sizes": _parquet_sizes,
            "annotations": _annotations,
            "annotation_summary": _annotation_summary,
        },
        prepare=_prepare,
    )


AT_ONCE = 64
"""Files that are asked about together."""
Facts = dict[str, str]
Ask = Callable[[Sequence[ScannedFile]], Sequence[PagedFile | None]]
"""Asks files for their pages and facts; ImageError where one of them ended the process that read them."""


def with_pages(scan: Scan, ask: Ask, *, is_each: bool = True) -> Scan:
    """The scan with a picture a page (unless a file is one picture), and columns; the same where no file says anything.

    `apart` names what pictures of a new set are kept apart by: patients, else the file that pages are in.
    """
    able = [file for file in scan.files if ending_of(file.path) in ENDINGS]
    parts = [able[start : start + AT_ONCE] for start in range(0, len(able), AT_ONCE)]
    paged = {
        file.path: answer
        for part, answers in zip(parts, read_each(parts, partial(_answers, ask)), strict=True)
        for file, answer in zip(part, answers, strict=True)
        if answer is not None
    }
    if not paged:
        return scan
    pictures = sorted(
        (
            (picture, row, facts)
            for row, file in enumerate(scan.files)
            for picture, facts in _pictures(file, paged.get(file.path), is_each=is_each)
        ),
        key=lambda entry: entry[0].path,
    )
    names = dict.fromkeys(name for _, _, facts in pictures for name in facts)
    said_of_pages: dict[str, Sequence[object]] = {name: [facts.get(name) for _, _, facts in pictures] for name in names}
    given = {name: [values[row] for _, row, _ in pictures] for name, values in scan.columns.items()}
    apart = next((name for name in APART if len({*said_of_pages.get(name, ())} - {None}) > 1), "")
    files = tuple(picture for picture, _, _ in pictures)
    return replace(scan, files=files, columns=said_of_pages | given, apart=scan.apart or apart)


def ask_paths(place: Callable[[ScannedFile], bytes], within: Sequence[Path] | None) -> Ask:
    """Asks the files that lie at these paths of this machine."""
    return lambda files: readers.paged([place(file) for file in files], within=within)


def _answers(ask: Ask, files: Sequence[ScannedFile]) -> Sequence[PagedFile | None]:
    try:
        return ask(files)
    except ImageError:  # one of them ended its process: each by itself, so that it costs itself alone
        return [_answers(ask, [file])[0] for file in files] if len(files) > 1 else [None]


def _pictures(file: ScannedFile, paged: PagedFile | None, *, is_each: bool) -> Iterator[tuple[ScannedFile, Facts]]:
    if paged is None:
        yield file, {}
    elif paged.pages == 1 or not is_each:
        yield file, paged.facts
    else:
        facts = paged.facts | {FILE: display_name(file.path)}
        for number in range(1, paged.pages + 1):
            yield replace(file, path=page_path(file.path, number), block=(file.path, number)), facts
