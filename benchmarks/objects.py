"""Cost of reading objects, against as many pictures of their crops' size: `python -m benchmarks.objects [ANNOTATIONS]`.

The same objects are read twice, in turn within a round: as places in their pictures, and as JPEGs of their crops, made
before; every picture's decoding, by itself, is added to the latter. Reading is decoding, thumbnail and forward pass;
nothing is stored. Ratios are of medians of processor time, of all processes: what else runs hardly changes it. Without
ANNOTATIONS (YOLO, COCO, VOC) pictures are made here: 60 of 640 × 480 with 24 boxes each. Last, peak memory of a process
that reads one picture with 200 boxes, and one with 2,000.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.places import cut
from url_viz.imaging.source import Folder, Objects, Source
from url_viz.imaging.workers import decoders
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.embedded import Embedding, embed_files

PICTURES, BOXES, SIZE = 60, 24, (640, 480)
CROWDED = (200, 2000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, nargs="?", default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crowded", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if asked.crowded is not None:
            print(_peak_mb(Path(place), asked.crowded))
            return
        path = asked.annotations or made(Path(place) / "made", pictures=PICTURES, boxes=BOXES)
        print(_compared(Objects(path), Path(place), rounds=asked.rounds))
    print(f"- {_memory()}\n")


def _compared(objects: Objects, place: Path, *, rounds: int) -> str:
    model = load_model(DEFAULT, device="cpu", workspace=place)
    files = sorted({bytes(objects.base) + b"/" + at.picture for _, _, at in objects.facts.values()})
    crops = Folder(_saved(objects, place / "crops"))
    ways: list[Callable[[], object]] = [
        lambda: read_whole(Objects(objects.root), model),
        lambda: read_whole(crops, model),
        lambda: [decode(read_file(file)) for file in files],
    ]
    seconds = np.array([[taken_s(way) for way in ways] for _ in range(rounds + 1)])[1:]  # the first warms up
    as_places, as_files, decoding = np.median(seconds, axis=0)
    count = len(objects.facts)
    return "\n".join(
        [
            f"## Objects in pictures\n\n{machine()}\n",
            f"{count} objects in {len(files)} pictures, medians of {rounds} rounds.\n",
            f"- {as_places / (as_files + decoding):.2f} times as long as files of the crops' size and decoding each "
            f"picture once ({as_places / as_files:.2f} times as long as the files)",
            f"- {1000 * as_places / count:.1f} ms an object; {1000 * as_files / count:.1f} as a file, "
            f"{1000 * decoding / len(files):.1f} to decode a picture",
        ]
    )


def read_whole(source: Source, model: Model) -> None:
    """List, decode and embed a source; nothing is stored."""
    embedding = Embedding([model], source, set(), [set()])
    for _ in embed_files(embedding, source.list().files):
        pass


def _saved(objects: Objects, folder: Path) -> Path:
    """The crops as JPEGs."""
    folder.mkdir()
    for number, (_, _, place) in enumerate(objects.facts.values()):
        image = decode(read_file(bytes(objects.base) + b"/" + place.picture))[0]
        cut(image, place.box, place.margin).save(folder / f"{number}.jpg", quality=92)
    return folder


def made(folder: Path, *, pictures: int, boxes: int) -> Path:
    """JPEGs of coarse noise with boxes of 40 to 200 px, as a YOLO set; its data.yaml."""
    rng, (width, height) = np.random.default_rng(0), SIZE
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(pictures):
        coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        coarse.resize(SIZE, Image.Resampling.BICUBIC).save(folder / "images" / f"{number}.jpg", quality=90)
        side = rng.uniform(40, 200, boxes)
        x, y = rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)
        rows = np.column_stack([0 * x, x / width, y / height, side / width, side / height])
        np.savetxt(folder / "labels" / f"{number}.txt", rows, fmt="%d %.6f %.6f %.6f %.6f")
    (folder / "data.yaml").write_text(json.dumps({"train": "images", "names": ["thing"]}))
    return folder / "data.yaml"


def _memory() -> str:
    """Peaks of processes of their own, since a peak never falls."""
    command = [sys.executable, "-m", "benchmarks.objects", "--crowded"]
    few, many = (
        float(subprocess.run([*command, str(boxes)], check=True, stdout=subprocess.PIPE, text=True).stdout)
        for boxes in CROWDED
    )
    return f"peak memory with {CROWDED[0]} boxes in one picture {few:.0f} MB, with {CROWDED[1]:,} {many:.0f} MB"


def _peak_mb(place: Path, boxes: int) -> float:
    """Of this process and of its largest decoding process, while one picture is read."""
    model = load_model(DEFAULT, device="cpu", workspace=place)
    read_whole(Objects(made(place / "made", pictures=1, boxes=boxes)), model)
    return sum(used.ru_maxrss for used in _used()) / (1 << (20 if sys.platform == "darwin" else 10))


def taken_s(way: Callable[[], object]) -> float:
    """Processor time of a call, its decoding processes included, in seconds."""
    before = sum(used.ru_utime + used.ru_stime for used in _used())
    way()
    return sum(used.ru_utime + used.ru_stime for used in _used()) - before


def _used() -> "list[resource.struct_rusage]":
    """What this process has used, and what those that decode and unpack for it, which end with this call."""
    decoders.close()
    readers.close()
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


if __name__ == "__main__":
    main()
