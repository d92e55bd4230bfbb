"""What a head that adapts to a folder without labels should learn: `python -m experiments.adapting --data SPEC …`.

Each way is tried on labelled development sets. A share of the pictures of each, whole groups of twins, takes no part;
R-AUROC of *N* (the nearest picture in the whitened space that is not a twin has another class) is measured on these and
on all pictures. Views are embedded once a set. Sets given as --report are run with the default alone, and
chose nothing. The figures go to adapting.json; `--table` prints docs/training.md's table from it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import Doc

from training.cache import write_shards
from training.command import command, markdown
from training.config import Augmentation, CacheConfig, FinetuneConfig, InstanceTarget, Recipe, as_record
from training.head_finetuning import losses_to_learn
from training.holdout import SplitCache, find_space, orders_without_head
from training.store import Cache, open_cache, write_json, write_loss
from training.targets import Losses, instance_loss
from training.train import train, uncertainty_of
from training.training_rows import Sources, find_groups, training_rows
from url_viz.base.errors import FolderError
from url_viz.base.progress import command_report, silent
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import decimal, with_interval
from url_viz.evidence.order_metrics import Figure, auroc, mean_by_t
from url_viz.models.model import load_model
from url_viz.pipeline.confusability import crowd_scale

DEFAULT, BEFORE = "learns confusability", "learns instance, τ .15"
USUAL = Recipe(epochs=20, batch=256)
FIGURES = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class AdaptingStudy:
    """Try ways to adapt a head on labelled sets, and report the default on others."""

    work: Annotated[Path, Doc("Folder for the embedded views.")] = Path("work/adapting")
    data: Annotated[tuple[str, ...], Doc("Development sets: folders of class folders; give it again.")] = ()
    report: Annotated[tuple[str, ...], Doc("Sets that chose nothing, run with the default alone; give it again.")] = ()
    model: Annotated[str, Doc("Backbone.")] = "tf_efficientnet_lite0"
    views: Annotated[int, Doc("Views of each picture.")] = 4
    told: Annotated[float, Doc("Share of pictures that neither train nor choose.")] = 0.3
    seeds: Annotated[int, Doc("Splits and first weights of each way.")] = 2
    limit: Annotated[int | None, Doc("Most pictures of a set given as report.")] = 1000
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the table of the figures that are there.")] = False


@dataclass(frozen=True)
class Way:
    """One way to adapt: the task losses (R,) of a set whose test pictures are not looked at, recipe, and views used."""

    losses: Callable[[SplitCache], Losses]
    recipe: Recipe = USUAL
    views: int | None = None


@dataclass(frozen=True)
class AdaptingRun:
    """R-AUROC of N by one order on one set under one split: of the test pictures, and of all."""

    order: str
    data: str
    seed: int
    told: float
    all: float


@dataclass(frozen=True)
class OrderMean:
    """An order's means over sets and splits, and by how much they are ahead of `BEFORE`, by Student over sets."""

    order: str
    told: float
    all: float
    told_ahead: Figure
    all_ahead: Figure


@dataclass(frozen=True)
class AdaptingFigures:
    """All figures, and how they came about."""

    config: dict[str, object]
    pictures: dict[str, int]
    runs: tuple[AdaptingRun, ...]
    means: tuple[OrderMean, ...]
    report_runs: tuple[AdaptingRun, ...] = ()
    report_means: tuple[OrderMean, ...] = field(default=())


def ways() -> Mapping[str, Way]:
    """Every way that is tried, by its name."""
    learnt = Way(_usual(FinetuneConfig(data="", out=Path(), test_share=0.3)))
    return {
        BEFORE: Way(_instance(0.15)),
        "learns instance, τ .05": Way(_instance(0.05)),
        "learns instance, τ of the set": Way(_instance(None)),
        "learns instance, τ of the set, whitened": Way(_instance(None, is_whitened=True)),
        "learns instance, τ .15, mean of a picture's views": Way(_mean_of_views(_instance(0.15))),
        DEFAULT: learnt,
        "learns confusability, one view": replace(learnt, views=1),
        "learns confusability, L2": replace(learnt, recipe=replace(USUAL, loss="l2")),
        "learns confusability, width 128": replace(learnt, recipe=replace(USUAL, width=128)),
        "learns confusability, 10 epochs": replace(learnt, recipe=replace(USUAL, epochs=10)),
    }


def main(config: AdaptingStudy) -> None:
    """Measure, write the figures and print the table; or only print it."""
    if not config.table:
        write_json(study_of(config), config.json)
    print(table(json.loads(config.json.read_text())))


def study_of(config: AdaptingStudy) -> AdaptingFigures:
    """Every way on every development set, the default on the others."""
    if not config.data:
        raise FolderError("No sets are named. Give --data FOLDER of class folders, again for each further set.")
    caches = {Path(spec).name: _cache(config, spec, limit=None) for spec in config.data}
    runs = [run for name, cache in caches.items() for run in runs_of(name, cache, ways(), config)]
    others = {Path(spec).name: _cache(config, spec, limit=config.limit) for spec in config.report}
    default = {name: way for name, way in ways().items() if name in (DEFAULT, BEFORE)}
    reported = [run for name, cache in others.items() for run in runs_of(name, cache, default, config)]
    sizes = {name: len(cache.pictures) for name, cache in (caches | others).items()}
    record = {name: value for name, value in as_record(config).items() if name in ("model", "views", "told", "seeds")}
    return AdaptingFigures(record, sizes, tuple(runs), means_of(runs), tuple(reported), means_of(reported))


def _cache(config: AdaptingStudy, spec: str, *, limit: int | None) -> Cache:
    out = config.work / Path(spec).name
    cache = CacheConfig(spec, out, config.model, augmentation=Augmentation(views=config.views), limit=limit)
    write_shards(cache, load_model(config.model), command_report())
    return open_cache(out)


def runs_of(name: str, cache: Cache, tried: Mapping[str, Way], config: AdaptingStudy) -> list[AdaptingRun]:
    """Every way on one set, and the orders that need no job."""
    group, space = find_groups(Sources.from_caches(cache), "twins"), find_space(cache.clean)
    runs = []
    for seed in range(config.seeds):
        drawn = np.random.default_rng(seed).random(len(group)) < config.told
        number = np.unique(group, return_inverse=True)[1]
        split = SplitCache(cache, drawn[number], group, space)
        orders = orders_without_head(space, cache.labels) | {
            one: _adapted(way, split, seed) for one, way in tried.items()
        }
        for order, values in orders.items():
            runs.append(AdaptingRun(order, name, seed, *_figures(values, split)))
            print(runs[-1], flush=True)
    return runs


def _adapted(way: Way, split: SplitCache, seed: int) -> NDArray[np.float32]:
    losses = way.losses(split)
    if way.views is not None:
        losses = np.where(split.cache.rows["view"] < way.views, losses, np.float32(np.nan))
    write_loss(split.cache.paths, losses, {"target": "study"})
    rows = training_rows(split.cache, held_out=way.recipe.held_out, device=torch.device("cpu"))
    return uncertainty_of(train(rows, way.recipe, seed=seed, report=silent).module, split.cache.clean)


def _figures(values: NDArray[np.floating], split: SplitCache) -> tuple[float, float]:
    known, is_wrong = split.space.nearest_errors(split.cache.labels)
    every = known & np.isfinite(values)
    unseen = every & split.is_test
    return auroc(values[unseen], is_wrong[unseen]), auroc(values[every], is_wrong[every])


def _usual(config: FinetuneConfig) -> Callable[[SplitCache], Losses]:
    return lambda split: losses_to_learn(config, split)


def _instance(temperature: float | None, *, is_whitened: bool = False) -> Callable[[SplitCache], Losses]:
    """The instance loss in the raw or whitened space of the pictures that learn; None: τ is the set's own scale there.

    That scale is a third of the median of s₁ − s₁₁, as confusability has it.
    """

    def losses(split: SplitCache) -> Losses:
        cache, learnt = split.cache, np.flatnonzero(~split.is_test)
        rows = np.flatnonzero(~split.is_test[cache.clean_rows])
        clean, views = cache.clean[learnt], cache.embeddings[rows]
        space = find_space(clean)
        if is_whitened:
            clean, views = space.whitened.rows, space.whitened.whitening.transform(views)
        tau = crowd_scale(*_lists(clean, space.graph.position)) if temperature is None else temperature
        task_loss = np.full(len(cache), np.nan, np.float32)
        of_view = np.searchsorted(learnt, cache.clean_rows[rows])
        task_loss[rows] = instance_loss(
            views, np.arange(len(rows)), of_view, clean, target=InstanceTarget(temperature=tau), seed=0
        )
        return task_loss

    return losses


def _lists(rows: NDArray[np.floating], position: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The graph's lists with their cosines in the space of `rows`, nearest first."""
    unit = l2_normalize(rows)
    cosine = np.einsum("nd,nkd->nk", unit, unit[position])
    cosine[position < 0] = -np.inf
    order = np.argsort(-cosine, axis=1, kind="stable")
    return np.take_along_axis(position, order, axis=1), np.take_along_axis(cosine, order, axis=1)


def _mean_of_views(losses: Callable[[SplitCache], Losses]) -> Callable[[SplitCache], Losses]:
    def mean(split: SplitCache) -> Losses:
        of_views, picture = losses(split), split.cache.clean_rows
        mean_loss = np.bincount(picture, of_views) / np.bincount(picture)
        return mean_loss[picture].astype(np.float32)

    return mean


def means_of(runs: list[AdaptingRun]) -> tuple[OrderMean, ...]:
    """The mean of each order over sets and seeds, and of what it is ahead of `BEFORE` on the test pictures."""
    return tuple(_mean(order, runs) for order in dict.fromkeys(run.order for run in runs))


def _mean(order: str, runs: list[AdaptingRun]) -> OrderMean:
    mine, before = ([run for run in runs if run.order == name] for name in (order, BEFORE))
    sets = np.unique([run.data for run in mine], return_inverse=True)[1]
    told, every = (
        np.array([[getattr(one, part), getattr(other, part)] for one, other in zip(mine, before, strict=True)])
        for part in ("told", "all")
    )
    ahead = (_ahead(pairs[:, 0] - pairs[:, 1], sets) for pairs in (told, every))
    return OrderMean(order, float(told[:, 0].mean()), float(every[:, 0].mean()), *ahead)


def _ahead(values: NDArray[np.float64], sets: NDArray[np.int64]) -> Figure:
    """The mean over sets of the mean over the seeds of each."""
    return mean_by_t((np.bincount(sets, values) / np.bincount(sets)).tolist(), least=-1.0)


def table(study: dict[str, Any]) -> str:
    """The figures as Markdown, from their JSON."""
    parts = []
    for part, title in (("means", "Development sets"), ("report_means", "Report sets")):
        sets = dict.fromkeys(run["data"] for run in study[part.replace("means", "runs")])
        names = ", ".join(f"{name} ({study['pictures'][name]:,})" for name in sets)
        rows = [_row(mean) for mean in study[part]]
        if rows:
            header = ["", "not learnt from", "ahead", "all", "ahead "]
            parts.append(f"{title}: {names}.\n\n{markdown(header, rows)}")
    return "\n\n".join(parts)


def _row(mean: dict[str, Any]) -> list[str]:
    order = str(mean["order"])
    ahead = ["" if order == BEFORE else _ahead_text(mean[part]) for part in ("told_ahead", "all_ahead")]
    name = f"**{order}** (default)" if order == DEFAULT else order
    return [name, decimal(mean["told"], digits=3), ahead[0], decimal(mean["all"], digits=3), ahead[1]]


def _ahead_text(figure: dict[str, Any]) -> str:
    return with_interval(figure["value"], **figure["interval"], digits=3, signed=True)


if __name__ == "__main__":
    sys.exit(command(AdaptingStudy, main))
