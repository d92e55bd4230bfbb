"""Letters and emoji rendered from fonts, labelled by character or subgroup."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tools.heads.collect import Drawn, spread

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTER_PX = 128
EMOJI_PX = 109
"""The only size of a bitmap font of emoji."""
NO_GROUPS = {"Component"}
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")


def letters(root: Path, *, fonts: int) -> Iterator[Drawn]:
    """The capital letters in `fonts` TrueType fonts below `root`, black on white; the class is the letter.

    Fonts without a distinct glyph for every letter are skipped.
    """
    count = 0
    for path in spread(sorted(root.rglob("*.ttf")), 10**6, root=root):
        drawn = _alphabet(path)
        if drawn and count < fonts:
            count += 1
            yield from (Drawn(letter, image) for letter, image in drawn.items())


def _alphabet(path: Path) -> dict[str, Image.Image]:
    try:
        font = ImageFont.truetype(path, LETTER_PX * 3 // 4)
        drawn = {letter: _letter(letter, font) for letter in LETTERS}
    except OSError:  # a font that FreeType cannot read
        return {}
    distinct = {image.tobytes() for image in drawn.values()}
    has_ink = all(np.asarray(image).std() > 1 for image in drawn.values())
    return drawn if len(distinct) == len(LETTERS) and has_ink else {}


def _letter(letter: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    image = Image.new("RGB", (LETTER_PX, LETTER_PX), "white")
    ImageDraw.Draw(image).text((LETTER_PX / 2, LETTER_PX / 2), letter, "black", font, anchor="mm")
    return image


def emoji(font_file: Path, listing: Path) -> Iterator[Drawn]:
    """The emoji of Unicode's emoji-test.txt (`listing`) in a font; the class is the subgroup that it names.

    Skin tones are left out, and emoji that the font lacks and draws in several pieces.
    """
    font = ImageFont.truetype(font_file, EMOJI_PX)
    group = subgroup = ""
    for line in listing.read_text("utf-8").splitlines():
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif line.startswith("# subgroup: "):
            subgroup = line.removeprefix("# subgroup: ")
        elif "; fully-qualified" in line and group not in NO_GROUPS:
            text = "".join(chr(int(code, 16)) for code in line.partition(";")[0].split())
            if not _SKIN.search(text) and (image := _emoji(text, font)) is not None:
                yield Drawn(subgroup, image)


def _emoji(text: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    left, top, right, bottom = font.getbbox(text)
    if not 0 < right - left < 2 * EMOJI_PX:
        return None
    image = Image.new("RGB", (round(right - left) + 8, round(bottom - top) + 8), "white")
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, font=font, embedded_color=True)
    return image
