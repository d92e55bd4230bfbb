"""Finetuning of an uncertainty head on a folder, with or without labels; with --mode full, of the whole model.

    python -m training.finetune --data FOLDER --model NAME --out DIR [--mode instance|labels|full] …

Leaves OUT/head.safetensors, which load_model reads, and OUT/report.json with the self-check: on pictures that were held
out, how well the uncertainties of the head before and after agree with the order of their task losses; and R-AUROC
before and after if there are labels. OUT/cache keeps the embeddings, so that a second run starts at once. For
--mode full, see training.full.
"""

import json
import shutil
import sys
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from training.cache import write_cache
from training.command import command
from training.config import CacheConfig, FinetuneConfig, Target, as_record
from training.full import REPORT_FILE, finetune_everything
from training.lock import alone_in
from training.rows import Rows, is_held_out, rows_of
from training.store import Cache, read_failures
from training.train import RunPaths, final_figures, provenance_of, save_run, train
from url_viz.analysis.metrics import nearest_others, r_auroc, spearman
from url_viz.errors import HeadMismatchError, ModelError
from url_viz.files import replaced
from url_viz.models.backbone import save_backbone
from url_viz.models.head import Head
from url_viz.models.head_module import HeadModule
from url_viz.models.model import Model, ModelSource, backbone_weights_of, load_model, load_source, resolve
from url_viz.models.names import file_digest
from url_viz.progress import ProgressCallback, command_report

NEEDS_AGREEMENT = 0.2
"""Below this rank agreement on held-out pictures the advice is that an adapted head is of little use."""


@dataclass(frozen=True)
class Figures:
    """A head's figures on held-out pictures; None if they cannot be computed.

    `agreement`: Spearman of uncertainty and task loss over their views, needs no labels. `r_auroc`: of their clean
    embeddings, neighbours searched among all pictures of the folder; needs labels.
    """

    agreement: float | None
    r_auroc: float | None


@dataclass(frozen=True)
class FinetuneReport:
    """Result of finetuning: figures of the head before (None without one) and after, and the advice."""

    mode: str
    pictures: int
    unreadable: int
    held_out: int
    before: Figures | None
    after: Figures
    advice: str


def main(config: FinetuneConfig) -> None:
    """Finetune as `config` says, and print the advice."""
    with alone_in(config.out):
        _run(config)


def _run(config: FinetuneConfig) -> None:
    if config.mode == "full":
        source = resolve(config.model)
        full_report = finetune_everything(config, load_source(source), source.head, command_report())
        print(f"{RunPaths(config.out).head}: {full_report.advice}")
        return
    model = load_model(config.model, device=config.device, precision=config.precision)
    report = finetune(config, model, command_report())
    print(f"{RunPaths(config.out).head}: {report.advice}")


def finetune(config: FinetuneConfig, model: Model, report: ProgressCallback) -> FinetuneReport:
    """Cache views of the pictures, train a head on their task losses, check it on held-out ones, and save it.

    Modes instance and labels; the backbone stays as it is; a finetuned backbone is copied into the run's folder.

    Raises the errors of training.cache and training.train, HeadMismatchError if `from_shipped` finds no head.
    """
    target = config.mode
    if target == "full":
        raise ModelError("--mode full trains the backbone, too: see training.full.finetune_everything.")
    cache = write_cache(_cache_config(config, target), model, report)
    rows = rows_of(cache, held_out=config.recipe.held_out, device=torch.device("cpu"))
    trained = train(rows, config.recipe, seed=config.seed, report=report, start=_start(config, model))
    provenance = provenance_of(cache, config.recipe, config.seed, final_figures(trained, rows))
    carry_backbone(model.source, RunPaths(config.out))
    weights = backbone_weights_of(RunPaths(config.out).head)
    if weights.is_file():
        provenance = replace(provenance, weights_digest=file_digest(weights))
    head = save_run(RunPaths(config.out), trained, as_record(config), provenance)
    result = _report(config, cache, rows, model.head, head)
    with replaced(config.out / REPORT_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=1))
    return result


def carry_backbone(source: ModelSource, paths: RunPaths) -> None:
    """Save the finetuned backbone of `source`, or the one in its checkpoint, with the run's head.

    A backbone that is found by its name alone is not saved; a copy from an earlier run is deleted then.
    """
    copy = backbone_weights_of(paths.head)
    if source.weights is None:
        copy.unlink(missing_ok=True)
    elif source.authors is not None or source.finetuned is not None:
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
    return HeadModule.from_head(model.head)


def _report(config: FinetuneConfig, cache: Cache, rows: Rows, before: Head | None, after: Head) -> FinetuneReport:
    held_out = held_out_pictures(cache, config.recipe.held_out)
    figures = [figures_of(head, cache, rows, held_out) if head else None for head in (before, after)]
    assert figures[1] is not None
    return FinetuneReport(
        mode=config.mode,
        pictures=len(cache.pictures),
        unreadable=len(read_failures(cache.paths)),
        held_out=len(held_out),
        before=figures[0],
        after=figures[1],
        advice=advice(figures[0], figures[1]),
    )


def held_out_pictures(cache: Cache, share: float) -> NDArray[np.int64]:
    """The rows in `clean` of the pictures that training held out."""
    return np.unique(cache.clean_rows[is_held_out(cache, share)])


def figures_of(head: Head, cache: Cache, rows: Rows, held_out: NDArray[np.int64]) -> Figures:
    """The figures of a head on the held-out pictures, `held_out` (H,) rows of `clean`."""
    agreement = spearman(head(rows.held_out), rows.held_out_loss)
    is_labelled = len(cache.manifest.classes) > 0 and len(cache.pictures) > 1
    auroc = float("nan")
    if is_labelled:
        is_correct = cache.labels[nearest_others(cache.clean)[0][:, 0]] == cache.labels  # unlabelled pictures too
        labelled = held_out[cache.labels[held_out] >= 0]
        auroc = r_auroc(head(cache.clean[labelled]), is_correct[labelled])
    return Figures(_or_none(agreement), _or_none(auroc))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def advice(before: Figures | None, after: Figures) -> str:
    """Advice on the adapted head, in one sentence with its figures."""
    first = before or Figures(None, None)
    figures = f"rank agreement with the task loss on held-out pictures {_figure(first.agreement)} before, "
    figures += f"{_figure(after.agreement)} after"
    if after.r_auroc is not None:
        figures += f"; R-AUROC {_figure(first.r_auroc)} before, {_figure(after.r_auroc)} after"
    if after.agreement is None or after.agreement < NEEDS_AGREEMENT:
        return f"of little use ({figures}): add pictures, or keep the shipped head."
    if first.agreement is not None and after.agreement <= first.agreement:
        return f"no better than the head before ({figures}): keep that one."
    return f"adapted ({figures})."


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(command(FinetuneConfig, main))
