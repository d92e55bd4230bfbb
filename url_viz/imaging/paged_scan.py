"""A scan in which each page of a file is a picture, with the columns that DICOM files say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from url_viz.errors import ImageError
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.pages import APART, ENDINGS, FILE, PagedFile, ending_of, page_path
from url_viz.imaging.scan import Scan, ScannedFile, display_name
from url_viz.processes.read_ahead import read_each

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
