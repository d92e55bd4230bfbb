"""Data sets for other programs: which ones there are, how each is written, and how it is opened there."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from url_viz.errors import FolderError
from url_viz.export import croissant, fiftyone, hugging_face
from url_viz.export.annotation_copy import AnnotationFiles
from url_viz.export.annotation_tools import describe_for_cvat, describe_for_label_studio
from url_viz.export.boxed_pictures import BoxedPicture, by_picture, size_of
from url_viz.export.packed import PackedFiles, write_classes, write_parquet, write_tar
from url_viz.export.picture_files import Exported, How, lay_out, new_folder, rows_to_export, safe_names
from url_viz.export.provenance import Provenance, provenance
from url_viz.image_set import ImageSet
from url_viz.progress import ProgressCallback, silent

Program = Literal["fiftyone", "huggingface", "webdataset", "parquet", "croissant", "annotations", "cvat", "labelstudio"]
Describe = Callable[[ImageSet, Path, pd.DataFrame, list[str], Provenance], None]
DescribeObjects = Callable[[ImageSet, Path, Sequence[BoxedPicture], Provenance], None]


@dataclass(frozen=True)
class DataSet:
    """A program that pictures are written for: its `title`, and the Python that opens what was written (`opened_by`).

    Pictures lie in the folder `media`, at the `places` that a program has for them, given their rows and root-relative
    paths; `describe` adds what else it reads, given the folder, rows, names of files in `media`, and provenance.
    Objects are written as boxes in whole pictures by `describe_objects`; without that, as crops. `done_by` says what
    to do with the folder.
    """

    title: str
    media: str
    opened_by: str = ""
    done_by: str = "Open it in Python:"
    places: Callable[[ImageSet, pd.DataFrame, list[bytes]], list[bytes]] = lambda image_set, table, paths: paths
    describe: Describe | None = None
    describe_objects: DescribeObjects | None = None
    is_always_whole = False

    @property
    def is_for_objects(self) -> bool:
        return self.describe is None

    def write(
        self,
        image_set: ImageSet,
        out: str | Path,
        *,
        ids: Iterable[int] | None = None,
        how: How = "link",
        with_folder: bool = False,
        progress: ProgressCallback = silent,
    ) -> Exported:
        """Write pictures (all, or those in `ids`) to the new folder `out`, as links or copies, crops as PNG files.

        Pictures whose file cannot be opened are left out, and listed. Raises FolderError if `out` is not new or empty
        or cannot be written, ImageSetError if nothing is to be exported.
        """
        table, paths = rows_to_export(image_set, ids)
        is_whole = image_set.is_of_objects and self.describe_objects is not None
        rows = by_picture(paths) if is_whole else None
        wanted = self.places(image_set, table, paths if rows is None else [*rows])
        names = safe_names(wanted)
        opened = paths if rows is None else [paths[first] for first, *_ in rows.values()]
        with new_folder(out, image_set) as folder:
            places = [folder / self.media / name for name in names]
            is_cut = image_set.is_of_objects and not is_whole
            done = lay_out(image_set, opened, places, how=how, progress=progress, is_cut=is_cut)
            done.write_left_out(folder)
            origin = provenance(image_set, with_folder=with_folder)
            if rows is not None and self.describe_objects is not None:
                of_each = [*rows.values()]
                pictures = [
                    BoxedPicture(f"{self.media}/{names[at]}", size_of(image_set, opened[at]), table.iloc[of_each[at]])
                    for at in done.rows
                ]
                self.describe_objects(image_set, folder, pictures, origin)
            elif self.describe is not None:
                self.describe(image_set, folder, table.iloc[done.rows], [names[row] for row in done.rows], origin)
        return Exported(Path(out).expanduser().absolute(), len(done.rows), done.left_out)

    def opening(self, out: str | Path) -> tuple[str, str]:
        """What to do with the data set in `out`, and the line of Python that does it, "" for none."""
        return self.done_by.format(out=str(out)), self.opened_by.format(
            out=str(out), script=str(Path(out, fiftyone.SCRIPT))
        )


def _flat(image_set: ImageSet, table: pd.DataFrame, paths: list[bytes]) -> list[bytes]:
    """Pictures by their names alone, as a program knows those that are uploaded from a folder."""
    return [os.path.basename(path) for path in paths]


DATA_SETS: Mapping[Program, DataSet | AnnotationFiles | PackedFiles] = {
    "fiftyone": DataSet(
        "FiftyOne",
        fiftyone.MEDIA,
        "import runpy; pictures = runpy.run_path({script!r})['pictures']",
        describe=fiftyone.describe,
        describe_objects=fiftyone.describe_objects,
    ),
    "huggingface": DataSet(
        "Hugging Face",
        hugging_face.SPLIT,
        'datasets.load_dataset("imagefolder", data_dir={out!r})',
        places=hugging_face.places,
        describe=hugging_face.describe,
    ),
    "webdataset": PackedFiles(
        "WebDataset",
        ".tar",
        write_tar,
        "webdataset.WebDataset(sorted(glob.glob({out!r} + '/*.tar')), shardshuffle=False).decode('pil')",
        describe=write_classes,
    ),
    "parquet": PackedFiles("Parquet", ".parquet", write_parquet, "datasets.load_dataset({out!r})"),
    "croissant": PackedFiles(
        "Croissant",
        ".parquet",
        write_parquet,
        "mlcroissant.Dataset({out!r} + '/croissant.json').records('pictures')",
        describe=croissant.describe,
    ),
    "annotations": AnnotationFiles(),
    "cvat": DataSet(
        "CVAT",
        "images",
        places=_flat,
        done_by="In {out!r}: make a task of images/ with these classes, then upload annotations.xml as CVAT 1.1.",
        describe_objects=describe_for_cvat,
    ),
    "labelstudio": DataSet(
        "Label Studio",
        "images",
        places=_flat,
        done_by="In {out!r}: paste interface.xml as labelling interface, serve the folder as local storage, import "
        "tasks.json.",
        describe_objects=describe_for_label_studio,
    ),
}


def programs_of(image_set: ImageSet) -> dict[Program, DataSet | AnnotationFiles | PackedFiles]:
    """The programs that the pictures of a set can be written for."""
    return {name: one for name, one in DATA_SETS.items() if image_set.is_of_objects or not one.is_for_objects}


def program_for(image_set: ImageSet, name: Program) -> DataSet | AnnotationFiles | PackedFiles:
    """A program by its name. Raises FolderError if it is for objects and the set is of whole pictures."""
    possible = programs_of(image_set)
    if name not in possible:
        raise FolderError(
            f"{str(image_set.root)!r} is of whole pictures, and {name!r} is for objects in pictures. "
            f"Take {' or '.join(map(repr, possible))}."
        )
    return possible[name]
