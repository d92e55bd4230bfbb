"""The box around a mask of COCO, from its run lengths: the mask itself is never made."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, TypeGuard

from url_viz.imaging.annotations.annotated import Box

MOST_BITS = 35
"""Of one run length: no picture has as many pixels."""


def box_of_mask(mask: Mapping[str, Any]) -> Box | None:
    """The box around a mask `{"size": [height, width], "counts": …}`; None if it is empty, or no mask.

    `counts` are lengths of runs down one column after the other, of background and object in turn: a list, or the text
    of pycocotools.
    """
    size, counts = mask.get("size"), mask.get("counts")
    if isinstance(counts, str):
        counts = _counts(counts)
    if not _are_lengths(size) or not _are_lengths(counts) or len(size) != 2 or sum(counts) != size[0] * size[1]:
        return None
    height = size[0]
    ends = list(accumulate(counts))
    runs = [(start, end - 1) for start, end in zip(ends[::2], ends[1::2], strict=False) if end > start]
    if not runs:
        return None
    left, right = runs[0][0] // height, runs[-1][1] // height
    is_whole = any(first // height != last // height for first, last in runs)  # on into the next column
    top = 0 if is_whole else min(first % height for first, _ in runs)
    bottom = height - 1 if is_whole else max(last % height for _, last in runs)
    return left, top, right - left + 1, bottom - top + 1


def _are_lengths(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << MOST_BITS for value in values)


def _counts(text: str) -> list[int] | None:
    """Run lengths of pycocotools' text; None if it is none.

    Five bits a character from 48 on, the lowest first, a sixth where more follow; from the fourth length on what is
    added to the last but one.
    """
    counts: list[int] = []
    value = bits = 0
    for part in (ord(character) - 48 for character in text):
        if not 0 <= part < 64 or bits >= MOST_BITS:
            return None
        value |= (part & 31) << bits
        bits += 5
        if not part & 32:
            value -= (part & 16) << (bits - 4)  # the last bit is the sign
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = bits = 0
    return counts if not bits else None
