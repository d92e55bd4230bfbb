"""Full finetuning on class folders: backbone, new classifier and new head together (PVU 2.4).

Run as `python -m training.finetune --mode full`. Leaves OUT/head.safetensors and OUT/head.backbone.safetensors,
which load_model reads as one model, history.csv, config.json, metrics.json, and report.json with the figures before and
after on held-out pictures.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.augment import view_of
from training.config import FinetuneConfig, as_record
from training.data.pictures import PictureList
from training.data.spec import labelled_pictures_of
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
from training.probe import linear_probe
from training.rows import ids_held_out
from training.train import RunPaths
from url_viz.analysis.metrics import classification_auroc, r_auroc, recall_at_1
from url_viz.errors import FolderError, HeadMismatchError
from url_viz.files import replaced
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.preprocess import Preprocessing, normalised
from url_viz.imaging.read import Picture, read_picture
from url_viz.imaging.scan import absolute
from url_viz.models.backbone import Backbone, Loaded, save_backbone
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.model import backbone_weights_of
from url_viz.models.names import file_digest
from url_viz.models.runtime import choose_device
from url_viz.progress import Clock, ProgressCallback
from url_viz.read_ahead import read_ahead, read_each

VIEW_RESOLUTION = 2
"""Pictures are decoded at this multiple of the backbone's short side, since a view may show a small part."""
REPORT_FILE = "report.json"
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class FullFigures:
    """A model's figures on the held-out pictures, neighbours searched among them; None if not computable.

    `accuracy`: top-1 of the classifier (before: of a linear classifier fitted on the embeddings of the training
    pictures). `classification_auroc`: of uncertainty against the classifier's errors. `r_auroc`: against recall@1.
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
    """Result of full finetuning: figures before and after on `held_out` pictures, and the advice."""

    mode: str
    pictures: int
    unreadable: int
    held_out: int
    classes: int
    stop_gradient: bool
    before: FullFigures
    after: FullFigures
    advice: str


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
    split = split_of(pictures, loaded.preprocessing, share=config.recipe.held_out)
    device = torch.device(choose_device(config.device))
    # twice as fast on processors; torch forgets the argument in its overloads
    loaded.backbone.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    probe, before = probe_and_figures(loaded, head, split, device)
    model, history = _trained(config, loaded, split, probe, device, report)
    paths = RunPaths(config.out)
    trained_head, after = _saved(config, loaded, model, split, paths)
    result = FullReport(
        mode=config.mode,
        pictures=len(split.training) + len(split.held_out),
        unreadable=split.unreadable,
        held_out=len(split.held_out),
        classes=len(pictures.classes),
        stop_gradient=config.joint.stop_gradient,
        before=before,
        after=after,
        advice=advice(before, after),
    )
    _write_records(config, paths, trained_head, history, result)
    return result


def split_of(pictures: PictureList, preprocessing: Preprocessing, *, share: float) -> Split:
    """Read every picture as the app would, and split the readable ones by their ids; raises FolderError if too few."""
    read = partial(read_picture, preprocessing=preprocessing)
    readings = read_each((absolute(pictures.root, path) for path in pictures.paths), read)
    clean = {position: one.crop for position, one in enumerate(readings) if isinstance(one, Picture)}
    positions = np.array(list(clean), np.int64)
    is_held_out = ids_held_out(pictures.ids[positions], share) if len(positions) else np.zeros(0, bool)
    training, held_out = positions[~is_held_out], positions[is_held_out]
    if len(training) < 2 or len(held_out) < 2:
        raise FolderError(
            f"{len(training)} readable pictures to train on and {len(held_out)} to hold out are too few in "
            f"{str(pictures.root)!r}. Give more pictures, or another share than {share} (--held-out)."
        )
    crops = np.stack([clean[int(position)] for position in (*training, *held_out)])
    return Split(pictures, training, held_out, crops, len(pictures) - len(positions))


def probe_and_figures(
    loaded: Loaded, head: Head | None, split: Split, device: torch.device
) -> tuple[nn.Linear, FullFigures]:
    """A linear classifier fitted on the training pictures' embeddings, and the held-out figures with it."""
    embedding = _embeddings(loaded.backbone.eval(), split.clean, loaded.preprocessing, device)
    train, held_out = embedding[: len(split.training)], embedding[len(split.training) :]
    probe = linear_probe(train, split.training_labels, len(split.pictures.classes))
    with torch.inference_mode():
        logits = probe(torch.from_numpy(held_out)).numpy()
    return probe, figures_of(logits, held_out, head(held_out) if head else None, split.held_out_labels)


@torch.inference_mode()
def _embeddings(
    backbone: Backbone, crops: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device
) -> NDArray[np.float32]:
    parts = [backbone(pixels)[1].float().cpu().numpy() for pixels in _pixels(crops, preprocessing, device)]
    return np.concatenate(parts)


def _pixels(crops: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, len(crops), EVALUATION_BATCH):
        yield _on(device, normalised(crops[start : start + EVALUATION_BATCH], preprocessing))


def _on(device: torch.device, pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(pixels).to(device, memory_format=torch.channels_last)


def figures_of(
    logits: NDArray[np.float32],
    embedding: NDArray[np.float32],
    uncertainty: NDArray[np.float32] | None,
    labels: NDArray[np.int64],
) -> FullFigures:
    """Figures of N held-out pictures: logits (N, C), embedding (N, D), uncertainty (N,) or None, labels (N,)."""
    is_right = logits.argmax(axis=1) == labels
    share, is_correct = recall_at_1(embedding, labels)
    of_classes = None if uncertainty is None else classification_auroc(uncertainty, logits, labels)
    of_neighbours = None if uncertainty is None else r_auroc(uncertainty, is_correct)
    return FullFigures(float(is_right.mean()), _or_none(of_classes), share, _or_none(of_neighbours))


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
    clock, history = Clock("train", joint.joint_epochs), []

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
        embedding = _embeddings(model.backbone, crops, loaded.preprocessing, device)
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
    data = read_file(absolute(pictures.root, pictures.paths[position]))
    image, _ = decode(data, short_side_px=VIEW_RESOLUTION * preprocessing.resize_px)
    generator = np.random.default_rng([config.seed, epoch, int(pictures.ids[position])])
    return view_of(image, config.augmentation, size_px=preprocessing.size_px, generator=generator)


def _saved(
    config: FinetuneConfig, loaded: Loaded, model: JointModel, split: Split, paths: RunPaths
) -> tuple[Head, FullFigures]:
    """Write backbone and head, and evaluate them as load_model will run them (the head on stored embeddings)."""
    device = next(model.parameters()).device
    scores = _held_out_scores(model, split, loaded.preprocessing, device)
    weights = backbone_weights_of(paths.head)
    save_backbone(model.backbone.network, weights, loaded.preprocessing)
    bare = model.head.to_head(HeadProvenance(loaded.name))
    after = figures_of(scores.logits, scores.embedding, bare(scores.embedding), split.held_out_labels)
    head = model.head.to_head(_provenance(config, loaded, split, file_digest(weights), after))
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


def _write_records(
    config: FinetuneConfig, paths: RunPaths, head: Head, history: Sequence[FullEpoch], report: FullReport
) -> None:
    with replaced(paths.history) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [field.name for field in fields(FullEpoch)]
        writer.writerow(names)
        writer.writerows([[getattr(line, name) for name in names] for line in history])
    records = (
        (paths.config, as_record(config)),
        (paths.metrics, dict(head.provenance.metrics)),
        (config.out / REPORT_FILE, asdict(report)),
    )
    for path, record in records:
        with replaced(path) as temporary:
            temporary.write_text(json.dumps(record, indent=1))


def advice(before: FullFigures, after: FullFigures) -> str:
    """Advice on the new model, in one sentence with its figures."""
    figures = (
        f"accuracy on held-out pictures {before.accuracy:.3f} (linear classifier on the backbone before), "
        f"{after.accuracy:.3f} after; recall@1 {before.recall_at_1:.3f} before, {after.recall_at_1:.3f} after; "
        f"R-AUROC {_figure(before.r_auroc)} before, {_figure(after.r_auroc)} after"
    )
    if after.accuracy < before.accuracy:
        return f"worse than the backbone before ({figures}): train longer, add pictures, or use --mode labels."
    if after.r_auroc is not None and after.r_auroc <= 0.5:
        return (
            f"the backbone fits, its uncertainties order nothing yet ({figures}): train longer, or use --mode labels."
        )
    return f"trained ({figures})."


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
