"""Objects for CVAT: pictures and an `annotations.xml` in its format "CVAT for images 1.1", to be uploaded to a task.

The format is documented in CVAT's manual, "XML annotation format".
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from url_viz.export.boxed_pictures import BoxedPicture
from url_viz.export.provenance import Provenance
from url_viz.image_set import ImageSet


def describe(image_set: ImageSet, folder: Path, pictures: Sequence[BoxedPicture], origin: Provenance) -> None:
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
