"""Which way an approach's uncertainty points: made pictures, half of which vary more from view to view.

Such a picture's views tell its class and itself less surely, and four of its numbers give away that it is of that half.
An uncertainty of the right direction is higher for it, whatever is learnt: the class, the picture, or the task loss.
"""

import numpy as np
import torch

from experiments.approaches.fit import TrainingPictures, fitted, uncertainty_of
from experiments.approaches.named import Setting
from url_viz.evidence.order_metrics import auroc

PICTURES, CLASSES, SIZE, VIEWS, MARKS = 512, 8, 32, 8, 4
SPREAD, CALM, NOISY = 1.0, 0.2, 3.0
"""Of the classes' middles, and of the views of one half and of the other, in every number."""
EPOCHS, BATCH = 40, 128
SEED = 0


def direction_of(name: str, setting: Setting) -> float:
    """The chance that a picture of the noisier half gets a higher uncertainty than one of the other: .5 is none."""
    pictures, unseen, is_noisy = made_pictures(SEED)
    approach = fitted(name, pictures, setting=setting, seed=SEED, epochs=EPOCHS, batch=BATCH)
    return auroc(uncertainty_of(approach, unseen, seed=SEED), is_noisy)


def made_pictures(seed: int) -> tuple[TrainingPictures, np.ndarray, np.ndarray]:
    """Pictures to learn from, another view (P, D) of each, and which of them (P,) are of the noisier half."""
    generator = np.random.default_rng(seed)
    middles = generator.normal(0, SPREAD, (CLASSES, SIZE))
    label, is_noisy = np.arange(PICTURES) % CLASSES, generator.random(PICTURES) < 0.5
    clean = middles[label] + generator.normal(0, SPREAD / 2, (PICTURES, SIZE))
    noise = np.where(is_noisy, NOISY, CALM)[:, None, None]
    views = clean[:, None] + noise * generator.normal(size=(PICTURES, VIEWS + 1, SIZE))
    views[..., :MARKS] += np.where(is_noisy, 2.0, -2.0)[:, None, None]
    distance = ((views[:, :, None] - middles) ** 2)[..., MARKS:].sum(-1) / (2 * NOISY**2)
    log_share = -distance - np.log(np.exp(-distance).sum(-1, keepdims=True))
    task_loss = -np.take_along_axis(log_share, label[:, None, None], 2)[..., 0]
    training = TrainingPictures(
        torch.from_numpy(views[:, 1:].astype(np.float16)),
        torch.from_numpy(task_loss[:, 1:].astype(np.float32)),
        torch.from_numpy(label.astype(np.int64)),
        torch.zeros(PICTURES, VIEWS, dtype=torch.int64),
        CLASSES,
        (),
    )
    return training, views[:, 0], is_noisy
