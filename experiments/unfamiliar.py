"""Whether the unfamiliar gets a higher uncertainty: `python -m experiments.unfamiliar --known FOLDER --data FOLDER …`.

KNOWN holds pictures of the classes that the classifier was trained on, each other folder pictures of other classes. The
figure is the chance that one of these is above one of the known: .5 means that the order does not tell them apart, and
its sign is never turned. An aleatoric head has no reason to be above .5. The figures go to unfamiliar.json; `--table`
prints the table of docs/benchmark.md from it.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Doc

from training.command import command, markdown
from training.data.spec import list_labelled
from training.overlap import embed_pictures
from url_viz.base.errors import FolderError
from url_viz.base.progress import command_report
from url_viz.base.wording import with_interval
from url_viz.evidence.baselines import all_baselines
from url_viz.evidence.order_metrics import auroc_by_blocks
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT

FIGURES = Path(__file__).with_suffix(".json")
HEAD = "uncertainty"
SINGLE_BASELINES = ("entropy", "max_probability", "energy", "inverse_norm")
"""Baselines of single pictures: those that look at neighbours depend on the set, and cannot be compared between two."""


@dataclass(frozen=True)
class UnfamiliarStudy:
    """Compare pictures of other classes with pictures of the classifier's own."""

    known: Annotated[Path | None, Doc("Pictures of classes that the classifier knows.")] = None
    data: Annotated[tuple[Path, ...], Doc("Sets of other classes; give it again.")] = ()
    limit: Annotated[int, Doc("Most pictures of a set, spread over it.")] = 1000
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the table of the figures that are there.")] = False


@dataclass(frozen=True)
class OrderedSet:
    """What a set's pictures got: orders (N,) by name, and their classes (N,)."""

    orders: dict[str, NDArray[np.floating[Any]]]
    label: NDArray[np.int64]


def main(study: UnfamiliarStudy) -> None:
    """Measure, write the figures, and print the table; or print it again."""
    if not study.table:
        if study.known is None or not study.data:
            raise FolderError("Two sets are needed. Give --known FOLDER and --data FOLDER, or --table.")
        model = load_model(DEFAULT)
        known = read(study.known, model, study.limit)
        figures = {folder.name: figures_of(known, read(folder, model, study.limit)) for folder in study.data}
        config = {"known": study.known.name, "limit": study.limit, "model": DEFAULT}
        study.json.write_text(json.dumps({"config": config, "sets": figures}, indent=1) + "\n", encoding="utf-8")
    print(table(json.loads(study.json.read_text("utf-8"))))


def read(folder: Path, model: Model, limit: int) -> OrderedSet:
    """The orders of single pictures: the head's, and those of the classifier's outputs."""
    pictures = list_labelled(str(folder), limit=limit)
    embedded = embed_pictures(model, pictures, seed=0, report=command_report(), with_crops=False)
    baselines = all_baselines(embedded.embedding, embedded.logits)
    orders = {name: np.minimum(baselines[name], np.finfo(np.float64).max) for name in SINGLE_BASELINES}
    head = {} if model.head is None else {HEAD: model.head(embedded.embedding)}
    return OrderedSet({**head, **orders}, pictures.labels[embedded.positions].astype(np.int64))


def figures_of(known: OrderedSet, other: OrderedSet) -> dict[str, dict[str, object]]:
    """The chance that one of `other` stands above one of `known`, by each order; intervals over the classes of both."""
    is_other = np.repeat([False, True], [len(known.label), len(other.label)])
    block = np.concatenate([known.label, other.label + known.label.max() + 1])
    return {
        name: asdict(auroc_by_blocks(np.concatenate([known.orders[name], other.orders[name]]), is_other, block))
        for name in known.orders
    }


def table(figures: dict[str, Any]) -> str:
    """One line a set, one column an order."""
    sets: dict[str, dict[str, Any]] = figures["sets"]
    names = list(next(iter(sets.values())))
    rows = [
        [name, *(with_interval(of_set[order]["value"], **of_set[order]["interval"]) for order in names)]
        for name, of_set in sets.items()
    ]
    return markdown([f"above a picture of {figures['config']['known']}", *names], rows)


if __name__ == "__main__":
    sys.exit(command(UnfamiliarStudy, main))
