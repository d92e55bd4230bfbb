"""Containers, pages and annotations read in processes with limits: a hostile file costs its own rows."""

import atexit
import gc
import io
import json
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.limited_processes import Answer, LimitedProcesses, allow_memory, end_after, serve
from url_viz.base.processes import read_each, usable_cores
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.containers.archives import Container, Entries, Tar, Zip
from url_viz.imaging.decode import open_plain_file, read_file, size_and_time
from url_viz.imaging.pages import APART, ENDINGS, FILE, PagedFile, ending_of, page_bytes, page_of, page_path, paged
from url_viz.imaging.scan import Scan, ScannedFile, display_name

MOST_S, LISTED_BYTES_PER_S = 60.0, 1 << 20
"""The time for a picture; listing a file may take as long, and a second more for this many of its bytes."""
ANNOTATIONS_S = 1800.0
"""The time for annotations, which may be a million small files."""
MOST_MEMORY_BYTES, ANNOTATION_TIMES = 4 << 30, 4
"""Beyond this, a mapped file (Arrow) may take its own size, and a file of annotations this many times its size."""
MOST_ANSWER_BYTES, ANSWER_BYTES_PER_BYTE = 64 << 20, 16
"""The most that a file may state about its pictures, and more per byte of it: packed text may grow without end."""
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
        return Entries.from_record(json.loads(self._ask_at("entries", os.path.abspath(path), within)[1]))

    def read(self, path: bytes, *, position: int, size_bytes: int, within: Sequence[Path] | None) -> list[bytes]:
        """The bytes of a picture in a container, and of the pictures after it that come with it.

        Raises ImageError with the reason if it cannot be read.
        """
        facts, body = self._ask_at("read", os.path.abspath(path), within, position=position, size_bytes=size_bytes)
        ends = [*accumulate(facts["sizes_bytes"], initial=0)]
        return [body[start:end] for start, end in pairwise(ends)]

    def annotations(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """The objects in a file or folder of annotations. Raises FolderError if it cannot be read as such."""
        return Annotations.from_record(json.loads(self._ask_of_annotations("annotations", path, within)[1]))

    def annotation_summary(self, path: Path, *, within: Sequence[Path] | None) -> tuple[int, str]:
        """The number of pictures, and a sentence on the objects. Raises FolderError as `annotations` does."""
        facts, _ = self._ask_of_annotations("annotation_summary", path, within)
        return facts["pictures"], facts["summary"]

    def paged(self, paths: Sequence[bytes], *, within: Sequence[Path] | None) -> list[PagedFile | None]:
        """The pages and facts of each file; None where it has one page and no facts, or cannot be read."""
        listed = b"\0".join(os.path.abspath(path) for path in paths if b"\0" not in path)  # no file has a zero byte
        answers = iter(self._ask_at("paged", listed, within)[0]["paged"] if listed else ())
        return [None if b"\0" in path else _paged_file(next(answers)) for path in paths]

    def file_or_page(self, path: bytes, *, within: Sequence[Path] | None) -> bytes:
        """The bytes of a file, or of a page of one as a file. Raises ImageError if it cannot be read."""
        if os.path.lexists(path) or (page := page_of(path)) is None:
            return read_file(path, within=within)
        return self._ask_at("page", os.path.abspath(page[0]), within, number=page[1])[1]

    def paged_bytes(self, data: bytes) -> PagedFile | None:
        """As `paged`, for the bytes of one file."""
        return _paged_file(self.ask("paged_bytes", data)[0]["paged"])

    def page_of_bytes(self, data: bytes, number: int) -> bytes:
        """The page with this number (from 1) in the bytes of a file, as a file. Raises ImageError if there is none."""
        return self.ask("page_of_bytes", data, number=number)[1]

    def parquet_sizes(self, data: bytes) -> tuple[int, int, int]:
        """The rows and columns of a Parquet file, and the bytes of its values in memory.

        Not in this process: Arrow aborts on a damaged footer. Raises ImageError with the reason.
        """
        facts, _ = self.ask("parquet_sizes", data)
        return facts["rows"], facts["columns"], facts["bytes"]

    def _ask_at(self, what: str, path: bytes, within: Sequence[Path] | None, **options: object) -> Answer:
        return self.ask(what, path, within=within and [*map(str, within)], **options)

    def _ask_of_annotations(self, what: str, path: Path, within: Sequence[Path] | None) -> Answer:
        try:
            facts, answer = self._ask_at(what, os.fsencode(os.path.abspath(path)), within)
        except ImageError as error:
            raise FolderError(f"{str(path)!r} {error}. Give annotations that can be read.") from error
        if "why" in facts:
            raise FolderError(facts["why"])
        return facts, answer


readers = LimitedReaders()
"""The pool that all threads of this process share."""
atexit.register(readers.close)
os.register_at_fork(after_in_child=readers.forget)


def ending(path: bytes) -> bytes:
    """The extension of a container in lower case, which says of what kind it is."""
    return os.path.splitext(path)[1].lower()


def _paged_file(record: Sequence[Any] | None) -> PagedFile | None:
    return None if record is None else PagedFile(*record)


# The rest of this module runs in those processes.


def _entries(path: bytes, within: list[str] | None) -> Answer:
    with open_plain_file(path, within=_paths(within)) as file:
        status = os.fstat(file.fileno())
        end_after(MOST_S + status.st_size / LISTED_BYTES_PER_S)
        entries = _container(path, status.st_ino, status.st_mtime_ns, status.st_size).entries(file)
        data = json.dumps(entries.as_record()).encode()
        if len(data) > MOST_ANSWER_BYTES + ANSWER_BYTES_PER_BYTE * status.st_size:
            raise ImageError(f"says {len(data) >> 20:,} MiB of its pictures in {status.st_size:,} bytes")
    return {}, data


def _read(path: bytes, position: int, size_bytes: int, within: list[str] | None) -> Answer:
    with open_plain_file(path, within=_paths(within)) as file:
        status = os.fstat(file.fileno())
        container = _container(path, status.st_ino, status.st_mtime_ns, status.st_size)
        pictures = container.read(file, position, size_bytes)
    return {"sizes_bytes": [*map(len, pictures)]}, pictures[0] if len(pictures) == 1 else b"".join(pictures)


@lru_cache(maxsize=_MOST_OPEN)
def _container(path: bytes, inode: int, mtime_ns: int, size_bytes: int) -> Container:
    """The reader for a file in this state; the last ones stay, with what they have read."""
    kind = ending(path)
    allow_memory(MOST_MEMORY_BYTES + (size_bytes if kind == b".arrow" else 0))
    if kind in (b".tar", b".zip"):
        return Tar() if kind == b".tar" else Zip()
    from url_viz.imaging.containers.arrow_files import Arrow, Parquet

    return Arrow(path) if kind == b".arrow" else Parquet(path)


def _paged(paths: bytes, within: list[str] | None) -> Answer:
    answers: list[PagedFile | None] = []
    for path in paths.split(b"\0"):
        try:
            with open_plain_file(path, within=_paths(within)) as file:
                answers.append(paged(file))
        except (ImageError, OSError):  # reading it gives the reason
            answers.append(None)
    return {"paged": answers}, b""


def _page(path: bytes, number: int, within: list[str] | None) -> Answer:
    folders = _paths(within)
    return {}, page_bytes(_whole(path, *size_and_time(path, within=folders), folders), number)


@lru_cache(maxsize=1)
def _whole(path: bytes, size_bytes: int, mtime_ns: int, within: Sequence[Path] | None) -> bytes:
    """A file whose pages are asked for one after another."""
    allow_memory(MOST_MEMORY_BYTES + 2 * size_bytes)
    return read_file(path, within=within)


def _paged_bytes(data: bytes) -> Answer:
    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    with suppress(ImageError):  # reading it gives the reason
        return {"paged": paged(io.BytesIO(data))}, b""
    return {"paged": None}, b""


def _page_of_bytes(data: bytes, number: int) -> Answer:
    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    return {}, page_bytes(data, number)


def _parquet_sizes(data: bytes) -> Answer:
    from url_viz.imaging.containers.arrow_files import parquet_sizes

    allow_memory(MOST_MEMORY_BYTES + 2 * len(data))
    return parquet_sizes(data), b""


def _annotations(path: bytes, within: list[str] | None) -> Answer:
    return _about_annotations(path, within, lambda found: ({}, json.dumps(found.as_record()).encode()))


def _annotation_summary(path: bytes, within: list[str] | None) -> Answer:
    return _about_annotations(
        path, within, lambda found: ({"pictures": len(found.pictures), "summary": found.summary}, b"")
    )


def _about_annotations(path: bytes, within: list[str] | None, answer: Callable[[Annotations], Answer]) -> Answer:
    from url_viz.imaging.annotations.formats import read_any

    end_after(ANNOTATIONS_S)
    folders = _paths(within)
    allow_memory(MOST_MEMORY_BYTES + ANNOTATION_TIMES * size_and_time(path, within=folders)[0])
    try:
        return answer(read_any(Path(os.fsdecode(path)), within=folders))
    except FolderError as error:
        return {"why": str(error)}, b""


def _paths(within: list[str] | None) -> tuple[Path, ...] | None:
    return None if within is None else (*map(Path, within),)


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


FILES_PER_QUESTION = 64
Ask = Callable[[Sequence[ScannedFile]], Sequence[PagedFile | None]]
"""Asks files for their pages and facts; ImageError where one of them ended the process that read them."""


def with_pages(scan: Scan, ask: Ask, *, is_each: bool = True) -> Scan:
    """The scan with a picture for each page (unless a file is one picture), and columns of the facts.

    `apart` names what pictures of a new set are kept apart by: patients, else the file that pages are in.
    """
    able = [file for file in scan.files if ending_of(file.path) in ENDINGS]
    parts = [able[start : start + FILES_PER_QUESTION] for start in range(0, len(able), FILES_PER_QUESTION)]
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
    columns: dict[str, Sequence[object]] = {name: [facts.get(name) for _, _, facts in pictures] for name in names}
    apart = scan.apart or next((name for name in APART if len({*columns.get(name, ())} - {None}) > 1), "")
    columns |= {name: [values[row] for _, row, _ in pictures] for name, values in scan.columns.items()}
    return replace(scan, files=tuple(picture for picture, _, _ in pictures), columns=columns, apart=apart)


def ask_paths(place: Callable[[ScannedFile], bytes], within: Sequence[Path] | None) -> Ask:
    """Asks the files at these paths on this machine."""
    return lambda files: readers.paged([place(file) for file in files], within=within)


def _answers(ask: Ask, files: Sequence[ScannedFile]) -> Sequence[PagedFile | None]:
    try:
        return ask(files)
    except ImageError:  # one of them ended its process: each by itself, so that it costs itself alone
        return [_answers(ask, [file])[0] for file in files] if len(files) > 1 else [None]


def _pictures(
    file: ScannedFile, paged: PagedFile | None, *, is_each: bool
) -> Iterator[tuple[ScannedFile, dict[str, str]]]:
    if paged is None or paged.pages == 1 or not is_each:
        yield file, {} if paged is None else paged.facts
        return
    facts = paged.facts | {FILE: display_name(file.path)}
    for number in range(1, paged.pages + 1):
        yield replace(file, path=page_path(file.path, number), block=(file.path, number)), facts
