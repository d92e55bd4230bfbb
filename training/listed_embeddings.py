"""Embeddings and logits of a picture list for evaluation, with the embeddings of crops."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.data.pictures import PictureList
from url_viz.analysis.outside.crop_test import CROP_SHARES, middle_of
from url_viz.errors import NoImagesError
from url_viz.imaging.read import DecodeResult, Picture, fetch_and_decode
from url_viz.imaging.scan import display_name
from url_viz.models.model import Model
from url_viz.processes.read_ahead import read_ahead
from url_viz.progress import Clock, ProgressCallback

BATCH = 64


@dataclass(frozen=True)
class EmbeddedPictures:
    """The N readable pictures of a list at `positions` (N,): `embedding` (N, D) float16, `logits` (N, C) float32.

    `crop_embedding` (N, D) is of the middle of each picture cut to a random share, (0, D) without `with_crops`;
    `crop_share` (N,) is the share of the sides that each crop keeps. `failures` pairs names and reasons.
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
    """Embed the pictures of a list, and a crop of each; threads read one batch ahead; unreadable ones become failures.

    Raises NoImagesError if none can be read.
    """
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
