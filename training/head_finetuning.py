"""Finetuning of an uncertainty head on a folder, with or without labels, on the embeddings of a frozen backbone.

The pictures are split into three parts, twins always in the same one: most train, some choose the epoch, and the test
pictures give the figures. What classifiers said of the pictures is recorded as a run of their image set
(training.cache); the mode instance has none.
"""

import shutil
from dataclasses import asdict, replace

import numpy as np
import torch

from training.cache import cache_config, probe_recorder, run_recorder, write_embeddings
from training.config import FinetuneConfig
from training.holdout import FinetuneReport, SplitCache, find_space, holdout_figures, split_cache
from training.store import RunPaths, read_failures, write_json, write_loss
from training.targets import Integers, Losses, fitted_classifier_loss, fold_probes, instance_loss
from training.train import final_figures, head_provenance, save_run, train
from training.training_rows import training_rows
from url_viz.base.errors import HeadMismatchError, ModelError
from url_viz.base.files import replaced
from url_viz.base.progress import ProgressCallback
from url_viz.evidence.holdout_report import AFTER, BEFORE, advice
from url_viz.models.head_module import HeadModule
from url_viz.models.model import Model, ModelSource, backbone_weights_of, load_source
from url_viz.models.model_names import file_digest


def finetune_head(config: FinetuneConfig, model: Model, report: ProgressCallback) -> FinetuneReport:
    """Cache views of the pictures, train a head on their task losses, save it, and report how good it is.

    Modes instance and labels: the backbone stays as it is, and a finetuned one is copied into the run's folder.
    Raises the errors of training.cache and training.train, HeadMismatchError if `from_shipped` finds no head.
    """
    if config.mode == "full":
        raise ModelError("--mode full trains the backbone, too: see training.full.full_finetuning.finetune_everything.")
    paths, start = RunPaths(config.out), _start(config, model)
    views = cache_config(config, config.data, config.out / "cache", target=config.mode)
    cache = write_embeddings(replace(views, seed=config.seed), model, report)
    split = split_cache(cache, config.test_share)
    learns = config.mode if config.mode == "labels" else config.learns
    about = {"target": learns, "told": config.test_share} | (asdict(config.instance) if learns == "instance" else {})
    write_loss(cache.paths, losses_to_learn(config, split), about)
    rows = training_rows(cache, held_out=config.recipe.held_out, device=torch.device("cpu"))
    trained = train(rows, config.recipe, seed=config.seed, report=report, start=start)
    provenance = head_provenance(cache, config.recipe, config.seed, final_figures(trained, rows))
    carry_backbone(model.source, paths)
    weights = backbone_weights_of(paths.head)
    if weights.is_file():
        provenance = replace(provenance, weights_digest=file_digest(weights))
    head = save_run(paths, trained, config, provenance)
    record = None
    if config.mode == "labels":
        record = probe_recorder(run_recorder(config.data, config.out, cache.manifest.classes), cache)
    if record is not None:  # probes of all pictures: those whose losses the head learns have seen no test picture
        for probe in fold_probes(cache.clean, cache.labels, split.group):
            record(probe)
    losses = _losses(config, split, np.arange(len(cache)), np.arange(len(cache.clean)))
    figures = holdout_figures({AFTER: head} | ({} if model.head is None else {BEFORE: model.head}), split, losses)
    result = FinetuneReport(
        mode=config.mode,
        pictures=len(cache.pictures),
        unreadable=len(read_failures(cache.paths)),
        trained=len(np.unique(cache.clean_rows[rows.training])),
        chose=sum(len(held_out.clean) for held_out in rows.choosing),
        told_pictures=int(split.is_test.sum()),
        told=figures,
        advice=advice(figures),
    )
    write_json(result, paths.report)
    return result


def losses_to_learn(config: FinetuneConfig, split: SplitCache) -> Losses:
    """The task loss (R,) of every row, computed without the test pictures; nan for their rows."""
    rows = np.flatnonzero(~split.is_test[split.cache.clean_rows])
    losses = np.full(len(split.cache), np.nan, np.float32)
    losses[rows] = _losses(config, split, rows, np.flatnonzero(~split.is_test))
    return losses


def _losses(config: FinetuneConfig, split: SplitCache, rows: Integers, pictures: Integers) -> Losses:
    """The task loss of `rows` in a set of only `pictures` (ascending), which the rows belong to."""
    cache, clean = split.cache, split.cache.clean[pictures]
    clean_rows = np.searchsorted(pictures, cache.clean_rows[rows])
    if config.mode == "labels":
        classifier_losses = cache.rows["own_loss"][rows]
        if np.isfinite(classifier_losses).all():
            return classifier_losses.astype(np.float32)
        label, group = cache.labels[pictures], split.group[pictures]
        return fitted_classifier_loss(cache.embeddings[rows], clean_rows, clean, label, group)
    if config.learns == "confusability":
        space = split.space if len(pictures) == len(cache.clean) else find_space(clean)
        return space.confusability[clean_rows]
    return instance_loss(cache.embeddings, rows, clean_rows, clean, target=config.instance, seed=config.seed)


def carry_backbone(source: ModelSource, paths: RunPaths) -> None:
    """Save the finetuned backbone of `source`, or the one in its checkpoint, with the run's head.

    A backbone that is found by its name alone is not saved; a copy from an earlier run is deleted then.
    """
    copy = backbone_weights_of(paths.head)
    if source.weights is None:
        copy.unlink(missing_ok=True)
    elif source.file is not None:
        from url_viz.models.backbone import save_backbone  # timm

        loaded = load_source(source)
        save_backbone(loaded.backbone.network, copy, loaded.preprocessing)
    elif source.weights.resolve() != copy.resolve():
        with replaced(copy) as temporary:
            shutil.copyfile(source.weights, temporary)


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
