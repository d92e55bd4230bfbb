"""What a cache is worth to training: over running the backbone, and over the authors' way of reading their caches.

    python -m benchmarks.caching [--pictures 192] [--rounds 3] [--table]

All three take the same steps of the same head. Without a cache each step runs the frozen backbone on crops (in memory
already, so that decoding is not counted); the authors' way reads single rows of HDF5 and runs the classifier on each
batch; ours reads rows and their losses from a memory map. Writing decodes JPEGs of 500 × 375, draws four views of each,
and embeds all five. Contenders take turns within a round; figures are medians, by the clock and by processor time (of
all cores; steadier where other work runs beside). They go to experiments/caching.json, from which --table prints the
table of docs/performance.md.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.embedding import write_pictures
from benchmarks.machine import machine
from benchmarks.training import made, measure, theirs, trains
from experiments.figure_files import read_figures, write_figures
from training.cache import write_cache
from training.command import markdown
from training.config import Augmentation, CacheConfig
from training.training_rows import training_rows
from url_viz.base.progress import silent
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import CPU_BATCH as FORWARD_BATCH

FIGURES = Path(__file__).parents[1] / "experiments" / "caching.json"
BATCH = 128
VIEWS = 4
CLASSES = 1000
CACHED_ROWS = 20_000
CACHED_STEPS = 60
SLOW_STEPS = {"backbone": 3, "authors": 20}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
TITLES = {
    "backbone": "the backbone on every batch (bf16, crops in memory)",
    "authors": "the authors' way: single rows of HDF5, the classifier on each batch",
    "cached": "our cache, memory-mapped",
}


def main() -> None:
    """Measure and store, or only read; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.table:
        write_figures(measured(options.pictures, options.rounds), FIGURES, digits=1)
    print(table(read_figures(FIGURES)))


def measured(pictures: int, rounds: int) -> dict[str, Any]:
    """Rows a second of each way, on this machine."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_pictures(place / "pictures", pictures)
        model = load_model(DEFAULT, device="cpu", workspace=place / "workspace")
        data = made(place, CACHED_ROWS, CLASSES)
        with h5py.File(data.hdf5, "r") as source:
            training = training_rows(data.cache, held_out=0.1, device=torch.device("cpu"))
            authors = theirs(source, data.classifier, training.training)
            mapped, count = replace(training, resident=None), len(training.training)
            backbone = _from_backbone(model, training.task_loss)
            ways = {"backbone": backbone, "authors": authors, "cached": mapped.batch_at}
            steps = {name: SLOW_STEPS.get(name, CACHED_STEPS) for name in ways}
            contenders: dict[str, tuple[Callable[[], None], int]] = {
                name: (trains(take, count, batch=BATCH, steps=steps[name]), BATCH * steps[name])
                for name, take in ways.items()
            }
            contenders |= _writing(place, model, pictures)
            rates = {clock: measure(contenders, rounds, clock=CLOCKS[clock]) for clock in CLOCKS}
    config = {"batch": BATCH, "classes": CLASSES, "rounds": rounds, "views": VIEWS}
    return {"machine": machine(), "model": DEFAULT, "config": config, "rows_a_second": rates}


def _crops(model: Model) -> np.ndarray:
    size = model.space.preprocessing.size_px
    return np.random.default_rng(0).integers(0, 255, (BATCH, size, size, 3), dtype=np.uint8)


def _embedded(model: Model, crops: np.ndarray) -> np.ndarray:
    starts = range(0, BATCH, FORWARD_BATCH)
    return np.concatenate([model.run(crops[start : start + FORWARD_BATCH]).embedding for start in starts])


def _from_backbone(model: Model, losses: Tensor) -> Callable[[np.ndarray], tuple[Tensor, Tensor]]:
    crops = _crops(model)
    return lambda places: (torch.from_numpy(_embedded(model, crops)), losses[places])


def _writing(place: Path, model: Model, pictures: int) -> dict[str, tuple[Callable[[], None], int]]:
    """The bare forward pass, and writing a cache."""
    crops = _crops(model)

    def write() -> None:
        with tempfile.TemporaryDirectory(dir=place) as out:
            config = CacheConfig(str(place / "pictures"), Path(out) / "cache", augmentation=Augmentation(views=VIEWS))
            write_cache(config, model, silent)

    return {"forward": (lambda: _discard(_embedded(model, crops)), BATCH), "writing": (write, pictures * (VIEWS + 1))}


def _discard(_: object) -> None:
    """A contender returns nothing."""


def factors(figures: Mapping[str, Any], clock: str) -> dict[str, float]:
    """How many times as fast training from our cache is as each other way, by "wall" or "processor" time."""
    rates = figures["rows_a_second"][clock]
    return {name: rates["cached"] / rates[name] for name in SLOW_STEPS}


def table(figures: Mapping[str, Any]) -> str:
    """Rows a second of training by each way, and by how much the cache is faster; then what writing it costs."""
    rates = figures["rows_a_second"]
    faster = {clock: factors(figures, clock) for clock in CLOCKS}
    rows = [
        [title, f"{rates['wall'][name]:,.0f}", *(f"{of[name]:.0f} ×" if name in of else "" for of in faster.values())]
        for name, title in TITLES.items()
    ]
    writing, forward = rates["wall"]["writing"], rates["wall"]["forward"]
    views = figures["config"]["views"]
    rows.append([f"writing a cache ({views} views a picture, decoding too)", f"{writing:,.0f}", "", ""])
    rows.append(["the bare forward pass", f"{forward:,.0f}", "", ""])
    return markdown(["a step of the head reads", "rows a second", "our cache is faster by", "by processor time"], rows)


if __name__ == "__main__":
    main()
