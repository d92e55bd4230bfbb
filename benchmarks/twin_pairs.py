"""What copies and views cost in a large set, beside the rule before: `python -m benchmarks.twin_pairs [--rows N]`.

Vectors by dice lie in bunches of a hundred, from which the candidates of each row are drawn, with their true
similarities (`--spread`: how wide bunches are); one row in a hundred has a copy, with nearly its hash. Timed are the
whitened space, which leaves out views in its sample, and the search for pairs among the candidates; thumbnails are
decoded from memory. The rule before left out of its sample what raw cosines of .96 join; called were pairs of that
cosine, of those whose whitened one is .88 or whose hashes are near, and what hardly differs by its hash. Candidates,
which both need, are not timed.
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import machine, processor_seconds
from url_viz.base.rows import l2_normalize
from url_viz.imaging.copied_pixels import Patches, patch_of
from url_viz.imaging.quality import WORDS, Hashes
from url_viz.pipeline.near_copies import NEVER, Pixels, bits_apart, similar_hashes
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import ROWS_AT_ONCE, cosines, twins_among
from url_viz.pipeline.whitening import LEAST_COSINE, SAMPLE, fit_whitening, fitted, whitened_rows
from url_viz.store.tables.embedding_rows import WhitenedRows

SIZE, BUNCH, LISTED, COPIED = 1280, 100, 80, 100
FLIPPED = 12
"""Bits in which the hashes of a copy differ."""
OLD_COSINE, OLD_WHITENED = 0.96, 0.88
THUMBNAILS = 256

Half = NDArray[np.float16]


def vectors(rows: int, spread: float) -> Half:
    """Raw embeddings (N, SIZE) in bunches, so wide beside the distances between them."""
    rng, found = np.random.default_rng(0), np.zeros((rows, SIZE), np.float16)
    for start in range(0, rows, BUNCH):
        part = found[start : start + BUNCH]
        part[:] = rng.normal(size=SIZE) + spread * rng.standard_normal(part.shape, np.float32)
    found[1::COPIED] = found[::COPIED][: len(found[1::COPIED])]
    return found


def hashes_of(rows: int) -> Hashes:
    """Hashes (N, WORDS) by dice, those of copies nearly the same."""
    rng = np.random.default_rng(1)
    hashes = rng.integers(1, 1 << 63, (rows, WORDS), dtype=np.uint64)
    bits = (np.uint64(1) << rng.integers(0, 63, FLIPPED).astype(np.uint64)).reshape(-1, 1)
    flips = np.zeros((1, WORDS), np.uint64)
    for number, bit in enumerate(bits[:, 0]):
        flips[0, number % WORDS] ^= bit
    hashes[1::COPIED] = hashes[::COPIED][: len(hashes[1::COPIED])] ^ flips
    return hashes


def candidates_of(whitened: WhitenedRows) -> Nearest:
    """LISTED rows of its bunch for each row (N, LISTED), and their cosines."""
    rng, count = np.random.default_rng(2), len(whitened)
    position = np.zeros((count, LISTED), np.int32)
    similarity = np.zeros((count, LISTED), np.float32)
    for start in range(0, count, BUNCH):
        unit = l2_normalize(whitened.rows[start : start + BUNCH])
        others = (np.arange(len(unit))[:, None] + 1 + rng.permutation(len(unit) - 1)[:LISTED]) % len(unit)
        others[:, 0] = np.arange(len(unit)) ^ 1
        position[start : start + BUNCH] = start + others
        similarity[start : start + BUNCH] = np.take_along_axis(unit @ unit.T, others, 1)
    return Nearest(position, similarity)


def pixels_of(hashes: Hashes) -> Pixels:
    """Hashes with thumbnails that are decoded when they are asked for; a copy has that of its original."""
    rng, thumbnails = np.random.default_rng(3), []
    for _ in range(THUMBNAILS):
        file = io.BytesIO()
        cells = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        cells.resize((256, 192), Image.Resampling.BICUBIC).save(file, "JPEG", quality=82)
        thumbnails.append(file.getvalue())

    def patches_of(rows: NDArray[np.integer]) -> Patches:
        original = np.where(rows % COPIED == 1, rows - 1, rows)
        return Patches.joined([patch_of(thumbnails[row % THUMBNAILS], 500, 375) for row in original.tolist()])

    return Pixels(hashes, patches_of)


def old_pairs(candidates: Nearest, embeddings: Half, hashes: Hashes) -> int:
    """How many pairs the rule before calls."""
    called = 0
    for pairs in _old_candidates(candidates, hashes):
        cosine = cosines(embeddings, *pairs.T)
        called += int(((cosine >= OLD_COSINE) | (bits_apart(hashes, *pairs.T) < NEVER)).sum())
    return called


def _old_candidates(candidates: Nearest, hashes: Hashes) -> Iterator[NDArray[np.integer]]:
    for start in range(0, len(candidates.position), ROWS_AT_ONCE):
        position = candidates.position[start : start + ROWS_AT_ONCE]
        left, right = np.repeat(np.arange(start, start + len(position)), LISTED), position.ravel()
        is_near = candidates.similarity[start : start + ROWS_AT_ONCE].ravel() >= OLD_WHITENED
        is_near[~is_near] = bits_apart(hashes, left[~is_near], right[~is_near]) < NEVER
        yield np.stack([left[is_near], right[is_near]], axis=1)
    yield from (pairs for pairs, _ in similar_hashes(hashes))


def old_space(embeddings: Half) -> int:
    """Fit a space as before on a sample in which what is joined by raw cosine counts once; how many did."""
    drawn = np.random.default_rng(0).choice(len(embeddings), min(SAMPLE, len(embeddings)), replace=False)
    unit = l2_normalize(embeddings[np.sort(drawn)])
    counts = np.ones(len(unit), bool)
    for start in range(0, len(unit), ROWS_AT_ONCE):
        near = np.tril(unit[start : start + ROWS_AT_ONCE] @ unit.T >= OLD_COSINE, start - 1)
        counts[start : start + ROWS_AT_ONCE] = ~near.any(axis=1)
    fitted(unit[counts], len(embeddings))
    return int(counts.sum())


def timed(name: str, work: Callable[[], object]) -> None:
    """Print what a step gives, and the seconds of processor and clock that it takes."""
    processor, clock = processor_seconds(), time.perf_counter()
    found = work()
    spent = processor_seconds() - processor, time.perf_counter() - clock
    print(f"| {name} | {spent[0]:.1f} | {spent[1]:.1f} | {found} |", flush=True)


def main() -> None:
    """Time both rules, in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--spread", type=float, default=1.0)
    options = parser.parse_args()
    rows = options.rows
    embeddings, hashes = vectors(rows, options.spread), hashes_of(rows)
    whitened = whitened_rows(np.arange(rows), embeddings)
    candidates, pixels = candidates_of(whitened), pixels_of(hashes)
    near, old = (float((candidates.similarity >= bound).mean()) for bound in (LEAST_COSINE, OLD_WHITENED))
    print(machine(), f"\n\n{rows:,} rows; of their candidates {near:.4f} are near enough to be compared now, {old:.4f}")
    print("by the rule before.\n")
    print("| step | processor s | clock s | found |\n|---|---|---|---|")
    timed("space, before", lambda: old_space(embeddings))
    timed("space, now", lambda: fit_whitening(embeddings).axes.shape[1])
    timed("pairs, before", lambda: old_pairs(candidates, embeddings, hashes))
    found = []
    timed(
        "pairs, now",
        lambda: found.append(twins_among(np.arange(rows), candidates, whitened, embeddings, pixels=pixels)),
    )
    print(f"\n{len(found[0]):,} pairs, {len(found[0].copies):,} of them copies.")


if __name__ == "__main__":
    main()
