"""Objects for CVAT and Label Studio, as pictures with the boxes that are there to be corrected.

The formats are documented in CVAT's manual ("XML annotation format": CVAT for images 1.1, uploaded to a task) and in
Label Studio's guide ("Import pre-annotated data", "Local storage").
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement

from url_viz.export.boxed_pictures import BoxedPicture
from url_viz.export.provenance import Provenance
from url_viz.export.table_files import as_json, plain_value
from url_viz.image_set import ImageSet

IMAGE, LABEL = "image", "label"


def describe_for_cvat(image_set: ImageSet, folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance) -> None:
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


def describe_for_label_studio(
    image_set: ImageSet, folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance
) -> None:
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
