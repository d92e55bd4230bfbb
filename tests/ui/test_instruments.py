"""Pictures of more than 8 bits in the app: the window of an opened one, and the range of a set."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.imaging.instruments import dicom, seen, tiff, values
from tests.imaging.pictures import noise
from tests.ui.pages import call_of, opened, with_picture, words
from url_viz.base.workspace import Workspace
from url_viz.drawing.tiles import picture_url
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Rendering
from url_viz.jobs import latest_job
from url_viz.jobs.kinds import EMBED
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.http import middleware, routes

PIXELS = values(60, 80)


@pytest.fixture
def image_set(home: Workspace, tmp_path: Path, bare_model: Model) -> ImageSet:
    """Four pictures of 12 bits, one of 8 and a DICOM file with a window."""
    root = tmp_path / "deep"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.tif").write_bytes(tiff(PIXELS if number == 0 else values(60, 80) // (number + 1)))
    noise(3).save(root / "plain.jpg")
    (root / "ct.dcm").write_bytes(dicom(PIXELS, WindowCenter=500, WindowWidth=401))
    return embed_folder(root, model=bare_model, workspace=home.root)


def id_of(image_set: ImageSet, path: str) -> int:
    return int(image_set.table().set_index("path")["id"][path])


def test_an_opened_picture_is_seen_in_the_window_that_is_set(image_set: ImageSet) -> None:
    client = TestClient(Starlette(routes=routes(), middleware=middleware()), base_url="http://127.0.0.1")

    def grey(window: tuple[float, float] | None) -> np.ndarray:
        answer = client.get(picture_url(image_set, id_of(image_set, "0.tif"), window=window))
        with Image.open(io.BytesIO(answer.content)) as image:
            return np.asarray(image.convert("L"), int)

    assert np.abs(grey(None) - seen(PIXELS)).mean() < 12
    assert np.abs(grey((0, 1000)) - seen(PIXELS, 1000)).mean() < 12
    assert grey((5000, 6000)).max() < 10


def test_the_slider_stands_where_there_are_more_than_eight_bits(image_set: ImageSet) -> None:
    at = opened(image_set, **with_picture(first := id_of(image_set, "0.tif")))
    slider = at.slider(key=f"picture.window.{first}")
    assert slider.value == (0, 4095)
    assert not any("black=" in one.body for one in at.get("html"))
    slider.set_value((100, 900)).run()
    assert any("black=100&amp;white=900" in one.body for one in at.get("html"))
    scan = opened(image_set, **with_picture(id_of(image_set, "ct.dcm")))
    assert scan.slider(key=f"picture.window.{id_of(image_set, 'ct.dcm')}").value == (299.5, 699.5), "its window"
    plain = opened(image_set, **with_picture(number := id_of(image_set, "plain.jpg")))
    assert f"picture.window.{number}" not in [one.key for one in plain.slider]


def test_a_set_says_its_range_and_is_read_anew_in_another(image_set: ImageSet, home: Workspace) -> None:
    assert image_set.core.rendering == Rendering(0, 4095)
    at = opened(page="sets")
    assert "bit pictures, shown from 0 to 4,095." in words(at)
    black, white = (next(field for field in at.number_input if field.label == name) for name in ("Black", "White"))
    assert (black.value, white.value) == (0, 4095)
    white.set_value(0)
    next(button for button in at.button if button.label == "Read anew").click().run()
    assert any("what is black and what is white" in error.value for error in at.error), [one.value for one in at.error]
    next(field for field in at.number_input if field.label == "White").set_value(1000)
    next(button for button in at.button if button.label == "Read anew").click().run()
    job = latest_job(home, kind=EMBED.name, set_id=image_set.set_id)
    assert job is not None
    assert call_of(job).given["range_"] == "0:1000"
