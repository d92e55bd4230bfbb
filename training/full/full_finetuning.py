"""Full finetuning on class folders: backbone, new classifier and new head together (PVU 2.4).

Run as `python -m training.finetune --mode full`. Leaves OUT/head.safetensors and OUT/head.backbone.safetensors,
which load_model reads as one model, history.csv, config.json, metrics.json, and report.json with the figures on the
pictures that did not train. No picture chooses, since the last epoch is used.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.augment import VIEW_RESOLUTION, draw_view
from training.cache import HELD_OUT, run_recorder
from training.config import FinetuneConfig
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from training.full.joint import (
    JointBatch,
    JointModel,
    Scores,
    batches_per_epoch,
    compute_scores,
    freeze_first,
    joint_model,
    linear_probe,
    set_classifier,
    shuffled_batches,
    train_jointly,
)
from training.holdout import (
    FinetuneReport,
    are_test_pictures,
    find_space,
    orders_without_head,
    r_auroc_figure,
)
from training.store import RunPaths, write_json, write_run_records
from training.training_rows import smallest_ids
from url_viz.base.errors import FolderError, HeadMismatchError
from url_viz.base.processes import read_ahead, read_each
from url_viz.base.progress import Clock, ProgressCallback
from url_viz.evidence.holdout_report import AFTER, BEFORE, HoldoutFigure, headline, holdout_figure, report_text
from url_viz.evidence.order_metrics import classification_auroc
from url_viz.imaging.decode import Preprocessing, decode, normalised
from url_viz.imaging.workers import Picture, fetch_and_decode
from url_viz.models.backbone import Backbone, LoadedBackbone, save_backbone
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.model import backbone_weights_of
from url_viz.models.model_names import file_digest
from url_viz.models.runtime import choose_device
from url_viz.pipeline.twins import view_groups
from url_viz.store.recorder import EpochBatches, Recorder

EVALUATION_BATCH = 64


@dataclass(frozen=True)
class FullEpoch:
    """One line of the history: mean loss of the epoch, figures of the held-out pictures after it."""

    epoch: int
    loss: float
    accuracy: float
    classification_auroc: float


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
    config: FinetuneConfig, loaded: LoadedBackbone, head: Head | None, report: ProgressCallback
) -> FinetuneReport:
    """Train the backbone of `loaded`, in place, with a new classifier and a new head, save them, and report.

    The classifier starts as the linear probe of the figures before: a random one sends noise into the backbone until
    it has learnt (Kumar et al. 2022). After training it is fitted again, since the trained one overfits.

    `head`, which the model had, is for the figures before. Raises FolderError if there are no class folders or too few
    pictures to train and to hold out, HeadMismatchError with `from_shipped`, since the head is always new.
    """
    if config.from_shipped:
        raise HeadMismatchError("--mode full trains a fresh head with its backbone. Leave out --from-shipped.")
    pictures = list_labelled(config.data, limit=config.limit)
    device = torch.device(choose_device(config.device))
    # twice as fast on processors; torch forgets the argument in its overloads
    loaded.backbone.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    embed = partial(_embed, loaded.backbone, preprocessing=loaded.preprocessing, device=device)
    split = split_pictures(pictures, loaded.preprocessing, share=config.test_share, embed=embed)
    probe, before = probe_and_scores(loaded, head, split, device)
    recorder = run_recorder(config.data, config.out, pictures.classes)
    model, history = _train(config, loaded, split, probe, device, report, recorder)
    paths = RunPaths(config.out)
    trained_head, after, figures = _save(config, loaded, model, split, before, paths)
    _record_held_out(recorder, split, after.logits[len(split.training) :], len(history))
    result = FinetuneReport(
        mode=config.mode,
        pictures=len(split.training) + len(split.held_out),
        unreadable=split.unreadable,
        trained=len(split.training),
        chose=0,
        told_pictures=len(split.held_out),
        told=figures,
        advice=advice(figures),
    )
    write_run_records(paths, config, history, trained_head.provenance)
    write_json(result, paths.report)
    return result


def split_pictures(
    pictures: PictureList,
    preprocessing: Preprocessing,
    *,
    share: float,
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Split:
    """Read every picture as the app would, and hold out a share of the readable ones, by their ids.

    Whole groups of twins are held out, as `embed` (crops to embeddings) shows them, unless these are whole classes, as
    an untrained backbone sees them. Raises FolderError if too few are left.
    """
    readings = read_each(pictures.paths, lambda path: fetch_and_decode(partial(pictures.read, path), preprocessing))
    clean = {position: picture.crop for position, picture in enumerate(readings) if isinstance(picture, Picture)}
    positions = np.array(list(clean), np.int64)
    ids = pictures.ids[positions]
    is_held_out = are_test_pictures(ids, share)
    if len(positions):
        number = view_groups(embed(np.stack(list(clean.values()))))
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


def probe_and_scores(
    loaded: LoadedBackbone, head: Head | None, split: Split, device: torch.device
) -> tuple[nn.Linear, Scores]:
    """A linear classifier fitted on the training pictures' embeddings, with its and the head's scores of all."""
    embedding = _embed(loaded.backbone.eval(), split.clean, preprocessing=loaded.preprocessing, device=device)
    probe = linear_probe(embedding[: len(split.training)], split.training_labels, len(split.pictures.classes))
    with torch.inference_mode():
        logits = probe(torch.from_numpy(embedding)).numpy()
    uncertainty = np.full(len(embedding), np.nan, np.float32) if head is None else head(embedding)
    return probe, Scores(logits, uncertainty, embedding)


def full_figures(before: Scores, after: Scores, split: Split) -> tuple[HoldoutFigure, ...]:
    """Accuracy, recall@1 and R-AUROC on the held-out pictures, each in the space of its model among all pictures.

    R-AUROC is compared with the orders that the new space has without a head. Intervals are over classes.
    """
    label = np.concatenate([split.training_labels, split.held_out_labels])
    is_test = np.arange(len(label)) >= len(split.training)
    models = {AFTER: after, BEFORE: before}
    spaces = {name: find_space(model.embedding) for name, model in models.items()}
    nearest = {name: space.nearest_errors(label) for name, space in spaces.items()}
    is_right = {name: ((model.logits.argmax(axis=1) == label)[is_test],) for name, model in models.items()}
    counted = is_test & nearest[AFTER][0] & nearest[BEFORE][0]
    finds = {name: (~is_wrong[counted],) for name, (_, is_wrong) in nearest.items()}
    orders = {
        name: (model.uncertainty, *nearest[name])
        for name, model in models.items()
        if not np.isnan(model.uncertainty).all()
    }
    others = {name: (values, *nearest[AFTER]) for name, values in orders_without_head(spaces[AFTER], label).items()}
    return (
        holdout_figure("accuracy", is_right, _share, label[is_test], count=int(is_test.sum())),
        holdout_figure("recall_at_1", finds, _share, label[counted], count=int(counted.sum())),
        r_auroc_figure(orders | others, is_test, label),
    )


def _share(is_true: NDArray[np.bool_]) -> float:
    return float(is_true.mean()) if len(is_true) else float("nan")


@torch.inference_mode()
def _embed(
    backbone: Backbone, crops: NDArray[np.uint8], *, preprocessing: Preprocessing, device: torch.device
) -> NDArray[np.float32]:
    parts = [backbone(pixels)[1].float().cpu().numpy() for pixels in _pixels(crops, preprocessing, device)]
    return np.concatenate(parts)


def _pixels(crops: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, len(crops), EVALUATION_BATCH):
        yield _normalised(crops[start : start + EVALUATION_BATCH], preprocessing, device)


def _normalised(crops: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device) -> Tensor:
    return torch.from_numpy(normalised(crops, preprocessing)).to(device, memory_format=torch.channels_last)


def _train(
    config: FinetuneConfig,
    loaded: LoadedBackbone,
    split: Split,
    probe: nn.Linear,
    device: torch.device,
    report: ProgressCallback,
    recorder: Recorder | None,
) -> tuple[JointModel, list[FullEpoch]]:
    joint, recipe = config.joint, config.recipe
    n_classes = len(split.pictures.classes)
    model = joint_model(
        loaded.backbone, n_classes, recipe=recipe, stop_gradient=joint.stop_gradient, seed=config.seed
    ).to(device)
    set_classifier(model, probe)
    freeze_first(model, joint.frozen_share)
    steps = batches_per_epoch(len(split.training), joint.joint_batch)
    clock, history = Clock("epochs", joint.joint_epochs), []
    seen = EpochBatches(recorder) if recorder is not None else None

    def after_epoch(number: int, loss: float) -> None:
        scores = compute_scores(model, _pixels(split.clean[len(split.training) :], loaded.preprocessing, device))
        accuracy = float((scores.logits.argmax(axis=1) == split.held_out_labels).mean())
        auroc = classification_auroc(scores.uncertainty, scores.logits, split.held_out_labels)
        history.append(FullEpoch(number, loss, accuracy, auroc))
        report(clock.at(number, metrics={"loss": loss, "accuracy": accuracy, "AUROC": auroc}))
        _record_held_out(recorder, split, scores.logits, number)
        if seen is not None:
            seen.write(number - 1)

    def after_step(batch: JointBatch, logits: Tensor) -> None:
        if seen is not None and batch.ids is not None:
            seen.add(batch.ids, logits, batch.labels)

    train_jointly(
        model,
        view_epochs(split, loaded.preprocessing, config, device),
        recipe=recipe,
        joint=joint,
        steps=steps * joint.joint_epochs,
        seed=config.seed,
        after_epoch=after_epoch,
        after_step=after_step,
    )
    if joint.refit:
        crops = split.clean[: len(split.training)]
        embedding = _embed(model.backbone, crops, preprocessing=loaded.preprocessing, device=device)
        set_classifier(model, linear_probe(embedding, split.training_labels, n_classes))
    return model, history


def _record_held_out(recorder: Recorder | None, split: Split, logits: NDArray[np.float32], epochs: int) -> None:
    """Record the held-out pictures' logits after this number of epochs, in place of earlier ones."""
    if recorder is not None:
        ids = split.pictures.ids[split.held_out]
        recorder.epoch(ids, logits, split.held_out_labels, HELD_OUT, number=epochs - 1)


def view_epochs(
    split: Split, preprocessing: Preprocessing, config: FinetuneConfig, device: torch.device
) -> Iterator[Iterator[JointBatch]]:
    """The epochs of a run: each has one new view of every training picture, read by threads one batch ahead."""
    pictures, generator = split.pictures, torch.Generator().manual_seed(config.seed)

    def view(epoch: int, position: int) -> NDArray[np.uint8]:
        data = pictures.read(pictures.paths[position])
        image, _ = decode(data, short_side_px=VIEW_RESOLUTION * preprocessing.resize_px)
        rng = np.random.default_rng([config.seed, epoch, int(pictures.ids[position])])
        return draw_view(image, config.augmentation, size_px=preprocessing.size_px, generator=rng)[0]

    def batches(epoch: int, order: Sequence[NDArray[np.int64]]) -> Iterator[JointBatch]:
        views = read_ahead((split.training[batch].tolist() for batch in order), partial(view, epoch))
        for batch, crops in zip(order, views, strict=True):
            pixels = _normalised(np.stack(crops), preprocessing, device)
            labels = torch.from_numpy(split.training_labels[batch]).to(device)
            yield JointBatch(pixels, labels, pictures.ids[split.training[batch]])

    for epoch in range(config.joint.joint_epochs):
        yield batches(epoch, list(shuffled_batches(len(split.training), config.joint.joint_batch, generator)))


def _save(
    config: FinetuneConfig, loaded: LoadedBackbone, model: JointModel, split: Split, before: Scores, paths: RunPaths
) -> tuple[Head, Scores, tuple[HoldoutFigure, ...]]:
    """Write backbone and head → the head, the scores of all pictures as load_model will give them, the figures."""
    device = next(model.parameters()).device
    after = compute_scores(model, _pixels(split.clean, loaded.preprocessing, device))
    weights = backbone_weights_of(paths.head)
    save_backbone(model.backbone.network, weights, loaded.preprocessing)
    bare = model.head.to_head(HeadProvenance(loaded.name))
    after = replace(after, uncertainty=bare(after.embedding))
    figures = full_figures(before, after, split)
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
    metrics = {figure.measure: figure.after.value for figure in figures if figure.after is not None}
    provenance = HeadProvenance(loaded.name, file_digest(weights), loaded.preprocessing.as_record(), recipe, metrics)
    head = model.head.to_head(provenance)
    # The head is written last: after a kill in between, an old head's digest does not match the new backbone.
    save_head(head, paths.head)
    return head, after, figures


def advice(figures: Sequence[HoldoutFigure]) -> str:
    """Advice on the new model, in one sentence with its figures."""
    accuracy, _, order = figures
    text = "; ".join(f"{headline(figure)}, {report_text(figure.before)} before" for figure in figures)
    gain = accuracy.gains.get(BEFORE)
    if gain is not None and gain.sign < 0:
        otherwise = "train longer, or adapt a head to the labels instead (mode labels)"
        return f"worse than a linear classifier on the backbone before ({text}): {otherwise}."
    if not order.is_of_use:
        return f"the backbone is trained; that its uncertainties order anything is not sure ({text}): add pictures."
    return f"trained ({text})."
