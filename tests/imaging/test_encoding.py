"""How a file holds its picture, from its header alone."""

import math

import pytest
from PIL import ExifTags, Image

from tests.imaging.pictures import encoded, noise
from url_viz.imaging.decode import encoding_of
from url_viz.imaging.encoding import quality_of_table


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
