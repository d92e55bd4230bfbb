"""Picture files in an export folder, as links or copies, and pictures inside pages that load nothing."""

import base64
import errno
import html
import io
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pandas as pd
from PIL import Image

from url_viz.base.errors import FolderError, ImageError, ImageSetError
from url_viz.base.progress import Clock, ProgressCallback
from url_viz.base.wording import counted, first_of
from url_viz.core import SetCore
from url_viz.export.table_files import Provenance, provenance
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name, refuse_bucket
from url_viz.imaging.uploaded_files import free_name, safe_name
from url_viz.imaging.workers import decoders
from url_viz.pictures.set_files import WholePicture

How = Literal["link", "copy"]

COPIED_BYTES = 1 << 20
LEFT_OUT = "left-out.txt"
IF_FULL = "Nothing was left there: make room, or take links (--how link)."
_SPLIT = re.compile(r"(?<![a-zA-Z])(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?![a-zA-Z])")


LeftOut = Sequence[tuple[str, str]]
"""Pictures that were left out, by path, each with the reason."""


@dataclass(frozen=True)
class Wanted:
    """The pictures of a set (all, or those in `ids`) that go to the new folder `out`, as links or copies.

    With `with_folder`, the whole path of their folder stands in what is written of their provenance; with `soft`, some
    kinds have soft labels too.
    """

    image_set: ImageSet
    out: Path
    ids: Iterable[int] | None
    how: How
    with_folder: bool
    progress: ProgressCallback
    soft: bool = False

    @property
    def origin(self) -> Provenance:
        return provenance(self.image_set, with_folder=self.with_folder)

    def done(self, folder: Path, pictures: int, left_out: LeftOut) -> "Exported":
        """The result, once pictures lie in `folder`; what was left out is listed there too, for who sees only that."""
        if left_out:
            lines = [f"{path} {reason}\n" for path, reason in left_out]
            (folder / LEFT_OUT).write_text("".join(lines), encoding="utf-8")
        return Exported(self.out, pictures, tuple(left_out))


@dataclass(frozen=True)
class Exported:
    """An export: how many pictures lie in `out`, and those whose file could not be opened."""

    out: Path
    pictures: int
    left_out: LeftOut = ()

    @property
    def words(self) -> tuple[str, ...]:
        return (f"{counted(self.pictures, 'picture')} in {str(self.out)!r}.", *left_out_in_words(self.left_out))


def left_out_in_words(left_out: LeftOut) -> list[str]:
    """A sentence for each reason why pictures were left out."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in left_out:
        by_reason.setdefault(reason, []).append(path)
    return [
        f"{len(paths):,} left out, {'which' if len(paths) == 1 else 'each of which'} {reason}: {first_of(paths)}."
        for reason, paths in by_reason.items()
    ]


def rows_to_export(image_set: ImageSet, ids: Iterable[int] | None) -> tuple[pd.DataFrame, list[bytes]]:
    """The rows of `table()` with these ids (None: all), in its order, and their paths relative to the root.

    Raises ImageSetError for an unknown id, FolderError for pictures in object storage.
    """
    refuse_bucket(image_set.root)
    table = image_set.table()
    if ids is not None:
        table = table.iloc[np.unique(image_set.core.rows_of(ids))]
    return table.reset_index(drop=True), image_set.core.paths_of(table["id"])


def lay_out(
    image_set: ImageSet,
    paths: Sequence[bytes],
    places: Sequence[Path],
    *,
    how: How,
    progress: ProgressCallback,
    is_cut: bool = False,
) -> tuple[list[int], LeftOut]:
    """Put each picture at its place, as a link or a copy; of an object the whole picture or, if `is_cut`, the crop.

    Returns the rows of those whose file could be opened, and the others. Raises ImageSetError if none could.
    """
    opened, how = opened_by(image_set, how=how, is_cut=is_cut)
    clock, rows, left_out = Clock("share", len(paths)), [], []
    for row, (path, target) in enumerate(zip(paths, places, strict=True)):
        try:
            with opened(path) as file:
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(file, image_set.files.place(path), os.fsencode(target), how=how)
            rows.append(row)
        except ImageError as error:
            left_out.append((display_name(path), str(error)))
        progress(clock.at(row + 1))
    if not rows:
        reason = f" {left_out_in_words(left_out)[0]}" if left_out else ""
        none = f"None of {counted(len(paths), 'picture')} of {str(image_set.root)!r} can be exported."
        raise ImageSetError(f"{none}{reason} Choose others, or read the folder again.")
    return rows, left_out


def opened_by(
    image_set: ImageSet, *, how: How, is_cut: bool
) -> tuple[Callable[[bytes], AbstractContextManager[BinaryIO]], How]:
    """What opens a picture by its path (of an object the crop, if `is_cut`), and how it can be put elsewhere."""
    files = image_set.files
    return (files.open_crop if is_cut else files.open), ("copy" if is_cut or files.are_copied else how)


def safe_names(paths: Iterable[bytes]) -> list[str]:
    """Relative names for root-relative paths, folders kept, unique even on case-insensitive file systems.

    Each part is a `safe_name`; folders that a loader would take for a split ("test") get a capital letter.
    """
    used = Counter[str]()
    folders: dict[bytes, str] = {}
    names = []
    for path in paths:
        *above, last = path.split(b"/")
        key, here = b"", ""
        for part in above:
            key += part + b"/"
            if key not in folders:
                no_split = _SPLIT.sub(lambda match: match[0].capitalize(), safe_name(part.decode("utf-8", "replace")))
                folders[key] = f"{free_name(no_split, used, folder=here)}/"
            here = folders[key]
        names.append(free_name(safe_name(last.decode("utf-8", "replace")), used, folder=here))
    return names


@contextmanager
def new_folder(out: str | Path, image_set: ImageSet) -> Iterator[Path]:
    """A temporary folder that becomes `out` on success and is deleted on failure.

    Raises UsageError if `out` lies within the pictures, FolderError if it is not new or empty, or cannot be written.
    """
    target = require_outside(out, image_set.root, image_set.folder, home=image_set.workspace.root)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FolderError(f"{str(target)!r} is there already and is not an empty folder. Choose a new one.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
            filled = Path(temporary) / target.name
            filled.mkdir()
            yield filled
            os.replace(filled, target)
    except OSError as error:
        raise unwritten(target, error, if_full=IF_FULL) from error


def link_or_copy(file: BinaryIO, source: bytes, target: bytes, *, how: How) -> None:
    """Make `target` an absolute link to `source`, or a copy of the open `file` with its times and permissions."""
    if how == "link":
        os.symlink(source, target)
        return
    with open(target, "xb") as copy:
        shutil.copyfileobj(file, copy, COPIED_BYTES)
    status = os.fstat(file.fileno())
    os.chmod(target, stat.S_IMODE(status.st_mode) & 0o777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def unwritten(target: Path, error: OSError, *, if_full: str, how: How = "link") -> FolderError:
    """The error to raise where pictures cannot be written to a folder; `if_full` says what to do on a full disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FolderError(f"The disk of {str(target)!r} is full. {if_full}")
    if how == "link" and error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
        return FolderError(f"{str(target)!r} cannot hold links ({error.strerror}). Take copies instead (--how copy).")
    return FolderError(f"Cannot write to {str(target)!r}: {error.strerror}. Choose another folder.")


QUALITY = 72


def inlined(image_set: SetCore, ids: Iterable[int], *, side_px: int) -> dict[int, str]:
    """Thumbnails by id as `data:` URLs, at most `side_px` on the longer side; pictures without one are left out."""
    wanted = list(dict.fromkeys(int(i) for i in ids))
    return {image_id: data_url(shrunk(jpeg, side_px)) for image_id, jpeg in image_set.store.thumbnails(wanted).items()}


def shrunk(jpeg: bytes, side_px: int) -> bytes:
    """A JPEG made smaller: at most `side_px` on a side."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("RGB", (side_px, side_px))
        small = opened.convert("RGB")
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()


def data_url(data: bytes, kind: str = "image/jpeg") -> str:
    """A picture as a URL that holds it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


LONGEST_NAME = 28
LETTERS_PER_SIDE = 30
"""Heights of a letter along the picture's long side."""
STRONG, FAINT, PREDICTED = "#ffd60a", "#ffffff", "#4cc9f0"
DASHES = "9 6"
"""In pixels as shown: tells the predicted box from the labelled one without its colour."""


def with_boxes(whole: WholePicture, *, most_px: int, is_named: bool = True) -> str:
    """An SVG of the picture, at most `most_px` on its long side, its object's box strong, the others faint.

    If `is_named`, the object's class stands at its box, and a predicted box is dashed. A dark line under each line
    keeps it visible on any ground; lines are as wide at every size.
    """
    width, height = whole.size
    size = f'width="{width}" height="{height}"'
    shown = decoders.shown(whole.data, most_px=most_px, quality=90, rendering=whole.rendering)
    parts = [f'<image {size} href="{data_url(shown)}"/>']
    for other in whole.others:
        parts += [*_lines(other.box, "#000", 2.5, opacity=0.3), *_lines(other.box, FAINT, 1, opacity=0.65)]
    if (own := whole.own) is not None:
        parts += [*_lines(own.box, "#000", 5, opacity=0.6), *_lines(own.box, STRONG, 2.5)]
        parts += [_name(own.label, own.box, whole.size)] if is_named and own.label is not None else []
    if is_named and (predicted := whole.predicted) is not None:
        parts += [
            *_lines(predicted.box, "#000", 5, opacity=0.6, dashes=DASHES),
            *_lines(predicted.box, PREDICTED, 2.5, dashes=DASHES),
            _name(f"predicted {predicted.label or ''}".rstrip(), predicted.box, whole.size, is_predicted=True),
        ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def _lines(box: Box, colour: str, width_px: float, *, opacity: float = 1, dashes: str = "none") -> Iterator[str]:
    x, y, width, height = box
    yield (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="none" stroke="{colour}" '
        f'stroke-width="{width_px}" stroke-opacity="{opacity}" stroke-dasharray="{dashes}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _name(text: str, box: Box, size: tuple[int, int], *, is_predicted: bool = False) -> str:
    """A class above its box, below if predicted; inside where there is no room, and never beyond the right edge."""
    letter = max(size) / LETTERS_PER_SIDE
    x, y, width, height = box
    is_right, above, below = x > size[0] / 2, y - letter * 0.35, y + height + letter * 1.1
    start = min(x + width, size[0]) - letter * 0.15 if is_right else max(x, 0) + letter * 0.15
    down = above if above > letter else max(y, 0) + letter * 1.1
    colour = PREDICTED if is_predicted else STRONG
    if is_predicted:
        down = below if below < size[1] else min(y + height, size[1]) - letter * 0.4
    name = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return (
        f'<text x="{start:.2f}" y="{down:.2f}" text-anchor="{"end" if is_right else "start"}" font-family="sans-serif" '
        f'font-weight="600" font-size="{letter:.2f}" fill="{colour}" stroke="#000" stroke-opacity=".75" '
        f'stroke-width="{letter * 0.22:.2f}" stroke-linejoin="round" paint-order="stroke">{html.escape(name)}</text>'
    )
