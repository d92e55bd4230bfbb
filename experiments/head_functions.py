"""What a head should read: `python -m experiments.head_functions --run DIR … --data SPEC …`.

Each DIR is a folder that `training.pretrain` left, one a backbone; its caches train heads that read this or that. Each
is measured on labelled development sets, and on every cache in turn by heads that were trained without it. The
figures go to head_functions.json; `--table` prints the table; docs/training.md quotes it.
"""

import copy
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import Doc

from training.benchmark.labelled import Case, LabelledSet, embed_set, make_case
from training.benchmark.orders import picture_features
from training.command import cell, command, markdown
from training.config import PRESETS, Recipe
from training.data.spec import list_labelled
from training.store import Cache, open_cache, write_json
from training.train import DISTANCE_WEIGHT, read_by_functions, train, uncertainty_of, weigh_distance
from training.training_rows import Rows, Sources, training_rows
from url_viz.base.progress import command_report, silent
from url_viz.evidence.order_metrics import auroc
from url_viz.models.backbone import LoadedBackbone
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions
from url_viz.models.model import Model, load_model, load_source

FIGURES = Path(__file__).with_suffix(".json")
LINEAR = PRESETS["functions"]
DEEP = Recipe(epochs=3, warm_up_epochs=0.5)
WEIGHTS = (0.0, 0.3, DISTANCE_WEIGHT, 1.0)
CPU = torch.device("cpu")

Order = Callable[[Case], NDArray[np.floating]]


@dataclass(frozen=True)
class FunctionsStudy:
    """Train heads that read functions of the classifier or the embedding, and measure them on development sets."""

    run: Annotated[tuple[Path, ...], Doc("Folders that training.pretrain left, one a backbone.")] = ()
    data: Annotated[tuple[str, ...], Doc("Development sets: folders of class folders; give it again.")] = ()
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the table of the figures that are there.")] = False


@dataclass(frozen=True)
class OrderFigure:
    """R-AUROC of one order on one set with one backbone: the paper's, and N. `use`: development, or left out."""

    order: str
    backbone: str
    data: str
    use: str
    paper: float
    nearest: float


@dataclass(frozen=True)
class FunctionsFigures:
    """The figures of a study."""

    rows: tuple[OrderFigure, ...]


def main(config: FunctionsStudy) -> None:
    """Measure, or print the table."""
    if not config.table:
        rows = [row for run in config.run for row in _of_backbone(run, config)]
        write_json(FunctionsFigures(tuple(rows)), config.json)
    print(table(json.loads(config.json.read_text())))


def _of_backbone(run: Path, config: FunctionsStudy) -> list[OrderFigure]:
    caches = [open_cache(folder) for folder in sorted((run / "caches").iterdir())]
    model = load_model(caches[0].manifest.backbone, precision=caches[0].manifest.precision)
    loaded = load_source(model.source)
    developing = [_case(spec, model) for spec in config.data]
    found = _measured(caches, loaded, developing, "development")
    for left_out in caches:
        pictures = np.bincount(left_out.labels)
        if (pictures > 1).sum() > 1:  # of one picture a class none is right
            others = [cache for cache in caches if cache is not left_out]
            found += _measured(others, loaded, [_case_of_cache(left_out, loaded)], "left out")
    return found


def _case(spec: str, model: Model) -> Case:
    pictures = list_labelled(spec)
    return make_case(embed_set(spec, pictures, model, None, None, report=command_report()))


@torch.no_grad()
def _case_of_cache(cache: Cache, loaded: LoadedBackbone) -> Case:
    """The clean pictures of a cache, of classes with at least two, as a labelled set."""
    rows = np.flatnonzero(np.bincount(cache.labels)[cache.labels] > 1)
    embedding, label = cache.mapped_clean[rows], cache.labels[rows]
    logits = loaded.backbone.network.get_classifier()(torch.from_numpy(embedding.astype(np.float32))).numpy()
    return make_case(LabelledSet(cache.paths.folder.name, embedding, logits, label))


def _measured(caches: Sequence[Cache], loaded: LoadedBackbone, cases: Sequence[Case], use: str) -> list[OrderFigure]:
    rows = training_rows(Sources(tuple(caches)), held_out=LINEAR.held_out, device=CPU)
    found = []
    for name, order in _orders(rows, loaded).items():
        for case in cases:
            values, outcomes = order(case), case.outcomes
            nearest = auroc(values[outcomes.is_counted], outcomes.is_wrong[outcomes.is_counted])
            paper = auroc(values, outcomes.is_paper_wrong)
            found.append(OrderFigure(name, loaded.name, Path(case.labelled.data).name, use, paper, nearest))
    return found


def _orders(rows: Rows, loaded: LoadedBackbone) -> Mapping[str, Order]:
    """Orders by name: single baselines, single functions, and heads that are trained on the rows."""
    read = read_by_functions(rows, loaded)
    functions = read.functions
    assert functions is not None
    deep = train(rows, DEEP, seed=0, report=silent).module
    return {
        "entropy": lambda case: picture_features(case.labelled, 1.0)["entropy"],
        "entropy at T = .5": lambda case: picture_features(case.labelled, 0.5)["tempered_entropy"],
        "max-probability": lambda case: picture_features(case.labelled, 1.0)["max_probability"],
        **{f"`{name}`": _single(functions, column) for column, name in enumerate(NAMES)},
        **{f"head, distance weighs {weight:g}": head for weight, head in _heads(functions, read, WEIGHTS).items()},
        **{
            f"head without `{name}`": _heads(functions, read, [DISTANCE_WEIGHT], without=column)[DISTANCE_WEIGHT]
            for column, name in enumerate(NAMES[:-1])
        },
        "head on the embedding": lambda case: uncertainty_of(deep, case.labelled.embedding),
    }


def _single(functions: ClassifierFunctions, column: int) -> Order:
    return lambda case: -functions(case.labelled.embedding.astype(np.float32))[:, column]


def _heads(
    functions: ClassifierFunctions, read: Rows, weights: Sequence[float], *, without: int | None = None
) -> Mapping[float, Order]:
    """One head by weight of the distance; the function `without` is the same for every picture."""
    keeps = (np.arange(len(NAMES)) != without).astype(np.float32)
    assert read.resident is not None
    choosing = tuple(replace(one, views=one.views * keeps, clean=one.clean * keeps) for one in read.choosing)
    read = replace(read, resident=read.resident * torch.from_numpy(keeps), choosing=choosing)
    trained = train(read, LINEAR, seed=0, report=silent).module

    def with_weight(weight: float) -> Order:
        module = copy.deepcopy(trained)
        weigh_distance(module, read, weight=weight)
        return lambda case: uncertainty_of(module, functions(case.labelled.embedding.astype(np.float32)) * keeps)

    return {weight: with_weight(weight) for weight in weights}


def table(figures: Mapping[str, list[dict[str, object]]]) -> str:
    """The paper's R-AUROC by set for the first backbone, and means over development sets and left-out ones of all."""
    rows = [OrderFigure(**row) for row in figures["rows"]]  # type: ignore[arg-type]
    backbones = list(dict.fromkeys(row.backbone for row in rows))
    sets = list(dict.fromkeys(row.data for row in rows if row.use == "development"))
    short = " / ".join(name.rpartition("_")[2] for name in backbones)
    lines = [
        [
            order,
            *(cell(row.paper) for data in sets for row in rows if _is(row, order, backbones[0], data=data)),
            *(
                " / ".join(cell(_mean(rows, order, backbone, use, what)) for backbone in backbones)
                for use, what in (("development", "paper"), ("development", "nearest"), ("left out", "paper"))
            ),
        ]
        for order in dict.fromkeys(row.order for row in rows)
    ]
    header = ["", *sets, f"mean, {short}", "the same, N", "sources left out"]
    return markdown(header, lines)


def _is(row: OrderFigure, order: str, backbone: str, *, data: str) -> bool:
    return (row.order, row.backbone, row.data, row.use) == (order, backbone, data, "development")


def _mean(rows: Sequence[OrderFigure], order: str, backbone: str, use: str, what: str) -> float:
    found = [getattr(r, what) for r in rows if (r.order, r.backbone, r.use) == (order, backbone, use)]
    return float(np.mean(found))


if __name__ == "__main__":
    sys.exit(command(FunctionsStudy, main))
