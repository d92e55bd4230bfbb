"""Reading a picture gives one outcome per file: crop, size and thumbnail, or a reason."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise, read_picture
from url_viz.imaging import workers as module
from url_viz.imaging.decode import Preprocessing, normalised
from url_viz.imaging.workers import Picture, decoders, picture_of

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
