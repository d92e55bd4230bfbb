"""Joint training of backbone, classifier and head, with or without the head's gradient in the backbone (PVU 2.4)."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import Joint, Recipe
from training.targets import recipe_loss
from training.train import decay_groups
from url_viz.models.backbone import Backbone
from url_viz.models.head_module import HeadModule

WARM_UP_SHARE = 0.1
BETAS = (0.9, 0.999)
PROBE_STEPS = 150
PROBE_RATE = 0.01
PROBE_DECAY = 1.0
"""Chosen on development sets: a strong decay is worth .03 to .06 of accuracy with a few hundred pictures."""


@dataclass(frozen=True)
class JointBatch:
    """B pictures: normalised `pixels` (B, 3, H, W) float32, `labels` (B,) int64 and, to record them, `ids` (B,)."""

    pixels: Tensor
    labels: Tensor
    ids: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Scores:
    """A model's outputs for N pictures: `logits` (N, C), `uncertainty` (N,), nan without a head, `embedding` (N, D)."""

    logits: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    embedding: NDArray[np.float32]


class JointModel(nn.Module):
    """A backbone with its classifier, and a head: pixels (B, 3, H, W) → logits (B, C), uncertainty (B,), embedding."""

    def __init__(self, backbone: Backbone, head: HeadModule) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, embedding = self.backbone(pixels)
        return logits, self.head(embedding), embedding


def joint_model(backbone: Backbone, n_classes: int, *, recipe: Recipe, stop_gradient: bool, seed: int) -> JointModel:
    """`backbone`, all of it trainable, with a new classifier of `n_classes` and a new head of the recipe's shape.

    The classifier is replaced in place; `set_classifier` gives it fitted weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone.network.reset_classifier(n_classes)
        backbone.requires_grad_(True)
        head = HeadModule(
            backbone.network.get_classifier().in_features,
            width=recipe.width,
            depth=recipe.depth,
            layer_norm=recipe.layer_norm,
            stop_gradient=stop_gradient,
        )
    return JointModel(backbone, head)


def linear_probe(embeddings: NDArray[np.floating], labels: NDArray[np.integer], n_classes: int) -> torch.nn.Linear:
    """A linear classifier of `n_classes` fitted on embeddings (N, D) and labels (N,), deterministically.

    It is fitted on embeddings minus their own mean, scaled to a standard deviation of 1 on average. Both are folded
    into the weights, so that it takes embeddings as the backbone gives them.
    """
    x, y = torch.from_numpy(embeddings.astype(np.float32)), torch.from_numpy(labels.astype(np.int64))
    x = x - x.mean(dim=1, keepdim=True)
    scale = float(x.std(dim=1).mean().clamp_min(1e-6))
    x = x / scale
    probe = torch.nn.Linear(x.shape[1], n_classes)
    torch.nn.init.zeros_(probe.weight)
    torch.nn.init.zeros_(probe.bias)
    optimiser = torch.optim.AdamW(probe.parameters(), lr=PROBE_RATE, weight_decay=PROBE_DECAY)
    for _ in range(PROBE_STEPS):
        optimiser.zero_grad()
        F.cross_entropy(probe(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        weight = probe.weight / scale
        probe.weight.copy_(weight - weight.mean(dim=1, keepdim=True))
    return probe


def set_classifier(model: JointModel, probe: nn.Linear) -> None:
    """Give the classifier the weights of `probe`."""
    model.backbone.network.get_classifier().load_state_dict(probe.state_dict())


def freeze_first(model: JointModel, share: float) -> None:
    """Keep the first `share` of the backbone's tensors, in the order in which they are applied, from changing."""
    fitted = {id(p) for p in model.backbone.network.get_classifier().parameters()}
    tensors = [p for p in model.backbone.parameters() if id(p) not in fitted]
    for parameter in tensors[: round(share * len(tensors))]:
        parameter.requires_grad_(False)


def head_loss(
    uncertainty: Tensor, logits: Tensor, labels: Tensor, *, recipe: Recipe, pairing: torch.Generator
) -> Tensor:
    """The head's loss of a batch: its uncertainty (B,) against the detached cross-entropies of logits (B, C)."""
    task_loss = F.cross_entropy(logits, labels, reduction="none").detach()
    return recipe_loss(uncertainty, task_loss, recipe, pairing)


def joint_loss(
    model: JointModel, batch: JointBatch, *, recipe: Recipe, weight: float, pairing: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the classifier plus `weight` times the head's loss (PVU 2.2); and the logits (B, C)."""
    logits, uncertainty, _ = model(batch.pixels)
    ranking = head_loss(uncertainty, logits, batch.labels, recipe=recipe, pairing=pairing)
    return F.cross_entropy(logits, batch.labels) + weight * ranking, logits


def train_jointly(
    model: JointModel,
    epochs: Iterable[Iterable[JointBatch]],
    *,
    recipe: Recipe,
    joint: Joint,
    steps: int,
    seed: int,
    after_epoch: Callable[[int, float], None],
    after_step: Callable[[JointBatch, Tensor], None] | None = None,
) -> None:
    """Train on every batch of every epoch, `steps` in all, and leave the model in eval mode.

    AdamW; the rates rise over a tenth of the steps and fall to 0 on a cosine. `after_epoch` gets the epoch's number and
    mean loss, `after_step` each batch and its logits.
    """
    optimiser = torch.optim.AdamW(_groups(model, joint, recipe.weight_decay), betas=BETAS)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_fraction(step, steps))
    pairing = torch.Generator().manual_seed(seed)
    for number, batches in enumerate(epochs, 1):
        losses = []
        model.train()
        if joint.freeze_norms:
            freeze_norms(model.backbone)
        for batch in batches:
            loss, logits = joint_loss(model, batch, recipe=recipe, weight=joint.uncertainty_weight, pairing=pairing)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
            if after_step is not None:
                after_step(batch, logits)
        model.eval()
        after_epoch(number, float(torch.stack(losses).mean()))


def freeze_norms(backbone: nn.Module) -> None:
    """Keep the running statistics of batch norms: those of a few hundred varied views are worse than pretraining's."""
    for module in backbone.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def rate_fraction(step: int, steps: int) -> float:
    """The fraction of the highest rate at a step: up over the first tenth, then down a cosine to 0 at the end."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


def _groups(model: JointModel, joint: Joint, weight_decay: float) -> list[dict[str, object]]:
    classifier = {id(p) for p in model.backbone.network.get_classifier().parameters()}
    head = {id(p) for p in model.head.parameters()}
    groups: list[dict[str, object]] = []
    for rate, chosen in (
        (joint.classifier_rate, classifier),
        (joint.fresh_rate, head),
        (joint.backbone_rate, {id(p) for p in model.parameters()} - classifier - head),
    ):
        trained = [p for p in model.parameters() if id(p) in chosen and p.requires_grad]
        groups += [group | {"lr": rate} for group in decay_groups(trained, weight_decay)]
    return groups


def shuffled_batches(count: int, batch: int, generator: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches of positions among `count` pictures in random order, without a smaller last one unless it is the only.

    Batch norms suffer from batches of one or two pictures; each epoch leaves out others.
    """
    order = torch.randperm(count, generator=generator).numpy()
    for start in range(0, max(1, count // batch) * batch, batch):
        yield order[start : start + batch]


def batches_per_epoch(count: int, batch: int) -> int:
    """Number of batches of `shuffled_batches`."""
    return max(1, count // batch)


@torch.inference_mode()
def compute_scores(model: JointModel, batches: Iterable[Tensor]) -> Scores:
    """The outputs of a model, in eval mode, for batches of pixels (B, 3, H, W)."""
    model.eval()
    parts = [[part.float().cpu().numpy() for part in model(pixels)] for pixels in batches]
    logits, uncertainty, embedding = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Scores(logits, uncertainty, embedding)
