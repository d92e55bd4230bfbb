"""Pictures of one set that are also in another, and embeddings of a picture list."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.command import command, markdown
from training.config import OverlapConfig
from training.data.pictures import PictureList
from training.data.spec import list_pictures
from training.store import write_json
from url_viz.base.errors import NoImagesError
from url_viz.base.files import require_parent
from url_viz.base.processes import read_ahead, read_each
from url_viz.base.progress import Clock, ProgressCallback, command_report
from url_viz.imaging.copied_pixels import Patches, patch_of
from url_viz.imaging.quality import grey_thumbnail, perceptual_hash
from url_viz.imaging.scan import display_name
from url_viz.imaging.workers import DecodeResult, Picture, fetch_and_decode
from url_viz.models.model import Model, load_model
from url_viz.outside.occlusion import CROP_SHARES, middle_of
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.twins import twins_across

BATCH = 64


@dataclass(frozen=True)
class EmbeddedPictures:
    """The N readable pictures of a list at `positions` (N,): `embedding` (N, D) float16, `logits` (N, C) float32.

    `crop_embedding` (N, D) is of each picture's middle, whose sides are a random `crop_share` (N,) of the picture's;
    both are empty without `with_crops`. `failures` pairs names and reasons.
    """

    positions: NDArray[np.int64]
    embedding: NDArray[np.float16]
    logits: NDArray[np.float32]
    crop_embedding: NDArray[np.float16]
    failures: tuple[tuple[str, str], ...]
    crop_share: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def embed_pictures(
    model: Model, pictures: PictureList, *, seed: int, report: ProgressCallback, with_crops: bool = True
) -> EmbeddedPictures:
    """Embed the pictures of a list, and a crop of each; raises NoImagesError if none can be read."""
    clock = Clock("embed", len(pictures))
    shares = np.random.default_rng(seed).uniform(*CROP_SHARES, len(pictures))
    positions: list[int] = []
    failures: list[tuple[str, str]] = []
    parts: list[tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.float16]]] = []

    def read(position: int) -> tuple[int, DecodeResult]:
        return position, fetch_and_decode(partial(pictures.read, pictures.paths[position]), model.space.preprocessing)

    starts = range(0, len(pictures), BATCH)
    for readings in read_ahead((range(start, min(start + BATCH, len(pictures))) for start in starts), read):
        batch = dict(readings)
        good = {position: reading.crop for position, reading in batch.items() if isinstance(reading, Picture)}
        failures += [
            (display_name(pictures.paths[position]), getattr(reading, "reason", ""))
            for position, reading in batch.items()
            if position not in good
        ]
        if good:
            crops = np.stack(list(good.values()))
            outputs = model.run(crops)
            embedding = model.as_stored(outputs.embedding)
            cropped = embedding[:0]
            if with_crops:
                middles = np.stack([middle_of(crop, shares[position]) for position, crop in good.items()])
                cropped = model.as_stored(model.run(middles).embedding)
            parts.append((embedding, outputs.logits, cropped))
            positions += list(good)
        report(clock.at(max(batch) + 1, failures=len(failures)))
    if not parts:
        raise NoImagesError(f"None of the {len(pictures)} pictures below {str(pictures.root)!r} could be read.")
    embedding, logits, crop_embedding = (np.concatenate([part[i] for part in parts]) for i in range(3))
    crop_share = shares[positions] if with_crops else shares[:0]
    return EmbeddedPictures(
        np.array(positions, np.int64), embedding, logits, crop_embedding, tuple(failures), crop_share
    )


@dataclass(frozen=True)
class Fingerprints:
    """N readable pictures: names, content keys `content` (N,), pixels, `embedding` (N, D)."""

    names: tuple[str, ...]
    content: NDArray[np.int64]
    pixels: Pixels
    embedding: NDArray[np.float16]


@dataclass(frozen=True)
class SharedPicture:
    """A picture of each set that may be the same: whether the bytes are, and the embeddings' cosine."""

    upstream: str
    report: str
    same_bytes: bool
    cosine: float


@dataclass(frozen=True)
class Overlap:
    """How many of the `pictures` of `report` are also in `upstream`, by bytes and by any way, and the pairs."""

    upstream: str
    report: str
    pictures: int
    by_content: int
    by_any: int
    pairs: tuple[SharedPicture, ...]


@dataclass(frozen=True)
class Overlaps:
    """The overlap of each pair of an upstream and a report set, found with a model."""

    model: str
    overlaps: tuple[Overlap, ...]


def main(config: OverlapConfig) -> None:
    """Compare every upstream set with every report set, print a table, and write the pairs."""
    require_parent(config.json)
    model, report = load_model(config.model, device=config.device, precision=config.precision), command_report()
    upstream, reported = (
        {spec: fingerprint(model, list_pictures(spec), report) for spec in specs}
        for specs in (config.upstream, config.report)
    )
    overlaps = [
        find_overlap(trained, measured, upstream=spec, report=name)
        for name, measured in reported.items()
        for spec, trained in upstream.items()
    ]
    print(table(overlaps))
    if config.json is not None:
        write_json(Overlaps(config.model, tuple(overlaps)), config.json)


def table(overlaps: Sequence[Overlap]) -> str:
    """The counts as a Markdown table, a row per pair of sets."""
    header = ["report", "upstream", "pictures", "same bytes", "twins"]
    rows = [[o.report, o.upstream, f"{o.pictures:,}", f"{o.by_content:,}", f"{o.by_any:,}"] for o in overlaps]
    return markdown(header, rows)


def fingerprint(model: Model, pictures: PictureList, report: ProgressCallback) -> Fingerprints:
    """Fingerprints of the readable pictures of a list; raises NoImagesError if there are none."""
    embedded = embed_pictures(model, pictures, seed=0, report=report, with_crops=False)
    paths = [pictures.paths[position] for position in embedded.positions.tolist()]
    readings = read_each(paths, lambda path: fetch_and_decode(partial(pictures.read, path), model.space.preprocessing))
    read = {row: reading for row, reading in enumerate(readings) if isinstance(reading, Picture)}
    greys = (grey_thumbnail(picture.thumbnail, width=picture.width, height=picture.height) for picture in read.values())
    patches = [patch_of(picture.thumbnail, picture.width, picture.height) for picture in read.values()]
    return Fingerprints(
        tuple(display_name(paths[row]) for row in read),
        np.array([picture.content for picture in read.values()], np.int64),
        Pixels.from_patches(np.stack(list(map(perceptual_hash, greys))), Patches.joined(patches)),
        embedded.embedding[list(read)],
    )


def find_overlap(first: Fingerprints, second: Fingerprints, *, upstream: str, report: str) -> Overlap:
    """The pictures of `second`, the set `report`, that are also in `first`, the set `upstream`."""
    twins = twins_across(first.embedding, second.embedding, pixels=Pixels.joined(first.pixels, second.pixels))
    trained, reported = twins.pair[:, 0], twins.pair[:, 1] - len(first.names)
    is_same = first.content[trained] == second.content[reported]
    found = zip(trained.tolist(), reported.tolist(), is_same.tolist(), twins.cosine.tolist(), strict=True)
    pairs = tuple(
        SharedPicture(first.names[a], second.names[b], same_bytes, round(cosine, 4))
        for a, b, same_bytes, cosine in sorted(found, key=lambda pair: pair[1::-1])
    )
    same, any_way = (len(np.unique(rows)) for rows in (reported[is_same], reported))
    return Overlap(upstream, report, len(second.names), same, any_way, pairs)


if __name__ == "__main__":
    sys.exit(command(OverlapConfig, main))
