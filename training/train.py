"""Training of an uncertainty head on a cache of embeddings and task losses, without pictures or backbone.

    python -m training.train --cache DIR|FILE.hdf5 --out DIR [--loss ranking|l2] [--seed 0] [--preset laptop|paper] …

Writes OUT/head.safetensors (recipe and metrics in its header), history.csv, config.json and metrics.json.
"""

import csv
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.command import train_command
from training.config import Recipe, TrainConfig, as_record
from training.hdf5 import HDF5_SUFFIXES, cache_of_hdf5
from training.lock import alone_in
from training.losses import l2_loss, pairs_of, ranking_loss
from training.rows import Rows, rows_of
from training.store import Cache, open_cache
from url_viz.analysis.metrics import r_auroc, spearman
from url_viz.errors import CacheError
from url_viz.files import replaced
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.head_module import HeadModule
from url_viz.models.runtime import choose_device
from url_viz.progress import Clock, ProgressCallback, command_report

BATCH_OF_BASE_RATE = 256
BETAS = (0.8, 0.95)
FIRST_RATE = 1e-4


@dataclass(frozen=True)
class Epoch:
    """One line of the history. The best epoch has the highest `validation`: see `validate`."""

    epoch: int
    rate: float
    loss: float
    validation: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """The module of the best epoch, that epoch's figures, and every epoch's."""

    module: HeadModule
    best: Epoch
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class RunPaths:
    """The files of a training run."""

    folder: Path

    @property
    def head(self) -> Path:
        return self.folder / "head.safetensors"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"


def main(config: TrainConfig) -> None:
    """Train on the cache of `config`, and save the head of the best epoch."""
    with alone_in(config.out):
        _run(config)


def _run(config: TrainConfig) -> None:
    cache = cache_of(config)
    device = torch.device(choose_device(config.device))
    rows = rows_of(cache, held_out=config.recipe.held_out, device=device)
    trained = train(rows, config.recipe, seed=config.seed, report=command_report())
    figures = final_figures(trained, rows)
    save_run(
        RunPaths(config.out), trained, as_record(config), provenance_of(cache, config.recipe, config.seed, figures)
    )
    figures_text = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    print(f"{RunPaths(config.out).head}: best epoch {trained.best.epoch} of {config.recipe.epochs}; {figures_text}")


def cache_of(config: TrainConfig) -> Cache:
    """The cache of `config`; an HDF5 file of the authors is turned into one first, at OUT/cache."""
    if config.cache.is_dir() or config.cache.suffix not in HDF5_SUFFIXES:
        return open_cache(config.cache)
    if config.backbone is None:
        raise CacheError(f"{str(config.cache)!r} does not say which model made it. Give its name with --backbone.")
    from url_viz.models.backbone import load_backbone

    return cache_of_hdf5(config.cache, config.out / "cache", load_backbone(config.backbone))


def train(
    rows: Rows, recipe: Recipe, *, seed: int, report: ProgressCallback, start: HeadModule | None = None
) -> Trained:
    """Fit a head to the order of the task losses of `rows`, from scratch or from `start`; the best epoch is returned.

    PVU 3.1: AdamW(.8, .95), rate by the square root of the batch, linear warm-up inside the cosine.
    """
    generator = torch.Generator().manual_seed(seed)
    module = start if start is not None else fresh(rows.embedding_size, recipe, seed)
    module.to(rows.device)
    optimiser = torch.optim.AdamW(_groups(module, recipe.weight_decay), lr=FIRST_RATE, betas=BETAS)
    steps = steps_of(rows.epoch_rows(recipe), recipe.batch)
    clock, history, best_state = Clock("train", recipe.epochs * steps), [], module.state_dict()
    best = -math.inf
    for epoch in range(1, recipe.epochs + 1):
        started, losses = time.monotonic(), []
        for step, positions in enumerate(batches(len(rows.training), steps, recipe.batch, generator)):
            rate = rate_at((epoch - 1) + step / steps, recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate
            embedding, task_loss = rows.batch_at(positions)
            loss = loss_of(module(embedding), task_loss, recipe, generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(loss.detach())
        validation = validate(module, rows)
        mean_loss = float(torch.stack(losses).mean())
        history.append(Epoch(epoch, rate, mean_loss, validation, time.monotonic() - started))
        if validation > best:
            best, best_state = validation, {name: tensor.clone() for name, tensor in module.state_dict().items()}
        report(clock.at(epoch * steps, metrics={"loss": mean_loss, rows.criterion: validation}))
    module.load_state_dict(best_state)
    chosen = max(history, key=lambda line: (line.validation, -line.epoch))
    return Trained(module, chosen, tuple(history))


def fresh(embedding_size: int, recipe: Recipe, seed: int) -> HeadModule:
    """A head of the recipe's shape with torch's default weights, drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HeadModule(embedding_size, width=recipe.width, depth=recipe.depth, layer_norm=recipe.layer_norm)


def loss_of(uncertainty: Tensor, task_loss: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The recipe's loss of a batch: uncertainty (B,), task loss (B,)."""
    if recipe.loss == "l2":
        return l2_loss(uncertainty, task_loss)
    pairs = pairs_of(len(task_loss), recipe.pairing, pairings=recipe.pairings, generator=generator)
    return ranking_loss(uncertainty, task_loss, pairs, margin=recipe.margin, leeway=recipe.leeway)


def steps_of(epoch_rows: int, batch: int) -> int:
    """Optimiser steps of an epoch; a last, smaller batch counts, too."""
    return max(1, math.ceil(epoch_rows / batch))


def batches(count: int, steps: int, size: int, generator: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """`steps` batches of positions among `count` training rows, in random orders one after another."""
    order = np.empty(0, np.int64)
    for _ in range(steps):
        while len(order) < min(size, count):
            order = np.concatenate([order, torch.randperm(count, generator=generator).numpy()])
        yield order[:size]
        order = order[size:]


def rate_at(epoch: float, recipe: Recipe) -> float:
    """Learning rate at a time in epochs: linear from 1e-4 to the cosine over the warm-up, then down the cosine to 0.

    The peak is base · √(batch / 256) (PVU 3.1); the cosine's clock runs from the start, warm-up included.
    """
    peak = recipe.base_rate * math.sqrt(recipe.batch / BATCH_OF_BASE_RATE)
    if epoch < recipe.warm_up_epochs:
        return FIRST_RATE + (peak - FIRST_RATE) * epoch / recipe.warm_up_epochs
    return 0.5 * peak * (1 + math.cos(math.pi * epoch / recipe.epochs))


def _groups(module: HeadModule, weight_decay: float) -> list[dict[str, object]]:
    matrices = [p for p in module.parameters() if p.ndim > 1]
    biases = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": biases, "weight_decay": 0.0}]


def validate(module: HeadModule, rows: Rows) -> float:
    """The criterion of the best epoch, on held-out pictures; higher is better.

    For the target `labels`, R-AUROC of their clean embeddings among each other (PVU 3.3). For `instance`, and if
    R-AUROC is undefined (all right or all wrong), Spearman of uncertainty and task loss over their views.
    """
    if rows.criterion == "R-AUROC":
        return r_auroc(uncertainty_of(module, rows.held_out_clean), rows.held_out_is_correct)
    return spearman(uncertainty_of(module, rows.held_out), rows.held_out_loss)


def final_figures(trained: Trained, rows: Rows) -> Mapping[str, float]:
    """Figures of the chosen epoch on held-out pictures, for the header and the printed summary."""
    figures = {rows.criterion: trained.best.validation}
    if rows.criterion == "R-AUROC":
        figures["rank agreement"] = spearman(uncertainty_of(trained.module, rows.held_out), rows.held_out_loss)
    return figures


def uncertainty_of(module: HeadModule, embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
    """Uncertainty (N,) of stored embeddings (N, D)."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        uncertainty: NDArray[np.float32] = module(torch.from_numpy(embeddings).to(device).float()).cpu().numpy()
    return uncertainty


def provenance_of(cache: Cache, recipe: Recipe, seed: int, figures: Mapping[str, float]) -> HeadProvenance:
    """Provenance of a head trained on `cache`, for its header."""
    manifest = cache.manifest
    recipe_record = {
        "training": asdict(recipe),
        "seed": seed,
        "task_loss": cache.about_loss,
        "augmentation": manifest.views,
        "precision": manifest.precision,
        "pictures": len(cache.pictures),
        "pictures_digest": manifest.pictures_digest,
        "rows": len(cache),
    }
    return HeadProvenance(
        manifest.backbone, manifest.weights_digest, manifest.preprocessing, recipe_record, dict(figures)
    )


def save_run(paths: RunPaths, trained: Trained, config: Mapping[str, object], provenance: HeadProvenance) -> Head:
    """Write head, history, config and metrics of a run; returns the head."""
    head = trained.module.to_head(provenance)
    save_head(head, paths.head)
    with replaced(paths.history) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Epoch)])
        writer.writerows([[getattr(line, field.name) for field in fields(Epoch)] for line in trained.history])
    for path, record in ((paths.config, config), (paths.metrics, dict(provenance.metrics))):
        with replaced(path) as temporary:
            temporary.write_text(json.dumps(record, indent=1))
    return head


if __name__ == "__main__":
    sys.exit(train_command(main))
