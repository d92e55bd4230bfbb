"""Copies by their pixels: what is saved again is one, and what differs in a small spot is none."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from tests.imaging.pictures import drawing, encoded, noise
from url_viz.imaging.copied_pixels import (
    LEAST_SIDE_PX,
    SIDE,
    Patches,
    aligned_difference,
    are_copies,
    no_patches,
    patch_of,
)

Change = Callable[[Image.Image], Image.Image]


def scene(seed: int, *, width: int = 200, height: int = 150) -> Image.Image:
    """Shapes on smooth noise, with edges and fine grain, as photographs have them."""
    image, rng = noise(seed, width=width, height=height), np.random.default_rng(seed)
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        left, top = rng.integers(0, width - 20), rng.integers(0, height - 20)
        right, bottom = left + rng.integers(8, width // 3), top + rng.integers(8, height // 3)
        shape = (draw.ellipse, draw.rectangle)[rng.integers(2)]
        shape((int(left), int(top), int(right), int(bottom)), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def patch(image: Image.Image, *, quality: int = 92) -> Patches:
    return patch_of(encoded(image, quality=quality), *image.size)


def resized(share: float) -> Change:
    return lambda image: image.resize((round(share * image.width), round(share * image.height)))


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        first, last = (
            (round(left * width), round(top * height)),
            (round((1 - right) * width), round((1 - bottom) * height)),
        )
        return image.crop((*first, *last))

    return change


def warm(image: Image.Image) -> Image.Image:
    toned = np.asarray(image, float) * [1.1, 1, 0.88]
    return Image.fromarray(toned.clip(0, 255).astype(np.uint8))


def with_spot(share: float, colour: tuple[int, int, int] = (250, 20, 20)) -> Change:
    """A square of so much of the picture's area."""

    def change(image: Image.Image) -> Image.Image:
        side = (share * image.width * image.height) ** 0.5
        spotted = image.copy()
        ImageDraw.Draw(spotted).rectangle((60, 50, 60 + side, 50 + side), fill=colour)
        return spotted

    return change


COPIED: dict[str, Change] = {
    "the same": lambda image: image,
    "half": resized(0.5),
    "other shape": lambda image: image.resize((image.width, image.height - 3)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "warm": warm,
    "corner": cropped(0, 0, 0.05, 0.05),
    "all round": cropped(0.025, 0.025, 0.025, 0.025),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored and cropped": lambda image: cropped(0.05, 0, 0, 0.05)(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


@pytest.mark.parametrize("kind", COPIED)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_saved_again_is_a_copy_either_way_round(kind: str, seed: int) -> None:
    one, other = patch(scene(seed)), patch(COPIED[kind](scene(seed)), quality=40)
    assert are_copies(one, other).tolist() == are_copies(other, one).tolist() == [True]


OTHERS: dict[str, Change] = {
    "a spot of 1 %": with_spot(0.01),
    "a spot of 5 %": with_spot(0.05),
    "cropped by a fifth": cropped(0, 0, 0.2, 0.2),
    "moved on": cropped(0.08, 0, 0, 0),
    "upside down": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "cropped on both sides": cropped(0.1, 0, 0.1, 0),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("seed", range(4))
def test_what_differs_in_a_spot_or_shows_something_else_is_none(kind: str, seed: int) -> None:
    one, other = cropped(0, 0, 0.08, 0)(scene(seed)) if kind == "moved on" else scene(seed), OTHERS[kind](scene(seed))
    assert are_copies(patch(one), patch(other)).tolist() == are_copies(patch(other), patch(one)).tolist() == [False]


def test_pictures_that_share_a_layout_are_none() -> None:
    """One shape on one ground: another colour, another number, another place."""

    def sign(colour: str, text: str, place: int = 0) -> Patches:
        image = Image.new("RGB", (96, 96), (120, 130, 140))
        draw = ImageDraw.Draw(image)
        draw.ellipse((12 + place, 12, 84 + place, 84), fill="white", outline=colour, width=8)
        draw.text((48 + place, 48), text, fill="black", font_size=36, anchor="mm")
        return patch(image)

    first = sign("red", "60")
    for other in (sign("red", "80"), sign("blue", "60"), sign("red", "60", place=9)):
        assert not are_copies(first, other)[0]
    assert are_copies(first, sign("red", "60"))[0]


@pytest.mark.parametrize("size", [(LEAST_SIDE_PX - 1, 200), (0, 0)])
def test_of_tiny_pictures_nothing_is_known(size: tuple[int, int]) -> None:
    image = scene(1)
    patches = patch_of(encoded(image), *size)
    assert not patches.pixels.any()
    assert not are_copies(patches, patches)[0]


def test_blank_pictures_and_what_is_no_picture_are_no_copies() -> None:
    blank = patch(Image.new("RGB", (200, 150), (90, 90, 90)))
    assert not are_copies(blank, blank)[0]
    assert not are_copies(patch(scene(1)), blank)[0]
    assert not are_copies(patch_of(b"", 200, 150), patch_of(b"", 200, 150))[0]


def test_grey_pictures_and_those_with_an_alpha_channel_have_patches() -> None:
    for mode in ("L", "RGBA", "P"):
        file = io.BytesIO()
        scene(2).convert(mode).save(file, "PNG")
        assert patch_of(file.getvalue(), 200, 150).pixels.shape == (1, 3, SIDE, SIDE)


def test_many_at_once_are_what_they_are_one_by_one() -> None:
    pictures = Patches.joined([patch(drawing("ellipse", seed % 5, size_px=80), quality=60 + seed) for seed in range(9)])
    left, right = np.triu_indices(9, 1)
    together = are_copies(pictures[left], pictures[right])
    alone = [bool(are_copies(pictures[[one]], pictures[[other]])[0]) for one, other in zip(left, right, strict=True)]
    assert together.tolist() == alone
    assert together.any()
    assert not together.all()
    assert not len(are_copies(no_patches(), no_patches()))


def test_the_part_that_is_compared_by_hand() -> None:
    """Of a picture that lost its left tenth, the other shows nine tenths of its width, from there on."""
    whole, part = scene(3), cropped(0.1, 0, 0, 0)(scene(3))
    difference, shown = aligned_difference(
        patch(part).pixels.astype(np.float32), patch(whole).pixels.astype(np.float32)
    )
    assert difference[0] < 0.5
    assert shown[0] == pytest.approx([0.1, 0.9, 0, 1], abs=0.01)


def test_patches_are_filled_where_there_is_nothing_to_see() -> None:
    one, none = patch(scene(1)), patch_of(b"", 0, 0)
    filled = Patches.joined([one, none]).or_else(Patches.joined([none, one]))
    assert (filled.pixels == one.pixels).all()
    assert filled.side.tolist() == [150, 150]
