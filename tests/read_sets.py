"""Image sets that are read once, as they were read, for each test or module that asks for them."""

import shutil
from collections.abc import Callable
from pathlib import Path

from url_viz.base.workspace import SetPaths, Workspace, set_id_of
from url_viz.image_set import ImageSet, open_image_set
from url_viz.store.about import find_set
from url_viz.store.sets import move

Shelf = Callable[[Callable[[Path], ImageSet]], ImageSet]
"""Takes what makes a set in a folder, and gives a copy of it (the fixture `shelf`)."""


def opened_again(image_set: ImageSet) -> ImageSet:
    """A new snapshot of the same set."""
    return open_image_set(image_set.root, model=image_set.source.name, workspace=image_set.workspace.root)


def undecided(image_set: ImageSet, *, labels: str | None = "folders") -> ImageSet:
    """The set with nothing decided, named or answered, no review begun, and the choice of `labels`."""
    folder = image_set.workspace.root / "sets" / image_set.set_id
    for path in folder.glob("decisions.*"):
        path.unlink()
    shutil.rmtree(folder / "reviews", ignore_errors=True)
    image_set.labels.use(labels)
    return opened_again(image_set)


def copied(image_set: ImageSet, folder: Path, *, home: Path) -> ImageSet:
    """The set in another folder and workspace, as if it had been read there."""
    shutil.copytree(image_set.root, folder, dirs_exist_ok=True)  # its files' times
    kept = image_set.workspace.set_paths(image_set.set_id).folder
    shutil.copytree(kept, Workspace.at(home).set_paths(set_id_of(folder)).folder)
    move(image_set.root, folder, workspace=home)
    return open_image_set(folder, model=image_set.source.name, workspace=home)


def moved(place: Path, to: Path) -> Path:
    """A copy of a place that holds `pictures` and the `workspace` they were read into, which knows of the move."""
    shutil.copytree(place, to)
    move(place / "pictures", to / "pictures", workspace=to / "workspace")
    return to


def paths_of(place: Path) -> SetPaths:
    """Where the set of such a place lies."""
    home = Workspace.at(place / "workspace")
    return home.set_paths(find_set(place / "pictures", home))
