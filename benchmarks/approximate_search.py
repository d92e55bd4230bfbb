"""How many of the nearest `find_candidates` finds among photographs, and how fast; how alike twins are when whitened.

    python -m benchmarks.approximate_search FOLDER [--keep FILE.npy]

Each picture below FOLDER is embedded as a whole and as a mirrored crop of its lower left, and all are whitened.
Candidates of all rows are compared with the exact nearest of 8,000 drawn ones. Then 1,200 pictures are saved again,
made smaller, moved and made brighter: the whitened cosines of those that are twins of their original say where to look
for twins. With `--keep` the embeddings are written to a file, and read from it if it is there.
"""

import argparse
import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks.machine import machine
from url_viz.imaging.scan import scan
from url_viz.models.model import Model, load_model
from url_viz.pipeline import approximate_nearest
from url_viz.pipeline.nearest import top_k
from url_viz.pipeline.twins import TWIN_COSINE
from url_viz.pipeline.whitening import fit_whitening
from url_viz.rows import l2_normalize
from url_viz.store.whitened_rows import Whitening

K = 64
ASKED = 8000
ALTERED = 1200
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


def altered(path: Path) -> list[Crop]:
    """A picture, then what people make of one: JPEGs of three qualities, smaller, moved twice, brighter."""
    image = middle(path)
    saved = [crop(_saved(image, quality)) for quality in (20, 50, 80)]
    smaller = image.resize((140, 140)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    brighter = ImageEnhance.Brightness(image).enhance(1.15)
    return [crop(image), *saved, crop(smaller), crop(image, 20), crop(image, 24), crop(brighter)]


def _saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


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
        bits, ranked = (8 if fewest == EIGHT_BITS else 4), refined * (K + approximate_nearest.SPARE + 1)
        print(f"| {bits} bits | {probed} | {ranked} | {share:.3f} | {first:.4f} | {seconds:.0f} |", flush=True)


def show_twins(model: Model, paths: Sequence[Path], space: Whitening) -> None:
    """How alike the twins among altered pictures are in the whitened space."""
    rows = embedded(model, paths, altered)
    raw, white = (_with_original(each, len(paths)) for each in (rows, space.transform(rows)))
    of_twins = white[raw >= TWIN_COSINE]
    lowest, low = np.quantile(of_twins, [0, 0.001])
    print(
        f"\n{len(of_twins):,} of {raw.size:,} are twins; whitened cosine from {lowest:.3f}, all but .1 % from {low:.3f}"
    )


def _with_original(rows: NDArray[np.floating], pictures: int) -> NDArray[np.float32]:
    unit = l2_normalize(rows).reshape(pictures, -1, rows.shape[1])
    cosines: NDArray[np.float32] = np.einsum("pd,pvd->pv", unit[:, 0], unit[:, 1:])
    return cosines


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
    show_twins(model, [paths[i] for i in np.random.default_rng(5).permutation(len(paths))[:ALTERED]], space)


if __name__ == "__main__":
    main()
