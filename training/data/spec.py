"""SPEC, the `--data` option of commands: files with ids and labels, or streamed shards, cut for a cache."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.config import CacheConfig
from training.data.pictures import NO_LABEL, PictureList
from training.data.tars import BadSample, find_shards, tar_samples, wordnet_ids
from url_viz.base.errors import FolderError, NoImagesError
from url_viz.base.processes import within_from_environment
from url_viz.base.workspace import address_in
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.scan import display_name, scan

KINDS = ("folder",)
TAR = "tar:"


def list_pictures(spec: str, *, limit: int | None = None) -> PictureList:
    """The pictures that `spec` names; with `limit`, that many, spread evenly over them.

    `folder:PATH` or a bare path is a folder; `cub:PATH` the test split of a published set, `cub/val:PATH` another one.
    Raises FolderError for an unknown kind or folder and for tar shards, which only a cache streams; NoImagesError if
    there are no pictures.
    """
    if spec.startswith(TAR):
        raise FolderError(
            f"{spec!r} is streamed by training.cache and the modes instance and labels of training.finetune only. "
            f"Unpack the shards into class folders for this."
        )
    pictures = _list_all(spec)
    if limit is not None and limit < len(pictures):
        pictures = pictures.subset(np.linspace(0, len(pictures) - 1, limit).round().astype(np.int64))
    return pictures


def _list_all(spec: str) -> PictureList:
    kind, _, rest = spec.partition(":")
    published: Any = None
    if rest and kind not in KINDS:
        with suppress(ModuleNotFoundError):  # where published sets are left out: training needs none of them
            published = import_module("training.named_sets.zero_shot")
    if published is not None and published.is_named(kind):
        named: PictureList = published.named_pictures(kind, Path(rest).expanduser())
        return named
    root = spec_folder(spec)
    if root is None:
        kinds = (*KINDS, "tar", *(published.SETS if published is not None else ()))
        raise FolderError(f"{spec!r} names the kind {kind!r}, and known are {', '.join(kinds)}. Give folder:PATH.")
    within = within_from_environment()
    files = scan(root, within=within).files
    if not files:
        raise NoImagesError(f"No pictures in {str(root)!r}. Give the folder that contains them.")
    labels, classes = pd.factorize(find_classes([file.path for file in files]).class_names, sort=True)
    ids = np.array([file.id for file in files], np.int64)
    paths = tuple(file.path for file in files)
    return PictureList(root, paths, ids, labels.astype(np.int32), tuple(map(str, classes)), within)


def spec_folder(spec: str) -> Path | None:
    """The folder that `spec` names; None for tar shards and published sets."""
    kind, _, rest = spec.partition(":")
    if rest and kind in KINDS:
        return Path(rest).expanduser()
    is_bare = not rest or Path(spec).exists() or address_in(spec) is not None  # which is refused as a folder
    return Path(spec).expanduser() if is_bare else None


def list_labelled(spec: str, *, limit: int | None = None) -> PictureList:
    """Like `list_pictures`, without unlabelled pictures; raises FolderError if there are no class folders."""
    pictures = list_pictures(spec, limit=limit)
    if not pictures.is_labelled:
        raise FolderError(
            f"{str(pictures.root)!r} has no class folders (CLASS/picture.jpg), and labels are needed here."
        )
    return pictures.subset(np.flatnonzero(pictures.labels != NO_LABEL))


MOST_POSITIONS = 2**31 - 1
"""Positions are stored as int32."""


@dataclass(frozen=True)
class Encoded:
    """A picture that is not decoded yet: position in the source, id, label (−1 none); `load` may raise ImageError."""

    position: int
    id: int
    label: int
    name: str
    load: Callable[[], bytes]


class FileSource:
    """Files of a picture list, `shard_pictures` per shard. `total` is where progress ends."""

    def __init__(self, listed: PictureList, shard_pictures: int) -> None:
        self.listed = listed
        self.shard_pictures = shard_pictures
        self.digest = listed.digest
        self.classes = listed.classes
        self.pictures = self.total = len(listed)
        self.tars: tuple[str, ...] = ()

    def done(self, shard: int, position: int) -> int:
        """Progress out of `total` after the picture at `position` in `shard`."""
        return position + 1

    def read(self, shard: int) -> Iterator[Encoded]:
        """The pictures of a shard, in rising positions."""
        start = shard * self.shard_pictures
        for position in range(start, min(start + self.shard_pictures, len(self.listed))):
            yield self.picture(position)

    def picture(self, position: int) -> Encoded:
        listed, path = self.listed, self.listed.paths[position]
        load = partial(listed.read, path)
        return Encoded(position, int(listed.ids[position]), int(listed.labels[position]), display_name(path), load)


class TarSource:
    """Tar shards, one per shard of the cache; each has an equal range of positions.

    Labels index `classes`, WordNet ids; one that is none of them is an error with `is_strict`, else no label. At most
    `limit` pictures are read, spread over the tars. Their number is unknown before reading, so `pictures` and
    `shard_pictures` are 0, and progress counts tars. The digest is of names, sizes and `limit` alone.
    """

    def __init__(
        self, files: tuple[Path, ...], classes: tuple[str, ...], *, is_strict: bool, limit: int | None
    ) -> None:
        self.files, self.classes, self.is_strict, self.limit = files, classes, is_strict, limit
        self.pictures = self.shard_pictures = 0
        self.total = len(files)
        self.tars = tuple(file.name for file in files)
        sizes = [f"{file.name}\0{file.stat().st_size}\0" for file in files]
        self.digest = hashlib.blake2b("".join([*sizes, str(limit)]).encode(), digest_size=8).hexdigest()

    def done(self, shard: int, position: int) -> int:
        """Progress out of `total` while `shard` is read."""
        return shard

    def share(self, shard: int) -> int | None:
        """Most pictures read of a tar, None for all. All shares add up to the limit."""
        if self.limit is None:
            return None
        count = len(self.files)
        return (shard + 1) * self.limit // count - shard * self.limit // count

    def read(self, shard: int) -> Iterator[Encoded | BadSample]:
        """The pictures of a tar, in rising positions, and what could not be read."""
        file, room = self.files[shard], MOST_POSITIONS // len(self.files)
        labels = {name: index for index, name in enumerate(self.classes)}
        for number, sample in enumerate(islice(tar_samples(file, labels, is_strict=self.is_strict), self.share(shard))):
            if number >= room:
                raise FolderError(f"{file} holds more than {room:,} pictures. Cut it into smaller shards.")
            name = f"{file.name}/{sample.key}"
            if isinstance(sample, BadSample):
                yield BadSample(name, sample.reason)
            else:
                yield Encoded(shard * room + number, sample.id, sample.label, name, partial(bytes, sample.data))


PictureSource = FileSource | TarSource
"""Pictures in a fixed order, cut into shards that are read independently."""


def picture_source(config: CacheConfig, *, classifier_classes: int) -> PictureSource:
    """The pictures that `config` names: tar shards for `tar:DIR_OR_PATTERN`, else a list of files.

    Labels of tars index `classifier_classes` WordNet ids (1,000 or 21,843; of 21,843 for any other number).
    Raises FolderError and NoImagesError.
    """
    if not config.data.startswith(TAR):
        listed = (list_labelled if config.target == "labels" else list_pictures)(config.data, limit=config.limit)
        per_shard = max(1, config.shard_rows // config.augmentation.views)
        return FileSource(listed, per_shard)
    files = find_shards(Path(config.data.removeprefix(TAR)).expanduser())
    classes = wordnet_ids(classifier_classes)
    return TarSource(files, classes, is_strict=config.target == "labels", limit=config.limit)
