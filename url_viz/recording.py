"""Record what your own model says of each picture while you train it: `url_viz.record(folder, run="r1").epoch(…)`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from url_viz.roots import address_in, root_of
from url_viz.store.about import find_set, has_tables, read_about
from url_viz.store.recorder import Recorder
from url_viz.workspace import Workspace

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
        home = Workspace.at(workspace)
        root = address_in(folder_or_set) or Path(folder_or_set).expanduser()
        paths = home.set_paths(find_set(root, home))
        base = read_about(paths).base if has_tables(paths) else root_of(root)
        return Recorder(paths, base, run, classes=classes, also=os.path.abspath(root))
    image_set = folder_or_set
    return Recorder(image_set.store.paths, image_set.folder, run, classes=classes)
