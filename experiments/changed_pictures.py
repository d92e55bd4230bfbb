"""Pictures in which something small was changed, and which are no copies: a scratch, a blot or a digit."""

import math
import random
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LEAST_SHARE, MOST_SHARE = 0.01, 0.05
"""Of the area, that is changed."""
LEAST_LEVELS = 50
"""So many grey levels lie between what is drawn and what was there."""
VISIBLE = 12
"""A pixel has changed if a colour of it has by more than this."""
TRIES = 200

Box = tuple[int, int, int, int]
Draw = Callable[[Image.Image, random.Random], Image.Image]


def changed(image: Image.Image, kind: str, *, seed: int) -> Image.Image | None:
    """A colour picture with a change of this kind on 1 to 5 % of its area; None if none of many draws is of that size.

    Where little is drawn within the picture another place and size are drawn.
    """
    rng = random.Random(f"{kind} {seed}")
    for _ in range(TRIES):
        drawn = CHANGES[kind](image, rng)
        if LEAST_SHARE <= changed_share(image, drawn) <= MOST_SHARE:
            return drawn
    return None


def changed_share(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are visibly not the same."""
    apart = np.abs(np.asarray(one, float) - np.asarray(other, float)).max(axis=2)
    return float((apart > VISIBLE).mean())


def _scratched(image: Image.Image, rng: random.Random) -> Image.Image:
    drawn, (width, height) = image.copy(), image.size
    length, angle = rng.uniform(0.35, 0.8) * min(width, height), rng.uniform(0, math.pi)
    x, y = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    dx, dy = math.cos(angle) * length / 2, math.sin(angle) * length / 2
    box = int(x - abs(dx)), int(y - abs(dy)), int(x + abs(dx)) + 1, int(y + abs(dy)) + 1
    thick = max(1, round(_area(image, rng) / length))
    ImageDraw.Draw(drawn).line((x - dx, y - dy, x + dx, y + dy), fill=_colour(image, box, rng), width=thick)
    return drawn


def _blotted(image: Image.Image, rng: random.Random) -> Image.Image:
    drawn, (width, height), ratio = image.copy(), image.size, rng.uniform(0.6, 1.6)
    across = math.sqrt(_area(image, rng) / math.pi * ratio)
    x, y, down = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height, across / ratio
    ends = x - across, y - down, x + across, y + down
    first, last = ends[:2], ends[2:]
    box = int(first[0]), int(first[1]), int(last[0]) + 1, int(last[1]) + 1
    ImageDraw.Draw(drawn).ellipse(ends, fill=_colour(image, box, rng))
    return drawn


def _numbered(image: Image.Image, rng: random.Random) -> Image.Image:
    drawn, (width, height) = image.copy(), image.size
    font, text = ImageFont.load_default(max(6, 2 * math.sqrt(_area(image, rng)))), str(rng.randint(0, 9))
    left, top, right, bottom = (int(end) for end in ImageDraw.Draw(drawn).textbbox((0, 0), text, font=font))
    x, y = (int(rng.uniform(0.05, 0.95) * max(1, side)) for side in (width - right + left, height - bottom + top))
    box = x, y, x + right - left + 1, y + bottom - top + 1
    ImageDraw.Draw(drawn).text((x - left, y - top), text, fill=_colour(image, box, rng), font=font)
    return drawn


CHANGES: Mapping[str, Draw] = {"scratch": _scratched, "blot": _blotted, "digit": _numbered}


def _area(image: Image.Image, rng: random.Random) -> float:
    return rng.uniform(LEAST_SHARE, MOST_SHARE) * image.width * image.height


def _colour(image: Image.Image, box: Box, rng: random.Random) -> tuple[int, ...]:
    """A grey or a colour that is not that of a part of the picture."""
    inside = tuple(np.clip(box, 0, [*image.size, *image.size]).tolist())
    there = np.asarray(image.crop(inside).resize((1, 1), Image.Resampling.BOX).convert("L")).item()
    while True:
        colour = rng.choice(((rng.randint(0, 255),) * 3, tuple(rng.randint(0, 255) for _ in range(3))))
        if abs(np.dot(colour, (0.299, 0.587, 0.114)) - there) >= LEAST_LEVELS:
            return colour
