"""Speed of training without a cache, and of writing a cache against the bare forward pass.

    python -m benchmarks.caching [--pictures 192] [--rounds 3]

Without a cache each step runs the frozen backbone on crops (in memory already, so that decoding is not counted) before
the same step of the head that the cached way takes. Writing decodes JPEGs of 500 × 375, draws four views of each, and
embeds all five. Contenders take turns within a round; figures are medians.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.embedding import write_pictures
from benchmarks.machine import machine
from benchmarks.training import EMBEDDING_SIZE, trains
from training.cache import write_cache
from training.config import Augmentation, CacheConfig
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import CPU_BATCH as FORWARD_BATCH
from url_viz.progress import silent

BATCH = 128
VIEWS = 4
CACHED_ROWS = 20_000
CACHED_STEPS = 60
UNCACHED_STEPS = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write_pictures(Path(place) / "pictures", options.pictures)
        model = load_model(DEFAULT, device="cpu", workspace=Path(place) / "workspace")
        rates = _measured(_contenders(Path(place), model, options.pictures), options.rounds)
    print(f"## What a cache is worth, and costs\n\n{machine()}\n")
    print("| | rows a second | |\n|---|---|---|")
    uncached, cached, forward, writing = (rates[name] for name in rates)
    print(f"| training without a cache (bf16 backbone each step, crops in memory) | {uncached:,.0f} | 1.0 |")
    print(f"| training from a cache, batches of {BATCH} | {cached:,.0f} | {cached / uncached:.0f} × |")
    print(f"| the bare forward pass | {forward:,.0f} | |")
    print(f"| writing a cache ({VIEWS} views a picture, decoding too) | {writing:,.0f} | {writing / forward:.2f} × |\n")


def _contenders(place: Path, model: Model, pictures: int) -> dict[str, tuple[Callable[[], object], int]]:
    generator = np.random.default_rng(0)
    size = model.space.preprocessing.size_px
    crops = generator.integers(0, 255, (BATCH, size, size, 3), dtype=np.uint8)
    rows = torch.from_numpy(generator.normal(size=(CACHED_ROWS, EMBEDDING_SIZE)).astype(np.float16))
    losses = torch.from_numpy(generator.random(CACHED_ROWS).astype(np.float32))

    def forward() -> list[np.ndarray]:
        return [model.run(crops[s : s + FORWARD_BATCH]).embedding for s in range(0, BATCH, FORWARD_BATCH)]

    def from_backbone(places: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.concatenate(forward())), losses[places]

    def from_cache(places: np.ndarray) -> tuple[Tensor, Tensor]:
        return rows[places].float(), losses[places]

    def write() -> None:
        with tempfile.TemporaryDirectory(dir=place) as out:
            config = CacheConfig(str(place / "pictures"), Path(out) / "cache", augmentation=Augmentation(views=VIEWS))
            write_cache(config, model, silent)

    return {
        "uncached": (trains(from_backbone, CACHED_ROWS, batch=BATCH, steps=UNCACHED_STEPS), BATCH * UNCACHED_STEPS),
        "cached": (trains(from_cache, CACHED_ROWS, batch=BATCH, steps=CACHED_STEPS), BATCH * CACHED_STEPS),
        "forward": (forward, BATCH),
        "writing": (write, pictures * (VIEWS + 1)),
    }


def _measured(contenders: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):  # the first round warms up
        for name, (run, rows) in contenders.items():
            started = time.perf_counter()
            run()
            if number:
                taken[name].append(rows / (time.perf_counter() - started))
    return {name: statistics.median(rates) for name, rates in taken.items()}


if __name__ == "__main__":
    main()
