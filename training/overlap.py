"""Pictures of one set that are also in another: twins, as image sets find them, by pixels and embeddings.

    python -m training.overlap --upstream SPEC … --report SPEC … --model NAME --json OUT

A figure on pictures that a head was trained on says little, so each use of pictures should be free of the others'. No
pair proves a leak: two pictures that show the same may be alike enough.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.command import command
from training.config import OverlapConfig
from training.data.pictures import PictureList
from training.data.spec import pictures_of
from training.listed_embeddings import embed_pictures
from training.markdown_tables import markdown
from training.run_files import write_json
from url_viz.files import require_parent
from url_viz.imaging.copied_pixels import Patches, patch_of
from url_viz.imaging.perceptual_hash import perceptual_hash
from url_viz.imaging.quality import grey_thumbnail
from url_viz.imaging.read import Picture, fetch_and_decode
from url_viz.imaging.scan import display_name
from url_viz.models.model import Model, load_model
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.twins import twins_across
from url_viz.processes.read_ahead import read_each
from url_viz.progress import ProgressCallback, command_report


@dataclass(frozen=True)
class Fingerprints:
    """N readable pictures: `names`, content keys `content` (N,), `pixels`, `embedding` (N, D)."""

    names: tuple[str, ...]
    content: NDArray[np.int64]
    pixels: Pixels
    embedding: NDArray[np.float16]


@dataclass(frozen=True)
class SharedPicture:
    """A picture of each set that may be one: whether their bytes are equal, and the cosine of the embeddings."""

    upstream: str
    report: str
    same_bytes: bool
    cosine: float


@dataclass(frozen=True)
class Overlap:
    """How many of the `pictures` of `report` are also in `upstream`, by their bytes and by any way, and the pairs."""

    upstream: str
    report: str
    pictures: int
    by_content: int
    by_any: int
    pairs: tuple[SharedPicture, ...]


@dataclass(frozen=True)
class Overlaps:
    """What is in two uses, by a model: each pair of an upstream and a report set."""

    model: str
    overlaps: tuple[Overlap, ...]


def main(config: OverlapConfig) -> None:
    """Compare every upstream set with every report set, print a table, and write the pairs."""
    require_parent(config.json)
    model, report = load_model(config.model, device=config.device, precision=config.precision), command_report()
    upstream, reported = (
        {spec: fingerprints_of(model, pictures_of(spec), report) for spec in specs}
        for specs in (config.upstream, config.report)
    )
    overlaps = [
        overlap_of(trained, measured, upstream=spec, report=name)
        for name, measured in reported.items()
        for spec, trained in upstream.items()
    ]
    print(table(overlaps))
    if config.json is not None:
        write_json(Overlaps(config.model, tuple(overlaps)), config.json)


def table(overlaps: Sequence[Overlap]) -> str:
    """The counts as a Markdown table, one row a pair of sets."""
    header = ["report", "upstream", "pictures", "same bytes", "twins"]
    rows = [[o.report, o.upstream, f"{o.pictures:,}", f"{o.by_content:,}", f"{o.by_any:,}"] for o in overlaps]
    return markdown(header, rows)


def fingerprints_of(model: Model, pictures: PictureList, report: ProgressCallback) -> Fingerprints:
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


def overlap_of(first: Fingerprints, second: Fingerprints, *, upstream: str, report: str) -> Overlap:
    """The pictures of `second` that are also in `first`; the names of the sets are for the record."""
    twins = twins_across(first.embedding, second.embedding, pixels=Pixels.joined(first.pixels, second.pixels))
    trained, reported = twins.pair[:, 0], twins.pair[:, 1] - len(first.names)
    is_same = first.content[trained] == second.content[reported]
    found_pairs = zip(trained.tolist(), reported.tolist(), is_same.tolist(), twins.cosine.tolist(), strict=True)
    pairs = tuple(
        SharedPicture(first.names[a], second.names[b], same_bytes, round(cosine, 4))
        for a, b, same_bytes, cosine in sorted(found_pairs, key=lambda pair: pair[1::-1])
    )
    same, any_way = (len(np.unique(rows)) for rows in (reported[is_same], reported))
    return Overlap(upstream, report, len(second.names), same, any_way, pairs)


if __name__ == "__main__":
    sys.exit(command(OverlapConfig, main))
