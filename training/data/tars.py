"""Streaming reader for tar shards (WebDataset, ImageNet-21k), with WordNet ids as labels, checked against timm's list.

Shards are read from front to back with one picture in memory at a time, so size does not matter; the caller tracks
finished shards. An unusable member becomes a `BadSample`; a label that is not in the list is an error, because it would
silently train on wrong classes.
"""

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import IO, Self

from training.data.pictures import NO_LABEL
from url_viz.base.errors import FolderError
from url_viz.imaging.places import image_id
from url_viz.imaging.scan import EXTENSIONS

IMAGENET_1K_CLASSES = 1000
IMAGENET_21K_CLASSES = 21_843
MOST_BYTES = 256 << 20
"""A member larger than this is not read into memory."""
MOST_PASSED_BYTES = 1 << 38
"""`tarfile` would skip a larger member, which no shard holds, for hours."""

TAR_KINDS = ("*.tar", "*.tar.gz", "*.tgz")

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_WORDNET_ID = re.compile(r"(?<![A-Za-z0-9])n\d{8}(?!\d)")


@dataclass(frozen=True)
class TarSample:
    """One encoded picture: its key (path in the shard without extension), the id made from that, and its label."""

    key: str
    id: int
    label: int
    data: bytes


@dataclass(frozen=True)
class BadSample:
    """The key of an unreadable picture or of a shard whose rest is unreadable, and the reason.

    `position` in the source is −1 where it is not known.
    """

    key: str
    reason: str
    position: int = -1


@dataclass(frozen=True)
class _Member:
    key: str
    extension: str
    data: bytes  # empty of a file that is too large
    size_bytes: int


@cache
def imagenet21k_labels() -> Mapping[str, int]:
    """WordNet id → index among the 21,843 classes of the augreg ViTs (timm's `imagenet21k_goog_synsets`).

    ImageNet-21k Winter 2021 has 19,167 of them; indices never depend on which folders are present.
    """
    from timm.data import ImageNetInfo

    synsets = ImageNetInfo("imagenet21k_goog").label_names()
    if len(synsets) != IMAGENET_21K_CLASSES or not all(a < b for a, b in pairwise(synsets)):
        raise FolderError(
            f"timm's list of ImageNet-21k classes has {len(synsets)} entries; {IMAGENET_21K_CLASSES} sorted ones are "
            f"expected. Install the version of timm in requirements.txt."
        )
    return {synset: index for index, synset in enumerate(synsets)}


@cache
def wordnet_ids(count: int) -> tuple[str, ...]:
    """The WordNet ids of a classifier of `count` classes, in its order: ImageNet-1k's 1,000, else ImageNet-21k's."""
    from timm.data import ImageNetInfo

    if count == IMAGENET_1K_CLASSES:
        return tuple(ImageNetInfo("imagenet-1k").label_names())
    return tuple(imagenet21k_labels())


def find_shards(path: Path) -> tuple[Path, ...]:
    """The tar files at `path`, sorted: a folder of them, one of them, or a pattern with `*` or `{000..127}`.

    Raises FolderError if there is none, or if one of a range is missing.
    """
    if path.is_file():
        return (path,)
    if found := _RANGE.search(str(path)):
        return _numbered(str(path), *found.groups())
    files = tuple(sorted(file for kind in TAR_KINDS for file in path.rglob(kind)))
    files = files or tuple(sorted(Path(file) for file in glob(str(path)) if Path(file).is_file()))
    if not files:
        raise FolderError(f"{str(path)!r} has no tar shards. Give a folder of *.tar, one of them, or a pattern.")
    return files


def _numbered(pattern: str, first: str, last: str) -> tuple[Path, ...]:
    named = [_RANGE.sub(f"{number:0{len(first)}d}", pattern, count=1) for number in range(int(first), int(last) + 1)]
    missing = [name for name in named if not Path(name).is_file()]
    if missing or not named:
        raise FolderError(f"{len(missing)} of {len(named)} tar shards of {pattern!r} are missing: {missing[:1]}.")
    return tuple(map(Path, named))


def tar_samples(shard: Path, labels: Mapping[str, int], *, is_strict: bool = True) -> Iterator[TarSample | BadSample]:
    """The pictures of one shard in its order, streamed; unreadable ones are yielded as `BadSample`.

    The WordNet id is taken from the sample's path, else its .json, else the name of the tar (also of a tar inside a
    tar, as ImageNet is published). If there is none, or `labels` lacks it, a strict reader raises FolderError, and a
    lenient one gives the label −1.
    """
    members: list[_Member] = []
    try:
        with shard.open("rb") as file:
            for member in _members(file, ""):
                if members and member.key != members[0].key:
                    yield from _sample(members, shard, labels, is_strict=is_strict)
                    members = []
                members.append(member)
        yield from _sample(members, shard, labels, is_strict=is_strict)
    except FolderError:  # an unknown label
        raise
    except Exception as error:  # noqa: BLE001 - a damaged or hostile shard may raise anything
        yield from _sample(members, shard, labels, is_strict=is_strict)
        yield BadSample(shard.name, f"the shard cannot be read to its end: {error}")


_DAMAGED = tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError  # type: ignore[attr-defined]  # not in typeshed


class _Header(tarfile.TarInfo):
    """A header that is an error where it is damaged or cut off: `tarfile` takes that for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except _DAMAGED as error:
            raise tarfile.ReadError(f"a header is damaged ({error})") from error


def _members(file: IO[bytes], prefix: str) -> Iterator[_Member]:
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=_Header) as archive:
        for entry in archive:
            if not 0 <= entry.size <= MOST_PASSED_BYTES:
                raise tarfile.ReadError(f"{entry.name} has a size that cannot be")
            opened = archive.extractfile(entry) if entry.isfile() else None
            if opened is None:
                continue
            folder, _, name = entry.name.rpartition("/")
            stem, _, extension = name.partition(".")
            key = prefix + (f"{folder}/{stem}" if folder else stem)
            if extension.lower() == "tar":
                yield from _members(opened, f"{key}/")
            elif not name.startswith("."):
                data = opened.read() if entry.size <= MOST_BYTES else b""
                yield _Member(key, extension.lower(), data, entry.size)


def _sample(
    members: Sequence[_Member], shard: Path, labels: Mapping[str, int], *, is_strict: bool
) -> Iterator[TarSample | BadSample]:
    pictures = [m for m in members if b"." + m.extension.rpartition(".")[2].encode() in EXTENSIONS]
    if not pictures:
        return
    picture = pictures[0]
    if len(picture.data) != picture.size_bytes or not picture.data:
        yield BadSample(picture.key, f"{picture.size_bytes} bytes; 1 to {MOST_BYTES} are read")
        return
    wordnet_id = _last_id(picture.key) or _id_in_json(members) or _last_id(shard.name)
    if is_strict and wordnet_id is None:
        raise FolderError(
            f"{picture.key!r} in {shard} has no WordNet id (n and eight digits) in its path, its .json or the shard's "
            f"name. Class numbers of another list are not taken; write the ids into the names."
        )
    if is_strict and wordnet_id not in labels:
        raise FolderError(
            f"{picture.key!r} in {shard} is of the WordNet id {wordnet_id}, which is none of the {len(labels):,} "
            f"classes. Give a backbone that was trained on these classes, or leave this shard out."
        )
    label = NO_LABEL if wordnet_id is None else labels.get(wordnet_id, NO_LABEL)
    yield TarSample(picture.key, image_id(picture.key.encode("utf-8", "surrogateescape")), label, picture.data)


def _last_id(text: str) -> str | None:
    ids: list[str] = _WORDNET_ID.findall(text.replace("_", " "))
    return ids[-1] if ids else None


def _id_in_json(members: Sequence[_Member]) -> str | None:
    """The one WordNet id in the text values of the sample's record; None without it or without a readable record."""
    for member in members:
        if member.extension == "json":
            try:
                record = json.loads(member.data)
            except ValueError:
                return None
            values = record.values() if isinstance(record, dict) else ()
            ids = {_last_id(value) for value in values if isinstance(value, str)} - {None}
            return ids.pop() if len(ids) == 1 else None
    return None
