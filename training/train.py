"""Training of an uncertainty head on cached embeddings, or on functions of the classifier, without pictures."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.command import command
from training.config import Mixture, PretrainConfig, Recipe, TrainConfig
from training.hdf5 import HDF5_SUFFIXES, convert_hdf5
from training.store import Cache, RunPaths, locked, open_cache, write_run_records
from training.targets import recipe_loss
from training.training_rows import HeldOut, Rows, Sources, end_to_end, training_rows
from url_viz.base.errors import CacheError
from url_viz.base.progress import Clock, ProgressCallback, command_report
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import decimal
from url_viz.evidence.order_metrics import r_auroc, spearman
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions, NaturalPictures
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.head_module import HeadModule
from url_viz.models.model import load_source, resolve
from url_viz.models.runtime import choose_device

if TYPE_CHECKING:
    from url_viz.models.backbone import LoadedBackbone


AXES = 256
DISTANCE = NAMES.index("distance")
DISTANCE_WEIGHT = 0.6
"""Weight of the distance, in standard deviations of the rest: chosen on development sets and left-out sources."""
ROWS_AT_ONCE = 1 << 14
LEAST_SPREAD = 1e-6

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def read_by_functions(rows: Rows, loaded: "LoadedBackbone") -> Rows:
    """The rows with four functions of the classifier in place of embeddings, fitted to the sources.

    Raises CacheError if the backbone has no linear classifier.
    """
    classifier = loaded.backbone.network.get_classifier()
    if not isinstance(classifier, nn.Linear):
        raise CacheError(
            f"{loaded.name!r} has no linear classifier whose functions a head could read. Use --reads embedding."
        )
    weight = classifier.weight.detach().numpy().astype(np.float16)
    bias = torch.zeros(classifier.out_features) if classifier.bias is None else classifier.bias
    clean = end_to_end([cache.clean for cache in rows.sources.caches])
    pictures, none = fit_pictures(clean, _class_numbers(rows.sources)), np.zeros(len(NAMES), np.float32)
    unfinished = ClassifierFunctions(weight, bias.detach().numpy().astype(np.float32), pictures, none, none + 1)
    parts = np.split(rows.training, range(ROWS_AT_ONCE, len(rows.training), ROWS_AT_ONCE))
    values = np.concatenate([unfinished.values(rows.sources.embeddings[part].astype(np.float32)) for part in parts])
    scale: Floats = np.maximum(values.std(axis=0), LEAST_SPREAD).astype(np.float32)
    functions = replace(unfinished, centre=values.mean(axis=0, dtype=np.float32), scale=scale)
    return replace(
        rows,
        resident=torch.from_numpy(functions.standardised(values)).to(rows.device),
        choosing=tuple(
            replace(
                part, views=functions(part.views.astype(np.float32)), clean=functions(part.clean.astype(np.float32))
            )
            for part in rows.choosing
        ),
        functions=functions,
    )


def without_distance(rows: Rows) -> Rows:
    """The rows with a distance of zero."""
    assert rows.resident is not None
    mask = (np.arange(len(NAMES)) != DISTANCE).astype(np.float32)
    choosing = tuple(replace(part, views=part.views * mask, clean=part.clean * mask) for part in rows.choosing)
    return replace(rows, resident=rows.resident * torch.from_numpy(mask).to(rows.device), choosing=choosing)


@torch.no_grad()
def weigh_distance(module: HeadModule, rows: Rows, *, weight: float = DISTANCE_WEIGHT) -> None:
    """Give the distance its `weight` in a linear head that was trained without it: farther is less uncertain."""
    assert rows.resident is not None
    weights = module.layers[0].weight[0]  # type: ignore[index]  # one linear layer
    weights[DISTANCE] = 0
    weights[DISTANCE] = -weight * (rows.resident @ weights).std()


def fit_pictures(clean: NDArray[np.floating], number: Integers, *, axes: int = AXES) -> NaturalPictures:
    """Mean and covariance of embeddings (P, D) of unit length; every class of `number` (P,) weighs the same, −1 too."""
    unit = l2_normalize(clean)
    _, inverse, sizes = np.unique(number, return_inverse=True, return_counts=True)
    weight = (1 / sizes / len(sizes))[inverse][:, None].astype(np.float32)
    mean = (unit * weight).sum(axis=0)
    centred = (unit - mean) * np.sqrt(weight)
    variance, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    count = min(axes, len(unit) - 1, len(variance) - 1)
    rest = float(np.maximum(variance[: len(variance) - count].mean(), LEAST_SPREAD**2))
    largest = slice(len(variance) - count, None)
    return NaturalPictures(
        mean,
        np.ascontiguousarray(directions[:, largest].T, np.float32),
        np.maximum(variance[largest], rest).astype(np.float32),
        rest,
    )


def _class_numbers(sources: Sources) -> Integers:
    """The class (P,) of every picture, −1 without a label; classes of two sources with the same name are one."""
    names = sorted({name for cache in sources.caches for name in cache.manifest.classes})
    number_of = {name: number for number, name in enumerate(names)}
    numbers = [np.array([*map(number_of.get, cache.manifest.classes), -1], np.int64) for cache in sources.caches]
    return end_to_end([number[cache.labels] for number, cache in zip(numbers, sources.caches, strict=True)])


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


def main(config: TrainConfig) -> None:
    """Train on the caches of `config`, and save the head of the best epoch."""
    paths = RunPaths(config.out)
    with locked(config.out):
        sources = open_sources(config)
        rows = training_rows(
            sources,
            held_out=config.recipe.held_out,
            device=torch.device(choose_device(config.device)),
            group=config.group,
            mixture=config.mixture,
        )
        if config.reads == "functions":
            rows = read_by_functions(rows, _load_backbone(sources))
        trained = train(rows, config.recipe, seed=config.seed, report=command_report())
        figures = save_trained(paths, trained, rows, config, seed=config.seed)
    figures_text = ", ".join(f"{name} {decimal(value, digits=3)}" for name, value in figures.items())
    print(f"{paths.head}: best epoch {trained.best.epoch} of {config.recipe.epochs}; {figures_text}")


def open_sources(config: TrainConfig) -> Sources:
    """The caches of `config`; the authors' HDF5 files are converted first, to OUT/cache, OUT/cache-2, …."""
    names = ["cache", *(f"cache-{number}" for number in range(2, len(config.cache) + 1))]
    return Sources(tuple(_open_source(path, config, name) for path, name in zip(config.cache, names, strict=False)))


def _open_source(path: Path, config: TrainConfig, name: str) -> Cache:
    if path.is_dir() or path.suffix not in HDF5_SUFFIXES:
        return open_cache(path)
    if config.backbone is None:
        raise CacheError(f"{str(path)!r} does not say which model made it. Give its name with --backbone.")
    from url_viz.models.backbone import load_backbone

    return convert_hdf5(path, config.out / name, load_backbone(config.backbone))


def _load_backbone(sources: Sources) -> "LoadedBackbone":
    """The backbone that wrote the caches; raises CacheError if its name means other weights now."""
    manifest = sources.manifest
    loaded = load_source(resolve(manifest.backbone))
    if loaded.weights_digest != manifest.weights_digest:
        raise CacheError(
            f"{sources.names[0]!r} was written by weights {manifest.weights_digest} of {manifest.backbone!r}, and "
            f"those here are {loaded.weights_digest}. Write the cache again, or use --reads embedding."
        )
    return loaded


def train(
    rows: Rows, recipe: Recipe, *, seed: int, report: ProgressCallback, start: HeadModule | None = None
) -> Trained:
    """Fit a head to the order of the task losses of `rows`, from scratch or from `start`; the best epoch is returned.

    PVU 3.1: AdamW(.8, .95), rate by the square root of the batch, linear warm-up inside the cosine. A head on functions
    of the classifier is trained without the distance, which gets its weight afterwards.
    """
    if rows.functions is None:
        return _fit(rows, recipe, seed=seed, report=report, start=start)
    trained = _fit(without_distance(rows), recipe, seed=seed, report=report, start=start)
    weigh_distance(trained.module, rows)
    return trained


def _fit(rows: Rows, recipe: Recipe, *, seed: int, report: ProgressCallback, start: HeadModule | None) -> Trained:
    generator = torch.Generator().manual_seed(seed)
    module = start if start is not None else new_head(rows.input_size, recipe, seed)
    module.to(rows.device)
    optimiser = torch.optim.AdamW(decay_groups(module.parameters(), recipe.weight_decay), lr=FIRST_RATE, betas=BETAS)
    steps = steps_per_epoch(recipe.epoch_rows or len(rows.training), recipe.batch)
    rings = [Ring(part, generator) for part in rows.parts]
    clock, history, best_state = Clock("train", recipe.epochs * steps), [], module.state_dict()
    best = -math.inf
    for epoch in range(1, recipe.epochs + 1):
        started, losses = time.monotonic(), []
        for step, positions in enumerate(batches(rings, steps, recipe.batch)):
            rate = rate_at((epoch - 1) + step / steps, recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate
            embedding, task_loss = rows.batch_at(positions)
            loss = recipe_loss(module(embedding), task_loss, recipe, generator, group=rows.groups_at(positions))
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


def new_head(embedding_size: int, recipe: Recipe, seed: int) -> HeadModule:
    """A head of the recipe's shape with torch's default weights, drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HeadModule(embedding_size, width=recipe.width, depth=recipe.depth, layer_norm=recipe.layer_norm)


def steps_per_epoch(epoch_rows: int, batch: int) -> int:
    """Optimiser steps of an epoch; a last, smaller batch counts, too."""
    return max(1, math.ceil(epoch_rows / batch))


class Ring:
    """Positions (T,) in random orders one after another, across epochs: each comes once before any comes again."""

    def __init__(self, positions: NDArray[np.int64], generator: torch.Generator) -> None:
        self._positions = positions
        self._generator = generator
        self._order = positions[:0]

    def take(self, count: int) -> NDArray[np.int64]:
        """The next `count` positions, or T if these are fewer."""
        while len(self._order) < min(count, len(self._positions)):
            order = torch.randperm(len(self._positions), generator=self._generator).numpy()
            self._order = np.concatenate([self._order, self._positions[order]])
        taken, self._order = self._order[:count], self._order[count:]
        return taken


def batches(rings: Sequence[Ring], steps: int, size: int) -> Iterator[NDArray[np.int64]]:
    """`steps` batches of about `size` positions, of each ring as many, at least two."""
    for _ in range(steps):
        yield np.concatenate([ring.take(max(2, size // len(rings))) for ring in rings])


def rate_at(epoch: float, recipe: Recipe) -> float:
    """Learning rate at a time in epochs: linear from 1e-4 to the cosine over the warm-up, then down the cosine to 0.

    The peak is base · √(batch / 256) (PVU 3.1); the cosine's clock runs from the start, warm-up included.
    """
    peak = recipe.base_rate * math.sqrt(recipe.batch / BATCH_OF_BASE_RATE)
    if epoch < recipe.warm_up_epochs:
        return FIRST_RATE + (peak - FIRST_RATE) * epoch / recipe.warm_up_epochs
    return 0.5 * peak * (1 + math.cos(math.pi * epoch / recipe.epochs))


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Groups for an optimiser: matrices with weight decay, biases without."""
    every = list(parameters)
    return [
        {"params": [p for p in every if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in every if p.ndim <= 1], "weight_decay": 0.0},
    ]


def validate(module: HeadModule, rows: Rows) -> float:
    """The figure that chooses the epoch: the mean over sources of that on held-out pictures; higher is better.

    For the target `labels`, R-AUROC of their clean embeddings among each other (PVU 3.3). For `instance`, and if
    R-AUROC is undefined in a source (all right or all wrong), Spearman of uncertainty and task loss over their views.
    """
    return fmean([_figure(rows.criterion, module, held_out) for held_out in rows.choosing])


def final_figures(trained: Trained, rows: Rows) -> Mapping[str, float]:
    """Figures of the chosen epoch on held-out pictures; of several sources, their mean and each one's."""
    figures: dict[str, float] = {}
    for name in dict.fromkeys((rows.criterion, "rank agreement")):
        each = [_figure(name, trained.module, held_out) for held_out in rows.choosing]
        figures[name] = fmean(each)
        if len(each) > 1:
            figures |= {f"{name} in {source}": value for source, value in zip(rows.sources.names, each, strict=True)}
    return figures


def _figure(name: str, module: HeadModule, held_out: HeldOut) -> float:
    if name == "R-AUROC":
        return r_auroc(uncertainty_of(module, held_out.clean), held_out.is_correct)
    return spearman(uncertainty_of(module, held_out.views), held_out.loss)


def uncertainty_of(
    module: HeadModule, embeddings: NDArray[np.floating], *, rows_at_once: int = ROWS_AT_ONCE
) -> NDArray[np.float32]:
    """Uncertainty (N,) of embeddings (N, D), in bounded memory."""
    device = next(module.parameters()).device
    parts = [embeddings[start : start + rows_at_once] for start in range(0, len(embeddings), rows_at_once)]
    with torch.inference_mode():
        uncertainties = [module(torch.from_numpy(part).to(device).float()).cpu().numpy() for part in parts]
    return np.concatenate(uncertainties) if uncertainties else np.zeros(0, np.float32)


def head_provenance(
    caches: Cache | Sources,
    recipe: Recipe,
    seed: int,
    figures: Mapping[str, float],
    *,
    mixture: Mixture | None = None,
) -> HeadProvenance:
    """Provenance of a head trained on one cache or several, each listed."""
    sources = Sources.from_caches(caches)
    manifest = sources.manifest
    records: list[dict[str, object]] = [
        {
            "task_loss": cache.about_loss,
            "augmentation": cache.manifest.views,
            "pictures": len(cache.pictures),
            "pictures_digest": cache.manifest.pictures_digest,
            "rows": len(cache),
        }
        for cache in sources.caches
    ]
    recipe_record: dict[str, object] = {"training": asdict(recipe), "seed": seed, "precision": manifest.precision}
    if len(records) == 1:
        recipe_record |= records[0]
    else:
        named = [{"source": name, **record} for name, record in zip(sources.names, records, strict=True)]
        recipe_record |= {"rows": len(sources), "pictures": int(sources.picture_starts[-1]), "sources": named}
    if mixture is not None and (len(records) > 1 or mixture != Mixture()):
        recipe_record["mixture"] = asdict(mixture)
    return HeadProvenance(
        manifest.backbone, manifest.weights_digest, manifest.preprocessing, recipe_record, dict(figures)
    )


def save_trained(
    paths: RunPaths, trained: Trained, rows: Rows, config: TrainConfig | PretrainConfig, *, seed: int
) -> Mapping[str, float]:
    """Write head, history, config and metrics of a run → its figures."""
    figures = final_figures(trained, rows)
    provenance = head_provenance(rows.sources, config.recipe, seed, figures, mixture=config.mixture)
    save_run(paths, trained, config, provenance, functions=rows.functions)
    return figures


def save_run(
    paths: RunPaths,
    trained: Trained,
    config: object,
    provenance: HeadProvenance,
    *,
    functions: ClassifierFunctions | None = None,
) -> Head:
    """Write head, history, config and metrics of a run → the head, which reads `functions` if there are any."""
    head = replace(trained.module.to_head(provenance), functions=functions)
    save_head(head, paths.head)
    write_run_records(paths, config, trained.history, provenance)
    return head


if __name__ == "__main__":
    sys.exit(command(TrainConfig, main))
