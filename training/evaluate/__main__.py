"""Evaluation of uncertainties on labelled pictures: recall@1, R-AUROC, AURC, crop test, baselines.

    python -m training.evaluate --model NAME_OR_PATH --data SPEC [--upstream SPEC] [--baselines] [--json OUT]

With --upstream also OOD AUROC and mixed R-AUROC; with people's votes (cifar10h:PATH, …) the rank correlation with their
entropy; if the classifier knows the folders' WordNet ids, AUROC against its errors. Prints a table, best order
first, with intervals over classes; --json keeps every figure and the risk–coverage curves, --figures DIR draws them.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import LabelledSet
from training.cache import classifier_indices, count_classes
from training.command import cell, command
from training.config import EvaluateConfig
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from training.evaluate.figures import HEAD, Comparisons, Crop, Evaluation, OrderResult, References, write_figures
from training.named_sets.soft_labels import COLLECTION, read_soft_labels
from training.overlap import EmbeddedPictures, embed_pictures
from training.store import write_json
from url_viz.base.errors import FolderError, HeadMismatchError
from url_viz.base.files import require_parent
from url_viz.base.progress import command_report
from url_viz.base.wording import counted
from url_viz.evidence.baselines import all_baselines
from url_viz.evidence.order_metrics import (
    Figure,
    Scored,
    auroc_by_blocks,
    classification_auroc,
    errors_in_order,
    human_alignment,
    mixed_r_auroc,
    ood_auroc,
    recall_at_1,
    risk_coverage,
)
from url_viz.models.head import Head
from url_viz.models.model import Model, load_model

CURVE_POINTS = 101
TENTHS = 10
PAPER_NOTE = (
    "R-AUROC and recall@1 are the paper's: nearest by raw cosine, copies included. `url_viz evaluate` leaves copies "
    "and views out, in the set's whitened space, so its figures differ."
)

Values = NDArray[np.floating]


def main(config: EvaluateConfig) -> None:
    """Evaluate as `config` says, print the table, and write the files that it names."""
    require_parent(config.json)
    model = load_model(config.model, device=config.device, precision=config.precision)
    pictures = list_labelled(config.data, limit=config.limit)
    embedded = embed_pictures(model, pictures, seed=config.seed, report=command_report(), with_crops=config.crop_test)
    upstream = None
    if config.upstream is not None:
        known = list_labelled(config.upstream, limit=config.limit)
        read = embed_pictures(model, known, seed=config.seed, report=command_report(), with_crops=False)
        upstream = LabelledSet(config.upstream, read.embedding, read.logits, known.labels[read.positions])
    references = References(
        classifier_labels(model, pictures, embedded.positions),
        votes_entropy(config.data, pictures.ids[embedded.positions]),
        upstream,
    )
    evaluation = evaluate(model, pictures, embedded, config, references)
    print(table(evaluation))
    print(PAPER_NOTE)
    if config.json is not None:
        write_json(evaluation, config.json)
    if config.figures is not None:
        print("\n".join(str(path) for path in write_figures(evaluation, config.figures)))


def classifier_labels(model: Model, pictures: PictureList, positions: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Each picture's class (N,) among the classifier's, −1 if unknown; None if it knows none."""
    codes = classifier_indices(pictures.classes, count_classes(model))
    return None if codes is None else codes[pictures.labels[positions]]


def votes_entropy(spec: str, ids: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Entropy (N,) in nats of people's votes on the pictures with these ids, nan without votes; None of other sets."""
    name = spec.partition(":")[0].partition("/")[0]
    if name not in (*COLLECTION, "imagenet-real-h"):
        return None
    votes = read_soft_labels(spec)
    entropy = dict(zip(votes.pictures.ids.tolist(), votes.entropy_nats.tolist(), strict=True))
    return np.array([entropy.get(picture_id, math.nan) for picture_id in ids.tolist()])


def evaluate(
    model: Model,
    pictures: PictureList,
    embedded: EmbeddedPictures,
    config: EvaluateConfig,
    references: References | None = None,
) -> Evaluation:
    """All figures of a model on pictures that were embedded with it.

    Raises HeadMismatchError without a head and baselines, FolderError for too few pictures to have neighbours.
    """
    if model.head is None and not config.baselines:
        raise HeadMismatchError(f"{config.model!r} has no head. Give the path of one, or --baselines.")
    if len(embedded.positions) < 3:
        raise FolderError(f"{len(embedded.positions)} readable pictures in {config.data!r} are too few to evaluate on.")
    labels = pictures.labels[embedded.positions]
    share, is_correct = recall_at_1(embedded.embedding, labels)
    uncertainties = _uncertainties(model.head, embedded, with_baselines=config.baselines)
    comparisons = compare(uncertainties, model.head, embedded, labels, config, references or References())
    orders = [
        measure_order(name, values, is_correct, labels, comparisons=comparisons[name])
        for name, values in uncertainties.items()
    ]
    crops = compare_crops(model.head, embedded) if model.head and config.crop_test else ()
    return Evaluation(
        model=str(config.model),
        data=config.data,
        precision=model.space.precision,
        pictures=len(embedded.positions),
        classes=len(pictures.classes),
        unreadable=len(embedded.failures),
        recall_at_1=share,
        crop_test=float(np.mean([crop.is_more_uncertain for crop in crops])) if crops else math.nan,
        orders=tuple(sorted(orders, key=lambda order: -order.r_auroc)),
        crops=crops,
    )


def compare(
    uncertainties: Mapping[str, Values],
    head: Head | None,
    embedded: EmbeddedPictures,
    labels: NDArray[np.int32],
    config: EvaluateConfig,
    references: References,
) -> Mapping[str, Comparisons]:
    """The comparisons of each uncertainty, by name; neighbour baselines search within each set."""
    entropy, upstream = references.entropy_nats, references.upstream
    comparisons = {
        name: Comparisons(
            against_classifier(uncertainty, embedded.logits, references.classes),
            math.nan if entropy is None else human_alignment(uncertainty, entropy),
        )
        for name, uncertainty in uncertainties.items()
    }
    if upstream is None:
        return comparisons
    others = _uncertainties(head, upstream, with_baselines=config.baselines)
    for name, uncertainty in uncertainties.items():
        upstream_scored = Scored(upstream.embedding, others[name], upstream.label)
        mixed = mixed_r_auroc(upstream_scored, Scored(embedded.embedding, uncertainty, labels), seed=config.seed)
        ood = ood_auroc(others[name], uncertainty, seed=config.seed)
        comparisons[name] = replace(comparisons[name], ood_auroc=ood, mixed_r_auroc=mixed)
    return comparisons


def against_classifier(
    uncertainty: NDArray[np.floating], logits: NDArray[np.float32], classes: NDArray[np.int64] | None
) -> float:
    """AUROC of uncertainty (N,) against the errors of logits (N, C), over pictures of known classes; nan of none."""
    if classes is None:
        return math.nan
    has_class = classes >= 0
    return classification_auroc(uncertainty[has_class], logits[has_class], classes[has_class])


def _uncertainties(
    head: Head | None, embedded: EmbeddedPictures | LabelledSet, *, with_baselines: bool
) -> Mapping[str, Values]:
    uncertainties: dict[str, Values] = {} if head is None else {HEAD: head(embedded.embedding)}
    if not with_baselines:
        return uncertainties
    baselines = all_baselines(embedded.embedding, embedded.logits)
    # 1/norm is infinite for an embedding of zeros: the largest number sorts the same way.
    return uncertainties | {name: np.minimum(values, np.finfo(np.float64).max) for name, values in baselines.items()}


def measure_order(
    name: str,
    uncertainty: Values,
    is_correct: NDArray[np.bool_],
    labels: NDArray[np.integer],
    *,
    comparisons: Comparisons | None = None,
) -> OrderResult:
    """R-AUROC of an uncertainty (N,) against correctness (N,) with its interval over classes `labels` (N,), and AURC.

    With them the risk–coverage curve and recall by tenths; pictures of equal uncertainty count alike.
    """
    figure = auroc_by_blocks(uncertainty, ~is_correct, labels)
    curve = risk_coverage(uncertainty, ~is_correct)
    points = np.unique(np.linspace(0, len(is_correct) - 1, CURVE_POINTS).round().astype(int))
    tenths = np.array_split(1 - errors_in_order(uncertainty, ~is_correct), min(TENTHS, len(is_correct)))
    return OrderResult(
        name,
        figure.value,
        figure.interval,
        curve.aurc,
        tuple(curve.coverage[points].tolist()),
        tuple(curve.risk[points].tolist()),
        comparisons or Comparisons(),
        tuple(float(tenth.mean()) for tenth in tenths),
    )


def compare_crops(head: Head, embedded: EmbeddedPictures) -> tuple[Crop, ...]:
    """Whether each picture's crop is strictly more uncertain than the picture (PVU 4.3)."""
    is_more = head(embedded.crop_embedding) > head(embedded.embedding)
    return tuple(map(Crop, embedded.crop_share.tolist(), is_more.tolist()))


def table(evaluation: Evaluation) -> str:
    """An evaluation as text, best order first."""
    lines = [
        f"{evaluation.data}: {counted(evaluation.pictures, 'picture')}, {counted(evaluation.classes, 'class')}, "
        f"recall@1 {cell(evaluation.recall_at_1)}, crop test {cell(evaluation.crop_test)}",
        f"{'order':<20}{'R-AUROC, 95 % interval':>26}{'AURC':>8}",
    ]
    lines += [f"{o.name:<20}{cell(Figure(o.r_auroc, o.interval)):>26}{cell(o.aurc):>8}" for o in evaluation.orders]
    columns = [{"order": o.name} | asdict(o.beside) for o in evaluation.orders]
    compared = [name for name in list(columns[0])[1:] if not all(math.isnan(row[name]) for row in columns)]
    if compared:
        lines += ["", f"{'order':<20}" + "".join(f"{name:>22}" for name in compared)]
        lines += [f"{row['order']:<20}" + "".join(f"{cell(row[name]):>22}" for name in compared) for row in columns]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(command(EvaluateConfig, main))
