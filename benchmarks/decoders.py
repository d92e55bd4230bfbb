"""Cost of decoding uploads in separate processes: `python -m benchmarks.decoders [FOLDER] [--rounds 9]`.

The same JPEGs are read and scored, in turn, by threads of this process and by the warm processes that the app uses:
200 at a time, and 40 of them each by itself. Without a folder they are made here, of 500 × 375. Ratios are of medians.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from url_viz.analysis.outside.uploads import score
from url_viz.imaging.digest import content_key
from url_viz.imaging.read import picture_of
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.imaging.workers import Decoders
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT

COUNT = 200
SIZE = (500, 375)
ALONE = 40
"""Files that are uploaded by themselves in each round."""

Files = Sequence[IncomingFile]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=None)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    files = _made() if asked.folder is None else _of_folder(asked.folder)
    with tempfile.TemporaryDirectory() as workspace:
        model = load_model(DEFAULT, device="cpu", workspace=workspace)
        ways = (_by_threads(model), _by_processes(model))
        many = _compared(ways, [files], rounds=asked.rounds)
        one = _compared(ways, [[file] for file in files[:ALONE]], rounds=asked.rounds)
    started = statistics.median(_start_s(files[0], model) for _ in range(5))
    print(f"## Uploads, decoded in processes of their own\n\n{machine()}\n")
    print(f"{len(files)} JPEGs, median {statistics.median(len(file.data) for file in files) / 1e3:.0f} kB.\n")
    print(f"- {len(files)} at once: {many[0]:.2f} times what threads of the server take, {many[1]:.1f} ms a picture")
    print(f"- one by itself: {one[0]:.2f} times, {one[1]:.1f} ms")
    print(f"- the first one, which starts a process: {1000 * started:.0f} ms more\n")


def _made() -> Files:
    rng = np.random.default_rng(0)
    return [IncomingFile(f"{number}.jpg", _jpeg(rng)) for number in range(COUNT)]


def _jpeg(rng: np.random.Generator) -> bytes:
    coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = np.clip(np.asarray(coarse, np.float32) + rng.normal(0, 6, (SIZE[1], SIZE[0], 3)), 0, 255)
    file = io.BytesIO()
    Image.fromarray(grain.astype(np.uint8)).save(file, "JPEG", quality=88)
    return file.getvalue()


def _of_folder(folder: Path) -> Files:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return [IncomingFile(path.name, path.read_bytes()) for path in paths[:COUNT]]


def _by_threads(model: Model) -> Callable[[Files], None]:
    sheet = model.space.preprocessing

    def run(files: Files) -> None:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            read = threads.map(lambda file: picture_of(file.data, sheet, content=content_key(file.data)), files)
            model.run(np.stack([picture.crop for picture in read]))

    return run


def _by_processes(model: Model) -> Callable[[Files], None]:
    def run(files: Files) -> None:
        score(files, partial(nullcontext, model))

    return run


def _compared(ways: Sequence[Callable[[Files], None]], batches: Sequence[Files], *, rounds: int) -> tuple[float, float]:
    """How much longer the second way takes than the first, and its milliseconds a picture, at the median."""
    seconds = np.array([[_taken_s(way, batch) for way in ways] for _ in range(rounds + 1) for batch in batches])
    first, second = np.median(seconds[len(batches) :], axis=0)  # without the round that warms up
    return float(second / first), 1000 * float(second) / len(batches[0])


def _taken_s(way: Callable[[Files], object], files: Files) -> float:
    started = time.perf_counter()
    way(files)
    return time.perf_counter() - started


def _start_s(file: IncomingFile, model: Model) -> float:
    with closing(Decoders(1)) as other:
        first, second = (_taken_s(lambda _: other.read(file.data, model.space.preprocessing), []) for _ in range(2))
    return first - second


if __name__ == "__main__":
    main()
