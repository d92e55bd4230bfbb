"""Whether two pictures are copies: the same pixels, saved again, resized, toned, cropped a little or mirrored.

Small pictures in colour (`patch_of`) are laid upon each other: mirrored or not, moved and stretched by a few percent
until they fit best (Lucas and Kanade 1981), their tones matched. A copy then differs nowhere by much, however small the
spot, where pictures that only share a layout do. docs/findings.md says what copies and others have.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Patches are 3 × SIDE × SIDE, whatever the shape of their pictures."""
LEAST_SIDE_PX = 24
"""Smaller pictures have too few pixels to tell …"""
LEAST_CONTRAST = 60.0
"""… and so have blank ones: the least variance, of all three colours together, in squared grey levels."""
MOST_DIFFERENCE = 0.7
"""Copies differ by at most this in any block: the root of its residual, as a share of contrast there and around …"""
MOST_SMALL_DIFFERENCE, MOST_SMALL_CROPPED_DIFFERENCE = 1.2, 0.85
"""… and by these if a picture has fewer pixels than a patch: saving leaves more on it, and frames are closer, too."""
LEAST_CORRELATION = 0.6
"""Pictures that correlate less when they are laid upon each other roughly are not looked at closely."""
MOST_CROPPED = 0.13
"""The share of the width, and of the height, that a crop may cut away."""
SLACK, WARPED = 0.005, 0.03
"""How far a crop may lie outside its picture, and its stretch differ along both sides; frames do more."""
BLOCK, BLOCKS = 4, SIDE // 2 - 1
"""Residuals are averaged over BLOCK pixels across and down, a 256th of a picture."""
GLOBAL_SHARE, NOISE = 0.1, 60.0
"""Added to the contrast at a place: a share of the whole picture's contrast, and what saving leaves."""
PAIRS_AT_ONCE = 32
BLACK, WHITE = 8, 247
"""Beyond these, a pixel may have been any darker or brighter before its tones were changed."""
TINT = 1.3
"""The most that one colour is brightened more than all three together."""
MIRROR_SIDE = 8
"""The size at which it is decided whether a picture is mirrored."""
ROUGH, MIDDLE, FINE = (16, 5), (32, 3), (64, 1)
"""The sizes at which pictures are laid upon each other, and the number of steps at each."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_WHOLE = np.array([0, 1, 0, 1], np.float32)
"""The part of a picture that is compared: start and size, as shares of the width, then of the height."""


@dataclass(frozen=True)
class Patches:
    """N small pictures: `pixels` (N, 3, SIDE, SIDE) uint8, and the shorter `side` (N,) that each had."""

    pixels: NDArray[np.uint8]
    side: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> "Patches":
        return Patches(self.pixels[rows], self.side[rows])

    def or_else(self, other: "Patches") -> "Patches":
        """These patches, replaced by those of `other` (as many) where a picture is too small to compare."""
        is_blank = self.side < LEAST_SIDE_PX
        pixels = np.where(is_blank[:, None, None, None], other.pixels, self.pixels)
        return Patches(pixels, np.where(is_blank, other.side, self.side))

    @classmethod
    def joined(cls, parts: Sequence["Patches"]) -> "Patches":
        """The pictures of all parts, at least one."""
        return cls(np.concatenate([part.pixels for part in parts]), np.concatenate([part.side for part in parts]))


def patch_of(thumbnail: bytes, width: int, height: int) -> Patches:
    """The patch of one picture of this size, from its thumbnail; black without one, or if the picture is too small."""
    side, pixels = min(width, height), np.zeros((1, 3, SIDE, SIDE), np.uint8)
    if thumbnail and side >= LEAST_SIDE_PX:
        image = Image.open(io.BytesIO(thumbnail))
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels[0] = np.moveaxis(np.asarray(small), 2, 0)
    return Patches(pixels, np.array([side], np.int64))


def no_patches() -> Patches:
    """The patches of no pictures."""
    return Patches(np.zeros((0, 3, SIDE, SIDE), np.uint8), np.zeros(0, np.int64))


def are_copies(first: Patches, second: Patches) -> Flags:
    """Which pairs (P,) of P first and P second pictures are copies."""
    parts = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(first), PAIRS_AT_ONCE)]
    return np.concatenate([np.zeros(0, bool), *(_are_copies(first[part], second[part]) for part in parts)])


def _are_copies(first: Patches, second: Patches) -> Flags:
    difference, part = aligned_difference(first.pixels.astype(np.float32), second.pixels.astype(np.float32))
    is_whole = (np.abs(part - _WHOLE) <= 2 * SLACK).all(axis=1)
    is_small = np.minimum(first.side, second.side) < SIDE
    most_small = np.where(is_whole, MOST_SMALL_DIFFERENCE, MOST_SMALL_CROPPED_DIFFERENCE)
    is_copy: Flags = (difference <= np.where(is_small, most_small, MOST_DIFFERENCE)) & (is_whole | _is_cropped(part))
    return is_copy


def _is_cropped(part: Floats) -> Flags:
    """Which parts (P, 4) are those of a crop, whichever of the two pictures was cropped."""
    start, size = part[:, ::2], part[:, 1::2]
    is_inside = (start >= np.minimum(0, 1 - size) - SLACK) & (start <= np.maximum(0, 1 - size) + SLACK)
    is_one_way = (size >= 1 - 2 * SLACK).all(axis=1) | (size <= 1 + 2 * SLACK).all(axis=1)
    is_crop: Flags = is_inside.all(axis=1) & is_one_way & (np.abs(size[:, 0] - size[:, 1]) <= WARPED)
    return is_crop


def aligned_difference(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The largest differences (P,) of pictures (P, 3, SIDE, SIDE) laid upon each other, and the parts (P, 4) compared.

    Parts are of the second picture. The difference is ∞ if two fit nowhere, or one is blank.
    """
    differences, parts = np.full(len(left), np.inf, np.float32), np.tile(_WHOLE, (len(left), 1))
    rows = np.flatnonzero((_contrast(left) >= LEAST_CONTRAST) & (_contrast(right) >= LEAST_CONTRAST))
    lumas = [np.einsum("pcyx,c->pyx", each[rows], _LUMA) for each in (left, right)]
    first, second = (_reduced(luma, MIRROR_SIDE) for luma in lumas)
    is_mirrored = _correlation(first, second[:, :, ::-1]) > _correlation(first, second)
    lumas[1] = np.where(is_mirrored[:, None, None], lumas[1][:, :, ::-1], lumas[1])
    first, second = (_reduced(luma, ROUGH[0]) for luma in lumas)
    part, correlation = _laid_upon(first, second, parts[rows], steps=ROUGH[1])
    like = np.flatnonzero(correlation >= LEAST_CORRELATION)
    rows, part, is_mirrored = rows[like], part[like], is_mirrored[like, None, None, None]
    for size, steps in (MIDDLE, FINE):
        first, second = (_reduced(luma[like], size) for luma in lumas)
        part, _ = _laid_upon(first, second, part, steps=steps)
    turned = np.where(is_mirrored, right[rows][..., ::-1], right[rows])
    differences[rows], parts[rows] = _largest_difference(left[rows], *_seen(turned, part)), part
    return differences, parts


def _reduced(luma: Floats, size: int) -> Floats:
    """Pictures (P, SIDE, SIDE) reduced to (P, size, size) and smoothed."""
    return _along_both(np.matmul(_smoothing(size, 1), _means(size, SIDE // size, SIDE // size)), luma)


def _smooth(values: Floats, times: int = 1) -> Floats:
    """Values (…, S, S) smoothed by weights 1, 2, 1 along both sides; the rim is repeated."""
    return _along_both(_smoothing(values.shape[-1], times), values)


def _along_both(weights: Floats, values: Floats) -> Floats:
    both: Floats = np.matmul(np.matmul(weights, values), weights.T)
    return both


@cache
def _smoothing(size: int, times: int) -> Floats:
    adjacent = np.eye(size, k=1) + np.eye(size, k=-1)
    adjacent[0, 0] = adjacent[-1, -1] = 1
    return np.linalg.matrix_power((2 * np.eye(size) + adjacent) / 4, times).astype(np.float32)


@cache
def _means(count: int, width: int, step: int) -> Floats:
    """Weights (count, SIDE) for means over `width` pixels, one every `step`."""
    pixel, first = np.arange(SIDE), step * np.arange(count)[:, None]
    return (((pixel >= first) & (pixel < first + width)) / width).astype(np.float32)


def _laid_upon(first: Floats, second: Floats, part: Floats, *, steps: int) -> tuple[Floats, Floats]:
    """The part (P, 4) of `second` that `first` shows, refined from a guess, and their correlation then (P,).

    Each step solves for a move and a stretch of the second, its gain and bias, by least squares.
    """
    count, size = first.shape[:2]
    along = ((np.arange(size, dtype=np.float32) + 0.5) / size)[None]
    for _ in range(steps):
        seen, is_inside = _seen(second, part)
        right, down = np.gradient(seen, axis=2) * size, np.gradient(seen, axis=1) * size
        terms = (right, right * along[:, None, :], down, down * along[:, :, None], seen, np.ones_like(seen))
        design = np.stack(terms, axis=1).reshape(count, 6, size * size)
        weighted = design * is_inside.reshape(count, 1, size * size)
        inner = np.matmul(weighted, design.transpose(0, 2, 1))
        scale = np.sqrt(np.einsum("pkk->pk", inner)) + 1e-6
        solved = np.linalg.solve(
            inner / scale[:, :, None] / scale[:, None, :] + np.diag(np.array([1e-3] * 4 + [1e-5] * 2, np.float32)),
            np.matmul(weighted, first.reshape(count, size * size, 1)) / scale[:, :, None],
        )[:, :, 0]
        solved /= scale
        step = solved[:, :4] / np.maximum(solved[:, 4:5], 0.2)
        part = _within_reach((part + step * part[:, [1, 1, 3, 3]]).astype(np.float32))
    seen, is_inside = _seen(second, part)
    return part, _correlation(first, seen, is_inside)


def _within_reach(part: Floats) -> Floats:
    """Parts (P, 4), limited to the sizes and places that a crop can have."""
    size = part[:, 1::2].clip(1 - MOST_CROPPED, 1 / (1 - MOST_CROPPED))
    start = part[:, ::2].clip(np.minimum(0, 1 - size) - 0.02, np.maximum(0, 1 - size) + 0.02)
    return np.stack([start[:, 0], size[:, 0], start[:, 1], size[:, 1]], axis=1).astype(np.float32)


def _seen(other: Floats, part: Floats) -> tuple[Floats, Flags]:
    """The parts (P, 4) of pictures (P, …, S, S), resized to (P, …, S, S), and which pixels (P, S, S) lie inside."""
    size, colours = other.shape[-1], (1,) * (other.ndim - 3)
    columns, has_column = _weights(part[:, 0], part[:, 1], size)
    rows, has_row = _weights(part[:, 2], part[:, 3], size)
    shape = (len(part), *colours, size, size)
    seen = np.matmul(np.matmul(rows.reshape(shape), other), columns.transpose(0, 2, 1).reshape(shape))
    return seen, has_row[:, :, None] & has_column[:, None, :]


def _weights(start: Floats, length: Floats, size: int) -> tuple[Floats, Flags]:
    """Weights (P, S, S) of the pixels of a line for each place in a part of it, and which places (P, S) lie inside."""
    pixel = np.arange(size, dtype=np.float32)
    position = (start[:, None] + length[:, None] * (pixel + 0.5) / size) * size - 0.5
    is_inside = (position > -0.501) & (position < size - 0.499)
    return np.maximum(0, 1 - np.abs(position.clip(0, size - 1)[:, :, None] - pixel)), is_inside


def _correlation(left: Floats, right: Floats, is_inside: Flags | None = None) -> Floats:
    """The correlation (P,) of pictures (P, S, S), over the pixels inside (P, S, S)."""
    shape = len(left), left.shape[1] * left.shape[2]
    weight = np.ones(shape, np.float32) if is_inside is None else is_inside.reshape(shape).astype(np.float32)
    mass = weight.sum(axis=1)
    first, second = left.reshape(shape), right.reshape(shape)
    means = [np.einsum("pn,pn->p", each, weight) / mass for each in (first, second)]
    first, second = ((each - mean[:, None]) * weight for each, mean in zip((first, second), means, strict=True))
    spread = np.einsum("pn,pn->p", first, first) * np.einsum("pn,pn->p", second, second)
    correlation: Floats = np.einsum("pn,pn->p", first, second) / np.sqrt(spread + 1)
    return correlation


def _contrast(pictures: Floats, is_inside: Flags | None = None) -> Floats:
    """The variance (P,) of pictures (P, 3, S, S) over the pixels inside, all colours together."""
    count, size = len(pictures), pictures.shape[-1] ** 2
    flat = pictures.reshape(count, 3, size)
    weight = (
        np.ones((count, size), np.float32) if is_inside is None else is_inside.reshape(count, size).astype(np.float32)
    )
    mass = weight.sum(axis=1)
    mean = np.einsum("pcn,pn->pc", flat, weight) / mass[:, None]
    contrast: Floats = np.einsum("pcn,pcn,pn->p", flat, flat, weight) / mass - (mean**2).sum(axis=1)
    return contrast


def _largest_difference(left: Floats, right: Floats, is_inside: Flags) -> Floats:
    """The largest difference (P,) in a block of pictures (P, 3, S, S) that lie upon each other."""
    inside = is_inside[:, None].astype(np.float32)
    residual = _smooth(_without_clipped(left - _toned(left, right, inside), left, right) * inside)
    luma = np.einsum("pcyx,c->pyx", residual, _LUMA)
    colour = _smooth(residual - luma[:, None], 3)  # which saving keeps at half the resolution
    energy = 3 * luma**2 + np.einsum("pcyx,pcyx->pyx", colour, colour)
    first = _smooth(left)
    edges = first - _smooth(first, 6)
    around = np.einsum("pcyx,pcyx,pyx->pyx", edges, edges, inside[:, 0])
    expected = GLOBAL_SHARE * _contrast(first, is_inside)[:, None, None] + NOISE + _blocks(around)
    largest: Floats = np.sqrt((_blocks(energy) / expected).reshape(len(left), BLOCKS**2).max(axis=1))
    return largest


def _toned(left: Floats, right: Floats, inside: Floats) -> Floats:
    """The second pictures in the tones of the first: a gain and a bias per colour, fitted to pixels not clipped."""
    shape = len(left), 3, SIDE * SIDE
    is_known = (left > BLACK) & (left < WHITE) & (right > BLACK) & (right < WHITE)
    every = np.broadcast_to(inside, left.shape).reshape(shape)
    is_usable = is_known.reshape(shape) * every
    is_enough = is_usable.sum(axis=2, keepdims=True) > 0.2 * every.sum(axis=2, keepdims=True)
    weight, first, second = np.where(is_enough, is_usable, every), left.reshape(shape), right.reshape(shape)
    mass = np.maximum(weight.sum(axis=2), 1)
    means = [np.einsum("pcn,pcn->pc", each, weight) / mass for each in (first, second)]
    centred = (second - means[1][..., None]) * weight
    covariance, variance = (np.einsum("pcn,pcn->pc", each, centred) / mass for each in (first, second))
    gain = (covariance.sum(axis=1) / (variance.sum(axis=1) + 1)).clip(0.4, 2.5)[:, None]
    gains = ((covariance + 20 * gain) / (variance + 20)).clip(gain / TINT, gain * TINT)
    toned: Floats = gains[..., None] * (second - means[1][..., None]) + means[0][..., None]
    return toned.reshape(left.shape)


def _without_clipped(residual: Floats, left: Floats, right: Floats) -> Floats:
    """Residuals (P, 3, S, S) without those that clipping explains: a white pixel may have been any brighter."""
    is_explained = (residual > 0) & ((right > WHITE) | (left < BLACK)) | (residual < 0) & (
        (right < BLACK) | (left > WHITE)
    )
    return np.where(is_explained, np.float32(0), residual)


def _blocks(values: Floats) -> Floats:
    """Means (P, BLOCKS, BLOCKS) of values (P, SIDE, SIDE) over blocks that overlap by half."""
    return _along_both(_means(BLOCKS, BLOCK, BLOCK // 2), values)
