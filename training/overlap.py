"""Pictures of one set that are also in another: by their bytes, by a perceptual hash, and by their embeddings.

    python -m training.overlap --upstream SPEC … --report SPEC … --model NAME --json OUT

A figure on pictures that a head was trained on says little, so each use of pictures should be free of the others'. No
pair proves a leak: of plain pictures the hash is alike by chance, and embeddings are where two pictures show the same.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.benchmark.benchmark_tables import markdown
from training.command import command
from training.config import OverlapConfig
from training.data.pictures import PictureList
from training.data.spec import pictures_of
from training.listed_embeddings import embed_pictures
from training.record_files import write_json
from url_viz.errors import ImageError
from url_viz.files import require_parent
from url_viz.imaging.decode import decode
from url_viz.imaging.digest import content_key
from url_viz.imaging.scan import display_name
from url_viz.models.model import Model, load_model
from url_viz.pipeline.twins import twin_pairs
from url_viz.progress import ProgressCallback, command_report
from url_viz.read_ahead import read_each

HASH_SIDE = 8
DECODED_PX = 64
MOST_BITS = 4
"""Bits in which hashes of one picture may differ: of 400 photographs, 98.5 % differ in no more once saved as JPEG of
quality 60, 99.8 % at .6 of their size, and no two of them."""
LEAST_BITS = 6
"""Hashes with fewer bits set, or unset, are of pictures without structure, and say nothing."""
OVERLAP_COSINE = 0.97
ROWS_AT_ONCE = 1024

RowPair = tuple[int, int]
"""A row of the first set and one of the second."""


@dataclass(frozen=True)
class Fingerprints:
    """N readable pictures: `names`, content keys `content` (N,), dHashes `hash` (N,) uint64, `embedding` (N, D)."""

    names: tuple[str, ...]
    content: NDArray[np.int64]
    hash: NDArray[np.uint64]
    embedding: NDArray[np.float16]


@dataclass(frozen=True)
class SharedPicture:
    """A picture of each set that may be one: equal bytes, bits in which the hashes differ, cosine of the embeddings."""

    upstream: str
    report: str
    same_bytes: bool
    bits: int
    cosine: float


@dataclass(frozen=True)
class Overlap:
    """How many of the `pictures` of `report` are also in `upstream`, by each way and by any, and the pairs."""

    upstream: str
    report: str
    pictures: int
    by_content: int
    by_hash: int
    by_embedding: int
    by_any: int
    pairs: tuple[SharedPicture, ...]


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
        write_json({"model": config.model, "overlaps": [asdict(overlap) for overlap in overlaps]}, config.json)


def table(overlaps: Sequence[Overlap]) -> str:
    """The counts as a Markdown table, one row a pair of sets."""
    counts = ("pictures", "by_content", "by_hash", "by_embedding", "by_any")
    header = ["report", "upstream", "pictures", "same bytes", "same hash", "same embedding", "any"]
    rows = [
        [overlap.report, overlap.upstream, *(f"{getattr(overlap, count):,}" for count in counts)]
        for overlap in overlaps
    ]
    return markdown(header, rows)


def fingerprints_of(model: Model, pictures: PictureList, report: ProgressCallback) -> Fingerprints:
    """Fingerprints of the readable pictures of a list; raises NoImagesError if there are none."""
    embedded = embed_pictures(model, pictures, seed=0, report=report, with_crops=False)
    paths = [pictures.paths[position] for position in embedded.positions.tolist()]
    marks = read_each(paths, partial(_marks, pictures))
    is_read = np.array([mark is not None for mark in marks])
    both = [mark for mark in marks if mark is not None]
    return Fingerprints(
        tuple(display_name(path) for path, mark in zip(paths, marks, strict=True) if mark is not None),
        np.array([content for content, _ in both], np.int64),
        np.array([value for _, value in both], np.uint64),
        embedded.embedding[is_read],
    )


def _marks(pictures: PictureList, path: bytes) -> tuple[int, int] | None:
    """Content key and dHash of a file; None if it vanished since it was embedded."""
    try:
        data = pictures.read(path)
        return content_key(data), difference_hash(decode(data, short_side_px=DECODED_PX)[0])
    except ImageError:
        return None


def difference_hash(image: Image.Image) -> int:
    """64 bits, row by row: whether each cell of 8 × 9 is darker than the next to its right (dHash)."""
    cells = np.asarray(image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS), np.int16)
    return int.from_bytes(np.packbits(cells[:, :-1] < cells[:, 1:]).tobytes(), "big")


def overlap_of(first: Fingerprints, second: Fingerprints, *, upstream: str, report: str) -> Overlap:
    """The pictures of `second` that are also in `first`; the names of the sets are for the record."""
    ways = _same_bytes(first, second), alike_hashes(first.hash, second.hash), _alike_embeddings(first, second)
    every = set().union(*ways)
    pairs = tuple(_pair(first, second, a, b) for a, b in sorted(every, key=lambda pair: (pair[1], pair[0])))
    content, hashes, embedding, either = (len({b for _, b in way}) for way in (*ways, every))
    return Overlap(upstream, report, len(second.names), content, hashes, embedding, either, pairs)


def _pair(first: Fingerprints, second: Fingerprints, a: int, b: int) -> SharedPicture:
    one, other = (f.embedding[row].astype(np.float64) for f, row in ((first, a), (second, b)))
    cosine = float(one @ other / max(1e-12, np.linalg.norm(one) * np.linalg.norm(other)))
    bits = int(np.bitwise_count(first.hash[a] ^ second.hash[b]))
    return SharedPicture(
        first.names[a], second.names[b], bool(first.content[a] == second.content[b]), bits, round(cosine, 4)
    )


def _same_bytes(first: Fingerprints, second: Fingerprints) -> set[RowPair]:
    rows: dict[int, list[int]] = {}
    for a, key in enumerate(first.content.tolist()):
        rows.setdefault(key, []).append(a)
    return {(a, b) for b, key in enumerate(second.content.tolist()) for a in rows.get(key, ())}


def alike_hashes(
    first: NDArray[np.uint64], second: NDArray[np.uint64], *, rows_at_once: int = ROWS_AT_ONCE
) -> set[RowPair]:
    """The rows of both sets whose hashes (N,) and (M,) differ in at most MOST_BITS, where both have structure."""
    of_first, of_second = (np.flatnonzero(_has_structure(hashes)) for hashes in (first, second))
    alike: set[RowPair] = set()
    for start in range(0, len(of_second), rows_at_once):
        rows = of_second[start : start + rows_at_once]
        left, right = np.nonzero(np.bitwise_count(first[of_first, None] ^ second[None, rows]) <= MOST_BITS)
        alike |= set(zip(of_first[left].tolist(), rows[right].tolist(), strict=True))
    return alike


def _has_structure(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    bits = np.bitwise_count(hashes)
    return (bits >= LEAST_BITS) & (bits <= 64 - LEAST_BITS)


def _alike_embeddings(first: Fingerprints, second: Fingerprints) -> set[RowPair]:
    split, both = len(first.embedding), np.concatenate([first.embedding, second.embedding])
    left, right = twin_pairs(both, of=np.arange(split, len(both)), bound=OVERLAP_COSINE).pair.T.astype(np.int64)
    crosses = (left < split) & (right >= split)
    return set(zip(left[crosses].tolist(), (right[crosses] - split).tolist(), strict=True))


if __name__ == "__main__":
    sys.exit(command(OverlapConfig, main))
