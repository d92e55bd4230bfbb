"""What an opened picture says of itself: its reasons, its heat map, and of more than 8 bits its window."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter
from streamlit.testing.v1 import AppTest

from tests.imaging.instruments import dicom, seen, tiff, values
from tests.imaging.pictures import noise
from tests.ui.conftest import Read
from tests.ui.pages import call_of, client_of, named, opened, with_picture, words
from url_viz.base.workspace import Workspace
from url_viz.drawing.tiles import picture_url
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Rendering
from url_viz.jobs import latest_job
from url_viz.jobs.kinds import EMBED
from url_viz.ui.widgets.picture_layers import HEAT, picture_html


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    """Three sharp pictures, one blurred and one dark."""
    root = tmp_path / "zoo"
    root.mkdir()
    sharp = [noise(number, width=16, height=12).resize((128, 96), 0) for number in range(4)]
    for number in range(3):
        sharp[number].save(root / f"{number}.png")
    sharp[3].filter(ImageFilter.GaussianBlur(4)).save(root / "blurred.png")
    sharp[3].point(lambda v: v // 12).save(root / "dark.png")
    return read_once(root)


def id_of(image_set: ImageSet, path: str) -> int:
    return int(image_set.table().set_index("path")["id"][path])


def picture(image_set: ImageSet, path: str, **state: Any) -> AppTest:
    return opened(image_set, **with_picture(id_of(image_set, path)), **state)


def test_a_reason_that_is_picked_is_a_filter_and_picked_again_it_is_off(image_set: ImageSet) -> None:
    def script(image_set: "ImageSet") -> None:
        import streamlit as st

        from url_viz.ui.explore.filter_controls import pick_reason
        from url_viz.ui.explore.view import view

        pick_reason(image_set, image_set.table())
        st.write(f"picked: {[rule.values for rule in view().filters]}")

    at = AppTest.from_function(script, args=(image_set,)).run()
    options = [str(option) for option in at.pills[0].options]
    counts = reason_counts(image_set.table()["reasons"])
    assert options == [f"{name} {counts[name]}" for name in image_set.core.reasons.order()]
    assert {"blurred 1", "dark 1"} <= set(options)
    at.pills[0].set_value("dark").run()
    assert at.markdown[0].value == "picked: [('dark',)]"
    at.pills[0].set_value(None).run()
    assert at.markdown[0].value == "picked: []"


def test_what_nearly_all_share_is_told_once(tmp_path: Path, read_once: Read) -> None:
    root = tmp_path / "small"
    root.mkdir()
    for number in range(20):
        noise(number, width=32, height=24).save(root / f"{number}.png")
    image_set = read_once(root)
    assert not image_set.table()["reasons"].str.contains("tiny").any()
    assert "All 20 pictures are tiny (24 px)" in [caption.value for caption in opened(image_set).caption]


def test_an_opened_picture_names_its_reasons_and_its_heat_map_comes_when_asked_for(image_set: ImageSet) -> None:
    without = picture(image_set, "dark.png")
    assert any("-badge[" in each.value and "dark" in each.value for each in without.markdown)
    assert "runs the model again" in words(without)
    at = picture(image_set, "dark.png", **{HEAT: True})
    assert not at.error
    assert "Confusability: likeness to the nearest picture" in words(at)
    image_set.files.path(id_of(image_set, "0.png")).unlink()
    at = picture(image_set, "0.png", **{HEAT: True})
    assert "no longer exists" in at.error[0].value, "in the map's place"


def test_a_name_cannot_leave_its_place_in_the_markup(image_set: ImageSet) -> None:
    row = image_set.row(int(image_set.table()["id"].iloc[0]))
    assert picture_html(image_set, row["id"], row, None).count("<") == 3


PIXELS = values(60, 80)


@pytest.fixture
def deep(tmp_path: Path, read_once: Read) -> ImageSet:
    """Four pictures of 12 bits, one of 8 and a DICOM file with a window."""
    root = tmp_path / "deep"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.tif").write_bytes(tiff(PIXELS if number == 0 else values(60, 80) // (number + 1)))
    noise(3).save(root / "plain.jpg")
    (root / "ct.dcm").write_bytes(dicom(PIXELS, WindowCenter=500, WindowWidth=401))
    return read_once(root)


def test_an_opened_picture_is_seen_in_the_window_that_is_set(deep: ImageSet) -> None:
    client = client_of()

    def grey(window: tuple[float, float] | None) -> np.ndarray:
        answer = client.get(picture_url(deep, id_of(deep, "0.tif"), window=window))
        with Image.open(io.BytesIO(answer.content)) as image:
            return np.asarray(image.convert("L"), int)

    assert np.abs(grey(None) - seen(PIXELS)).mean() < 12
    assert np.abs(grey((0, 1000)) - seen(PIXELS, 1000)).mean() < 12
    assert grey((5000, 6000)).max() < 10


def test_the_slider_stands_where_there_are_more_than_eight_bits(deep: ImageSet) -> None:
    at = picture(deep, "0.tif")
    slider = at.slider(key=f"picture.window.{id_of(deep, '0.tif')}")
    assert slider.value == (0, 4095)
    assert not any("black=" in one.body for one in at.get("html"))
    slider.set_value((100, 900)).run()
    assert any("black=100&amp;white=900" in one.body for one in at.get("html"))
    scan = picture(deep, "ct.dcm")
    assert scan.slider(key=f"picture.window.{id_of(deep, 'ct.dcm')}").value == (299.5, 699.5), "its window"
    assert not [one for one in picture(deep, "plain.jpg").slider if str(one.key).startswith("picture.window")]


def test_a_set_says_its_range_and_is_read_anew_in_another(deep: ImageSet, home: Workspace) -> None:
    assert deep.core.rendering == Rendering(0, 4095)
    at = opened(page="sets")
    assert "bit pictures, shown from 0 to 4,095." in words(at)
    black, white = (named(at.number_input, name) for name in ("Black", "White"))
    assert (black.value, white.value) == (0, 4095)
    white.set_value(0)
    named(at.button, "Read anew").click().run()
    assert any("what is black and what is white" in error.value for error in at.error)
    named(at.number_input, "White").set_value(1000)
    named(at.button, "Read anew").click().run()
    job = latest_job(home, kind=EMBED.name, set_id=deep.set_id)
    assert job is not None
    assert call_of(job).given["range_"] == "0:1000"
