"""The line of reasons to pick one by, and what an opened picture says of itself, as a visitor meets them."""

from pathlib import Path
from typing import Any

import pytest
from PIL import ImageFilter
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import noise
from tests.ui.conftest import Read
from tests.ui.pages import opened, with_picture, words
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
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


def picture(image_set: ImageSet, path: str, **state: Any) -> AppTest:
    image_id = int(image_set.table().set_index("path")["id"][path])
    return opened(image_set, **with_picture(image_id), **state)


def badges(at: AppTest) -> str:
    return " ".join(e.value for e in at.markdown if "-badge[" in e.value)


def page_of_reasons() -> None:
    import streamlit as st

    from url_viz.ui.explore.filter_controls import pick_reason
    from url_viz.ui.explore.view import view
    from url_viz.ui.open_sets import open_sets

    image_set = open_sets().get(st.session_state["set"], st.session_state["model"])
    pick_reason(image_set, image_set.table())
    st.write(f"picked: {[rule.values for rule in view().filters]}")


def test_a_reason_that_is_picked_is_a_filter_and_picked_again_it_is_off(image_set: ImageSet) -> None:
    at = AppTest.from_function(page_of_reasons)
    at.session_state["set"], at.session_state["model"] = image_set.set_id, image_set.source.name
    at.run()
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


def test_an_opened_picture_names_its_reasons(image_set: ImageSet) -> None:
    assert "dark" in badges(picture(image_set, "dark.png"))
    assert "blurred" in badges(picture(image_set, "blurred.png"))


def test_the_heat_map_comes_when_asked_for_and_says_what_it_means(image_set: ImageSet) -> None:
    without = picture(image_set, "0.png")
    assert "runs the model again" in words(without)
    at = picture(image_set, "0.png", **{HEAT: True})
    assert not at.error
    text = words(at)
    assert "Confusability: likeness to the nearest picture" in text


def test_a_file_that_is_gone_is_told_in_the_map_s_place(image_set: ImageSet) -> None:
    image_set.files.path(int(image_set.table()["id"].iloc[0])).unlink()
    at = picture(image_set, "0.png", **{HEAT: True})
    assert "no longer exists" in at.error[0].value


def test_a_name_cannot_leave_its_place_in_the_markup(image_set: ImageSet) -> None:
    row = image_set.row(int(image_set.table()["id"].iloc[0]))
    assert picture_html(image_set, row["id"], row, None).count("<") == 3
