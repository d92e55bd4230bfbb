"""A second model that reads an image set after the first one, without being named: of which sets, and when."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from url_viz.base.errors import DamageError, FolderError
from url_viz.base.progress import PROGRESS_VARIABLE, Progress, ProgressCallback
from url_viz.base.workspace import Workspace
from url_viz.columns.second_model import find_opinions
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.models.model import EmbeddingSpace, Model, packaged_name
from url_viz.models.model_names import PACKAGED, default_second_model
from url_viz.pipeline.stash import MOST_PICTURES, delete_stash, stash_waits
from url_viz.reading import embed_from_stash
from url_viz.store.about import find_set, is_second_model_used
from url_viz.store.tables.reader import Store

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
    of a new set the default one, if its weights are here and `model` comes in a package: what it is worth was measured
    with those. It reads MOST_PICTURES at most, from crops that were cut in the first reading where files are dear to
    read. The set is whole by `model` before that begins, and stays so if it is stopped. One that is killed goes on when
    the folder is read again, also where the pictures are away by then. Its stages have the model's name behind a comma.
    """
    home = Workspace.at(workspace)
    paths = home.set_paths(find_set(root, home))
    name = _second_for(Store(paths), model.space)

    def by_second(step: Progress) -> None:
        progress(replace(step, stage=f"{step.stage}, {name}"))

    read_stash = partial(embed_from_stash, root, model=model, workspace=workspace, progress=by_second)
    try:
        later = None if name is None else PACKAGED[name].preprocessing
        image_set = read(model=model, second_later=later, progress=progress)
    except FolderError:
        if name is not None and stash_waits(paths):
            read_stash(also=load(name))
        raise
    if name is None or image_set.core.second.active is not None or _unread(image_set, name) > MOST_PICTURES:
        delete_stash(paths)
        return image_set
    _let_pages_go_first()
    try:
        second = load(name)
        found = read_stash(also=second, within=image_set.within)
        return found or read(model=model, also=second, refit=False, progress=by_second)
    except KeyboardInterrupt:
        delete_stash(paths)  # it is not to go on
        raise


def _let_pages_go_first() -> None:
    """Where this is a job of the app: what the second model takes from here on is what pages leave of the processor."""
    if PROGRESS_VARIABLE in os.environ:
        os.nice(NICENESS)  # on Linux of this thread, and of what it starts
        decoders.close()  # those that start in their place are as nice
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is stopped, not killed


def _second_for(store: Store, space: EmbeddingSpace) -> str | None:
    """The name of the second model for a set as it is before a reading; None for none, or none with weights here."""
    about, name = store.about() if store.paths.about.exists() else None, None
    is_unfinished = about is None or all(about.files_begun(each.key) is not None for each in about.spaces)
    if about is not None and not is_second_model_used(store.paths):
        return None
    if is_unfinished or stash_waits(store.paths):  # never read to the end, by one model or by the second
        others = () if about is None else about.other_spaces(space)
        names = (packaged_name(other) for other in others if other.precision == space.precision)
        default = None if packaged_name(space) is None else default_second_model(space.backbone)
        name = next(filter(None, names), None if default is None else default.name)
    else:
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
