"""Parser of SPEC, the `--data` option of commands, into a list of files with ids and labels."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.data.pictures import NO_LABEL, PictureList
from url_viz.errors import FolderError, NoImagesError
from url_viz.imaging.folder_classes import class_names
from url_viz.imaging.scan import scan
from url_viz.processes.child_environment import within_of_environment
from url_viz.roots import address_in

KINDS = ("folder",)
TAR = "tar:"


def pictures_of(spec: str, *, limit: int | None = None) -> PictureList:
    """The pictures that `spec` names; with `limit`, that many, spread evenly over them.

    `folder:PATH` or a bare path is a folder; `cub:PATH` the test split of a published set, `cub/val:PATH` another one.
    Raises FolderError for an unknown kind or folder and for tar shards, which only a cache streams; NoImagesError if
    there are no pictures.
    """
    if is_tar(spec):
        raise FolderError(
            f"{spec!r} is streamed by training.cache and the modes instance and labels of training.finetune only. "
            f"Unpack the shards into class folders for this."
        )
    pictures = _all_pictures_of(spec)
    if limit is not None and limit < len(pictures):
        pictures = pictures.subset(np.linspace(0, len(pictures) - 1, limit).round().astype(np.int64))
    return pictures


def _all_pictures_of(spec: str) -> PictureList:
    kind, _, rest = spec.partition(":")
    published = _published_sets() if rest and kind not in KINDS else None
    if published is not None and published.is_named(kind):
        pictures: PictureList = published.named_pictures(kind, Path(rest).expanduser())
        return pictures
    folder = folder_of(spec)
    if folder is not None:
        return _in_folder(folder)
    kinds = (*KINDS, "tar", *(published.SETS if published is not None else ()))
    raise FolderError(f"{spec!r} names the kind {kind!r}, and known are {', '.join(kinds)}. Give folder:PATH.")


def _published_sets() -> Any:
    """The module of published sets; None where it is left out: training needs none of them."""
    try:
        return import_module("training.named_sets.zero_shot")
    except ModuleNotFoundError:
        return None


def folder_of(spec: str) -> Path | None:
    """The folder that `spec` names; None for tar shards and published sets."""
    kind, _, rest = spec.partition(":")
    if rest and kind in KINDS:
        return Path(rest).expanduser()
    is_bare = not rest or Path(spec).exists() or address_in(spec) is not None  # which is refused as a folder
    return Path(spec).expanduser() if is_bare else None


def is_tar(spec: str) -> bool:
    """Whether `spec` names tar shards: `tar:` and a folder of them, one of them, or a pattern."""
    return spec.startswith(TAR)


def tar_path(spec: str) -> Path:
    """The folder, file or pattern of a `spec` that names tar shards."""
    return Path(spec.removeprefix(TAR)).expanduser()


def labelled_pictures_of(spec: str, *, limit: int | None = None) -> PictureList:
    """Like `pictures_of`, of labelled pictures only; raises FolderError if there are no class folders."""
    pictures = pictures_of(spec, limit=limit)
    if not pictures.is_labelled:
        raise FolderError(
            f"{str(pictures.root)!r} has no class folders (CLASS/picture.jpg), and labels are needed here."
        )
    return pictures.subset(np.flatnonzero(pictures.labels != NO_LABEL))


def _in_folder(root: Path) -> PictureList:
    within = within_of_environment()
    files = scan(root, within=within).files
    if not files:
        raise NoImagesError(f"No pictures in {str(root)!r}. Give the folder that contains them.")
    labels, classes = pd.factorize(np.array(class_names([file.path for file in files]), object), sort=True)
    ids = np.array([file.id for file in files], np.int64)
    paths = tuple(file.path for file in files)
    return PictureList(root, paths, ids, labels.astype(np.int32), tuple(map(str, classes)), within)
