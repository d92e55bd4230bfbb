"""One small set of objects in each format of annotations: pictures of noise, three objects of two classes in each."""

import json
from pathlib import Path
from typing import Literal

from tests.imaging.pictures import noise

Kind = Literal["YOLO", "COCO", "VOC", "LabelMe"]
KINDS: tuple[Kind, ...] = ("YOLO", "COCO", "VOC", "LabelMe")
SIZE = 160, 120
BOXES = ((10, 12, 48, 42), (72, 24, 64, 66), (0, 0, 30, 30))
"""Left, top, width and height."""
CLASSES = ("cat", "dog")
LABELS = ("cat", "dog", "cat")


def write_annotated(root: Path, kind: Kind, *, pictures: int = 2) -> Path:
    """Write the set below `root`; returns what names it, the file or the folder (VOC, LabelMe)."""
    images = root / {"VOC": "JPEGImages", "LabelMe": ""}.get(kind, "images")
    images.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        noise(number, width=SIZE[0], height=SIZE[1]).save(images / f"{number}.png")
    return {"YOLO": _yolo, "COCO": _coco, "VOC": _voc, "LabelMe": _labelme}[kind](root, pictures)


def _yolo(root: Path, pictures: int) -> Path:
    (root / "labels").mkdir()
    for number in range(pictures):
        middles = [((x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1]) for x, y, w, h in BOXES]
        lines = [
            f"{CLASSES.index(label)}  {' '.join(map(str, box))}\r\n" for label, box in zip(LABELS, middles, strict=True)
        ]
        (root / "labels" / f"{number}.txt").write_bytes("".join(lines).encode())
    (root / "data.yaml").write_text("# classes\ntrain: images\nnames: {0: cat, 1: dog}\n")
    return root / "data.yaml"


def _coco(root: Path, pictures: int) -> Path:
    document = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": SIZE[0], "height": SIZE[1]} for n in range(pictures)],
        "categories": [{"id": 1 + number, "name": name} for number, name in enumerate(CLASSES)],
        "annotations": [
            {"id": 10 * n + k, "image_id": n, "category_id": 1 + CLASSES.index(LABELS[k]), "bbox": box}
            for n in range(pictures)
            for k, box in enumerate(BOXES)
        ],
    }
    (root / "instances.json").write_text(json.dumps(document, indent=1))
    return root / "instances.json"


def _voc(root: Path, pictures: int) -> Path:
    (root / "Annotations").mkdir()
    for number in range(pictures):
        objects = "".join(
            f"\t<object>\n\t\t<name>{label}</name>\n\t\t<bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox>\n\t</object>\n"
            for label, (x, y, w, h) in zip(LABELS, BOXES, strict=True)
        )
        text = f"<annotation>\n\t<filename>{number}.png</filename>\n{objects}</annotation>\n"
        (root / "Annotations" / f"{number}.xml").write_text(text)
    return root


def _labelme(root: Path, pictures: int) -> Path:
    for number in range(pictures):
        shapes = []
        for label, (x, y, w, h) in zip(LABELS, BOXES, strict=True):
            kind, points = "rectangle", [[x, y], [x + w, y + h]]
            if label == "dog":
                kind, points = "polygon", [[x, y], [x + w, y], [x, y + h]]
            shapes.append({"label": label, "points": points, "group_id": None, "shape_type": kind})
        named = {"imagePath": f"{number}.png", "imageHeight": SIZE[1], "imageWidth": SIZE[0], "imageData": None}
        document = {"version": "5.5.0", "flags": {}, "shapes": shapes, **named}
        (root / f"{number}.json").write_text(json.dumps(document, ensure_ascii=False, indent=2))
    return root
