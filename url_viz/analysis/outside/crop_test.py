"""The crop test, which needs no labels: how often a picture's middle, blown up, counts as more ambiguous."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from url_viz.analysis.outside.new_pictures import NewPictures, Reference, compare_to_reference
from url_viz.imaging.read import DecodeResult, Picture
from url_viz.imaging.workers import fetch_and_decode_isolated
from url_viz.models.model import BATCH, Model
from url_viz.processes.read_ahead import read_ahead
from url_viz.store.tables.tables import positions_of

CROP_SHARES = (0.1, 0.75)
"""Sides of the crops as shares of the whole (PVU 4.3 of the method: f ~ U(.1, .75))."""
TESTED = ("ambiguity", "confusability", "uncertainty", "entropy")


@dataclass(frozen=True)
class Subject:
    """A picture to crop: its id in the image set, its name for people, and what fetches the bytes of its file."""

    id: int
    name: str
    fetch: Callable[[], bytes]


@dataclass(frozen=True)
class CropTest:
    """What became of a sample: `table` has one row per picture that was read, `unreadable` counts the others.

    Columns: id, path, crop_share, and whole and crop values of each of TESTED (`entropy`, `entropy_of_crop`); nan
    without classes, a graph, a head, or a classifier.
    """

    table: pd.DataFrame
    unreadable: int

    def wins(self, measure: str) -> tuple[int, int]:
        """How many crops are strictly higher by `measure`, of how many pictures with values; a tie is none."""
        whole, crop = (self.table[name].to_numpy(np.float64) for name in (measure, f"{measure}_of_crop"))
        is_valued = np.isfinite(whole) & np.isfinite(crop)
        return int((crop[is_valued] > whole[is_valued]).sum()), int(is_valued.sum())


def crop_share(image_id: int, *, seed: int = 0) -> float:
    """The side of a picture's crop as a share of the whole: drawn from the seed and its id, whatever else is tested."""
    return float(np.random.default_rng([seed, image_id % 2**64]).uniform(*CROP_SHARES))


def middle_of(crop: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The middle of a crop (S, S, 3) uint8, its side cut to `share`, blown up to S again (PVU 4.3)."""
    size = crop.shape[0]
    side = max(1, round(size * share))
    start = (size - side) // 2
    image = Image.fromarray(crop[start : start + side, start : start + side])
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def crop_test(
    model: Model, subjects: Sequence[Subject], *, reference: Reference | None = None, seed: int = 0
) -> Iterator[tuple[int, CropTest]]:
    """Read, crop and score pictures batch by batch: yields how many are done, and the test so far, after each batch.

    Ambiguity and confusability are within a `reference` by this model, without the picture and its twins.
    """
    tables: list[pd.DataFrame] = []
    unreadable = 0

    def read(subject: Subject) -> tuple[Subject, DecodeResult]:
        return subject, fetch_and_decode_isolated(subject.fetch, model.space.preprocessing)

    done = 0
    for batch in read_ahead((subjects[start : start + BATCH] for start in range(0, len(subjects), BATCH)), read):
        good = [(subject, reading.crop) for subject, reading in batch if isinstance(reading, Picture)]
        unreadable += len(batch) - len(good)
        if good:
            tables.append(_scored(model, good, reference, seed=seed))
        done += len(batch)
        yield done, CropTest(_joined(tables), unreadable)


def _scored(
    model: Model, good: Sequence[tuple[Subject, NDArray[np.uint8]]], reference: Reference | None, *, seed: int
) -> pd.DataFrame:
    ids = np.array([subject.id for subject, _ in good], np.int64)
    shares = [crop_share(subject.id, seed=seed) for subject, _ in good]
    whole = np.stack([crop for _, crop in good])
    cut = np.stack([middle_of(crop, share) for crop, share in zip(whole, shares, strict=True)])
    columns: dict[str, object] = {"id": ids, "path": [subject.name for subject, _ in good], "crop_share": shares}
    for ending, crops in (("", whole), ("_of_crop", cut)):
        outputs = model.run(crops)
        embeddings = model.as_stored(outputs.embedding)
        within = [np.nan] * 2 if reference is None else _within(reference, ids, embeddings)
        values = *within, model.uncertainty(embeddings), outputs.entropy
        columns |= {f"{name}{ending}": of_crops for name, of_crops in zip(TESTED, values, strict=True)}
    return pd.DataFrame(columns)


def _within(reference: Reference, ids: NDArray[np.int64], embeddings: NDArray[np.float16]) -> NDArray[np.float64]:
    """Ambiguity and confusability (2, Q) of copies of pictures, each without its picture and that one's twins."""
    values = np.full((2, len(ids)), np.nan)
    rows = positions_of(ids, reference.ids)
    for number in np.flatnonzero(rows >= 0):
        crop = NewPictures.of_embeddings(embeddings[[number]])
        compared = compare_to_reference(crop, reference.without(rows[number]))
        values[:, number] = (
            np.nan if compared.shares is None else compared.shares.ambiguity[0],
            compared.confusability[0],
        )
    return values


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["id", "path", "crop_share", *TESTED, *(f"{name}_of_crop" for name in TESTED)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns, dtype=float)
