"""Full finetuning on class folders: backbone, new classifier and new head together (PVU 2.4).

Run as `python -m training.finetune --mode full`. Leaves OUT/head.safetensors and OUT/head.backbone.safetensors,
which load_model reads as one model, history.csv, config.json, metrics.json, and report.json with what is told of the
pictures that did not train; none chooses, since the last epoch is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.augment import drawn_view
from training.benchmark.labelled import space_of
from training.config import FinetuneConfig
from training.data.pictures import PictureList
from training.data.spec import labelled_pictures_of
from training.groups import smallest_ids
from training.holdout import NearestErrors, are_test_pictures, orders_without_a_job, r_auroc_of
from training.joint import (
    JointBatch,
    JointModel,
    Scores,
    freeze_first,
    joint_model,
    order_of_epoch,
    scores_of,
    set_classifier,
    steps_an_epoch,
    train_jointly,
)
from training.linear_probe import linear_probe
from training.record_files import write_json
from training.train import RunPaths, write_run_records
from url_viz.analysis.holdout_report import AFTER, BEFORE, Told, headline, told_of, words_of
from url_viz.analysis.order_metrics import classification_auroc, r_auroc, recall_at_1
from url_viz.errors import FolderError, HeadMismatchError
from url_viz.imaging.decode import decode
from url_viz.imaging.preprocess import Preprocessing, normalised
from url_viz.imaging.read import Picture, reading_of
from url_viz.models.backbone import Backbone, Loaded, save_backbone
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.model import backbone_weights_of
from url_viz.models.model_names import file_digest
from url_viz.models.runtime import choose_device
from url_viz.pipeline.twins import source_groups, twin_pairs
from url_viz.progress import Clock, ProgressCallback
from url_viz.read_ahead import read_ahead, read_each

VIEW_RESOLUTION = 2
"""Pictures are decoded at this multiple of the backbone's short side, since a view may show a small part."""
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class FullFigures:
    """The new model's figures on the held-out pictures, neighbours searched among them; None if not computable.

    `accuracy`: top-1 of the classifier. `classification_auroc`: of uncertainty against the classifier's errors.
    `r_auroc`: against recall@1.
    """

    accuracy: float
    classification_auroc: float | None
    recall_at_1: float
    r_auroc: float | None


@dataclass(frozen=True)
class FullEpoch:
    """One line of the history: mean loss of the epoch, figures of the held-out pictures after it."""

    epoch: int
    loss: float
    accuracy: float
    classification_auroc: float


@dataclass(frozen=True)
class FullReport:
    """Result of full finetuning: how many pictures trained and are told of, what is told of these, and the advice."""

    mode: str
    pictures: int
    unreadable: int
    trained: int
    told_pictures: int
    classes: int
    stop_gradient: bool
    told: tuple[Told, ...]
    advice: str


@dataclass(frozen=True)
class ModelOutputs:
    """What a model says of all N pictures: `logits` (N, C), `embedding` (N, D), `uncertainty` (N,).

    The last is None without a head. Before training the logits are of a linear classifier fitted on the embeddings of
    the training pictures.
    """

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    uncertainty: NDArray[np.float32] | None


@dataclass(frozen=True)
class Split:
    """The readable pictures of a list: positions of training (T,) and held-out ones (H,), labels and clean crops.

    `clean` (T + H, S, S, 3) uint8, training pictures first.
    """

    pictures: PictureList
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    clean: NDArray[np.uint8]
    unreadable: int

    @property
    def training_labels(self) -> NDArray[np.int64]:
        return self.pictures.labels[self.training].astype(np.int64)

    @property
    def held_out_labels(self) -> NDArray[np.int64]:
        return self.pictures.labels[self.held_out].astype(np.int64)


def finetune_everything(
    config: FinetuneConfig, loaded: Loaded, head: Head | None, report: ProgressCallback
) -> FullReport:
    """Train the backbone of `loaded` with a new classifier and a new head, save them, and report.

    The classifier starts as the linear probe of the figures before: a random one sends noise into the backbone
    until it has learnt (Kumar et al. 2022). After training it is fitted again in the same way, since the one trained
    with the backbone overfits the training pictures.

    `head` is the model's own, for the figures before. `loaded` is modified in place. Raises FolderError
    if there are no class folders or too few pictures to train and to hold out, HeadMismatchError with
    `from_shipped`, since the head is always new.
    """
    if config.from_shipped:
        raise HeadMismatchError("--mode full trains a fresh head with its backbone. Leave out --from-shipped.")
    pictures = labelled_pictures_of(config.data, limit=config.limit)
    device = torch.device(choose_device(config.device))
    # twice as fast on processors; torch forgets the argument in its overloads
    loaded.backbone.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    embed = partial(_embeddings, loaded.backbone, preprocessing=loaded.preprocessing, device=device)
    split = split_of(pictures, loaded.preprocessing, share=config.told, embed=embed)
    probe, before = probe_and_outputs(loaded, head, split, device)
    model, history = _trained(config, loaded, split, probe, device, report)
    paths = RunPaths(config.out)
    trained_head, after = _saved(config, loaded, model, split, paths)
    figures = figures_of_models(before, after, split)
    result = FullReport(
        mode=config.mode,
        pictures=len(split.training) + len(split.held_out),
        unreadable=split.unreadable,
        trained=len(split.training),
        told_pictures=len(split.held_out),
        classes=len(pictures.classes),
        stop_gradient=config.joint.stop_gradient,
        told=figures,
        advice=advice(figures),
    )
    write_run_records(paths, config, history, trained_head.provenance)
    write_json(result, paths.report)
    return result


def split_of(
    pictures: PictureList,
    preprocessing: Preprocessing,
    *,
    share: float,
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None = None,
) -> Split:
    """Read every picture as the app would, and hold a share of the readable ones out, by their ids alone.

    With `embed`, crops to embeddings, whole groups of twins, unless these are whole classes, as to an untrained
    backbone. Raises FolderError if too few are left.
    """
    readings = read_each(pictures.paths, lambda path: reading_of(partial(pictures.read, path), preprocessing))
    clean = {position: one.crop for position, one in enumerate(readings) if isinstance(one, Picture)}
    positions = np.array(list(clean), np.int64)
    ids = pictures.ids[positions]
    is_held_out = are_test_pictures(ids, share)
    if embed is not None and len(positions) > 1:
        number = source_groups(twin_pairs(embed(np.stack(list(clean.values())))))
        by_twins, label = are_test_pictures(smallest_ids(ids, number), share), pictures.labels[positions]
        if by_twins.any() and np.isin(label[by_twins], label[~by_twins]).all():
            is_held_out = by_twins
    training, held_out = positions[~is_held_out], positions[is_held_out]
    if len(training) < 2 or len(held_out) < 2:
        raise FolderError(
            f"{len(training)} readable pictures to train on and {len(held_out)} to tell figures of are too few in "
            f"{str(pictures.root)!r}. Give more pictures, or another share than {share} (--told)."
        )
    crops = np.stack([clean[int(position)] for position in (*training, *held_out)])
    return Split(pictures, training, held_out, crops, len(pictures) - len(positions))


def probe_and_outputs(
    loaded: Loaded, head: Head | None, split: Split, device: torch.device
) -> tuple[nn.Linear, ModelOutputs]:
    """A linear classifier fitted on the training pictures' embeddings, and what it and the head say of all pictures."""
    embedding = _embeddings(loaded.backbone.eval(), split.clean, preprocessing=loaded.preprocessing, device=device)
    probe = linear_probe(embedding[: len(split.training)], split.training_labels, len(split.pictures.classes))
    with torch.inference_mode():
        logits = probe(torch.from_numpy(embedding)).numpy()
    return probe, ModelOutputs(logits, embedding, None if head is None else head(embedding))


def figures_of_models(before: ModelOutputs, after: ModelOutputs, split: Split) -> tuple[Told, ...]:
    """Accuracy, recall@1 and R-AUROC on the held-out pictures, each in its own model's space among all pictures.

    Beside R-AUROC stand the orders that the new space has without a head. Intervals are over classes.
    """
    label = np.concatenate([split.training_labels, split.held_out_labels])
    is_test = np.arange(len(label)) >= len(split.training)
    models, spaces = (
        {AFTER: after, BEFORE: before},
        {AFTER: space_of(after.embedding), BEFORE: space_of(before.embedding)},
    )
    nearest = {name: NearestErrors.of(space, label) for name, space in spaces.items()}
    is_right = {name: ((model.logits.argmax(axis=1) == label)[is_test],) for name, model in models.items()}
    known = is_test & nearest[AFTER].known & nearest[BEFORE].known
    is_found = {name: (~one.is_wrong[known],) for name, one in nearest.items()}
    orders = {
        name: (model.uncertainty, nearest[name]) for name, model in models.items() if model.uncertainty is not None
    }
    others = {name: (values, nearest[AFTER]) for name, values in orders_without_a_job(spaces[AFTER], label).items()}
    return (
        told_of("accuracy", is_right, _share, label[is_test], count=int(is_test.sum())),
        told_of("recall_at_1", is_found, _share, label[known], count=int(known.sum())),
        r_auroc_of(orders | others, is_test, label),
    )


def _share(is_true: NDArray[np.bool_]) -> float:
    return float(is_true.mean()) if len(is_true) else float("nan")


@torch.inference_mode()
def _embeddings(
    backbone: Backbone, crops: NDArray[np.uint8], *, preprocessing: Preprocessing, device: torch.device
) -> NDArray[np.float32]:
    parts = [backbone(pixels)[1].float().cpu().numpy() for pixels in _pixels(crops, preprocessing, device)]
    return np.concatenate(parts)


def _pixels(crops: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, len(crops), EVALUATION_BATCH):
        yield _on(device, normalised(crops[start : start + EVALUATION_BATCH], preprocessing))


def _on(device: torch.device, pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(pixels).to(device, memory_format=torch.channels_last)


def _figures_of(outputs: ModelOutputs, split: Split) -> FullFigures:
    """The figures of the held-out pictures for the head's header."""
    held_out, labels = slice(len(split.training), None), split.held_out_labels
    logits, uncertainty = outputs.logits[held_out], outputs.uncertainty
    assert uncertainty is not None
    share, is_correct = recall_at_1(outputs.embedding[held_out], labels)
    of_classes = classification_auroc(uncertainty[held_out], logits, labels)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return FullFigures(accuracy, _or_none(of_classes), share, _or_none(r_auroc(uncertainty[held_out], is_correct)))


def _or_none(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else value


def _trained(
    config: FinetuneConfig,
    loaded: Loaded,
    split: Split,
    probe: nn.Linear,
    device: torch.device,
    report: ProgressCallback,
) -> tuple[JointModel, list[FullEpoch]]:
    joint, recipe = config.joint, config.recipe
    n_classes = len(split.pictures.classes)
    model = joint_model(
        loaded.backbone, n_classes, recipe=recipe, stop_gradient=joint.stop_gradient, seed=config.seed
    ).to(device)
    set_classifier(model, probe)
    freeze_first(model, joint.frozen_share)
    steps = steps_an_epoch(len(split.training), joint.joint_batch)
    clock, history = Clock("epochs", joint.joint_epochs), []

    def after_epoch(number: int, loss: float) -> None:
        scores = _held_out_scores(model, split, loaded.preprocessing, device)
        accuracy = float((scores.logits.argmax(axis=1) == split.held_out_labels).mean())
        auroc = classification_auroc(scores.uncertainty, scores.logits, split.held_out_labels)
        history.append(FullEpoch(number, loss, accuracy, auroc))
        report(clock.at(number, metrics={"loss": loss, "accuracy": accuracy, "AUROC": auroc}))

    train_jointly(
        model,
        epochs_of(split, loaded.preprocessing, config, device),
        recipe=recipe,
        joint=joint,
        steps=steps * joint.joint_epochs,
        seed=config.seed,
        after_epoch=after_epoch,
    )
    if joint.refit:
        crops = split.clean[: len(split.training)]
        embedding = _embeddings(model.backbone, crops, preprocessing=loaded.preprocessing, device=device)
        set_classifier(model, linear_probe(embedding, split.training_labels, n_classes))
    return model, history


def _held_out_scores(model: JointModel, split: Split, preprocessing: Preprocessing, device: torch.device) -> Scores:
    return scores_of(model, _pixels(split.clean[len(split.training) :], preprocessing, device))


def epochs_of(
    split: Split, preprocessing: Preprocessing, config: FinetuneConfig, device: torch.device
) -> Iterator[Iterator[JointBatch]]:
    """The epochs of a run: each has one new view of every training picture, read by threads one batch ahead."""
    generator = torch.Generator().manual_seed(config.seed)
    for number in range(config.joint.joint_epochs):
        batches = list(order_of_epoch(len(split.training), config.joint.joint_batch, generator))
        yield _batches(
            split, batches, partial(_view, split.pictures, preprocessing, config, number), preprocessing, device
        )


def _batches(
    split: Split,
    batches: Sequence[NDArray[np.int64]],
    view: Callable[[int], NDArray[np.uint8]],
    preprocessing: Preprocessing,
    device: torch.device,
) -> Iterator[JointBatch]:
    views = read_ahead((split.training[batch].tolist() for batch in batches), view)
    for batch, crops in zip(batches, views, strict=True):
        pixels = _on(device, normalised(np.stack(crops), preprocessing))
        yield JointBatch(pixels, torch.from_numpy(split.training_labels[batch]).to(device))


def _view(
    pictures: PictureList, preprocessing: Preprocessing, config: FinetuneConfig, epoch: int, position: int
) -> NDArray[np.uint8]:
    data = pictures.read(pictures.paths[position])
    image, _ = decode(data, short_side_px=VIEW_RESOLUTION * preprocessing.resize_px)
    generator = np.random.default_rng([config.seed, epoch, int(pictures.ids[position])])
    return drawn_view(image, config.augmentation, size_px=preprocessing.size_px, generator=generator).pixels


def _saved(
    config: FinetuneConfig, loaded: Loaded, model: JointModel, split: Split, paths: RunPaths
) -> tuple[Head, ModelOutputs]:
    """Write backbone and head, and run them on all pictures as load_model will (the head on stored embeddings)."""
    device = next(model.parameters()).device
    scores = scores_of(model, _pixels(split.clean, loaded.preprocessing, device))
    weights = backbone_weights_of(paths.head)
    save_backbone(model.backbone.network, weights, loaded.preprocessing)
    bare = model.head.to_head(HeadProvenance(loaded.name))
    after = ModelOutputs(scores.logits, scores.embedding, bare(scores.embedding))
    figures = _figures_of(after, split)
    head = model.head.to_head(_provenance(config, loaded, split, file_digest(weights), figures))
    # The head is written last: after a kill in between, an old head's digest does not match the new backbone.
    save_head(head, paths.head)
    return head, after


def _provenance(
    config: FinetuneConfig, loaded: Loaded, split: Split, weights_digest: str, after: FullFigures
) -> HeadProvenance:
    recipe = {
        "mode": config.mode,
        "training": asdict(config.joint),
        "head": asdict(config.recipe),
        "augmentation": asdict(config.augmentation),
        "seed": config.seed,
        "started_from": loaded.weights_digest,
        "pictures": len(split.training),
        "pictures_digest": split.pictures.digest,
        "classes": list(split.pictures.classes),
    }
    return HeadProvenance(loaded.name, weights_digest, loaded.preprocessing.as_record(), recipe, asdict(after))


def advice(figures: Sequence[Told]) -> str:
    """Advice on the new model, in one sentence with its figures."""
    accuracy, _, order = figures
    text = "; ".join(f"{headline(figure)}, {words_of(figure.before)} before" for figure in figures)
    gain = accuracy.gains.get(BEFORE)
    if gain is not None and gain.interval.high < 0:
        otherwise = "train longer, or adapt a head to the labels instead (mode labels)"
        return f"worse than a linear classifier on the backbone before ({text}): {otherwise}."
    if not order.is_of_use:
        return f"the backbone is trained; that its uncertainties order anything is not sure ({text}): add pictures."
    return f"trained ({text})."
