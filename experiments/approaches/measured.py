"""Choice of an approach's setting on upstream pictures, its runs, and its figures on sets that chose nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.approaches.approach import Approach
from experiments.approaches.config import ApproachesConfig
from experiments.approaches.direction import direction_of
from experiments.approaches.fit import MeasuredSet, TrainingPictures, fitted, own_embedding_of, uncertainty_of
from experiments.approaches.named import APPROACHES, OURS, Setting
from experiments.approaches.records import ApproachFigures, OnSet, Tried
from url_viz.base.files import replaced
from url_viz.evidence.order_metrics import (
    Figure,
    Influenced,
    Interval,
    auroc_influence,
    mean_influence,
    r_auroc,
    recall_at_1,
)

NONE = Figure(float("nan"), Interval(float("nan"), float("nan")))


@dataclass(frozen=True)
class Runs:
    """An approach's runs with the chosen setting.

    `uncertainty`: for each set (seeds, N) float32; `own_recall`: for each set (seeds,), nan without an own embedding.
    """

    name: str
    tried: tuple[Tried, ...]
    chosen: Tried
    uncertainty: tuple[NDArray[np.float32], ...]
    own_recall: tuple[NDArray[np.float64], ...]
    direction: float


def runs_of(name: str, upstream: TrainingPictures, sets: Sequence[MeasuredSet], config: ApproachesConfig) -> Runs:
    """Try every setting with seed 0, choose the best on held-out upstream pictures, and run all seeds with it."""
    settings = APPROACHES[name].settings
    firsts = [_fitted(name, upstream, setting, 0, config) for setting in settings]
    tried = tuple(
        Tried(setting.value, setting.rate, _held_out_figure(first, upstream))
        for setting, first in zip(settings, firsts, strict=True)
    )
    best = max(range(len(tried)), key=lambda place: tried[place].held_out_r_auroc)
    others = [_fitted(name, upstream, settings[best], seed, config) for seed in range(1, config.seeds)]
    approaches = [firsts[best], *others]
    uncertainty = (
        [uncertainty_of(one, part.embedding, seed=seed) for seed, one in enumerate(approaches)] for part in sets
    )
    own_recall = ([_own_recall(one, part) for one in approaches] for part in sets)
    values, recalls = tuple(map(np.stack, uncertainty)), tuple(map(np.array, own_recall))
    return Runs(name, tried, tried[best], values, recalls, direction_of(name, settings[best]))


def _fitted(name: str, upstream: TrainingPictures, setting: Setting, seed: int, config: ApproachesConfig) -> Approach:
    return fitted(name, upstream, setting=setting, seed=seed, epochs=config.epochs, batch=config.batch)


def _held_out_figure(approach: Approach, upstream: TrainingPictures) -> float:
    """The mean over sources: which source a picture is from is not asked."""
    return fmean(r_auroc(uncertainty_of(approach, one.embedding, seed=0), one.is_correct) for one in upstream.held_out)


def _own_recall(approach: Approach, part: MeasuredSet) -> float:
    own = own_embedding_of(approach, part.embedding)
    return float("nan") if own is None else recall_at_1(own, part.label)[0]


def figures_of(every: Sequence[Runs], sets: Sequence[MeasuredSet]) -> tuple[ApproachFigures, ...]:
    """The figures of all approaches, highest mean R-AUROC first; beside ours, if that is among them."""
    influences = {runs.name: _influences(runs, sets) for runs in every}
    found = [_figures(runs, sets, influences[runs.name], influences.get(OURS)) for runs in every]
    return tuple(sorted(found, key=lambda figures: -figures.mean))


def _influences(runs: Runs, sets: Sequence[MeasuredSet]) -> list[list[Influenced]]:
    """R-AUROC of each set and seed, with each picture's influence."""
    return [
        [auroc_influence(uncertainty, ~part.is_correct) for uncertainty in of_seeds]
        for of_seeds, part in zip(runs.uncertainty, sets, strict=True)
    ]


def _figures(
    runs: Runs, sets: Sequence[MeasuredSet], influences: list[list[Influenced]], ours: list[list[Influenced]] | None
) -> ApproachFigures:
    of_sets = []
    for place, part in enumerate(sets):
        mean, beside = mean_influence(influences[place]), NONE
        if ours is not None and runs.name != OURS:
            beside = (mean - mean_influence(ours[place])).by_blocks(part.label, least=-1.0)
        seeds = tuple(one.value for one in influences[place])
        own_recall = float(runs.own_recall[place].mean())
        of_sets.append(OnSet(part.name, mean.by_blocks(part.label), seeds, beside, own_recall))
    by_seed = np.mean([one.seeds for one in of_sets], axis=0)
    return ApproachFigures(
        runs.name,
        APPROACHES[runs.name].varies,
        runs.tried,
        runs.chosen,
        tuple(of_sets),
        float(by_seed.mean()),
        float(by_seed.min()),
        float(by_seed.max()),
        float(np.mean([one.own_recall_at_1 for one in of_sets])),
        runs.direction,
    )


def write_runs(runs: Runs, path: Path, *, about: str) -> None:
    """Keep an approach's runs in an .npz; `about` says what they depend on."""
    arrays: dict[str, Any] = {f"uncertainty-{place}": values for place, values in enumerate(runs.uncertainty)}
    arrays |= {f"recall-{place}": values for place, values in enumerate(runs.own_recall)}
    record = {
        "about": about,
        "tried": [asdict(one) for one in runs.tried],
        "chosen": asdict(runs.chosen),
        "direction": runs.direction,
    }
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, record=np.array(json.dumps(record)), **arrays)


def read_runs(name: str, path: Path, *, about: str) -> Runs | None:
    """The runs of an approach that were kept; None if there are none, or of something else."""
    if not path.exists():
        return None
    with np.load(path) as arrays:
        record = json.loads(str(arrays["record"]))
        if record["about"] != about:
            return None
        count = sum(one.startswith("recall-") for one in arrays.files)
        return Runs(
            name,
            tuple(Tried(**one) for one in record["tried"]),
            Tried(**record["chosen"]),
            tuple(arrays[f"uncertainty-{place}"] for place in range(count)),
            tuple(arrays[f"recall-{place}"] for place in range(count)),
            record["direction"],
        )
