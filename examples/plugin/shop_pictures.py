"""A measure, a check and an annotation format for URL-Viz, of a package of its own (see pyproject.toml)."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import FolderError
from url_viz.columns.measures import PICTURE, Measure
from url_viz.columns.table import Frame
from url_viz.findings.checks import Check, Said, undecided
from url_viz.imaging.annotations.annotated import AnnotatedObject, Annotations
from url_viz.imaging.annotations.annotation_format import Changes, annotation_bytes, decoded, files_below
from url_viz.labels.questions import ask_use

PANORAMA = 3.0
COLUMNS = ("path", "label", "x", "y", "width", "height")


def shape_distance(base: Frame) -> NDArray[np.float64]:
    """How far each picture (N,) is from the usual ratio of width to height, as a ratio's logarithm.

    A measure is a function of columns, which its parameters name: `base` is what is stored of the pictures, `whitened`
    their rows in the whitened space, `graph` their neighbours (`url_viz.column_list`).
    """
    ratio = np.log(base.table["width"].to_numpy(float) / base.table["height"].to_numpy(float))
    return np.asarray(np.abs(ratio - np.median(ratio)))


UNUSUAL_SHAPE = Measure(
    "unusual_shape",
    "Unusual shape",
    knows=PICTURE,
    meaning="How far a picture is from the usual ratio of width to height.",
    colour="#445566",
    make=shape_distance,
)


def find_panoramas(base: Frame) -> pd.DataFrame:
    """Pictures that are much wider than high, the widest first."""
    ratio = base.table["width"] / base.table["height"]
    wide = ratio[ratio >= PANORAMA].sort_values(ascending=False)
    return pd.DataFrame({"id": base.table["id"][wide.index], "suggested": None})


def say_panoramas(left: int) -> Said:
    """What Explore and Review say of those that are left to decide on."""
    return Said(left, f"{left:,} panorama{'' if left == 1 else 's'}")


PANORAMAS = Check(
    "panoramas",
    finds=find_panoramas,
    place=155,
    says=say_panoramas,
    short="panorama{s}",
    why="A classifier that crops a square sees a third of them.",
    title="Panoramas",
    ask=ask_use,
    bound=undecided,
)


class BoxTable:
    """A CSV file beside the pictures: path, label, x, y, width, height, in pixels from the upper left corner."""

    name = "Box table"
    usual_names = ("boxes.csv",)
    numbers_classes, numbers_as_detectors = False, False

    def is_at(self, path: Path) -> bool:
        return path.name == "boxes.csv" and path.is_file()

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        text = decoded(annotation_bytes(path, within=within), "utf-8")
        rows = csv.DictReader(io.StringIO(text))
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise FolderError(f"{str(path)!r} has the columns {rows.fieldnames}. Give it {', '.join(COLUMNS)}.")
        annotations = Annotations(self.name, path.parent, files=[path.name.encode()])
        for line, row in enumerate(rows, start=1):
            try:
                box = float(row["x"]), float(row["y"]), float(row["width"]), float(row["height"])
            except (TypeError, ValueError) as error:
                annotations.fail(f"line {line + 1}", str(error))
                continue
            picture = annotations.picture(row["path"].encode())
            picture.file = path.name.encode()
            item = AnnotatedObject(str(line), row["label"], box, place=line)
            annotations.add(picture.path, item, where=f"line {line + 1}")
        return annotations

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        return files_below(annotations.base, annotations.files)

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        lines = decoded(data, "utf-8").splitlines(keepends=True)
        kept = [lines[0]]
        for place, line in enumerate(lines[1:], start=1):
            label = changes.get(place, "")
            if label is not None:  # None takes the object out
                kept.append(_relabelled(line, label) if label else line)
        return "".join(kept).encode()


def _relabelled(line: str, label: str) -> str:
    path, _, *box = next(csv.reader([line]))
    written, end = io.StringIO(), line[len(line.rstrip("\r\n")) :]
    csv.writer(written, lineterminator=end).writerow([path, label, *box])
    return written.getvalue()


BOX_TABLE = BoxTable()
