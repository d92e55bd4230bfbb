"""Record what your own model says of each picture while you train it: `url_viz.record(folder, run="r1").epoch(…)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from url_viz.store.recorder import Recorder

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


def record(
    folder_or_set: "str | Path | ImageSet",
    run: str,
    *,
    classes: Sequence[str] | None = None,
    workspace: str | Path | None = None,
) -> Recorder:
    """A recorder of a training run on the pictures of a folder, which may be embedded before or after.

    `classes` name the columns of the logits. By default they count as the set's classes in alphabetical order, as
    torchvision's ImageFolder has them. A run that is recorded already goes on after its last epoch.
    """
    if isinstance(folder_or_set, str | Path):
        return Recorder.of_folder(folder_or_set, run, classes=classes, workspace=workspace)
    image_set = folder_or_set
    return Recorder(image_set.core.store.paths, image_set.folder, run, classes=classes)
