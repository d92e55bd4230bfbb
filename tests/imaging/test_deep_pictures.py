"""Pictures of more than 8 bits and of many bands: every value counts, in each format, and nothing is called damaged."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.imaging.instruments import png, seen, tiff, values
from url_viz.base.errors import ImageError
from url_viz.imaging.decode import Preprocessing, decode, header_of, picture_format, value_sample
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.workers import decoders, picture_of

TWELVE = Rendering(0, 4095)


def shown(data: bytes, rendering: Rendering | None = TWELVE) -> NDArray[np.uint8]:
    return np.asarray(decode(data, rendering=rendering)[0])


GREY, COLOUR = values(30, 40), values(30, 40, 3)
FILES = {
    "PNG": (png(GREY), png(COLOUR)),
    "TIFF": (tiff(GREY), tiff(COLOUR, photometric="rgb")),
    "TIFF, deflate": (tiff(GREY, compression="zlib"), tiff(COLOUR, photometric="rgb", compression="zlib")),
    "TIFF, big-endian": (tiff(GREY, byteorder=">"), tiff(COLOUR, photometric="rgb", byteorder=">")),
    "BigTIFF, tiles": (tiff(GREY, bigtiff=True, tile=(16, 16)), tiff(COLOUR, photometric="rgb", tile=(16, 16))),
    "PNM": (
        b"P5\n40 30\n65535\n" + GREY.astype(">u2").tobytes(),
        b"P6\n40 30\n65535\n" + COLOUR.astype(">u2").tobytes(),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_twelve_bits_are_seen_as_eight_bits_are(kind: str) -> None:
    grey, colour = FILES[kind]
    assert np.array_equal(shown(grey), np.dstack([seen(GREY)] * 3))
    assert np.array_equal(shown(colour), seen(COLOUR))
    assert len(np.unique(shown(grey))) > 200
    assert len(np.unique(shown(grey, None))) < 20, "without a range of the set"


@pytest.mark.parametrize("kind", FILES)
def test_a_sample_is_of_the_values(kind: str) -> None:
    for data, array in zip(FILES[kind], (GREY, COLOUR), strict=True):
        found = value_sample(data)
        assert found is not None
        assert set(found.values.tolist()) <= set(array.ravel().tolist())
        assert found.values.max() > 3500


def test_a_sample_is_spread_evenly_whatever_the_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.arange(300 * 200, dtype=np.uint16).reshape(300, 200)
    whole = value_sample(tiff(large))
    monkeypatch.setattr("url_viz.imaging.deep.STRIP_VALUES", 7 * 200)
    parts = value_sample(tiff(large))
    assert whole is not None
    assert parts is not None
    assert np.array_equal(whole.values, parts.values)
    assert 2_000 < len(parts.values) < 8_000
    assert parts.values.max() - parts.values.min() > 0.95 * large.max()


@pytest.mark.parametrize("array", [values(30, 40, most=255, kind=np.uint8), values(30, 40, 3, most=255, kind=np.uint8)])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_eight_bits_stay_what_they_are_in_any_rendering(array: NDArray[np.uint8], format_: str) -> None:
    file = BytesIO()
    Image.fromarray(array).save(file, format_)
    assert np.array_equal(shown(file.getvalue()), shown(file.getvalue(), None))
    assert value_sample(file.getvalue()) is None


def test_files_say_their_range() -> None:
    said = [
        value_sample(png(GREY, significant=12)),
        value_sample(png(COLOUR, significant=12)),
        value_sample(tiff(GREY, extratags=[(341, "H", 1, 4095, True)])),
        value_sample(png(GREY)),
        value_sample(png(GREY, significant=16)),
    ]
    assert [one and one.stated for one in said] == [(0, 4095)] * 3 + [None, (0, 65535)]


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_of_many_bands_three_are_seen(kind: Any, planes: str) -> None:
    bands = values(13, 30, 40, kind=kind) if planes == "separate" else values(30, 40, 13, kind=kind)
    data = tiff(bands, photometric="minisblack", planarconfig=planes)
    last = np.moveaxis(bands, 0, -1) if planes == "separate" else bands
    assert np.array_equal(shown(data), seen(last[..., :3]))
    assert np.array_equal(shown(data, Rendering(0, 4095, (4, 3, 2))), seen(last[..., [3, 2, 1]]))
    assert np.array_equal(shown(data, Rendering(0, 4095, (8,)))[..., 0], seen(last[..., 7]))
    assert header_of(data) == (40, 30, 1)
    assert picture_format(data) == "TIFF"
    with pytest.raises(ImageError, match="has 13 bands, and band 14 is to be shown"):
        shown(data, Rendering(0, 4095, (14, 1, 1)))


def test_bands_of_eight_bits_need_no_range() -> None:
    bands = values(30, 40, 5, most=255, kind=np.uint8)
    assert np.array_equal(shown(tiff(bands, photometric="minisblack", planarconfig="contig")), bands[..., :3])


def test_grey_is_inverted_where_white_is_zero_and_turned_as_the_file_says() -> None:
    data = tiff(values(30, 40, kind=np.float64), photometric="miniswhite", extratags=[(274, "H", 1, 6, True)])
    expected = np.rot90(255 - seen(values(30, 40, kind=np.float64)), -1)
    assert np.array_equal(shown(data)[..., 0], expected)
    assert decode(data, rendering=TWELVE)[1] == (30, 40)


def test_what_is_not_read_says_its_true_reason(capfd: pytest.CaptureFixture[str]) -> None:
    thirteen = tiff(values(30, 40, 13), photometric="minisblack", planarconfig="contig")
    complex_ = tiff(np.ones((30, 40), np.complex64))
    volume = tiff(values(4, 32, 32), volumetric=True, tile=(4, 16, 16), photometric="minisblack")
    reasons = []
    for data in (thirteen[: len(thirteen) // 2], complex_, volume, b"II*\0\x10\0\0\0CR\2\0" + bytes(40)):
        with pytest.raises(ImageError) as refused:
            shown(data)
        reasons.append(str(refused.value))
    assert "truncated" in reasons[0]
    assert "complex64" in reasons[1]
    assert "volume" in reasons[2]
    assert reasons[3] == "is a raw file of a camera (CR2); export it as JPEG or TIFF"
    assert capfd.readouterr() == ("", ""), "no library prints"


def test_a_process_of_its_own_sees_the_same() -> None:
    grey = FILES["PNG"][0]
    sheet = Preprocessing(size_px=24, crop_share=0.8, rendering=TWELVE)
    assert Preprocessing.from_record(sheet.as_record()) == sheet
    assert not {"rendering", "is_squeezed"} & Preprocessing().as_record().keys(), "keys of spaces stay what they are"
    here, there = picture_of(grey, sheet, content=0), decoders.read(grey, sheet, content=0)
    assert np.array_equal(here.crop, there.crop)
    assert here.thumbnail == there.thumbnail
    assert not np.array_equal(here.crop, decoders.read(grey, Preprocessing(size_px=24, crop_share=0.8)).crop)
    found = decoders.sample_of(grey)
    assert found is not None
    assert np.array_equal(found.values, value_sample(grey).values)  # type: ignore[union-attr]
    assert decoders.sample_of(b"nothing") is None
    with Image.open(BytesIO(decoders.shown(grey, most_px=64, quality=90, rendering=TWELVE))) as image:
        assert np.abs(np.asarray(image.convert("L"), int) - seen(GREY)).mean() < 12
