"""Data sets for other programs: which there are, how each is written, and how it is opened there."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from url_viz.errors import FolderError
from url_viz.export.annotation_copy import AnnotationCopy, write_annotations
from url_viz.export.annotation_tools import (
    BoxedPicture,
    by_picture,
    describe_for_cvat,
    describe_for_label_studio,
    size_of,
)
from url_viz.export.fiftyone import MEDIA, SCRIPT, boxes_for_fiftyone, samples_for_fiftyone
from url_viz.export.hugging_face import SPLIT, class_folders, rows_for_hugging_face
from url_viz.export.packed import write_classes, write_packed, write_parquet, write_tar
from url_viz.export.picture_files import Exported, How, Wanted, lay_out, new_folder, rows_to_export, safe_names
from url_viz.export.provenance import Provenance
from url_viz.image_set import ImageSet
from url_viz.progress import ProgressCallback, silent

Program = Literal["fiftyone", "huggingface", "webdataset", "parquet", "annotations", "cvat", "labelstudio"]
Describe = Callable[[Wanted, Path, pd.DataFrame, list[str]], None]
DescribeObjects = Callable[[Path, Sequence[BoxedPicture], Provenance], None]


@dataclass(frozen=True)
class DataSet:
    """A way to share a set: its `title`, what writes it, and the Python that opens what was written (`opened_by`).

    `done_by` says what to do with the folder. Some ways are for objects in pictures only; some write the whole set
    whatever was selected.
    """

    title: str
    writer: Callable[[Wanted], Exported | AnnotationCopy]
    opened_by: str = ""
    done_by: str = "Open it in Python:"
    is_for_objects: bool = False
    is_always_whole: bool = False

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
        script = str(Path(out, SCRIPT))
        return self.done_by.format(out=str(out)), self.opened_by.format(out=str(out), script=script)


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

    If it `is_flat` they lie there by their names alone, as a program knows those that are uploaded from a folder.
    """
    image_set = wanted.image_set
    table, paths = rows_to_export(image_set, wanted.ids)
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
        describe(folder, pictures, wanted.origin)
        return wanted.done(folder, len(there), left_out)


def _write_for_fiftyone(wanted: Wanted) -> Exported:
    if wanted.image_set.is_of_objects:
        return write_boxed(wanted, media=MEDIA, describe=boxes_for_fiftyone)
    return write_pictures(wanted, media=MEDIA, describe=samples_for_fiftyone)


DATA_SETS: Mapping[Program, DataSet] = {
    "fiftyone": DataSet(
        "FiftyOne", _write_for_fiftyone, "import runpy; pictures = runpy.run_path({script!r})['pictures']"
    ),
    "huggingface": DataSet(
        "Hugging Face",
        partial(write_pictures, media=SPLIT, places=class_folders, describe=rows_for_hugging_face),
        'datasets.load_dataset("imagefolder", data_dir={out!r})',
    ),
    "webdataset": DataSet(
        "WebDataset",
        partial(write_packed, ending=".tar", pack=write_tar, describe=write_classes),
        "webdataset.WebDataset(sorted(glob.glob({out!r} + '/*.tar')), shardshuffle=False).decode('pil')",
    ),
    "parquet": DataSet(
        "Parquet", partial(write_packed, ending=".parquet", pack=write_parquet), "datasets.load_dataset({out!r})"
    ),
    "annotations": DataSet(
        "Annotation files",
        write_annotations,
        done_by="Train with the files in {out!r} in place of the originals.",
        is_for_objects=True,
        is_always_whole=True,
    ),
    "cvat": DataSet(
        "CVAT",
        partial(write_boxed, media="images", describe=describe_for_cvat, is_flat=True),
        done_by="In {out!r}: make a task of images/ with these classes, then upload annotations.xml as CVAT 1.1.",
        is_for_objects=True,
    ),
    "labelstudio": DataSet(
        "Label Studio",
        partial(write_boxed, media="images", describe=describe_for_label_studio, is_flat=True),
        done_by="In {out!r}: paste interface.xml as labelling interface, serve the folder as local storage, import "
        "tasks.json.",
        is_for_objects=True,
    ),
}


def programs_of(image_set: ImageSet) -> dict[Program, DataSet]:
    """The programs that the pictures of a set can be written for."""
    return {name: kind for name, kind in DATA_SETS.items() if image_set.is_of_objects or not kind.is_for_objects}


def program_for(image_set: ImageSet, name: Program) -> DataSet:
    """A program by its name. Raises FolderError if it is for objects and the set is of whole pictures."""
    possible = programs_of(image_set)
    if name not in possible:
        raise FolderError(
            f"{str(image_set.root)!r} is of whole pictures, and {name!r} is for objects in pictures. "
            f"Take {' or '.join(map(repr, possible))}."
        )
    return possible[name]
