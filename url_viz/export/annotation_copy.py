"""Copies of a set's annotation files, edited in place: corrected classes replaced, dropped objects taken out."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from url_viz.base.errors import FolderError, ImageError, ImageSetError
from url_viz.base.wording import command, counted, first_of
from url_viz.export.picture_files import Wanted, new_folder
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.formats import format_of
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.scan import display_name
from url_viz.imaging.source import Objects
from url_viz.store.about import embed_command
from url_viz.store.columns.source_columns import BOX_COLUMNS, CLASS

REDRAW = "to_redraw.csv"
LOST = (
    "Objects taken out stay visible in their pictures: a detector learns them as background. Where they are real, "
    "leave out the whole pictures, which `python -m url_viz export FOLDER dropped.csv --decision drop` lists."
)
ByFile = Mapping[bytes, dict[int, str | None]]
"""What changes in each file, by its path in the copy: `Changes`."""


@dataclass(frozen=True)
class AnnotationCopy:
    """What was written to `out`: so many `files`, classes `corrected`, objects `dropped`, and boxes `to_redraw`."""

    out: Path
    files: int
    corrected: int
    dropped: int
    to_redraw: int

    @property
    def words(self) -> tuple[str, ...]:
        changed = f"{counted(self.corrected, 'class')} corrected, {counted(self.dropped, 'object')} taken out"
        sentence = (
            f"{counted(self.files, 'file')} in {str(self.out)!r}: {changed}; all else byte for byte, no pictures."
        )
        redraw = f"{counted(self.to_redraw, 'box is', 'boxes are')} to be drawn again: {REDRAW}."
        return (sentence, *([LOST] if self.dropped else []), *([redraw] if self.to_redraw else []))


def write_annotations(wanted: Wanted) -> AnnotationCopy:
    """Write the annotation files to the new folder, in their folders, and `REDRAW` where a box is wrong.

    Raises ImageSetError for a selection, for a class that has no number, and if the files have changed since they
    were read.
    """
    image_set = wanted.image_set
    if wanted.ids is not None:
        raise ImageSetError("Annotation files are written whole. Leave out what selects objects.")
    changed, redraw = _changed(image_set), image_set.objects.to_redraw()
    source = Objects(image_set.root, image_set.within)
    changes = _by_file(image_set, source, changed)
    _refuse_unnumbered(source, {label for label in changed.values() if label is not None})
    count = 0
    with new_folder(wanted.out, image_set) as folder:
        for path, data in _edited(source, changes):
            target = folder / os.fsdecode(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            count += 1
        if len(redraw):
            write_table(redraw, folder / REDRAW)
    dropped = list(changed.values()).count(None)
    return AnnotationCopy(wanted.out, count, len(changed) - dropped, dropped, len(redraw))


def _changed(image_set: ImageSet) -> dict[int, str | None]:
    """The class of each corrected object by its id, None for a dropped one."""
    table = image_set.table()
    is_dropped = (table["decision"] == "drop").to_numpy(bool)
    is_changed = is_dropped | (table["label_checked"] == "corrected").to_numpy(bool)
    if is_changed.any() and image_set.labels.chosen != CLASS:
        raise ImageSetError(
            "Labels are not the classes of the annotations now. Choose these: "
            f"`{command('labels', image_set.root, CLASS)}`."
        )
    labels = table["label"].where(~is_dropped, None)
    return dict(zip(table["id"][is_changed].tolist(), labels[is_changed].tolist(), strict=True))


def _by_file(image_set: ImageSet, source: Objects, changed: Mapping[int, str | None]) -> ByFile:
    """What changes in each file. Raises ImageSetError for an object that is not there as it was read."""
    facts = source.facts if changed else {}
    boxes = image_set.table().set_index("id").loc[[*changed]].reindex(columns=[CLASS, *BOX_COLUMNS[:4]])
    by_file: dict[bytes, dict[int, str | None]] = {}
    gone = []
    for before, (image_id, label) in zip(boxes.itertuples(index=False, name=None), changed.items(), strict=True):
        picture, item, place = facts.get(image_id, (None, None, None))
        if picture is None or item is None or place is None or before != (item.label, *place.box):
            gone.append(image_id)
        elif by_file.setdefault(picture.file, {}).setdefault(item.place, label) != label:
            raise ImageSetError(
                f"The line of {display_name(place.path)!r} is that of another picture, too, and what became of the two "
                "differs. Decide the same of both."
            )
    if gone:
        raise ImageSetError(
            f"{counted(len(gone), 'corrected or dropped object')} stand differently in the files now than when they "
            f"were read: {first_of([display_name(path) for path in image_set.core.paths_of(gone)])}. Read them again: "
            f"{embed_command(image_set.root)}."
        )
    return by_file


def _refuse_unnumbered(source: Objects, labels: Collection[str]) -> None:
    """Raise ImageSetError for a class that has no number in the files, where classes need one."""
    missing = sorted({*labels} - {*source.annotations.names.values()})
    if missing and format_of(source.annotations).numbers_classes:
        raise ImageSetError(
            f"{', '.join(map(repr, missing))} has no number in {source.root.name!r}. Add it to the classes there and "
            f"read it again ({embed_command(source.root)}), or give another class."
        )


def _edited(source: Objects, changes: ByFile) -> Iterator[tuple[bytes, bytes]]:
    """Every annotation file, by its path in the copy, with its new bytes. Raises FolderError for one that is gone."""
    annotations, written_as = source.annotations, format_of(source.annotations)
    numbers = {name: number for number, name in reversed([*annotations.names.items()])}  # of two, the first
    for path, place in written_as.files(source.root, annotations):
        try:
            data = read_file(place, within=source.within)
        except ImageError as error:
            if str(error) != EMPTY:
                raise FolderError(f"{display_name(place)!r} {error}. Read the annotations again.") from error
            data = b""
        of_file = changes.get(path)
        yield path, written_as.edited(data, of_file, numbers) if of_file else data
