"""Finetuning of an uncertainty head on a folder, with or without labels; with --mode full, of the whole model.

    python -m training.finetune --data FOLDER --model NAME --out DIR [--mode instance|labels|full] …

The pictures have three parts, twins never in two: most train, some choose the epoch, and of the others the figures are
told. Leaves OUT/head.safetensors, which load_model reads, and OUT/report.json with what is told: how well the head
agrees with the order of the task losses and, with classes, R-AUROC, each with an interval and beside the head before
and the orders that need no job. OUT/cache keeps the embeddings, so that a second run starts at once. For --mode full,
see training.full.
"""

import shutil
import sys
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from training.benchmark.labelled import space_of
from training.cache import write_shards
from training.command import command
from training.config import CacheConfig, FinetuneConfig, Target, as_record
from training.evaluate import write_json
from training.holdout import ToldPictures, confusability_in, figures_of, heads_of, told_pictures
from training.lock import alone_in
from training.store import Cache, open_cache, read_failures, write_loss
from training.targets import Integers, Losses, fitted_classifier_loss, instance_losses
from training.train import RunPaths, Trained, final_figures, provenance_of, save_run, train
from training.training_rows import Rows, rows_of
from url_viz.analysis.holdout_report import Told, advice, as_text
from url_viz.errors import HeadMismatchError, ModelError, NoImagesError
from url_viz.files import replaced
from url_viz.models.head import Head
from url_viz.models.head_module import HeadModule
from url_viz.models.model import Model, ModelSource, backbone_weights_of, load_model, load_source, resolve
from url_viz.models.model_names import file_digest
from url_viz.progress import ProgressCallback, command_report


@dataclass(frozen=True)
class FinetuneReport:
    """Result of finetuning: how many pictures trained, chose the epoch and are told of; what is told; the advice."""

    mode: str
    pictures: int
    unreadable: int
    trained: int
    chose: int
    told_pictures: int
    told: tuple[Told, ...]
    advice: str


@dataclass(frozen=True)
class Adapted:
    """A trained head and the rows that it was trained and chosen on."""

    trained: Trained
    rows: Rows


def main(config: FinetuneConfig) -> None:
    """Finetune as `config` says, and print the advice and the figures."""
    with alone_in(config.out):
        _run(config)


def _run(config: FinetuneConfig) -> None:
    if config.mode == "full":
        from training.full import finetune_everything  # timm, which a head does not need

        source = resolve(config.model)
        full_report = finetune_everything(config, load_source(source), source.head, command_report())
        print(f"{RunPaths(config.out).head}: {full_report.advice}\n{as_text(full_report.told)}")
        return
    model = load_model(config.model, device=config.device, precision=config.precision)
    report = finetune(config, model, command_report())
    print(f"{RunPaths(config.out).head}: {report.advice}\n{as_text(report.told)}")


def finetune(config: FinetuneConfig, model: Model, report: ProgressCallback) -> FinetuneReport:
    """Cache views of the pictures, train a head on their task losses, save it, and tell what it is worth.

    Modes instance and labels; the backbone stays as it is; a finetuned backbone is copied into the run's folder.

    Raises the errors of training.cache and training.train, HeadMismatchError if `from_shipped` finds no head.
    """
    start = _start(config, model)
    cache = cached(config, model, report)
    told = told_pictures(cache, config.told)
    adapted = adapt(config, told, report, start=start)
    provenance = provenance_of(cache, config.recipe, config.seed, final_figures(adapted.trained, adapted.rows))
    carry_backbone(model.source, RunPaths(config.out))
    weights = backbone_weights_of(RunPaths(config.out).head)
    if weights.is_file():
        provenance = replace(provenance, weights_digest=file_digest(weights))
    head = save_run(RunPaths(config.out), adapted.trained, as_record(config), provenance)
    result = _report(config, told, adapted.rows, heads_of(head, model.head))
    write_json(result, RunPaths(config.out).report)
    return result


def cached(config: FinetuneConfig, model: Model, report: ProgressCallback) -> Cache:
    """The views of the pictures, embedded; raises NoImagesError if no picture could be read."""
    cache_config = _cache_config(config, _target(config))
    write_shards(cache_config, model, report)
    cache = open_cache(cache_config.out)
    if len(cache) == 0:
        unreadable = len(read_failures(cache.paths))
        raise NoImagesError(f"None of the {unreadable} pictures of {config.data!r} could be read.")
    return cache


def adapt(
    config: FinetuneConfig, told: ToldPictures, report: ProgressCallback, *, start: HeadModule | None = None
) -> Adapted:
    """Train a head on the pictures that are not told of; their task losses are of these alone."""
    about = {"target": config.mode if config.mode == "labels" else config.learns, "told": config.told}
    write_loss(told.cache.paths, losses_to_learn(config, told), about | _options(config))
    rows = rows_of(told.cache, held_out=config.recipe.held_out, device=torch.device("cpu"))
    return Adapted(train(rows, config.recipe, seed=config.seed, report=report, start=start), rows)


def losses_to_learn(config: FinetuneConfig, told: ToldPictures) -> Losses:
    """The task loss (R,) of every row, as if the pictures that are told of were not there; nan for theirs."""
    is_learnt = ~told.is_told
    rows = np.flatnonzero(is_learnt[told.cache.clean_rows])
    losses = np.full(len(told.cache), np.nan, np.float32)
    losses[rows] = _losses_of(config, told, rows, np.flatnonzero(is_learnt))
    return losses


def losses_of_all(config: FinetuneConfig, told: ToldPictures) -> Losses:
    """The task loss (R,) of every row, among all pictures."""
    return _losses_of(config, told, np.arange(len(told.cache)), np.arange(len(told.cache.clean)))


def _losses_of(config: FinetuneConfig, told: ToldPictures, rows: Integers, pictures: Integers) -> Losses:
    """The task loss of `rows` in a set that has `pictures` (ascending) alone; each row is of one of these."""
    cache, clean = told.cache, told.cache.clean[pictures]
    place = np.searchsorted(pictures, cache.clean_rows[rows])
    if config.mode == "labels":
        own = cache.rows["own_loss"][rows]
        if np.isfinite(own).all():
            return own.astype(np.float32)
        label, group = cache.labels[pictures], told.group[pictures]
        return fitted_classifier_loss(cache.embeddings(rows), place, clean, label, group)
    if config.learns == "confusability":
        space = told.space if len(pictures) == len(cache.clean) else space_of(clean)
        return confusability_in(space)[place]
    return instance_losses(cache.embeddings, rows, place, clean, target=config.instance, seed=config.seed)


def _target(config: FinetuneConfig) -> Target:
    if config.mode == "full":
        raise ModelError("--mode full trains the backbone, too: see training.full.finetune_everything.")
    return config.mode


def _options(config: FinetuneConfig) -> dict[str, object]:
    """The options of the task loss, for its description."""
    return asdict(config.instance) if config.mode == "instance" and config.learns == "instance" else {}


def carry_backbone(source: ModelSource, paths: RunPaths) -> None:
    """Save the finetuned backbone of `source`, or the one in its checkpoint, with the run's head.

    A backbone that is found by its name alone is not saved; a copy from an earlier run is deleted then.
    """
    copy = backbone_weights_of(paths.head)
    if source.weights is None:
        copy.unlink(missing_ok=True)
    elif source.authors is not None or source.finetuned is not None:
        from url_viz.models.backbone import save_backbone  # timm

        loaded = load_source(source)
        save_backbone(loaded.backbone.network, copy, loaded.preprocessing)
    elif source.weights.resolve() != copy.resolve():
        with replaced(copy) as temporary:
            shutil.copyfile(source.weights, temporary)


def _cache_config(config: FinetuneConfig, target: Target) -> CacheConfig:
    return CacheConfig(
        data=config.data,
        out=config.out / "cache",
        model=config.model,
        target=target,
        augmentation=config.augmentation,
        instance=config.instance,
        precision=config.precision,
        device=config.device,
        seed=config.seed,
        limit=config.limit,
    )


def _start(config: FinetuneConfig, model: Model) -> HeadModule | None:
    if not config.from_shipped:
        return None
    if model.head is None:
        raise HeadMismatchError(f"{config.model!r} has no head to start from. Leave out --from-shipped.")
    if model.head.functions is not None:
        raise HeadMismatchError(
            f"The head of {config.model!r} reads functions of the classifier, and this one reads embeddings, so it "
            f"cannot start there. Leave out --from-shipped, or give a head that reads embeddings as --model."
        )
    return HeadModule.from_head(model.head)


def _report(config: FinetuneConfig, told: ToldPictures, rows: Rows, heads: dict[str, Head]) -> FinetuneReport:
    figures = figures_of(heads, told, losses_of_all(config, told))
    cache = told.cache
    trained = len(np.unique(cache.clean_rows[rows.training]))
    return FinetuneReport(
        mode=config.mode,
        pictures=len(cache.pictures),
        unreadable=len(read_failures(cache.paths)),
        trained=trained,
        chose=sum(len(one.clean) for one in rows.choosing),
        told_pictures=told.count,
        told=figures,
        advice=advice(figures),
    )


if __name__ == "__main__":
    sys.exit(command(FinetuneConfig, main))
