"""Data sets for other programs: which there are, how each is written, and how it is opened there."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from url_viz.base.errors import FolderError
from url_viz.base.progress import ProgressCallback, silent
from url_viz.base.wording import counted
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
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.formats import format_at
from url_viz.store.columns.source_columns import PICTURE

Program = Literal["fiftyone", "huggingface", "webdataset", "parquet", "annotations", "cvat", "labelstudio"]
Describe = Callable[[Wanted, Path, pd.DataFrame, list[str]], None]
DescribeObjects = Callable[[Wanted, Path, Sequence[BoxedPicture]], None]


@dataclass(frozen=True)
class DataSet:
    """A way to share a set: its `title`, what writes it, and the Python that opens what was written (`opened_by`).

    `for_whom` says what it is good for, `done_by` what to do with the folder. Some ways are for objects in pictures
    only; some write the whole set whatever was selected; some have, of objects, whole pictures with all their boxes.
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
        progress: ProgressCallback = silent,
    ) -> Exported | AnnotationCopy:
        """Write pictures (all, or those in `ids`) to the new folder `out`, as links or copies.

        Pictures whose file cannot be opened are left out, and listed. Raises FolderError if `out` is not new or empty,
        lies among the pictures, or cannot be written, ImageSetError if nothing is to be exported.
        """
        return self.writer(Wanted(image_set, Path(out).expanduser().absolute(), ids, how, with_folder, progress))

    def opening(self, out: str | Path) -> tuple[str, str]:
        """What to do with the data set in `out`, and the line of Python that does it, "" for none."""
        script, words = str(Path(out, SCRIPT)), self.done_by.format(out=str(out))
        if Path(out, REDRAW).is_file():
            words += f" The boxes to be drawn again are listed in {REDRAW}."
        return words, self.opened_by.format(out=str(out), script=script)


def write_pictures(
    wanted: Wanted,
    *,
    media: str,
    places: Callable[[ImageSet, pd.DataFrame, list[bytes]], list[bytes]] = lambda image_set, table, paths: paths,
    describe: Describe,
) -> Exported:
    """Pictures in the folder `media`, objects as crops (PNG), at their `places`; `describe` adds what else is read."""
    image_set = wanted.image_set
    table, paths = rows_to_export(image_set, wanted.ids)
    names = safe_names(places(image_set, table, paths))
    with new_folder(wanted.out, image_set) as folder:
        targets, is_cut = [folder / media / name for name in names], image_set.is_of_objects
        rows, left_out = lay_out(image_set, paths, targets, how=wanted.how, progress=wanted.progress, is_cut=is_cut)
        describe(wanted, folder, table.iloc[rows], [names[row] for row in rows])
        return wanted.done(folder, len(rows), left_out)


def write_boxed(wanted: Wanted, *, media: str, describe: DescribeObjects, is_flat: bool = False) -> Exported:
    """Whole pictures of objects in the folder `media`, with what `describe` says of the boxes in them.

    Each has all its boxes, with the columns `SELECTED` where only some were, and `WRONG` where some are wrong.
    If the folder `is_flat` pictures lie there by their names alone, as a program knows those that are uploaded.
    """
    image_set = wanted.image_set
    table, paths = _with_the_others(wanted)
    table = with_wrong_boxes(table)
    rows = by_picture(paths)
    names, of_each = safe_names(map(os.path.basename, rows) if is_flat else rows), [*rows.values()]
    opened = [paths[first] for first, *_ in of_each]
    with new_folder(wanted.out, image_set) as folder:
        targets = [folder / media / name for name in names]
        there, left_out = lay_out(image_set, opened, targets, how=wanted.how, progress=wanted.progress)
        pictures = [
            BoxedPicture(f"{media}/{names[row]}", size_of(image_set, opened[row]), table.iloc[of_each[row]])
            for row in there
        ]
        describe(wanted, folder, pictures)
        return wanted.done(folder, len(there), left_out)


def _with_the_others(wanted: Wanted) -> tuple[pd.DataFrame, list[bytes]]:
    """As `rows_to_export`, of all objects in the pictures of those that are wanted.

    Their column `SELECTED` says which are, unless all but the dropped are.
    """
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


def _write_for_cvat(wanted: Wanted) -> Exported:
    if wanted.image_set.is_of_objects:
        return write_boxed(wanted, media=MEDIA, describe=describe_for_cvat, is_flat=True)
    return write_pictures(_to_annotate(wanted), media=MEDIA, places=numbered_places, describe=tags_for_cvat)


def _write_for_label_studio(wanted: Wanted) -> Exported:
    if wanted.image_set.is_of_objects:
        return write_boxed(wanted, media=MEDIA, describe=describe_for_label_studio, is_flat=True)
    return write_pictures(_to_annotate(wanted), media=MEDIA, describe=choices_for_label_studio)


def _to_annotate(wanted: Wanted) -> Wanted:
    """What was asked for; all but the dropped if nothing was selected."""
    table = wanted.image_set.table()
    return wanted if wanted.ids is not None else replace(wanted, ids=table["id"][table["decision"] != "drop"].tolist())


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
        done_by="Copy the files in {out!r} over a copy of your data set, and train there: this folder has no pictures, "
        "and YOLO looks for labels beside them (a path in data.yaml has to name that copy).",
        is_for_objects=True,
        is_always_whole=True,
    ),
    "cvat": DataSet(
        "CVAT",
        _write_for_cvat,
        "A task with the classes or boxes filled in, to correct them there; a picture has all its boxes.",
        done_by="In {out!r}: make a task of images/ with the classes in labels.json (pasted under Raw), then "
        "upload annotations.xml as CVAT 1.1.",
        has_whole_pictures=True,
    ),
    "labelstudio": DataSet(
        "Label Studio",
        _write_for_label_studio,
        "Tasks with the classes or boxes filled in, to correct them there; a picture has all its boxes.",
        done_by="In {out!r}: paste interface.xml as labelling interface, serve the folder above it as local storage, "
        "import tasks.json.",
        has_whole_pictures=True,
    ),
}


def programs_of(image_set: ImageSet) -> dict[Program, DataSet]:
    """The programs that the pictures of a set can be written for."""
    return {name: kind for name, kind in DATA_SETS.items() if image_set.is_of_objects or not kind.is_for_objects}


def counted_for(image_set: ImageSet, name: Program, ids: Collection[int] | None) -> str:
    """What a data set of these pictures (None: all) has: "128 pictures", of objects "128 pictures with 929 objects"."""
    if not image_set.is_of_objects or not DATA_SETS[name].has_whole_pictures:
        return counted(len(image_set if ids is None else ids), image_set.noun)
    pictures = image_set.table()[PICTURE]
    if ids is not None:
        pictures = pictures[pictures.isin(pictures.iloc[image_set.core.rows_of(ids)])]
    return f"{counted(pictures.nunique(), 'picture')} with {counted(len(pictures), 'object')}"


def title_for(image_set: ImageSet, name: Program) -> str:
    """What a data set is called, of a set's own annotations by their format: "Corrected VOC files"."""
    kind = format_at(image_set.root) if name == "annotations" else None
    return DATA_SETS[name].title if kind is None else f"Corrected {kind.name} files"


def program_for(image_set: ImageSet, name: Program) -> DataSet:
    """A program by its name. Raises FolderError if it is for objects and the set is of whole pictures."""
    possible = programs_of(image_set)
    if name not in possible:
        raise FolderError(
            f"{str(image_set.root)!r} is of whole pictures, and {name!r} is for objects in pictures. "
            f"Take {' or '.join(map(repr, possible))}."
        )
    return possible[name]
