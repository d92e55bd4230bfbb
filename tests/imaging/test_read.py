"""Reading a picture gives one outcome a file: crop, size and thumbnail, or a reason."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from tests.imaging.pictures import encoded, noise
from url_viz.imaging.preprocess import Preprocessing, normalised
from url_viz.imaging.read import Failure, Known, Picture, read_picture

PREPROCESSING = Preprocessing(size_px=32, crop_share=0.8)


def test_the_crop_is_timms_evaluation_transform(tmp_path: Path) -> None:
    from timm.data.transforms_factory import create_transform

    for number, size in enumerate([(64, 48), (48, 64), (300, 200), (41, 40), (20, 30)]):
        image = noise(number, width=size[0], height=size[1])
        path = tmp_path / f"{number}.png"
        image.save(path)
        reading = read_picture(os.fsencode(path), PREPROCESSING)
        assert isinstance(reading, Picture)
        transform = create_transform(
            (3, 32, 32), interpolation="bicubic", crop_pct=0.8, mean=PREPROCESSING.mean, std=PREPROCESSING.std
        )
        ours = normalised(reading.crop[None], PREPROCESSING)[0]
        assert np.allclose(ours, transform(image).numpy(), atol=1e-5)


def test_a_thumbnail_is_a_small_jpeg_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    noise(1, width=1200, height=300).save(path)
    reading = read_picture(os.fsencode(path), Preprocessing())
    assert isinstance(reading, Picture)
    assert (reading.width, reading.height) == (1200, 300)
    shown = Image.open(io.BytesIO(reading.thumbnail))
    assert shown.format == "JPEG"
    assert shown.size == (256, 64)


def test_very_long_pictures_are_read_in_bounded_memory(tmp_path: Path) -> None:
    for number, size in enumerate([(1, 10_000), (10_000, 1), (1, 1)]):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", size, "red").save(path)
        reading = read_picture(os.fsencode(path), Preprocessing())
        assert isinstance(reading, Picture)
        assert reading.crop.shape == (224, 224, 3)
        assert (reading.width, reading.height) == size


def test_known_content_is_not_decoded_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise(1)))
    first = read_picture(os.fsencode(path), PREPROCESSING)
    assert isinstance(first, Picture)
    assert read_picture(os.fsencode(path), PREPROCESSING, known={first.content}) == Known(first.content)


def test_a_bad_file_is_an_outcome(tmp_path: Path) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(b"<html></html>")
    reading = read_picture(os.fsencode(path), PREPROCESSING)
    assert isinstance(reading, Failure)
    assert "HTML" in reading.reason
