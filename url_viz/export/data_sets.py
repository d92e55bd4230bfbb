"""Data sets for other programs: which ones there are, how each is written, and how it is opened there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from url_viz.export import fiftyone, hugging_face
from url_viz.export.picture_files import Exported, How, lay_out, new_folder, rows_to_export, safe_names
from url_viz.export.provenance import Provenance, provenance
from url_viz.image_set import ImageSet
from url_viz.progress import ProgressCallback, silent

Program = Literal["fiftyone", "huggingface"]


@dataclass(frozen=True)
class DataSet:
    """A program that pictures are written for: its `title`, and the Python that opens what was written (`opened_by`).

    Pictures lie in the folder `media`, at the `places` that a program has for them, given their rows and root-relative
    paths; `describe` adds what else it reads, given the folder, rows, names of files in `media`, and provenance.
    """

    title: str
    opened_by: str
    media: str
    places: Callable[[ImageSet, pd.DataFrame, list[bytes]], list[bytes]]
    describe: Callable[[ImageSet, Path, pd.DataFrame, list[str], Provenance], None]

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
        """Write pictures (all, or those in `ids`) to the new folder `out`, as links or copies.

        Pictures whose file cannot be opened are left out, and listed. Raises FolderError if `out` is not new or empty
        or cannot be written, ImageSetError if nothing is to be exported.
        """
        table, paths = rows_to_export(image_set, ids)
        names = safe_names(self.places(image_set, table, paths), table["id"])
        with new_folder(out, image_set) as folder:
            done = lay_out(image_set, paths, [folder / self.media / name for name in names], how=how, progress=progress)
            done.write_left_out(folder)
            origin = provenance(image_set, with_folder=with_folder)
            self.describe(image_set, folder, table.iloc[done.rows], [names[row] for row in done.rows], origin)
        return Exported(Path(out).expanduser().absolute(), len(done.rows), done.left_out)

    def opening(self, out: str | Path) -> str:
        """The line of Python that opens the data set in `out`."""
        return self.opened_by.format(out=str(out), script=str(Path(out, fiftyone.SCRIPT)))


DATA_SETS: dict[Program, DataSet] = {
    "fiftyone": DataSet(
        "FiftyOne",
        "import runpy; pictures = runpy.run_path({script!r})['pictures']",
        fiftyone.MEDIA,
        lambda image_set, table, paths: paths,
        fiftyone.describe,
    ),
    "huggingface": DataSet(
        "Hugging Face",
        'datasets.load_dataset("imagefolder", data_dir={out!r})',
        hugging_face.SPLIT,
        hugging_face.places,
        hugging_face.describe,
    ),
}
