"""The embedding cache of a frozen backbone: varied views of pictures, embedded once, with their task losses."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training import store
from training.augment import VIEW_RESOLUTION, draw_view
from training.command import command
from training.config import Augmentation, CacheConfig, FinetuneConfig, PretrainConfig, Target
from training.data.spec import Encoded, PictureSource, picture_source, spec_folder
from training.data.tars import BadSample, wordnet_ids
from training.store import ROW, Cache, CachePaths, Manifest, Shard, locked, open_cache
from training.targets import FoldProbe, classifier_loss, fitted_classifier_loss, instance_loss
from training.training_rows import Sources, find_groups
from url_viz.base.errors import CacheError, ImageError, JobError, NoImagesError
from url_viz.base.processes import read_ahead
from url_viz.base.progress import Clock, ProgressCallback, command_report
from url_viz.base.wording import counted
from url_viz.base.workspace import Workspace
from url_viz.imaging.decode import Preprocessing, decode, middle, resized
from url_viz.imaging.places import content_key
from url_viz.models.model import Model, load_model
from url_viz.store.about import find_set, has_tables
from url_viz.store.recorder import LARGEST, Recorder

TORCHRUN = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
"""Variables that torchrun sets, with the values of a single process."""
HELD_OUT = "held-out"
Kind = Literal["finetune", "pretrain", "cache"]


@dataclass(frozen=True)
class Process:
    """Process `rank` of `ranks`, the `local_rank`-th on its machine; by default the only one."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise JobError(f"This process is number {self.rank} of {self.ranks}. Start it with torchrun.")

    @classmethod
    def from_environment(cls) -> "Process":
        """The process as torchrun numbered it; the only one without torchrun."""
        values = [os.environ.get(name, default) for name, default in TORCHRUN]
        if not all(value.isdecimal() for value in values):
            raise JobError(f"{', '.join(name for name, _ in TORCHRUN)} are {values}; torchrun sets them to numbers.")
        return cls(*map(int, values))

    def shard_numbers(self, count: int) -> range:
        """Of `count` shards those that this process writes; each belongs to one process."""
        return range(self.rank, count, self.ranks)

    def select_gpu(self) -> None:
        """Make `cuda` mean this process's GPU, if it is one of several on a machine with GPUs."""
        if self.ranks == 1:
            return
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(self.local_rank % torch.cuda.device_count())


def main(config: CacheConfig) -> None:
    """Write the cache of `config`, or this process's shards of it, and print a summary."""
    process = Process.from_environment()
    process.select_gpu()
    model = load_model(config.model, device=config.device, precision=config.precision)
    missing = write_shards(config, model, command_report(), process=process)
    if missing:
        print(
            f"Process {process.rank} of {process.ranks} is done; others still write {missing} shards of {config.out}."
        )
        return
    cache = write_cache(config, model, command_report())
    rows, pictures = counted(len(cache), "row"), counted(len(cache.pictures), "picture")
    print(f"{rows} of {pictures} in {config.out}; {len(store.read_failures(cache.paths)):,} unreadable.")


def write_cache(config: CacheConfig, model: Model, report: ProgressCallback, *, head: Path | None = None) -> Cache:
    """Write or continue the cache of `config` with its task losses, and open it; raises as `write_embeddings`.

    If it is for a run, `head` is that run's folder, after which the record of the fitted classifiers is named.
    """
    cache = write_embeddings(config, model, report)
    write_task_loss(cache, config, head)
    return cache


def cache_config(config: FinetuneConfig | PretrainConfig, data: str, out: Path, *, target: Target) -> CacheConfig:
    """The configuration of a cache of `data` in `out` with the options of a larger run."""
    shared = ("model", "augmentation", "instance", "precision", "device", "limit")
    return CacheConfig(data, out, target=target, **{name: getattr(config, name) for name in shared})


def write_embeddings(config: CacheConfig, model: Model, report: ProgressCallback) -> Cache:
    """Write or continue the embeddings of `config`, and open the cache.

    Raises CacheError if the folder holds another cache, NoImagesError if no picture could be read.
    """
    write_shards(config, model, report)
    cache = open_cache(config.out)
    if len(cache) == 0:
        unreadable = len(store.read_failures(cache.paths))
        raise NoImagesError(f"None of the {unreadable} pictures of {config.data!r} could be read.")
    return cache


def write_shards(config: CacheConfig, model: Model, report: ProgressCallback, *, process: Process | None = None) -> int:
    """Write the missing shards of `process` → how many of the cache's shards are still missing.

    Raises CacheError if the folder holds another cache, FolderError while another process writes it.
    """
    n_classes, process = count_classes(model), process or Process()
    source = picture_source(config, classifier_classes=n_classes)
    manifest = Manifest(
        backbone=model.space.backbone,
        weights_digest=model.space.weights_digest,
        preprocessing=model.space.preprocessing.as_record(),
        precision=model.space.precision,
        views=asdict(config.augmentation),
        seed=config.seed,
        pictures_digest=source.digest,
        pictures=source.pictures,
        classes=source.classes,
        shard_pictures=source.shard_pictures,
        tars=source.tars,
    )
    paths = store.open_for_writing(config.out, manifest)
    missing = [number for number in range(manifest.shards) if not paths.shard(number).is_dir()]
    clock = Clock("cache", source.total, already=(manifest.shards - len(missing)) * max(1, manifest.shard_pictures))
    classes = classifier_indices(source.classes, n_classes)
    if classes is not None and (classes < 0).any():
        unknown = [name for name, index in zip(source.classes, classes, strict=True) if index < 0]
        raise CacheError(f"The classifier does not know {len(unknown)} WordNet ids, among them {unknown[0]!r}.")
    writer = _Writer(config, model, source, classes, paths, clock, report)
    with locked(config.out, part=f"process-{process.rank}"):
        for number in process.shard_numbers(manifest.shards):
            if not paths.shard(number).is_dir():
                writer.write(number)
    return sum(not paths.shard(number).is_dir() for number in range(manifest.shards))


def write_task_loss(cache: Cache, config: CacheConfig, head: Path | None = None) -> None:
    """Compute the task loss of every row for the target of `config`, unless it is stored already.

    What classifiers fitted for it say of held-out pictures is recorded as a run, if these are an image set.
    """
    is_fitted = config.target == "labels" and not np.isfinite(cache.rows["own_loss"]).all()
    made_by: dict[str, object] = {"target": config.target}
    made_by |= asdict(config.instance) if config.target != "labels" else {"folds": config.group} if is_fitted else {}
    if cache.paths.loss.exists() and cache.paths.about_loss.exists() and cache.about_loss == made_by:
        return
    every = np.arange(len(cache))
    if config.target == "instance":
        loss = instance_loss(
            cache.embeddings, every, cache.clean_rows, cache.clean, target=config.instance, seed=config.seed
        )
    elif is_fitted:
        group, views = find_groups(Sources.from_caches(cache), config.group), cache.embeddings[every]
        kind: Kind = "cache" if head is None else "pretrain"
        record = probe_recorder(run_recorder(config.data, head or config.out, cache.manifest.classes, kind=kind), cache)
        loss = fitted_classifier_loss(views, cache.clean_rows, cache.clean, cache.labels, group, record=record)
    else:
        loss = cache.rows["own_loss"].astype(np.float32)
    store.write_loss(cache.paths, loss, made_by)


@dataclass(frozen=True)
class PictureViews:
    """Crops of one picture (1 + V, S, S, 3) uint8, the clean one and then its views.

    `resolution` (V,) is by how many halvings each view was shrunk.
    """

    picture: Encoded
    crops: NDArray[np.uint8]
    resolution: tuple[int, ...]


def read_views(
    picture: Encoded, augmentation: Augmentation, seed: int, preprocessing: Preprocessing
) -> PictureViews | BadSample:
    """The crop of a picture that the app embeds, and its views, drawn by `seed` and the picture's id."""
    try:
        data = picture.load()
        whole, _ = decode(data, short_side_px=preprocessing.resize_px)
        image, _ = decode(data, short_side_px=VIEW_RESOLUTION * preprocessing.resize_px)
    except ImageError as error:
        return BadSample(picture.name, str(error), picture.position)
    generator = np.random.default_rng([seed, picture.id])
    views = [
        draw_view(image, augmentation, size_px=preprocessing.size_px, generator=generator)
        for _ in range(augmentation.views)
    ]
    clean = middle(resized(whole, preprocessing), preprocessing.size_px)
    resolution = tuple(halvings for _, halvings in views)
    return PictureViews(picture, np.stack([clean, *(pixels for pixels, _ in views)]), resolution)


@dataclass(frozen=True)
class _Writer:
    """Embeds pictures shard by shard. `classes` maps labels to the classifier's classes, None if it lacks them."""

    config: CacheConfig
    model: Model
    source: PictureSource
    classes: NDArray[np.int64] | None
    paths: CachePaths
    clock: Clock
    report: ProgressCallback

    def write(self, number: int) -> None:
        per_batch = max(1, self.config.batch // (1 + self.config.augmentation.views))
        parts: list[Shard] = []
        failures: dict[str, str] = {}
        position = 0
        pictures = self.source.read(number)
        batches = iter(lambda: list(islice(pictures, per_batch)), [])
        for batch in read_ahead(batches, self._read):
            failures |= {bad.key: bad.reason for bad in batch if isinstance(bad, BadSample)}
            good = [views for views in batch if isinstance(views, PictureViews)]
            parts.append(self._embed(good))
            places = (one.position if isinstance(one, BadSample) else one.picture.position for one in batch)
            position = max(position, *places)
            metrics = {} if self.source.pictures else {"pictures": sum(len(part.pictures) for part in parts)}
            done = self.source.done(number, position)
            self.report(self.clock.at(done, failures=len(failures), metrics=metrics))
        store.write_failures(self.paths, failures)
        parts = parts or [self._embed([])]
        whole = Shard(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Shard)))
        store.write_shard(self.paths, number, whole)

    def _read(self, picture: Encoded | BadSample) -> PictureViews | BadSample:
        if isinstance(picture, BadSample):
            return picture
        return read_views(picture, self.config.augmentation, self.config.seed, self.model.space.preprocessing)

    def _embed(self, pictures: Sequence[PictureViews]) -> Shard:
        size_px, views = self.model.space.preprocessing.size_px, self.config.augmentation.views
        # An empty batch runs one black crop, so that its arrays have the right widths.
        black = np.zeros((int(not pictures), size_px, size_px, 3), np.uint8)
        outputs = self.model.run(np.concatenate([*(one.crops for one in pictures), black]))
        count = len(pictures) * (1 + views)
        is_clean = np.arange(count) % (1 + views) == 0
        embedding = self.model.as_stored(outputs.embedding)[:count]
        rows = _rows(pictures, views)
        if self.classes is not None:
            is_labelled = rows["label"] >= 0
            logits = outputs.logits[:count][~is_clean][is_labelled]
            rows["own_loss"][is_labelled] = classifier_loss(logits, self.classes[rows["label"][is_labelled]])
        positions = np.array([one.picture.position for one in pictures], np.int64)
        return Shard(embedding[~is_clean], rows, embedding[is_clean], positions)


def _rows(pictures: Sequence[PictureViews], views: int) -> NDArray[np.void]:
    rows = np.zeros(len(pictures) * views, ROW)
    encoded = [one.picture for one in pictures]
    for name, values in (
        ("picture", [picture.position for picture in encoded]),
        ("id", [picture.id for picture in encoded]),
        ("label", [picture.label for picture in encoded]),
        ("folder", [content_key(picture.name.rpartition("/")[0].encode()) & 0xFFFFFFFF for picture in encoded]),
    ):
        rows[name] = np.repeat(np.array(values, np.int64), views)
    rows["resolution"] = [halvings for one in pictures for halvings in one.resolution]
    rows["view"] = np.tile(np.arange(views), len(pictures))
    rows["own_loss"] = np.nan
    return rows


def count_classes(model: Model) -> int:
    """How many classes the model's classifier has."""
    probe = np.zeros((1, *[model.space.preprocessing.size_px] * 2, 3), np.uint8)
    return int(model.run(probe).logits.shape[1])


def classifier_indices(names: Sequence[str], n_classes: int) -> NDArray[np.int64] | None:
    """Each class's index among the classifier's `n_classes` (1,000 of ImageNet-1k or 21,843 of 21k), −1 where unknown.

    None if the classes are not named by WordNet ids, or the classifier is for other classes.
    """
    if not names or not all(name[1:].isdigit() and name[0] == "n" for name in names):
        return None
    synsets = wordnet_ids(n_classes)
    if len(synsets) != n_classes:
        return None
    index_of = {synset: index for index, synset in enumerate(synsets)}
    return np.array([index_of.get(name, -1) for name in names], np.int64)


def run_recorder(data: str, out: Path, classes: Sequence[str], *, kind: Kind = "finetune") -> Recorder | None:
    """The recorder of a training on the SPEC `data` that writes to `out`, emptied of what it recorded before.

    None if `data` is no folder of classes or, unless it finetunes, no image set of the workspace.
    """
    folder, home = spec_folder(data), Workspace.at()
    if folder is None or len(classes) < 2:
        return None
    if kind != "finetune" and not has_tables(home.set_paths(find_set(folder, home))):
        return None
    recorder = Recorder.of_folder(folder, run_name(out, kind), classes=classes, is_ours=True)
    recorder.begin_again()
    return recorder


def run_name(out: Path, kind: Kind = "finetune") -> str:
    """The name under which a training that writes to `out` is recorded."""
    return f"{kind}-{re.sub(r'[^a-zA-Z0-9_.-]+', '-', out.absolute().name)}"[:60]


def probe_recorder(recorder: Recorder | None, cache: Cache) -> Callable[[FoldProbe], None] | None:
    """A function that records the logits of a linear probe for the pictures that it was fitted without."""
    if recorder is None:
        return None
    ids = cache.by_picture("id", without=-1)

    def record(probe: FoldProbe) -> None:
        pictures = np.flatnonzero(probe.is_tested)
        logits = np.full((len(pictures), len(cache.manifest.classes)), -LARGEST, np.float32)
        logits[:, probe.classes] = probe.logits(cache.clean[pictures])
        recorder.epoch(ids[pictures], logits, cache.labels[pictures], HELD_OUT, fold=str(probe.number), number=0)

    return record


if __name__ == "__main__":
    sys.exit(command(CacheConfig, main))
