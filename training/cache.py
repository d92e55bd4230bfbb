"""Embed varied views of pictures with a frozen backbone, once, and store embeddings and task losses for training.

    python -m training.cache --model NAME --data SPEC --out DIR [--views 4] [--target labels|instance]

Leaves a cache in DIR (see training.store). A run that was stopped goes on where it was; at most the open shard is lost.
Under `torchrun --nproc-per-node N -m training.cache …` each process writes every N-th shard and waits for nobody; the
one that finds all shards there computes the task loss.
On a whole cache, another target or temperature is computed from the embeddings that are there, in seconds.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from training import store
from training.augment import view_of
from training.command import command
from training.config import Augmentation, CacheConfig
from training.data.spec import PictureList, labelled_pictures_of, pictures_of
from training.share import WHOLE, Share
from training.store import ROW, Cache, CachePaths, Manifest, Shard, open_cache
from training.targets import fitted_classifier_loss, instance_loss, own_classifier_loss
from url_viz.errors import CacheError, ImageError, NoImagesError
from url_viz.images.decode import decode, read_file
from url_viz.images.preprocess import Preprocessing, middle, resized
from url_viz.images.scan import absolute, display_name
from url_viz.models.model import Model, load_model
from url_viz.progress import Clock, Report, command_report

VIEW_RESOLUTION = 2
"""Pictures are decoded at so many times the backbone's short side, since a view may show a small part of them."""


@dataclass(frozen=True)
class Read:
    """One picture's crops (1 + V, S, S, 3) uint8, as it is and then its views; or the reason why there are none."""

    picture: int
    crops: NDArray[np.uint8] | None
    reason: str = ""


def main(config: CacheConfig) -> None:
    """Write the cache that `config` asks for, or this process's share of it, and print what is there."""
    share = Share.of_environment()
    share.take_gpu()
    model = load_model(config.model, device=config.device, precision=config.precision)
    missing = write_shards(config, model, command_report(), share=share)
    if missing:
        print(f"Process {share.rank} of {share.ranks} is done; {missing} shards of {config.out} are others' to write.")
        return
    cache = write_cache(config, model, command_report())
    failures = len(store.read_failures(cache.paths))
    print(f"{len(cache):,} rows of {len(cache.pictures):,} pictures in {config.out}; {failures} unreadable.")


def write_cache(config: CacheConfig, model: Model, report: Report) -> Cache:
    """Write or continue the cache of `config` with a loaded `model`, and open it.

    Raises CacheError where the folder holds a cache of something else, NoImagesError where no picture could be read.
    """
    write_shards(config, model, report)
    cache = open_cache(config.out)
    if len(cache) == 0:
        raise NoImagesError(f"None of the {cache.manifest.pictures} pictures of {config.data!r} could be read.")
    write_task_loss(cache, config)
    return cache


def write_shards(config: CacheConfig, model: Model, report: Report, *, share: Share = WHOLE) -> int:
    """Write those shards of `share` that are not there yet → how many of the cache are missing still.

    Raises CacheError where the folder holds a cache of something else.
    """
    of = labelled_pictures_of if config.target == "labels" else pictures_of
    pictures = of(config.data, limit=config.limit)
    manifest = _manifest(config, model, pictures)
    paths = store.open_for_writing(config.out, manifest)
    clock = Clock("cache", len(pictures), already=_shards_there(paths, manifest) * manifest.shard_pictures)
    classes = _all_known_classes(pictures, model)
    writer = _Writer(config, model, pictures, classes, paths, clock, report)
    for number in share.of(manifest.shards):
        if not paths.shard(number).is_dir():
            writer.write(number, _range_of(manifest, number))
    return manifest.shards - _shards_there(paths, manifest)


def write_task_loss(cache: Cache, config: CacheConfig) -> None:
    """Compute the task loss of every row for the target of `config`, unless it is there already."""
    about = {"target": config.target, **(asdict(config.instance) if config.target == "instance" else {})}
    if cache.paths.loss.exists() and cache.about_loss == about:
        return
    views = cache.embeddings(np.arange(len(cache)))
    if config.target == "instance":
        loss = instance_loss(views, cache.own, cache.clean, target=config.instance, seed=config.seed)
    elif np.isfinite(cache.rows["own_loss"]).all():
        loss = cache.rows["own_loss"].astype(np.float32)
    else:
        loss = fitted_classifier_loss(views, cache.own, cache.clean, cache.labels)
    store.write_loss(cache.paths, loss, about)


def _manifest(config: CacheConfig, model: Model, pictures: PictureList) -> Manifest:
    return Manifest(
        backbone=model.space.backbone,
        weights_digest=model.space.weights_digest,
        preprocessing=model.space.preprocessing.as_record(),
        precision=model.space.precision,
        views=asdict(config.augmentation),
        seed=config.seed,
        pictures_digest=pictures.digest,
        pictures=len(pictures),
        classes=pictures.classes,
        shard_pictures=max(1, config.shard_rows // config.augmentation.views),
    )


def _shards_there(paths: CachePaths, manifest: Manifest) -> int:
    return sum(paths.shard(number).is_dir() for number in range(manifest.shards))


def _range_of(manifest: Manifest, number: int) -> range:
    start = number * manifest.shard_pictures
    return range(start, min(start + manifest.shard_pictures, manifest.pictures))


@dataclass(frozen=True)
class _Writer:
    """Embeds pictures shard by shard. `classes` maps labels to the classifier's own classes, where it knows them."""

    config: CacheConfig
    model: Model
    pictures: PictureList
    classes: NDArray[np.int64] | None
    paths: CachePaths
    clock: Clock
    report: Report

    def write(self, number: int, places: range) -> None:
        """Embed the pictures at `places` and write them as shard `number`."""
        per_batch = max(1, self.config.batch // (1 + self.config.augmentation.views))
        batches = [places[start : start + per_batch] for start in range(0, len(places), per_batch)]
        parts: list[Shard] = []
        failures: dict[str, str] = {}
        for batch in _read_ahead(batches, self.pictures, self.config, self.model.space.preprocessing):
            failures |= {display_name(self.pictures.paths[r.picture]): r.reason for r in batch if r.crops is None}
            parts.append(self._embedded({r.picture: r.crops for r in batch if r.crops is not None}))
            self.report(self.clock.at(batch[-1].picture + 1, failures=len(failures)))
        store.write_failures(self.paths, failures)
        store.write_shard(self.paths, number, joined(parts))

    def _embedded(self, crops: dict[int, NDArray[np.uint8]]) -> Shard:
        size_px, views = self.model.space.preprocessing.size_px, self.config.augmentation.views
        # An empty batch runs one black crop, so that its arrays have the right widths.
        black = np.zeros((int(not crops), size_px, size_px, 3), np.uint8)
        outputs = self.model.run(np.concatenate([*crops.values(), black]))
        count = len(crops) * (1 + views)
        is_clean = np.arange(count) % (1 + views) == 0
        embedding = outputs.embedding.astype(np.float16)[:count]
        rows = _rows(self.pictures, list(crops), views)
        if self.classes is not None:
            rows["own_loss"] = own_classifier_loss(outputs.logits[:count][~is_clean], self.classes[rows["label"]])
        return Shard(embedding[~is_clean], rows, embedding[is_clean], np.array(list(crops), np.int64))


def joined(parts: Sequence[Shard]) -> Shard:
    """Several parts of a shard as one."""
    return Shard(
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.clean for part in parts]),
        np.concatenate([part.pictures for part in parts]),
    )


def _rows(pictures: PictureList, places: Sequence[int], views: int) -> NDArray[np.void]:
    rows = np.zeros(len(places) * views, ROW)
    rows["picture"] = np.repeat(np.array(places), views)
    rows["id"] = pictures.ids[rows["picture"]]
    rows["label"] = pictures.labels[rows["picture"]]
    rows["view"] = np.tile(np.arange(views), len(places))
    rows["own_loss"] = np.nan
    return rows


def _read_ahead(
    batches: Sequence[range], pictures: PictureList, config: CacheConfig, preprocessing: Preprocessing
) -> Iterator[list[Read]]:
    """The batches of pictures, read and varied by threads one batch ahead of the model."""

    def read(place: int) -> Read:
        return read_views(pictures, place, config.augmentation, config.seed, preprocessing)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ahead: list[list[Future[Read]]] = []
        for batch in batches:
            ahead.append([pool.submit(read, place) for place in batch])
            if len(ahead) > 1:
                yield [future.result() for future in ahead.pop(0)]
        for rest in ahead:
            yield [future.result() for future in rest]


def read_views(
    pictures: PictureList, place: int, augmentation: Augmentation, seed: int, preprocessing: Preprocessing
) -> Read:
    """Read one picture: the crop the app would embed, then its views; each picture has its own random stream."""
    try:
        data = read_file(absolute(pictures.root, pictures.paths[place]))
        as_it_is, _ = decode(data, short_side_px=preprocessing.resize_px)
        image, _ = decode(data, short_side_px=VIEW_RESOLUTION * preprocessing.resize_px)
    except ImageError as error:
        return Read(place, None, str(error))
    generator = np.random.default_rng([seed, int(pictures.ids[place])])
    varied = [
        view_of(image, augmentation, size_px=preprocessing.size_px, generator=generator)
        for _ in range(augmentation.views)
    ]
    clean = middle(resized(as_it_is, preprocessing), preprocessing.size_px)
    return Read(place, np.stack([clean, *varied]))


def classes_of_classifier(pictures: PictureList, model: Model) -> NDArray[np.int64] | None:
    """Each class folder's index among the classifier's ImageNet-1k classes, −1 where it has none of that WordNet id.

    None where the folders are not named by WordNet ids, or the classifier is another one.
    """
    if not pictures.classes or not all(name[1:].isdigit() and name[0] == "n" for name in pictures.classes):
        return None
    from timm.data import ImageNetInfo

    probe = np.zeros((1, *[model.space.preprocessing.size_px] * 2, 3), np.uint8)
    n_classes = model.run(probe).logits.shape[1]
    if n_classes != 1000:
        return None
    known = {synset: i for i, synset in enumerate(ImageNetInfo("imagenet-1k").label_names())}
    return np.array([known.get(name, -1) for name in pictures.classes], np.int64)


def _all_known_classes(pictures: PictureList, model: Model) -> NDArray[np.int64] | None:
    found = classes_of_classifier(pictures, model)
    if found is not None and (found < 0).any():
        unknown = [name for name, place in zip(pictures.classes, found, strict=True) if place < 0]
        raise CacheError(f"The classifier does not know {len(unknown)} WordNet ids, among them {unknown[0]!r}.")
    return found


if __name__ == "__main__":
    sys.exit(command(CacheConfig, main))
