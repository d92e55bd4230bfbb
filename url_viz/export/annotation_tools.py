"""Pictures with the boxes in them as other programs take them: CVAT and Label Studio, to correct the boxes.

The formats are documented in CVAT's manual ("XML annotation format": CVAT for images 1.1, uploaded to a task) and in
Label Studio's guide ("Import pre-annotated data", "Local storage").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement

import pandas as pd

from url_viz.export.provenance import Provenance
from url_viz.export.table_files import as_json, plain_value
from url_viz.image_set import ImageSet
from url_viz.imaging.places import PictureSize, Size, picture_path
from url_viz.imaging.workers import decoders
from url_viz.store.columns.object_columns import BOX_COLUMNS

IMAGE, LABEL = "image", "label"


@dataclass(frozen=True)
class BoxedPicture:
    """A picture: its `file` in the data set, upright width and height, its `objects` as rows of `ImageSet.table()`."""

    file: str
    size: Size
    objects: pd.DataFrame

    def boxes(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        """Each object's row, and its box within the picture: left, top, right and bottom in pixels."""
        for row in self.objects.to_dict("records"):
            x, y, width, height = (float(row[name]) for name in BOX_COLUMNS[:4])
            across, down = self.size
            ends = max(0.0, x), max(0.0, y), min(float(across), x + width), min(float(down), y + height)
            yield {str(name): value for name, value in row.items()}, ends

    def labelled(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        return (
            (row, ends) for row, ends in self.boxes() if isinstance(row["label"], str) and row["decision"] != "drop"
        )


def by_picture(paths: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The rows of the objects (paths of N objects) in each picture, by its path, in their order."""
    rows: dict[bytes, list[int]] = {}
    for row, path in enumerate(paths):
        rows.setdefault(picture_path(path), []).append(row)
    return rows


def size_of(image_set: ImageSet, path: bytes) -> Size:
    """Width and height of an object's picture, upright. Raises ImageError as `SetFiles.open` does."""
    with image_set.files.open(path) as file:
        return PictureSize(*decoders.header_of(file.read())).upright


def describe_for_cvat(folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance) -> None:
    """Write annotations.xml: a box of its class for each object, but for dropped ones and those without a class."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    for number, picture in enumerate(pictures):
        width, height = map(str, picture.size)
        image = SubElement(root, "image", id=str(number), name=Path(picture.file).name, width=width, height=height)
        for row, ends in picture.labelled():
            corners = {name: f"{end:.2f}" for name, end in zip(("xtl", "ytl", "xbr", "ybr"), ends, strict=True)}
            SubElement(image, "box", {"label": row["label"], "occluded": "0", "z_order": "0", **corners})
    ElementTree(root).write(folder / "annotations.xml", encoding="utf-8", xml_declaration=True)


def describe_for_label_studio(folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance) -> None:
    """Write tasks.json, a task for each picture with its boxes as a prediction, and interface.xml with the classes.

    Addresses of pictures are those of a local storage whose document root is the folder above `folder`.
    """
    tasks = [_task(picture, f"{folder.name}/{picture.file}", f"url-viz {origin.version}") for picture in pictures]
    (folder / "tasks.json").write_text(as_json(tasks, indent=1), "utf-8")
    view = Element("View")
    SubElement(view, "Image", name=IMAGE, value="$image")
    labels = SubElement(view, "RectangleLabels", name=LABEL, toName=IMAGE)
    for name in sorted({row["label"] for picture in pictures for row, _ in picture.labelled()}):
        SubElement(labels, "Label", value=name)
    ElementTree(view).write(folder / "interface.xml", encoding="utf-8")


def _task(picture: BoxedPicture, path: str, version: str) -> dict[str, object]:
    width, height = picture.size
    results = []
    for row, (left, top, right, bottom) in picture.labelled():
        percent = {
            "x": left / width,
            "y": top / height,
            "width": (right - left) / width,
            "height": (bottom - top) / height,
        }
        value = {name: round(100 * share, 4) for name, share in percent.items()}
        results.append(
            {
                "id": str(row["id"]),
                "type": "rectanglelabels",
                "from_name": LABEL,
                "to_name": IMAGE,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {**value, "rotation": 0, "rectanglelabels": [row["label"]]},
                "meta": {"ambiguity": plain_value(row.get("ambiguity"))},
            }
        )
    address = f"/data/local-files/?d={quote(path)}"
    return {"data": {IMAGE: address}, "predictions": [{"model_version": version, "result": results}]}
