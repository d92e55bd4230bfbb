"""Small trees in the layouts that published sets are unpacked into."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.imaging.pictures import noise


def picture(path: Path, seed: int = 0) -> Path:
    """One small picture at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "PNG" if path.suffix == ".png" else "JPEG"
    noise(seed, width=24, height=24).save(path, kind)
    return path


def cub(root: Path, counts: Iterable[int]) -> Path:
    """CUB_200_2011 with as many pictures in each class as told; its tenth class sorts after its second."""
    for number, count in enumerate(counts, 1):
        for place in range(count):
            picture(root / "CUB_200_2011" / "images" / f"{number:d}.Bird_{number}" / f"Bird_{place:04d}.jpg")
    return root


def sop(root: Path, *, products: dict[str, dict[int, dict[int, int]]]) -> Path:
    """Stanford_Online_Products: list name → super-class id → class id → number of pictures."""
    for name, super_classes in products.items():
        lines = ["image_id class_id super_class_id path"]
        for super_id, classes in super_classes.items():
            for class_id, count in classes.items():
                for place in range(count):
                    path = f"thing{super_id}_final/{class_id}_{place}.JPG"
                    lines.append(f"{len(lines)} {class_id} {super_id} {path}")
                    picture(root / path)
        (root / f"Ebay_{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def collection(root: Path, votes: Mapping[str, Sequence[str | None]]) -> Path:
    """A set of the soft-label collection; path below the set's folder → the votes, one annotator after another."""
    for path in votes:
        picture(root / path)
    most = max(len(cast) for cast in votes.values())
    annotators = [
        {
            "name": f"annotator {number}",
            "annotations": [
                {"image_path": f"Set/{path}", "class_label": cast[number]}
                for path, cast in votes.items()
                if number < len(cast)
            ],
        }
        for number in range(most)
    ]
    (root / "annotations.json").write_text(json.dumps(annotators))
    return root


def imagenet(root: Path, *, yes: dict[tuple[int, int], int], real: list[list[int]], raters: int = 5) -> Path:
    """ImageNet's validation pictures in class folders; (picture from 1, label) → how many raters said yes."""
    for number in range(1, len(real) + 1):
        picture(root / "val" / f"n{number % 2:08d}" / f"ILSVRC2012_val_{number:08d}.JPEG")
    answers = np.zeros((raters, len(yes), 3), np.int8)
    for question, count in enumerate(yes.values()):
        answers[:count, question, 2] = 1
        answers[count:, question, 0] = 1
    info = np.array([(f"ILSVRC2012_val_{number:08d}.JPEG", str(label)) for number, label in yes])
    np.savez(root / "raters.npz", tensor=answers, info=info, ids=np.arange(raters))
    (root / "real.json").write_text(json.dumps(real))
    return root
