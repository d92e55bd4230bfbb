"""How many of the nearest `find_candidates` finds among photographs, and how fast.

    python -m benchmarks.approximate_search FOLDER [--keep FILE.npy]

Each picture below FOLDER is embedded as a whole and as a mirrored crop of its lower left, and all are whitened.
Candidates of all rows are compared with the exact nearest of 8,000 drawn ones. With `--keep` the embeddings are written
to a file, and read from it if it is there.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import machine
from url_viz.imaging.scan import scan
from url_viz.models.model import Model, load_model
from url_viz.pipeline import graph as approximate_nearest
from url_viz.pipeline.graph import SPARE
from url_viz.pipeline.nearest import top_k
from url_viz.pipeline.whitening import fit_whitening

K = 64
ASKED = 8000
SIZE = 224
SIDE = 256
AT_ONCE = 64
EIGHT_BITS, FOUR_BITS = 2**62, approximate_nearest.FEWEST_CODED
"""From how many rows on codes of four bits are learnt: never, and as ever."""
WAYS = ((EIGHT_BITS, 64, 2), (FOUR_BITS, 64, 2), (FOUR_BITS, 64, 4), (FOUR_BITS, 128, 4))
"""The codes, lists probed, and how many times as many candidates are ranked by float16; the last is ours."""

Crop = NDArray[np.uint8]
Half = NDArray[np.float16]


def middle(path: Path) -> Image.Image:
    """The square middle of a picture, small."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def crop(image: Image.Image, at: int = (SIDE - SIZE) // 2) -> Crop:
    """A crop of the model's size whose corner is at (at, at)."""
    return np.asarray(image.crop((at, at, at + SIZE, at + SIZE)))


def whole_and_part(path: Path) -> list[Crop]:
    """A picture, and its lower left, mirrored."""
    image = middle(path)
    part = image.crop((0, 70, 160, 230)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return [crop(image), np.asarray(part.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]


def embedded(model: Model, paths: Sequence[Path], views: Callable[[Path], list[Crop]]) -> Half:
    """Embeddings (N · V, D) of the V views of each picture."""
    parts = []
    for start in range(0, len(paths), AT_ONCE):
        crops = [view for path in paths[start : start + AT_ONCE] for view in views(path)]
        parts.append(model.as_stored(model.run(np.stack(crops)).embedding))
    return np.concatenate(parts)


def found_by(whitened: Half, asked: NDArray[np.int64], exact: NDArray[np.int32]) -> tuple[float, float, float]:
    """The shares of the K nearest and of the first found for the rows `asked`, and CPU seconds for all rows."""
    started = time.process_time()
    candidates = approximate_nearest.find_candidates(whitened, K).position[asked]
    seconds = time.process_time() - started
    hits = [np.isin(true, some) for true, some in zip(exact, candidates, strict=True)]
    return float(np.mean(hits)), float(np.mean([hit[0] for hit in hits])), seconds


def show_candidates(whitened: Half) -> None:
    """The first table."""
    asked = np.sort(np.random.default_rng(0).permutation(len(whitened))[:ASKED])
    nearest = top_k(whitened[asked], whitened, K + 1).position
    others = [row[row != own][:K] for row, own in zip(nearest, asked, strict=True)]
    print(f"{len(whitened):,} rows\n\n| codes | lists probed | ranked | {K} nearest | first | CPU s |")
    print("|---|---|---|---|---|---|")
    for fewest, probed, refined in WAYS:
        approximate_nearest.FEWEST_CODED, approximate_nearest.PROBED, approximate_nearest.REFINED = (
            fewest,
            probed,
            refined,
        )
        share, first, seconds = found_by(whitened, asked, np.stack(others))
        bits, ranked = (8 if fewest == EIGHT_BITS else 4), refined * (K + SPARE + 1)
        print(f"| {bits} bits | {probed} | {ranked} | {share:.3f} | {first:.4f} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    model, paths = (
        load_model(device="cpu"),
        [asked.folder / os.fsdecode(file.path) for file in scan(asked.folder).files],
    )
    if asked.keep is not None and asked.keep.exists():
        rows = np.load(asked.keep)
    else:
        rows = embedded(model, paths, whole_and_part)
        if asked.keep is not None:
            np.save(asked.keep, rows)
    space = fit_whitening(rows)
    print(machine())
    show_candidates(space.transform(rows))


if __name__ == "__main__":
    main()
