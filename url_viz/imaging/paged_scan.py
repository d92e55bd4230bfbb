"""A scan in which each page of a file is a picture, with the columns that DICOM files say."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from url_viz.errors import ImageError
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.pages import APART, ENDINGS, FILE, PagedFile, ending_of, page_path
from url_viz.imaging.scan import Scan, ScannedFile, absolute, display_name
from url_viz.processes.read_ahead import read_each

AT_ONCE = 64
"""Files that one process looks at before it answers."""
Columns = dict[str, str]


def with_pages(found: Scan, *, is_each: bool = True) -> Scan:
    """The scan with a picture a page (unless a file is one picture), and columns; the same where no file says anything.

    `apart` names what pictures of a new set are kept apart by: patients, else the file that pages are in.
    """
    able = [file for file in found.files if ending_of(file.path) in ENDINGS]
    parts = [able[start : start + AT_ONCE] for start in range(0, len(able), AT_ONCE)]
    known = {
        file.path: said
        for part, answers in zip(parts, read_each(parts, partial(_looked_at, found)), strict=True)
        for file, said in zip(part, answers, strict=True)
        if said is not None
    }
    if not known:
        return found
    pictures = sorted(
        (picture for file in found.files for picture in _pictures(file, known.get(file.path), is_each=is_each)),
        key=lambda pair: pair[0].path,
    )
    names = dict.fromkeys(name for _, facts in pictures for name in facts)
    columns = {name: [facts.get(name) for _, facts in pictures] for name in names}
    apart = next((name for name in APART if len({*columns.get(name, ())} - {None}) > 1), "")
    return replace(found, files=tuple(file for file, _ in pictures), columns=columns, apart=apart)


def _looked_at(found: Scan, files: Sequence[ScannedFile]) -> list[PagedFile | None]:
    try:
        return readers.paged([absolute(found.root, file.path) for file in files], within=found.within)
    except ImageError:  # one of them ended its process: each by itself, so that it costs itself alone
        return [_looked_at(found, [file])[0] for file in files] if len(files) > 1 else [None]


def _pictures(file: ScannedFile, said: PagedFile | None, *, is_each: bool) -> Iterator[tuple[ScannedFile, Columns]]:
    if said is None:
        yield file, {}
    elif said.pages == 1 or not is_each:
        yield file, said.facts
    else:
        facts = said.facts | {FILE: display_name(file.path)}
        for number in range(1, said.pages + 1):
            yield replace(file, path=page_path(file.path, number), block=(file.path, number)), facts
