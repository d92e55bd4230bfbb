"""Pictures listed in a CSV, text or JSON-lines file: paths relative to it, absolute ones, or keys of a bucket."""

import codecs
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from url_viz.base.errors import BucketError, FolderError, ImageError
from url_viz.base.wording import counted, first_of
from url_viz.base.workspace import address_in
from url_viz.imaging.bucket import AT_A_TIME, FETCH_S, RETRY_S, Bucket, refuse_outside
from url_viz.imaging.containers.archives import CLASS, MOST_COLUMNS, class_column, shortened
from url_viz.imaging.containers.shards import in_order
from url_viz.imaging.decode import OUTSIDE, read_file, size_and_time
from url_viz.imaging.folder_classes import is_split_column, joined_splits, split_remarks
from url_viz.imaging.limited_readers import ask_paths, readers, with_pages
from url_viz.imaging.scan import EXTENSIONS, Scan, ScannedFile, display_name

ENDINGS = (".csv", ".tsv", ".txt", ".jsonl")
PATH_NAMES = (
    *("path", "file_path", "filepath", "file", "file_name", "filename"),
    *("image_path", "image", "img", "key", "url"),
)
"""The usual names of columns of paths, the likeliest first, in any case."""


def is_listing(root: Path) -> bool:
    """Whether a path is a file that lists pictures."""
    return root.suffix.lower() in ENDINGS and os.path.isfile(root)


class Listing:
    """The pictures that the file `root` lists; nothing outside `within` is read.

    A CSV or TSV file has a column of paths (see PATH_NAMES; without a heading, the first, and a class), a JSON-lines
    file an object a line, a text file a path a line, or a path and a class. The other columns come along.
    """

    def __init__(self, root: Path, within: Sequence[Path] | None = None, *, fetch_s: float = FETCH_S) -> None:
        """`fetch_s` bounds a request to object storage."""
        self.root, self.within, self._fetch_s = root, within, fetch_s
        self.is_each_page = True
        self._buckets: dict[Path, Bucket] = {}
        self._left_out = Counter[str]()

    @property
    def base(self) -> Path:
        return self.root.parent

    @property
    def named_files(self) -> Iterator[bytes]:
        """The files of this machine that the list names."""
        return (self._place(path) for path, _ in self._rows if _address(path) is None)

    @property
    def summary(self) -> str:
        return f"A list of {counted(len(self._rows), 'picture')}"

    @cached_property
    def at_a_time(self) -> int | None:
        """Many where they lie in a bucket, as each read waits for the network."""
        return AT_A_TIME if any(_address(path) for path, _ in self._rows[:1]) else None

    def list(self) -> Scan:
        """Every picture once, with the columns of its last line, and the splits of all its lines.

        Raises FolderError for a file that is no list.
        """
        lines: dict[bytes, list[Mapping[str, object]]] = {}
        for path, facts in self._rows:
            lines.setdefault(path, []).append(facts)
        last = {path: _joined(entries) for path, entries in lines.items()}
        names = dict.fromkeys(name for facts in last.values() for name in facts)
        of_class = class_column(names)
        columns = {
            CLASS if name == of_class else name: [facts.get(name) for facts in last.values()]
            for name in list(names)[:MOST_COLUMNS]
        }
        files = tuple(map(self._file, last))
        cells = {
            path: next((facts[name] for name in facts if is_split_column(name)), None) for path, facts in last.items()
        }
        left_out = (f"{counted(number, 'line')} left out: {why}" for why, number in self._left_out.items())
        remarks = *left_out, *split_remarks(cells), *_class_remarks(lines, of_class or "")
        listed = in_order(Scan(self.root, files, within=self.within, columns=columns, remarks=remarks))
        ask = ask_paths(lambda file: self._place(file.path), self.within)
        return listed if self.at_a_time else with_pages(listed, ask, is_each=self.is_each_page)

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of a picture. Raises ImageError for a fault of the file, BucketError for one of its store."""
        address = _address(file.path)
        if address is None:
            return readers.file_or_page(self._place(file.path), within=self.within)
        if self.within is not None:
            try:
                refuse_outside(address, self.within)
            except FolderError as error:  # of this line, and not of the list
                raise ImageError(OUTSIDE) from error
        bucket = address.parents[len(address.parts) - 3]
        if bucket not in self._buckets:
            self._buckets[bucket] = Bucket(bucket, fetch_s=self._fetch_s, retry_s=min(RETRY_S, self._fetch_s / 4))
        key = os.fsencode(str(address))[len(os.fsencode(str(bucket))) + 1 :]
        return self._buckets[bucket].read(ScannedFile(key, 0, 0))

    def _file(self, path: bytes) -> ScannedFile:
        if _address(path) is not None:
            return ScannedFile(path, 0, 0)
        return ScannedFile(path, *size_and_time(self._place(path), within=self.within))

    def _place(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self.base), path)

    @cached_property
    def _rows(self) -> Sequence[tuple[bytes, Mapping[str, object]]]:
        try:
            data = read_file(os.fsencode(self.root), within=self.within)
        except ImageError as error:
            raise FolderError(f"{str(self.root)!r} {error}. Give a list of pictures that can be read.") from error
        encoding = ("utf-16", "replace") if data.startswith(_UTF_16) else ("utf-8-sig", "surrogateescape")
        text = data.decode(*encoding)
        rows = []
        for path, facts in _KINDS[self.root.suffix.lower()](text, self.root):
            try:
                rows += [(_path(path), facts)] if path else []
            except BucketError as error:  # the line is not kept: a secret may stand in it
                self._left_out[str(error)] += 1
        if not rows:
            raise FolderError(f"{str(self.root)!r} lists no picture. Give a file with one path a line.")
        return rows


def _joined(lines: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    """The facts in the last of a picture's lines, with the splits of all of them."""
    splits = {name: joined_splits(*(line.get(name) for line in lines)) for name in lines[-1] if is_split_column(name)}
    return {**lines[-1], **splits} if len(lines) > 1 else lines[-1]


def _class_remarks(lines: Mapping[bytes, Sequence[Mapping[str, object]]], of_class: str) -> Iterator[str]:
    several = {}
    for path, entries in lines.items():
        names = dict.fromkeys(str(entry[of_class]) for entry in entries if of_class in entry)
        if len(names) > 1:
            several[path] = ", ".join(names)
    if several:
        pictures = counted(len(several), "picture has", "pictures have")
        named = first_of([f"{display_name(path)} ({names})" for path, names in several.items()])
        yield f"{pictures} more than one class, of which the last counts: {named}."


def _path(text: str) -> bytes:
    """A path as it is stored, normalised; an address stays as it is."""
    text = text.strip().removeprefix("file://")
    plain = text if address_in(text) else os.path.normpath(text)
    try:
        return os.fsencode(plain)
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair: no file is called so
        return plain.encode("utf-8", "surrogatepass")


def _address(path: bytes) -> Path | None:
    return address_in(os.fsdecode(path)) if b":/" in path[:5] else None


_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
Rows = Iterator[tuple[str, Mapping[str, object]]]


def _lines(text: str) -> list[str]:
    """The lines of a text; unlike for `splitlines`, separators such as U+2028 end none."""
    return [line.strip() for line in io.StringIO(text, newline=None)]


def _names_picture(text: str) -> bool:
    return os.path.splitext(os.fsencode(text))[1].lower() in EXTENSIONS


def _from_text(text: str, root: Path) -> Rows:
    lines = _lines(text)
    if any(lines) and not any(
        _names_picture(line.rsplit(maxsplit=1)[0]) or _names_picture(line) for line in filter(None, lines)
    ):
        raise FolderError(
            f"{str(root)!r} names no picture by its ending, in no line. Give a list of paths; as a table with a column "
            "'path' where they have no endings."
        )
    for line in lines:
        parts = [line] if _names_picture(line) else line.rsplit(maxsplit=1)
        with_class = len(parts) == 2 and _names_picture(parts[0])
        yield (parts[0], {CLASS: parts[1]}) if with_class else (line, {})


def _from_csv(text: str, root: Path) -> Rows:
    """A table with a heading; one whose first line begins with a picture's path has paths and classes."""
    separator = "\t" if root.suffix.lower() == ".tsv" else max(",;\t|", key=text.partition("\n")[0].count)
    rows: Iterator[list[str]] = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    try:
        first = next(rows, [])
        heading = [name.strip() for name in first]
        of_path = _path_column(heading)
        if of_path is None and _names_picture(heading[0] if heading else ""):
            rows, heading, of_path = chain([first], rows), ["path", CLASS], "path"
        if of_path is None:
            shown = ", ".join(map(repr, heading[:8]))
            raise FolderError(f"{str(root)!r} has no column of paths (path, file or image), but {shown}. Name one so.")
        for row in rows:
            facts = dict(zip(heading, row, strict=False))
            yield (
                facts.pop(of_path, ""),
                {name: shortened(value.strip()) for name, value in facts.items() if value.strip()},
            )
    except csv.Error as error:
        raise FolderError(f"{str(root)!r} cannot be read as a table: {error}. Write it anew.") from error


def _from_json_lines(text: str, root: Path) -> Rows:
    for number, line in enumerate(_lines(text), start=1):
        if not line:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FolderError(f"Line {number} of {str(root)!r} is no JSON ({error}). Correct it.") from error
        facts = {"path": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        of_path = _path_column(facts)
        if of_path is None or not isinstance(facts[of_path], str):
            raise FolderError(f"Line {number} of {str(root)!r} has no path (path, file or image): {line[:80]!r}.")
        plain = {name: value for name, value in facts.items() if isinstance(value, str | int | float)}
        yield str(plain.pop(of_path)), {name: shortened(value) for name, value in plain.items()}


def _path_column(names: Sequence[str] | Mapping[str, object]) -> str | None:
    by_name = {name.strip().casefold(): name for name in names}
    return next((by_name[name] for name in PATH_NAMES if name in by_name), None)


_KINDS = {".csv": _from_csv, ".tsv": _from_csv, ".txt": _from_text, ".jsonl": _from_json_lines}
