"""The effect of scaled JPEG decoding on scores: `python -m benchmarks.scaled_decoding [FOLDER]`.

A JPEG far larger than the backbone's input is decoded at 1/2, 1/4 or 1/8 of its size (DCT scaling), which is faster.
This compares the scores with those of whole decoding, over the JPEGs of a folder that are at least four times as large
as the input; without a folder, over the demo's spoiled photographs enlarged to 12 megapixels.
"""

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import spearmanr

from benchmarks.machine import machine
from url_viz.base.errors import ImageError
from url_viz.base.workspace import Workspace
from url_viz.demo import build_spoiled
from url_viz.imaging.decode import decode, middle, read_file, resized
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT

LARGE = (4000, 3000)
LEAST_RATIO = 4
MOST = 300


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=None)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place:
        model = load_model(DEFAULT, device="cpu", precision="exact", workspace=Path(place))
        pictures = _from_demo(Path(place)) if folder is None else _large_jpegs(folder, model)
        whole, whole_s = _crops(pictures, model, short_side_px=None)
        scaled, scaled_s = _crops(pictures, model, short_side_px=model.space.preprocessing.resize_px)
        before, after = model.run(whole), model.run(scaled)
        pairs = {
            "uncertainty": (model.uncertainty(before.embedding), model.uncertainty(after.embedding)),
            "entropy": (before.entropy, after.entropy),
        }
    print(f"## Decoding big JPEGs at a part of their size\n\n{machine()}\n")
    print(f"{len(pictures)} JPEGs, median {statistics.median(len(p) for p in pictures) / 1e6:.1f} MB.\n")
    print(f"- decoded {whole_s / scaled_s:.1f} × as fast ({1000 * scaled_s / len(pictures):.0f} ms a picture)")
    for name, (a, b) in pairs.items():
        print(f"- {name}: Spearman {spearmanr(a, b).statistic:.4f}")
    cosine = np.sum(_unit(before.embedding) * _unit(after.embedding), axis=1)
    print(f"- embeddings: cosine {cosine.mean():.4f} on average, {cosine.min():.4f} at the least\n")


def _large_jpegs(folder: Path, model: Model) -> list[bytes]:
    least_px = LEAST_RATIO * model.space.preprocessing.resize_px
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")):
        try:
            data = read_file(bytes(path))
            size = decode(data, short_side_px=1)[1]
        except ImageError:
            continue
        if min(size) >= least_px:
            found.append(data)
        if len(found) == MOST:
            break
    return found


def _from_demo(place: Path) -> list[bytes]:
    root = build_spoiled(Workspace.at(place))
    rng = np.random.default_rng(0)
    return [_enlarged(path, rng) for path in sorted(root.rglob("*.jpg"))[::3]]


def _enlarged(path: Path, rng: np.random.Generator) -> bytes:
    with Image.open(path) as image:
        large = np.asarray(image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC), np.float32)
    grain = np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grain).save(file, "JPEG", quality=88)
    return file.getvalue()


def _crops(
    pictures: list[bytes], model: Model, *, short_side_px: int | None
) -> tuple["np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", float]:
    sheet = model.space.preprocessing
    started = time.perf_counter()
    options = {} if short_side_px is None else {"short_side_px": short_side_px}
    crops = [middle(resized(decode(data, **options)[0], sheet), sheet.size_px) for data in pictures]
    return np.stack(crops), time.perf_counter() - started


def _unit(
    rows: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
