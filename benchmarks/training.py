"""Head training speed: rows per second from our cache against the authors' loader on the same rows.

    python -m benchmarks.training [--rows 40000] [--steps 60] [--rounds 3]

The authors' way: single random rows, float32, and the frozen classifier on each batch for the task loss. Ours: float16
rows with their losses, in memory or memory-mapped. Both train the same head with the same loss; contenders take turns
within a round, and figures are medians over rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.machine import machine
from training.config import Recipe
from training.store import ROW, Cache, Manifest, Shard, open_cache, open_for_writing, write_loss, write_shard
from training.targets import classifier_loss, draw_pairs, ranking_loss
from training.train import BETAS, new_head
from training.training_rows import Rows, training_rows

EMBEDDING_SIZE = 1280
RECIPE = Recipe(pairing="adjacent", layer_norm=False)
Take = Callable[[np.ndarray], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Made:
    """The same N rows twice: as a cache of ours, and in the authors' layout as HDF5."""

    cache: Cache
    hdf5: Path
    classifier: torch.nn.Linear


def made(folder: Path, count: int, classes: int) -> Made:
    """Random embeddings and labels under a random classifier; speed does not depend on their values."""
    import h5py

    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    classifier = torch.nn.Linear(EMBEDDING_SIZE, classes).requires_grad_(False)
    embedding = generator.normal(size=(count, EMBEDDING_SIZE)).astype(np.float16)
    rows = np.zeros(count, ROW)
    rows["picture"] = np.arange(count)
    rows["id"] = generator.permutation(count)
    rows["label"] = generator.integers(classes, size=count)
    with h5py.File(folder / "dataset.hdf5", "w") as out:
        out.create_dataset("embed", (count, EMBEDDING_SIZE), "f4", maxshape=(None, EMBEDDING_SIZE))
        out["embed"][:] = embedding
        out.create_dataset("label", (count, 1), "f4", maxshape=(None, 1), data=rows["label"][:, None])
    loss = np.concatenate(
        [
            classifier_loss(
                classifier(torch.from_numpy(embedding[s : s + 4096]).float()).numpy(), rows["label"][s : s + 4096]
            )
            for s in range(0, count, 4096)
        ]
    )
    paths = open_for_writing(folder / "cache", Manifest("made", "0", {}, "bf16", {}, 0, "0", count, (), count))
    write_shard(paths, 0, Shard(embedding, rows, embedding, np.arange(count)))
    write_loss(paths, loss, {"target": "instance"})
    return Made(open_cache(folder / "cache"), folder / "dataset.hdf5", classifier)


def theirs(source: Any, classifier: torch.nn.Linear, places_of: np.ndarray) -> Take:
    """Read row by row as their data set does, and run the classifier for the task loss."""

    def take(places: np.ndarray) -> tuple[Tensor, Tensor]:
        chosen = places_of[places]
        embedding = torch.stack([torch.from_numpy(np.asarray(source["embed"][place])) for place in chosen])
        label = torch.tensor([int(source["label"][place, 0]) for place in chosen])
        with torch.no_grad():
            return embedding, F.cross_entropy(classifier(embedding), label, reduction="none")

    return take


def in_memory(rows: Rows, classifier: torch.nn.Linear, labels: Tensor) -> Take:
    """Our rows, but the classifier on each batch: what storing the loss saves by itself."""

    def take(places: np.ndarray) -> tuple[Tensor, Tensor]:
        embedding, _ = rows.batch_at(places)
        with torch.no_grad():
            return embedding, F.cross_entropy(classifier(embedding), labels[places], reduction="none")

    return take


def trains(take: Take, count: int, *, batch: int, steps: int) -> Callable[[], None]:
    """`steps` optimiser steps of a new head, as training.train takes them."""

    def run() -> None:
        module = new_head(EMBEDDING_SIZE, RECIPE, 0)
        optimiser = torch.optim.AdamW(module.parameters(), betas=BETAS)
        generator = torch.Generator().manual_seed(0)
        for _ in range(steps):
            places = torch.randint(count, (batch,), generator=generator).numpy()
            embedding, task_loss = take(places)
            pairs = draw_pairs(batch, RECIPE.pairing, pairings=1, generator=generator)
            loss = ranking_loss(module(embedding), task_loss, pairs)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return run


def measure(
    contenders: dict[str, tuple[Callable[[], None], int]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Rows a second of each (run, rows), median over rounds in which they take turns; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, (run, rows) in contenders.items():
            started = clock()
            run()
            if number:
                taken[name].append(rows / (clock() - started))
    return {name: statistics.median(rates) for name, rates in taken.items()}


def contenders_of(data: Made, source: Any, *, batch: int, steps: int) -> dict[str, tuple[Callable[[], None], int]]:
    """Every way of feeding one head, with the rows a run goes through; the authors' way gets a third of the steps."""
    rows = training_rows(data.cache, held_out=0.1, device=torch.device("cpu"))
    count = len(rows.training)
    labels = torch.from_numpy(data.cache.rows["label"][rows.training].astype(np.int64))
    few = max(2, steps // 3)
    ways: dict[str, tuple[Take, int]] = {
        "authors' way: HDF5 rows + classifier": (theirs(source, data.classifier, rows.training), few),
        "our rows in memory + classifier": (in_memory(rows, data.classifier, labels), few),
        "ours, memory-mapped": (replace(rows, resident=None).batch_at, steps),
        "ours, in memory": (rows.batch_at, steps),
    }
    return {name: (trains(take, count, batch=batch, steps=n), batch * n) for name, (take, n) in ways.items()}


def report(rates: dict[str, float], *, batch: int, classes: int) -> None:
    """Print the medians and their ratios to the authors' way."""
    slowest = next(iter(rates.values()))
    print(f"\nBatch {batch:,}, {classes:,} classes, embeddings of {EMBEDDING_SIZE:,}:\n")
    print("| | rows a second | × the authors' way |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.0f} | {rate / slowest:.1f} |")


def main() -> None:
    """Measure and print."""
    import h5py

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"## Training a head from a cache\n\n{machine()}; torch threads {torch.get_num_threads()}.")
    with tempfile.TemporaryDirectory() as folder:
        data = made(Path(folder), options.rows, options.classes)
        with h5py.File(data.hdf5, "r") as source:
            for batch in (128, 2048):
                steps = max(6, options.steps * 128 // batch)
                contenders = contenders_of(data, source, batch=batch, steps=steps)
                report(measure(contenders, options.rounds), batch=batch, classes=options.classes)


if __name__ == "__main__":
    main()
