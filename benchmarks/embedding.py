"""Embedding speed against a plain loop (timm, DataLoader, float32) and the best tuned torch loop.

    python -m benchmarks.embedding [--pictures 1992] [--large 96] [--rounds 3] [--device cuda]
                                   [--fastdup VENV/bin/python]

Every contender reads the same JPEGs, of 500 × 375 and then of 4000 × 3000, in turn within a round; figures are medians
over rounds. With --device, the loops and ours run there, and the bounds are the forward pass there and decoding on all
cores. Ours also makes thumbnails and writes the store; the loops do not. fastdup, where the Python of an
environment that has it is told (`pip install fastdup`), runs its own small network, makes no thumbnails, and looks for
duplicates; its import is not counted. Printed with the machine and versions.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import machine
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.preprocess import middle, normalised, resized
from url_viz.imaging.read import fetch_and_decode
from url_viz.models.backbone import load_backbone
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.precision import precision_here
from url_viz.models.runtime import Wait, devices
from url_viz.workspace import Workspace

SMALL = (500, 375)
LARGE = (4000, 3000)


@dataclass(frozen=True)
class Row:
    """One contender: pictures a second, median over rounds."""

    name: str
    per_s: float


class Files(Dataset[torch.Tensor]):
    """Pixels of files, as a plain torch loop reads them."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.sheet = load_backbone(DEFAULT).preprocessing

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        image, _ = decode(read_file(bytes(self.files[index])))
        crop = middle(resized(image, self.sheet), self.sheet.size_px)
        return torch.from_numpy(normalised(crop[None], self.sheet)[0])


def torch_loop(
    files: list[Path], *, channels_last: bool, workers: int, batch: int, device: str = "cpu"
) -> Callable[[], None]:
    """A loop of timm's model over a DataLoader, float32; it ends when the device has done its work."""
    backbone = load_backbone(DEFAULT).backbone.to(device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    backbone = backbone.to(memory_format=layout)  # type: ignore[call-overload]
    dataset = Files(files)

    @torch.inference_mode()
    def run() -> None:
        for pixels in DataLoader(dataset, batch_size=batch, num_workers=workers):
            backbone(pixels.to(device).contiguous(memory_format=layout))[1].cpu()

    return run


def ours(folder: Path, workspace: Path, precision: str, device: str) -> Callable[[], None]:
    """Our pipeline into a fresh store: embeddings, scores and thumbnails written; graph and map are not counted."""
    model = load_model(DEFAULT, precision=precision, device=device, workspace=workspace)  # type: ignore[arg-type]

    def run() -> None:
        from url_viz.imaging.scan import scan
        from url_viz.pipeline.embed import embed
        from url_viz.progress import silent
        from url_viz.store.writer import Writer

        with tempfile.TemporaryDirectory() as home:
            opened = Workspace.at(Path(home))
            with Writer(opened.set_paths("0" * 16), folder) as writer:
                embed(model, scan(folder.resolve()), writer, limit=None, report=silent)

    return run


def forward_only(files: list[Path], workspace: Path, device: str) -> Callable[[], None]:
    """The bare forward pass on crops that are in memory already, as many under way as the pipeline has."""
    model = load_model(DEFAULT, device=device, workspace=workspace)
    reading = fetch_and_decode(partial(read_file, bytes(files[0])), model.space.preprocessing)
    size = min(model.runtime.batch, len(files))
    crops = np.repeat(reading.crop[None], size, axis=0)  # type: ignore[union-attr]

    def run() -> None:
        under_way: deque[Wait] = deque()
        for _ in range(len(files) // size):
            under_way.append(model.start(crops))
            while len(under_way) > model.runtime.ahead:
                under_way.popleft()()
        for wait in under_way:
            wait()

    return run


def decode_only(files: list[Path], workspace: Path) -> Callable[[], None]:
    """Decoding, crop and thumbnail on one core."""
    preprocessing = load_model(DEFAULT, device="cpu", workspace=workspace).space.preprocessing

    def run() -> None:
        for path in files:
            fetch_and_decode(partial(read_file, bytes(path)), preprocessing)

    return run


def fastdup_run(python: Path, folder: Path) -> Callable[[], float]:
    """fastdup over the same files, in a process of its own that tells how long its run took."""
    code = (
        "import sys, time, fastdup; started = time.perf_counter();"
        "fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1]).run(overwrite=True, verbose=False);"
        "print('SECONDS', time.perf_counter() - started)"
    )

    def run() -> float:
        with tempfile.TemporaryDirectory() as work:
            done = subprocess.run(
                [python, "-c", code, folder, work],
                env={**os.environ, "SENTRY_OPT_OUT": "1"},
                capture_output=True,
                text=True,
                check=True,
            )
        return float(done.stdout.split("SECONDS")[-1])

    return run


def write_pictures(folder: Path, count: int, size: tuple[int, int] = SMALL) -> list[Path]:
    """JPEGs with the detail of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grain = rng.normal(0, 6, (size[1], size[0], 3))
        picture = np.clip(np.asarray(coarse, np.float32) + grain, 0, 255).astype(np.uint8)
        files.append(folder / f"{number:05d}.jpg")
        Image.fromarray(picture).save(files[-1], quality=88)
    return files


def measure(contenders: dict[str, Callable[[], float | None]], count: int, rounds: int) -> list[Row]:
    """Run every contender once a round, in turn; one that returns seconds has timed itself."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            own = run()
            seconds[name].append(own if own is not None else time.perf_counter() - started)
    return [Row(name, count / statistics.median(taken)) for name, taken in seconds.items()]


def contenders_of(
    folder: Path, files: list[Path], workspace: Path, fastdup: Path | None, device: str
) -> dict[str, Callable[[], float | None]]:
    """Who runs, by name; the first two are the loops, then ours, then the two bounds."""
    cores = os.cpu_count() or 1
    plain = torch_loop(files, channels_last=False, workers=0, batch=32, device=device)
    tuned = torch_loop(files, channels_last=True, workers=cores, batch=16 if device == "cpu" else 256, device=device)
    found: dict[str, Callable[[], float | None]] = {
        "plain loop (timm, DataLoader, float32)": plain,
        f"tuned torch loop (channels_last, {cores} workers)": tuned,
        "URL-Viz exact (float32)": ours(folder, workspace, "exact", device),
        f"URL-Viz fast ({precision_here('fast', device)})": ours(folder, workspace, "fast", device),
        "bound: forward alone (bf16)": forward_only(files, workspace, device),
        "bound: decode and thumbnail, one core": decode_only(files, workspace),
    }
    if fastdup is not None:
        found["fastdup (own small network, no thumbnails)"] = fastdup_run(fastdup, folder)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1992)
    parser.add_argument("--large", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fastdup", type=Path, default=None)
    options = parser.parse_args()
    print(f"## Embedding on {devices().get(options.device, options.device)}\n\n{machine()}\n")
    for size, count in ((SMALL, options.pictures), (LARGE, options.large)):
        with tempfile.TemporaryDirectory() as place:
            folder, workspace = Path(place) / "pictures", Path(place) / "workspace"
            files = write_pictures(folder, count, size)
            rows = measure(
                contenders_of(folder, files, workspace, options.fastdup, options.device), count, options.rounds
            )
        report(rows, f"{count:,} JPEGs of {size[0]} × {size[1]}")


def report(rows: list[Row], title: str) -> None:
    """Print the table, the ratios and the share of the bound that is reached."""
    rate = {row.name: row.per_s for row in rows}
    names, cores = list(rate), os.cpu_count() or 1
    print(f"| {title} | pictures a second | × plain loop | × tuned loop |\n|---|---|---|---|")
    for name in names:
        print(f"| {name} | {rate[name]:.0f} | {rate[name] / rate[names[0]]:.1f} | {rate[name] / rate[names[1]]:.1f} |")
    bound = 1 / (1 / rate[names[4]] + 1 / (rate[names[5]] * cores))
    print(
        f"\nBound 1 / (1/forward + decode/{cores} cores): {bound:.0f} a second; "
        f"fast reaches {rate[names[3]] / bound:.2f} of it.\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
