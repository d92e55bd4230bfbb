"""Data sets for other programs: which there are, how each is written, and how it is opened there."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from typing_extensions import Doc

from url_viz.base.errors import FolderError
from url_viz.base.printout import Printout
from url_viz.base.progress import ProgressCallback, silent
from url_viz.base.wording import counted
from url_viz.capability import capability
from url_viz.export.annotation_files import (
    MEDIA,
    REDRAW,
    SELECTED,
    AnnotationCopy,
    BoxedPicture,
    by_picture,
    choices_for_label_studio,
    describe_for_cvat,
    describe_for_label_studio,
    lost_objects,
    numbered_places,
    size_of,
    tags_for_cvat,
    with_wrong_boxes,
    write_annotations,
)
from url_viz.export.packed import write_classes, write_packed, write_parquet, write_tar
from url_viz.export.picture_files import Exported, How, Wanted, lay_out, new_folder, rows_to_export, safe_names
from url_viz.export.samples import MEDIA as FIFTYONE_MEDIA
from url_viz.export.samples import (
    SCRIPT,
    SPLIT,
    boxes_for_fiftyone,
    class_folders,
    rows_for_hugging_face,
    samples_for_fiftyone,
)
from url_viz.export.selection import EVERY_PICTURE, Selected, Selection
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.formats import format_at
from url_viz.parameters import NewFolder, WithFolder
from url_viz.store.columns.source_columns import PICTURE

Program = Literal["fiftyone", "huggingface", "webdataset", "parquet", "annotations", "cvat", "labelstudio"]
Places = Callable[[ImageSet, pd.DataFrame, list[bytes]], list[bytes]]
Describe = Callable[[Wanted, Path, pd.DataFrame, list[str]], None]
DescribeObjects = Callable[[Wanted, Path, Sequence[BoxedPicture]], None]


@dataclass(frozen=True)
class DataSet:
    """A kind of data set: what writes it, what it is good for, and the Python that opens it (`opened_by`).

    `done_by` says what to do with the folder. Some kinds are for objects in pictures only, some write the whole set
    whatever was selected, and some have, of objects, whole pictures with all their boxes.
    """

    title: str
    writer: Callable[[Wanted], Exported | AnnotationCopy]
    for_whom: str
    opened_by: str = ""
    done_by: str = "Open it in Python:"
    is_for_objects: bool = False
    is_always_whole: bool = False
    has_whole_pictures: bool = False

    def write(
        self,
        image_set: ImageSet,
        out: str | Path,
        *,
        ids: Iterable[int] | None = None,
        how: How = "link",
        with_folder: bool = False,
        soft: bool = False,
        progress: ProgressCallback = silent,
    ) -> Exported | AnnotationCopy:
        """Write pictures (all, or those in `ids`) to the new folder `out`, as links or copies.

        Pictures whose file cannot be opened are left out, and listed. Raises UsageError if `out` lies among the
        pictures, FolderError if it is not new or empty, or cannot be written, ImageSetError without any picture.
        """
        return self.writer(Wanted(image_set, Path(out).expanduser().absolute(), ids, how, with_folder, progress, soft))

    def opening(self, out: str | Path) -> tuple[str, str]:
        """What to do with the data set in `out`, and the Python that opens it ("" for none)."""
        script, words = str(Path(out, SCRIPT)), self.done_by.format(out=str(out))
        if self.is_always_whole and any(Path(out).glob("*.yaml")):
            words += " YOLO looks for labels beside its pictures, so a path in the YAML file has to name that copy."
        if Path(out, REDRAW).is_file():
            words += f" The boxes to be drawn again are listed in {REDRAW}."
        return words, self.opened_by.format(out=str(out), script=script)


def as_they_are(image_set: ImageSet, table: pd.DataFrame, paths: list[bytes]) -> list[bytes]:
    """The places of pictures in a data set that leaves them where they are."""
    return paths


def write_pictures(
    wanted: Wanted,
    *,
    media: str,
    places: Places = as_they_are,
    describe: Describe,
) -> Exported:
    """Write pictures to the folder `media`, objects as crops (PNG), at their `places`; `describe` adds the rest."""
    image_set = wanted.image_set
    table, paths = rows_to_export(image_set, wanted.ids)
    names = safe_names(places(image_set, table, paths))
    with new_folder(wanted.out, image_set) as folder:
        targets, is_cut = [folder / media / name for name in names], image_set.is_of_objects
        rows, left_out = lay_out(image_set, paths, targets, how=wanted.how, progress=wanted.progress, is_cut=is_cut)
        describe(wanted, folder, table.iloc[rows], [names[row] for row in rows])
        return wanted.done(folder, len(rows), left_out)


def write_boxed(wanted: Wanted, *, media: str, describe: DescribeObjects, is_flat: bool = False) -> Exported:
    """Write whole pictures of objects to the folder `media`, and what `describe` says of all boxes in them.

    Objects have the columns `SELECTED` where only some were selected, and `WRONG` where some boxes are wrong. If the
    folder `is_flat`, pictures lie there by their names alone, as a program knows those that are uploaded.
    """
    image_set = wanted.image_set
    table, paths = _with_the_others(wanted)
    table = with_wrong_boxes(table)
    rows = by_picture(paths)
    names, objects = safe_names(map(os.path.basename, rows) if is_flat else rows), [*rows.values()]
    opened = [paths[first] for first, *_ in objects]
    with new_folder(wanted.out, image_set) as folder:
        targets = [folder / media / name for name in names]
        there, left_out = lay_out(image_set, opened, targets, how=wanted.how, progress=wanted.progress)
        pictures = [
            BoxedPicture(f"{media}/{names[row]}", size_of(image_set, opened[row]), table.iloc[objects[row]])
            for row in there
        ]
        describe(wanted, folder, pictures)
        return wanted.done(folder, len(there), left_out)


def _with_the_others(wanted: Wanted) -> tuple[pd.DataFrame, list[bytes]]:
    """As `rows_to_export`, of all objects in the wanted ones' pictures; `SELECTED` unless all but the dropped are."""
    if wanted.ids is None:
        return rows_to_export(wanted.image_set, None)
    selected = rows_to_export(wanted.image_set, wanted.ids)[0]
    table = wanted.image_set.table()
    there = table["id"][table[PICTURE].isin(selected[PICTURE])]
    rows, paths = rows_to_export(wanted.image_set, there.tolist())
    is_selected = rows["id"].isin(selected["id"])
    is_whole = bool((is_selected | (rows["decision"] == "drop")).all())
    return (rows if is_whole else rows.assign(**{SELECTED: is_selected})), paths


def _write_for_fiftyone(wanted: Wanted) -> Exported:
    if wanted.image_set.is_of_objects:
        return write_boxed(wanted, media=FIFTYONE_MEDIA, describe=boxes_for_fiftyone)
    return write_pictures(wanted, media=FIFTYONE_MEDIA, describe=samples_for_fiftyone)


def _write_tasks(
    wanted: Wanted, *, boxes: DescribeObjects, classes: Describe, places: Places = as_they_are
) -> Exported:
    """Tasks to annotate boxes or, in whole pictures, classes: of all that are not dropped if nothing was selected."""
    if wanted.image_set.is_of_objects:
        return write_boxed(wanted, media=MEDIA, describe=boxes, is_flat=True)
    table = wanted.image_set.table()
    if wanted.ids is None:
        wanted = replace(wanted, ids=table["id"][table["decision"] != "drop"].tolist())
    return write_pictures(wanted, media=MEDIA, places=places, describe=classes)


DATA_SETS: Mapping[Program, DataSet] = {
    "fiftyone": DataSet(
        "FiftyOne",
        _write_for_fiftyone,
        "Samples with every value as a field; of objects, pictures with all their boxes.",
        "import runpy; pictures = runpy.run_path({script!r})['pictures']",
        has_whole_pictures=True,
    ),
    "huggingface": DataSet(
        "Hugging Face",
        partial(write_pictures, media=SPLIT, places=class_folders, describe=rows_for_hugging_face),
        "Class folders with metadata, for datasets.load_dataset.",
        'datasets.load_dataset("imagefolder", data_dir={out!r})',
    ),
    "webdataset": DataSet(
        "WebDataset",
        partial(write_packed, ending=".tar", pack=write_tar, describe=write_classes),
        "Tar shards, for webdataset.",
        "webdataset.WebDataset(sorted(glob.glob({out!r} + '/*.tar')), shardshuffle=False).decode('pil')",
    ),
    "parquet": DataSet(
        "Parquet",
        partial(write_packed, ending=".parquet", pack=write_parquet),
        "Pictures and labels in few files, for datasets.load_dataset.",
        "datasets.load_dataset({out!r})",
    ),
    "annotations": DataSet(
        "Annotation files",
        write_annotations,
        "Your own files again, with corrected classes and without dropped objects.",
        done_by="Copy the files in {out!r} over a copy of your data set, and train there: this folder has no pictures.",
        is_for_objects=True,
        is_always_whole=True,
    ),
    "cvat": DataSet(
        "CVAT",
        partial(_write_tasks, boxes=describe_for_cvat, classes=tags_for_cvat, places=numbered_places),
        "A task with the classes or boxes filled in, to correct them there; a picture has all its boxes.",
        done_by="In {out!r}: make a task of images/ with the classes in labels.json (pasted under Raw), then "
        "upload annotations.xml as CVAT 1.1.",
        has_whole_pictures=True,
    ),
    "labelstudio": DataSet(
        "Label Studio",
        partial(_write_tasks, boxes=describe_for_label_studio, classes=choices_for_label_studio),
        "Tasks with the classes or boxes filled in, to correct them there; a picture has all its boxes.",
        done_by="In {out!r}: paste interface.xml as labelling interface, serve the folder above it as local storage, "
        "import tasks.json.",
        has_whole_pictures=True,
    ),
}


def possible_programs(image_set: ImageSet) -> dict[Program, DataSet]:
    """The programs that a set can be written for."""
    return {name: kind for name, kind in DATA_SETS.items() if image_set.is_of_objects or not kind.is_for_objects}


def counted_for(image_set: ImageSet, name: Program, ids: Collection[int] | None) -> str:
    """What is in a data set of these pictures (None: all): "128 pictures", or "128 pictures with 929 objects"."""
    if not image_set.is_of_objects or not DATA_SETS[name].has_whole_pictures:
        return counted(len(image_set if ids is None else ids), image_set.noun)
    pictures = image_set.table()[PICTURE]
    if ids is not None:
        pictures = pictures[pictures.isin(pictures.iloc[image_set.core.rows_of(ids)])]
    return f"{counted(pictures.nunique(), 'picture')} with {counted(len(pictures), 'object')}"


def dropped_in_words(image_set: ImageSet, name: Program) -> str:
    """What dropping objects does to a data set of whole pictures; "" where none was dropped, or crops leave."""
    is_whole = name == "annotations" or DATA_SETS[name].has_whole_pictures
    dropped = lost_objects(image_set.table()) if image_set.is_of_objects and is_whole else 0
    if not dropped:
        return ""
    what = "1 dropped object loses its box" if dropped == 1 else f"{dropped:,} dropped objects lose their boxes"
    their, them = ("its", "it") if dropped == 1 else ("their", "them")
    return (
        f"{what}, not {their} pixels: a detector learns {them} as background. "
        "Leave out the whole picture if that matters."
    )


def title_for(image_set: ImageSet, name: Program) -> str:
    """A program's title; of annotation files by their format: "Corrected VOC files"."""
    kind = format_at(image_set.root) if name == "annotations" else None
    return DATA_SETS[name].title if kind is None else f"Corrected {kind.name} files"


def program_for(image_set: ImageSet, name: Program) -> DataSet:
    """A program by its name. Raises FolderError if it is for objects and the set is of whole pictures."""
    possible = possible_programs(image_set)
    if name not in possible:
        raise FolderError(
            f"{str(image_set.root)!r} is of whole pictures, and {name!r} is for objects in pictures. "
            f"Take {' or '.join(map(repr, possible))}."
        )
    return possible[name]


WithSoft = Annotated[bool, Doc("soft labels too: a list of shares, in the order of the classes")]
HowTaken = Annotated[How, Doc("links to the pictures, or copies that may be moved")]


@capability("export fiftyone", reads_files=True)
def for_fiftyone(
    image_set: ImageSet,
    out: NewFolder,
    *,
    how: HowTaken = "link",
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write samples with every value as a field, for FiftyOne; of objects, pictures with all their boxes."""
    return _written(image_set, "fiftyone", out, selection, how=how, with_folder=with_folder, progress=progress)


@capability("export huggingface", reads_files=True)
def for_huggingface(
    image_set: ImageSet,
    out: NewFolder,
    *,
    how: HowTaken = "link",
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    soft: WithSoft = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write class folders with metadata, for `datasets.load_dataset` of Hugging Face; of objects, crops."""
    return _written(
        image_set, "huggingface", out, selection, how=how, with_folder=with_folder, soft=soft, progress=progress
    )


@capability("export webdataset", reads_files=True)
def for_webdataset(
    image_set: ImageSet,
    out: NewFolder,
    *,
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write tar shards for webdataset, with labels as corrected and without dropped pictures."""
    return _written(image_set, "webdataset", out, selection, with_folder=with_folder, progress=progress)


@capability("export parquet", reads_files=True)
def for_parquet(
    image_set: ImageSet,
    out: NewFolder,
    *,
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    soft: WithSoft = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write pictures and labels in few files, for `datasets.load_dataset`, without dropped pictures."""
    return _written(image_set, "parquet", out, selection, with_folder=with_folder, soft=soft, progress=progress)


@capability("export annotations", reads_files=True)
def for_annotations(
    image_set: ImageSet,
    out: NewFolder,
    *,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write your own annotation files again, with corrected classes and without dropped objects."""
    return _written(image_set, "annotations", out, progress=progress)


@capability("export cvat", reads_files=True)
def for_cvat(
    image_set: ImageSet,
    out: NewFolder,
    *,
    how: HowTaken = "link",
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write a task for CVAT, with the classes or boxes filled in, to correct them there.

    Of whole pictures the class to choose, the likeliest filled in, the most ambiguous first and without dropped ones;
    of objects in pictures all their boxes.
    """
    return _written(image_set, "cvat", out, selection, how=how, with_folder=with_folder, progress=progress)


@capability("export labelstudio", reads_files=True)
def for_labelstudio(
    image_set: ImageSet,
    out: NewFolder,
    *,
    how: HowTaken = "link",
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Write tasks for Label Studio, with the classes or boxes filled in, to correct them there.

    Of whole pictures the class to choose, the likeliest filled in, the most ambiguous first and without dropped ones;
    of objects in pictures all their boxes.
    """
    return _written(image_set, "labelstudio", out, selection, how=how, with_folder=with_folder, progress=progress)


def _written(
    image_set: ImageSet,
    name: Program,
    out: str | Path,
    selection: Selection = EVERY_PICTURE,
    *,
    how: How = "link",
    with_folder: bool = False,
    soft: bool = False,
    progress: ProgressCallback,
) -> Printout:
    program, ids = program_for(image_set, name), selection.ids(image_set)
    done = program.write(image_set, out, ids=ids, how=how, with_folder=with_folder, soft=soft, progress=progress)
    return Printout([*done.words, " ".join(filter(None, program.opening(done.out)))])
