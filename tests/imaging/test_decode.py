"""Anything that Pillow reads becomes upright RGB; anything else gives a reason that a person understands."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hostile.encode import STORED_AS, chunk, png_header, profile_bomb, text_bomb
from tests.imaging.pictures import encoded, noise
from url_viz.base.errors import ImageError
from url_viz.imaging.decode import Preprocessing, decode, middle, read_file, resized


def red(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (40, 30), (200, 10, 10)).convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    upright = noise(3, width=60, height=40)
    inverse = STORED_AS[orientation]
    stored = upright if inverse is None else upright.transpose(inverse)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, size = decode(encoded(stored, "PNG", exif=exif))
    assert size == (60, 40)
    assert np.array_equal(np.asarray(image), np.asarray(upright))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image, _ = decode(encoded(red(mode), kind))
    assert image.mode == "RGB"
    if mode not in ("1", "L"):
        assert np.abs(np.asarray(image).astype(int).mean((0, 1)) - [200, 10, 10]).max() < 25


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert np.asarray(decode(encoded(clear, "PNG"))[0]).min() == 255
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert abs(int(np.asarray(decode(encoded(half, "PNG"))[0])[0, 0, 0]) - 127) <= 1
    grey = Image.new("LA", (8, 8), (0, 0))
    assert np.asarray(decode(encoded(grey, "PNG"))[0]).min() == 255


def test_sixteen_bits_keep_the_top_byte() -> None:
    values = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    image, _ = decode(encoded(Image.fromarray(values), "PNG"))
    assert np.array_equal(np.asarray(image)[..., 0], (values / 257).round().astype(np.uint8))


def test_a_float_tiff_is_stretched() -> None:
    values = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
    grey = np.asarray(decode(encoded(Image.fromarray(values), "TIFF"))[0])[..., 0]
    assert grey[0, 0] == 0
    assert grey[-1, -1] == 255


@pytest.mark.parametrize("value", [-3.0, 0.5, 900.0])
def test_a_float_tiff_of_one_value_is_a_picture_too(value: float) -> None:
    grey = np.asarray(decode(encoded(Image.fromarray(np.full((8, 8), value, np.float32)), "TIFF"))[0])
    assert grey.shape == (8, 8, 3)
    assert len(np.unique(grey)) == 1


def test_strips_make_the_picture_that_the_whole_would(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0, 50, (40, 30)).astype(np.float32)
    data = encoded(Image.fromarray(values), "TIFF")
    whole = np.asarray(decode(data)[0])
    monkeypatch.setattr("url_viz.imaging.deep.STRIP_VALUES", 7 * 30)
    assert np.array_equal(np.asarray(decode(data)[0]), whole)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(np.asarray(decode(data)[0])[0, 0]) == (255, 0, 0)


def test_heic_is_read() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    image, size = decode(encoded(noise(1), "HEIF"))
    assert size == (64, 48)
    assert image.mode == "RGB"


def test_a_big_jpeg_is_decoded_small_and_reports_its_full_size() -> None:
    image, size = decode(encoded(noise(2, width=1600, height=1200)), short_side_px=256)
    assert size == (1600, 1200)
    assert 512 <= min(image.size) < 1200


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "in a known image format"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "starts with 00 01 02"),
        (encoded(noise(1))[:-400], "truncated"),
        (encoded(noise(1), "PNG")[:200], "truncated|damaged"),
    ],
)
def test_what_is_no_picture_says_what_it_is(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data)


BOMB = png_header(60_000, 60_000) + chunk(b"IDAT", b"")
ICON = struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, len(BOMB), 22)
"""An icon's own header holds at most 256 × 256; the PNG inside of it claims what it likes."""


@pytest.mark.parametrize("data", [BOMB, ICON + BOMB], ids=["PNG", "icon"])
def test_a_bomb_is_refused_by_its_header(data: bytes) -> None:
    with pytest.raises(ImageError, match="far larger than the 300 million pixels"):
        decode(data)


def test_files_that_cannot_be_opened_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "gone")
    reasons = {
        "empty.png": "empty",
        "pipe.png": "plain file",
        "link.png": "symlink to nothing",
        "gone.png": "no longer exists",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError, match=reason):
            read_file(os.fsencode(tmp_path / name))


def test_a_small_webp_that_claims_a_vast_canvas_is_refused() -> None:
    """4 kB, 268 million pixels: decoding it took 26 s and 4.6 GB."""
    frames = [noise(seed) for seed in range(3)]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16_382).to_bytes(3, "little") * 2
    with pytest.raises(ImageError, match="16,383 × 16,383 pixels; more than 120 million"):
        decode(bytes(data))


def test_metadata_bombs_leave_the_picture() -> None:
    plain = decode(encoded(noise(20), "PNG"))[0]
    for data in (text_bomb(b"zTXt", unpacked_mib=2), text_bomb(b"iTXt", unpacked_mib=2), profile_bomb(unpacked_mib=2)):
        assert np.array_equal(np.asarray(decode(data)[0]), np.asarray(plain))


def test_the_squeezed_look_shows_the_whole_picture_mirrored() -> None:
    halves = np.zeros((60, 200, 3), np.uint8)
    halves[:, :100] = 255  # the usual look, a square of the middle, has as much of both
    sheet = Preprocessing(size_px=32, is_squeezed=True)
    seen = middle(resized(Image.fromarray(halves), sheet), sheet.size_px)
    assert seen.shape == (32, 32, 3)
    assert (seen[:, :14] < 5).all()
    assert (seen[:, 18:] > 250).all()
    assert Preprocessing.from_record(sheet.as_record()) == sheet
    assert sheet.as_record() != Preprocessing(size_px=32).as_record()
