"""The record of a training of ours: what its classifier said of the pictures of a folder, as of a user's own model."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.config import FinetuneConfig
from training.data.spec import folder_of
from training.holdout import SplitCache
from training.targets import fold_probes
from url_viz.store.recorder import Recorder
from url_viz.store.training_records import LARGEST

HELD_OUT = "held-out"


def own_recorder(config: FinetuneConfig, classes: Sequence[str]) -> Recorder | None:
    """The recorder of a finetuning, named after the folder that it writes to; None of what is no folder of classes.

    What an earlier one of this name recorded is deleted.
    """
    folder = folder_of(config.data)
    if folder is None or len(classes) < 2:
        return None
    recorder = Recorder.of_folder(folder, run_name(config.out), classes=classes)
    recorder.begin_again()
    return recorder


def run_name(out: Path) -> str:
    """What the run is called of a finetuning that writes to `out`."""
    return f"finetune-{re.sub(r'[^a-zA-Z0-9_.-]+', '-', out.absolute().name)}"[:60]


def record_probes(config: FinetuneConfig, split: SplitCache) -> None:
    """Record what linear probes say of the pictures of a fold that they were fitted without, as the head learns it."""
    cache = split.cache
    recorder = own_recorder(config, cache.manifest.classes)
    if recorder is None:
        return
    ids = cache.of_pictures("id", without=-1)
    for probe in fold_probes(cache.clean, cache.labels, split.group):
        pictures = np.flatnonzero(probe.says)
        logits = np.full((len(pictures), len(cache.manifest.classes)), -LARGEST, np.float32)
        logits[:, probe.classes] = probe.logits(cache.clean[pictures])
        recorder.epoch(ids[pictures], logits, cache.labels[pictures], HELD_OUT, fold=str(probe.number), number=0)
