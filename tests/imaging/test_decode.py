"""Anything that Pillow reads becomes upright RGB, a crop, a thumbnail and its facts; anything else gives a reason."""

import io
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.hostile.encode import STORED_AS, chunk, png_header, profile_bomb, text_bomb
from tests.imaging.pictures import encoded, noise, read_picture
from url_viz.base.errors import ImageError
from url_viz.imaging import workers as module
from url_viz.imaging.decode import Preprocessing, decode, encoding_of, middle, normalised, read_file, resized
from url_viz.imaging.encoding import quality_of_table
from url_viz.imaging.workers import Picture, decoders, picture_of


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


def test_a_float_tiff_is_stretched_and_one_of_one_value_is_a_picture_too() -> None:
    values = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
    grey = np.asarray(decode(encoded(Image.fromarray(values), "TIFF"))[0])[..., 0]
    assert grey[0, 0] == 0
    assert grey[-1, -1] == 255
    for value in (-3.0, 0.5, 900.0):
        flat = np.asarray(decode(encoded(Image.fromarray(np.full((8, 8), value, np.float32)), "TIFF"))[0])
        assert flat.shape == (8, 8, 3)
        assert len(np.unique(flat)) == 1


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


PREPROCESSING = Preprocessing(size_px=32, crop_share=0.8)


def test_the_crop_is_timms_evaluation_transform(tmp_path: Path) -> None:
    from timm.data.transforms_factory import create_transform

    for number, size in enumerate([(64, 48), (48, 64), (300, 200), (41, 40), (20, 30)]):
        image = noise(number, width=size[0], height=size[1])
        path = tmp_path / f"{number}.png"
        image.save(path)
        reading = read_picture(path, PREPROCESSING)
        assert isinstance(reading, Picture)
        transform = create_transform(
            (3, 32, 32), interpolation="bicubic", crop_pct=0.8, mean=PREPROCESSING.mean, std=PREPROCESSING.std
        )
        ours = normalised(reading.crop[None], PREPROCESSING)[0]
        assert np.allclose(ours, transform(image).numpy(), atol=1e-5)


def test_a_thumbnail_is_a_small_jpeg_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    noise(1, width=1200, height=300).save(path)
    reading = read_picture(path, Preprocessing())
    assert isinstance(reading, Picture)
    assert (reading.width, reading.height) == (1200, 300)
    shown = Image.open(io.BytesIO(reading.thumbnail))
    assert shown.format == "JPEG"
    assert shown.size == (256, 64)


def test_very_long_pictures_are_read_in_bounded_memory(tmp_path: Path) -> None:
    for number, size in enumerate([(1, 10_000), (10_000, 1), (1, 1)]):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", size, "red").save(path)
        reading = read_picture(path, Preprocessing())
        assert isinstance(reading, Picture)
        assert reading.crop.shape == (224, 224, 3)
        assert (reading.width, reading.height) == size


LARGER = Preprocessing(size_px=48, crop_share=0.9)
FILES = {
    "PNG": (encoded(noise(1, width=90, height=60), "PNG"), 1),
    "JPEG": (encoded(noise(2, width=300, height=150)), 1),
    "a JPEG that both read at half its size": (encoded(noise(3, width=500, height=240)), 1),
    "a JPEG that one reads at half its size": (encoded(noise(4, width=300, height=170)), 2),
    "very wide": (encoded(noise(5, width=900, height=40), "PNG"), 1),
}


@pytest.mark.parametrize("name", FILES)
def test_crops_for_two_backbones_are_those_that_each_would_have_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, decoded = FILES[name]
    alone = [picture_of(data, sheet, content=7) for sheet in (PREPROCESSING, LARGER)]
    calls = []
    monkeypatch.setattr(module, "decode", lambda *a, decode=module.decode, **k: calls.append(a) or decode(*a, **k))
    both = picture_of(data, PREPROCESSING, content=7, also=[LARGER])
    assert len(calls) == decoded
    apart = decoders.read(data, PREPROCESSING, content=7, also=[LARGER])
    for picture in (both, apart):
        assert np.array_equal(picture.crop, alone[0].crop)
        assert picture.thumbnail == alone[0].thumbnail
        assert [np.array_equal(crop, alone[1].crop) for crop in picture.also] == [True]


@pytest.mark.parametrize("quality", [25, 30, 50, 75, 82, 95])
def test_the_quality_that_a_jpeg_was_saved_with(quality: int) -> None:
    found = encoding_of(encoded(noise(), quality=quality))
    assert found.format == "JPEG"
    assert abs(found.quality - quality) <= 1


def test_worse_ones_are_in_their_order() -> None:
    found = [encoding_of(encoded(noise(), quality=quality)).quality for quality in (1, 5, 10, 20)]
    assert found == sorted(set(found))


def test_quality_by_hand() -> None:
    assert quality_of_table(57.625) == 50, "the table itself"
    assert quality_of_table(57.625 / 2) == 75
    assert quality_of_table(2 * 57.625) == 25
    assert quality_of_table(0) == 100


def test_camera_and_time_of_exif() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Acme\0", "One\nTwo" + "x" * 200
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1970:01:02 00:00:10"
    found = encoding_of(encoded(noise(), exif=exif))
    assert found.taken == 86_410
    assert found.camera is not None
    assert found.camera.startswith("Acme One\\nTwo")
    assert len(found.camera) == 80


@pytest.mark.parametrize("when", ["", "yesterday", "2024:13:45 99:99:99", "0000:00:00 00:00:00"])
def test_no_time_is_none(when: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = when
    assert math.isnan(encoding_of(encoded(noise(), exif=exif)).taken)


def test_what_tells_nothing() -> None:
    found = encoding_of(encoded(noise(), "PNG"))
    assert (found.format, found.camera) == ("PNG", None)
    assert math.isnan(found.quality)
    assert encoding_of(b"no picture").format == ""
