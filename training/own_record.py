"""The record of a training of ours: what its classifier said of the pictures of a folder, as of a user's own model."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from training.data.spec import folder_of
from training.store import Cache
from training.targets import FoldProbe
from url_viz.store.about import find_set, has_tables
from url_viz.store.recorder import LARGEST, Recorder
from url_viz.workspace import Workspace

HELD_OUT = "held-out"
Kind = Literal["finetune", "pretrain", "cache"]


def own_recorder(data: str, out: Path, classes: Sequence[str], *, kind: Kind = "finetune") -> Recorder | None:
    """The recorder of a training on the SPEC `data`, named after its kind and the folder that it writes to.

    None of what is no folder of classes, and of a head's upstream pictures that are no image set of the workspace.
    What an earlier one of this name recorded is deleted.
    """
    folder, home = folder_of(data), Workspace.at()
    if folder is None or len(classes) < 2:
        return None
    if kind != "finetune" and not has_tables(home.set_paths(find_set(folder, home))):
        return None
    recorder = Recorder.of_folder(folder, run_name(out, kind), classes=classes, is_ours=True)
    recorder.begin_again()
    return recorder


def run_name(out: Path, kind: Kind = "finetune") -> str:
    """What the run is called of a training that writes to `out`."""
    return f"{kind}-{re.sub(r'[^a-zA-Z0-9_.-]+', '-', out.absolute().name)}"[:60]


def of_probes(recorder: Recorder | None, cache: Cache) -> Callable[[FoldProbe], None] | None:
    """Records what a linear probe says of the pictures of a fold that it was fitted without, as the head learns it."""
    if recorder is None:
        return None
    ids = cache.of_pictures("id", without=-1)

    def record(probe: FoldProbe) -> None:
        pictures = np.flatnonzero(probe.says)
        logits = np.full((len(pictures), len(cache.manifest.classes)), -LARGEST, np.float32)
        logits[:, probe.classes] = probe.logits(cache.clean[pictures])
        recorder.epoch(ids[pictures], logits, cache.labels[pictures], HELD_OUT, fold=str(probe.number), number=0)

    return record
