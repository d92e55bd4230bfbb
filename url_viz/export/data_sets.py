"""Data sets for other programs: which ones there are, how each is written, and how it is opened there."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from url_viz.export.fiftyone import SCRIPT, write_fiftyone
from url_viz.export.hugging_face import write_image_folder
from url_viz.export.picture_files import Exported, How
from url_viz.image_set import ImageSet
from url_viz.progress import ProgressCallback

Program = Literal["fiftyone", "huggingface"]


class Write(Protocol):
    """Writes pictures (all, or those in `ids`) to the new folder `out`."""

    def __call__(
        self,
        image_set: ImageSet,
        out: str | Path,
        *,
        ids: Iterable[int] | None = None,
        how: How = "link",
        with_folder: bool = False,
        progress: ProgressCallback = ...,
    ) -> Exported: ...


@dataclass(frozen=True)
class DataSet:
    """A program that pictures are written for: its `title`, how to `write`, and the Python that opens what was."""

    title: str
    write: Write
    opened_by: str

    def opening(self, out: str | Path) -> str:
        """The line of Python that opens the data set in `out`."""
        return self.opened_by.format(out=str(out), script=str(Path(out, SCRIPT)))


DATA_SETS: dict[Program, DataSet] = {
    "fiftyone": DataSet(
        "FiftyOne",
        write_fiftyone,
        "import runpy; pictures = runpy.run_path({script!r})['pictures']",
    ),
    "huggingface": DataSet(
        "Hugging Face", write_image_folder, 'datasets.load_dataset("imagefolder", data_dir={out!r})'
    ),
}
