"""Training and evaluation of a shipped head from the corpus, with its model card: one command per head.

    python -m tools.heads.ship --corpus CORPUS --work DIR [--model NAME] [--report]

CORPUS is what tools.heads.corpus wrote. Caches the upstream pictures, trains several seeds, measures each on the
development sets, and writes the seed with the best held-out upstream figure to url_viz/models/heads/NAME.safetensors
with its card NAME.md. --report also runs that one head on the report sets: once per shipped head, never for a choice.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from typing_extensions import Doc

from training.cache import write_cache
from training.command import command
from training.config import (
    DEFAULT_MODEL,
    Augmentation,
    CacheConfig,
    EvaluateConfig,
    InstanceTarget,
    Precision,
    Recipe,
    Target,
    as_record,
)
from training.data.spec import labelled_pictures_of
from training.embed import embed_pictures
from training.evaluate import evaluate, write_json
from training.evaluation import HEAD, Evaluation
from training.model_card import Card, card_text
from training.rows import rows_of
from training.train import RunPaths, final_figures, provenance_of, save_run, train
from url_viz.errors import NoImagesError
from url_viz.files import replaced
from url_viz.models.head import Head, save_head
from url_viz.models.model import Model, ModelSource, load_model, with_head
from url_viz.models.names import HEADS
from url_viz.progress import command_report, silent


@dataclass(frozen=True)
class ShipConfig:
    """Make a head that ships with the app, and its model card."""

    corpus: Annotated[Path, Doc("Folder written by tools.heads.corpus.")]
    work: Annotated[Path, Doc("Folder for the cache and the runs; a second run continues there.")]
    model: Annotated[str, Doc("Backbone by zoo or timm name.")] = DEFAULT_MODEL
    heads: Annotated[Path, Doc("Folder for the head and its card.")] = HEADS
    augmentation: Annotated[Augmentation, Doc("How pictures are varied.")] = field(
        default_factory=lambda: Augmentation(views=6, blur=0.2, dark=0.2, noise=0.2, downscale=0.3)
    )
    target: Annotated[Target, Doc("What the head learns to order.")] = "instance"
    instance: Annotated[InstanceTarget, Doc("Temperature and competitors of the task loss.")] = field(
        default_factory=lambda: InstanceTarget(temperature=0.02)
    )
    recipe: Annotated[Recipe, Doc("Hyper-parameters.")] = field(
        default_factory=lambda: Recipe(epochs=2, warm_up_epochs=0.5, width=128)
    )
    seeds: Annotated[int, Doc("Number of seeds to train.")] = 5
    limit: Annotated[int | None, Doc("Number of upstream pictures to learn from, spread over them.")] = None
    most_a_set: Annotated[int | None, Doc("Most pictures of a set to measure on, spread over it.")] = None
    crop_test: Annotated[bool, Doc("Measure how often a crop is more uncertain than its picture.")] = True
    precision: Annotated[Precision, Doc("fast, as the app runs by default, or exact.")] = "fast"
    report: Annotated[bool, Doc("Run the chosen head on the report sets.")] = False


@dataclass(frozen=True)
class Candidate:
    """One seed's head, its held-out upstream figure, and its evaluations on the development sets."""

    seed: int
    head: Head
    upstream: float
    evaluations: tuple[Evaluation, ...]

    @property
    def r_auroc(self) -> tuple[float, ...]:
        """R-AUROC on each development set, in their order."""
        return tuple(evaluation.order(HEAD).r_auroc for evaluation in self.evaluations)


def main(config: ShipConfig) -> None:
    """Train, choose, measure, and write head and card."""
    for use in ("development", "report") if config.report else ("development",):
        _sets(config, use)  # raises before the work, not after it
    model = load_model(config.model, precision=config.precision)
    bare = with_head(model, ModelSource(config.model, model.space.backbone, None))
    heads = _trained_heads(config, bare)
    development = _evaluated(config, bare, [head for _, head, _ in heads], "development")
    candidates = [
        Candidate(seed, head, upstream, tuple(evaluations))
        for (seed, head, upstream), evaluations in zip(heads, development, strict=True)
    ]
    chosen = max(candidates, key=lambda candidate: candidate.upstream)
    report = _evaluated(config, bare, [chosen.head], "report")[0] if config.report else []
    name = model.space.backbone
    save_head(chosen.head, config.heads / f"{name}.safetensors")
    for evaluation in (*chosen.evaluations, *report):
        write_json(evaluation, config.work / "figures" / f"{evaluation.data.replace('/', '-')}.json")
    sources = json.loads((config.corpus / "sources.json").read_text())
    card = Card(
        name=name,
        head=chosen.head,
        precision=config.precision,
        seeds=tuple(candidate.r_auroc for candidate in candidates),
        development=chosen.evaluations,
        report=tuple(report),
        sources=tuple(sources),
        command=command_of(config),
    )
    with replaced(config.heads / f"{name}.md") as temporary:
        temporary.write_text(card_text(card))
    print(f"Shipped seed {chosen.seed}, development mean {np.nanmean(chosen.r_auroc):.3f}, to {config.heads / name}.md")


def command_of(config: ShipConfig) -> str:
    """The command that makes this head again, as on its card: without the folders and default options."""
    usual = {field.name: field.default for field in fields(ShipConfig)}
    words = ["python -m tools.heads.ship"]
    for name in ("model", "limit", "most_a_set", "seeds", "crop_test", "precision", "report"):
        value, option = getattr(config, name), name.replace("_", "-")
        if value == usual[name]:
            continue
        word = f"--{option} {value}" if not isinstance(value, bool) else f"--{option}" if value else f"--no-{option}"
        words.append(word)
    return " ".join(words)


def _trained_heads(config: ShipConfig, model: Model) -> list[tuple[int, Head, float]]:
    """Seed, head and held-out upstream figure of each seed."""
    cache_config = CacheConfig(
        data=f"folder:{config.corpus / 'upstream'}",
        out=config.work / "cache",
        model=config.model,
        target=config.target,
        augmentation=config.augmentation,
        instance=config.instance,
        precision=config.precision,
        limit=config.limit,
    )
    cache = write_cache(cache_config, model, command_report())
    rows = rows_of(cache, held_out=config.recipe.held_out, device=torch.device("cpu"))
    heads = []
    for seed in range(config.seeds):
        trained = train(rows, config.recipe, seed=seed, report=command_report())
        provenance = provenance_of(cache, config.recipe, seed, final_figures(trained, rows))
        head = save_run(RunPaths(config.work / f"seed-{seed}"), trained, as_record(config), provenance)
        heads.append((seed, head, trained.best.validation))
    return heads


def _sets(config: ShipConfig, use: str) -> list[Path]:
    """The folders of the labelled sets under this use; raises NoImagesError if the corpus has none."""
    sets = sorted(path for path in (config.corpus / use).glob("*") if path.is_dir())
    if not sets:
        raise NoImagesError(f"{config.corpus / use} holds no sets. Run python -m tools.heads.corpus first.")
    return sets


def _evaluated(config: ShipConfig, model: Model, heads: Sequence[Head], use: str) -> list[list[Evaluation]]:
    """For each head, its evaluations on every set of the corpus under this use; pictures are embedded once per set."""
    evaluations: list[list[Evaluation]] = [[] for _ in heads]
    for path in _sets(config, use):
        pictures = labelled_pictures_of(f"folder:{path}", limit=config.most_a_set)
        embedded = embed_pictures(model, pictures, seed=0, report=silent, with_crops=config.crop_test)
        for index, head in enumerate(heads):
            headed = with_head(model, ModelSource(config.model, model.space.backbone, head))
            evaluate_config = EvaluateConfig(
                config.model, f"{use}/{path.name}", baselines=True, crop_test=config.crop_test
            )
            evaluations[index].append(evaluate(headed, pictures, embedded, evaluate_config))
    return evaluations


if __name__ == "__main__":
    sys.exit(command(ShipConfig, main))
