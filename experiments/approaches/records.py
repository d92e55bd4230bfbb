"""Records of a comparison of approaches, and the JSON that keeps them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from url_viz.evidence.order_metrics import Figure, Interval


@dataclass(frozen=True)
class Tried:
    """One setting that was tried with the first seed, and its R-AUROC on held-out upstream pictures."""

    value: float
    rate: float
    held_out_r_auroc: float


@dataclass(frozen=True)
class OnSet:
    """An approach on one set: R-AUROC, mean over seeds, with an interval over classes; each seed's.

    `beside_ours`: the difference to ours; `own_recall_at_1`: of the approach's own embedding, nan if it has none.
    """

    data: str
    r_auroc: Figure
    seeds: tuple[float, ...]
    beside_ours: Figure
    own_recall_at_1: float


@dataclass(frozen=True)
class ApproachFigures:
    """All of one approach: what was tried, what was chosen, and its figures on every set.

    `mean`: R-AUROC, mean over sets, then over seeds; `least` and `most` over seeds. `direction`: of the chosen setting,
    the chance that a made picture of the noisier half gets the higher uncertainty; see `direction_of`.
    """

    name: str
    varies: str
    tried: tuple[Tried, ...]
    chosen: Tried
    sets: tuple[OnSet, ...]
    mean: float
    least: float
    most: float
    own_recall_at_1: float
    direction: float


@dataclass(frozen=True)
class SetAbout:
    """A set that is measured on: its SPEC, and the backbone's own recall@1 on it."""

    data: str
    pictures: int
    classes: int
    recall_at_1: float


@dataclass(frozen=True)
class ApproachComparison:
    """All approaches beside each other; `upstream` is of the held-out pictures, `trained` how many trained."""

    backbone: str
    precision: str
    epochs: int
    batch: int
    seeds: int
    trained: int
    trained_classes: int
    upstream: SetAbout
    sets: tuple[SetAbout, ...]
    approaches: tuple[ApproachFigures, ...]

    @property
    def recall_at_1(self) -> float:
        """The backbone's own recall@1, mean over sets."""
        return sum(one.recall_at_1 for one in self.sets) / len(self.sets)


def read_comparison(path: Path) -> ApproachComparison:
    """A comparison from its JSON, null as nan."""
    record = _with_nan(json.loads(path.read_text("utf-8")))
    return ApproachComparison(
        **record
        | {
            "upstream": SetAbout(**record["upstream"]),
            "sets": tuple(SetAbout(**one) for one in record["sets"]),
            "approaches": tuple(map(_approach, record["approaches"])),
        }
    )


def _approach(record: dict[str, Any]) -> ApproachFigures:
    return ApproachFigures(
        **record
        | {
            "tried": tuple(Tried(**one) for one in record["tried"]),
            "chosen": Tried(**record["chosen"]),
            "sets": tuple(map(_on_set, record["sets"])),
        }
    )


def _on_set(record: dict[str, Any]) -> OnSet:
    figures = {name: _figure(record[name]) for name in ("r_auroc", "beside_ours")}
    return OnSet(**record | figures | {"seeds": tuple(record["seeds"])})


def _figure(record: dict[str, Any]) -> Figure:
    return Figure(record["value"], Interval(**record["interval"]))


def _with_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_nan(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_nan(inner) for inner in value]
    return float("nan") if value is None else value
