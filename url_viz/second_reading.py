"""A second model that reads an image set after the first one, without being named: of which sets, and when."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from url_viz.base.errors import DamageError
from url_viz.base.progress import PROGRESS_VARIABLE, Progress, ProgressCallback
from url_viz.base.workspace import Workspace, is_in_bucket
from url_viz.columns.second_model import find_opinions
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.models.model import EmbeddingSpace, Model, packaged_name
from url_viz.models.model_names import PACKAGED, default_second_model
from url_viz.store.about import find_set, is_second_model_used
from url_viz.store.tables.reader import Store

MOST_PICTURES = 20_000
"""The most pictures that a second model reads without being asked."""
NICENESS = 10
"""Of a job that nobody waits for: pages get nine times its share of a busy processor."""
VARIABLE = "URL_VIZ_SECOND_MODEL"
"""Environment variable: `off` where no second model reads unasked."""


def is_on() -> bool:
    """Whether a second model may read unasked in this process."""
    return os.environ.get(VARIABLE) != "off"


def embed_by_two(
    read: Callable[..., ImageSet],
    root: Path,
    *,
    model: Model,
    load: Callable[[str], Model],
    progress: ProgressCallback,
    workspace: str | Path | None = None,
) -> ImageSet:
    """`read` the folder `root` by `model`; then have a second one, which `load` loads by name, read what it has not.

    `read` is `embed_folder` with all but models and progress. The second model is the one that takes part already, or
    of a new set in a folder the default one, if its weights are here and `model` comes in a package: what it is worth
    was measured with those. It reads MOST_PICTURES at most. The set is whole by `model` before that begins, and stays
    so if it is stopped. The stages of the second reading have the model's name behind a comma.
    """
    home = Workspace.at(workspace)
    name = _second_for(root, Store(home.set_paths(find_set(root, home))), model.space)
    image_set = read(model=model, progress=progress)
    if name is None or image_set.core.second.active is not None or _unread(image_set, name) > MOST_PICTURES:
        return image_set

    def named(step: Progress) -> None:
        progress(replace(step, stage=f"{step.stage}, {name}"))

    _let_pages_go_first()
    return read(model=model, also=load(name), refit=False, progress=named)


def _let_pages_go_first() -> None:
    """Where this is a job of the app: what the second model takes from here on is what pages leave of the processor."""
    if PROGRESS_VARIABLE in os.environ:
        os.nice(NICENESS)  # on Linux of this thread, and of what it starts
        decoders.close()  # those that start in their place are as nice


def _second_for(root: Path, store: Store, space: EmbeddingSpace) -> str | None:
    """The name of the second model for a set as it is before a reading; None for none, or none with weights here."""
    about, name = store.about() if store.paths.about.exists() else None, None
    if about is None or all(about.files_begun(each.key) is not None for each in about.spaces):  # never read to the end
        default = None if is_in_bucket(root) or packaged_name(space) is None else default_second_model(space.backbone)
        name = None if default is None else default.name
    elif is_second_model_used(store.paths):
        with suppress(DamageError):
            known = store.graph_columns(space.key)
            opinions = () if known is None else find_opinions(store, space, known.content)
            is_alike = bool(opinions) and opinions[0].space.precision == space.precision
            name = packaged_name(opinions[0].space) if is_alike else None
    return name if name is not None and PACKAGED[name].is_installed else None


def _unread(image_set: ImageSet, second: str) -> int:
    space = image_set.core.store.about().space(second)
    read = () if space is None else image_set.core.store.embedded(space.key).content
    return len(np.setdiff1d(image_set.core.contents, read))
