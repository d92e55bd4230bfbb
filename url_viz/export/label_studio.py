"""Objects for Label Studio: pictures, tasks with pre-annotations, and the labelling interface for their classes.

The formats are documented in its guide: "Import pre-annotated data" and "Local storage".
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement

from url_viz.export.boxed_pictures import BoxedPicture
from url_viz.export.json_values import as_json, plain_value
from url_viz.export.provenance import Provenance
from url_viz.image_set import ImageSet

IMAGE, LABEL = "image", "label"


def describe(image_set: ImageSet, folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance) -> None:
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
