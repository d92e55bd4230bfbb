"""The models of the settings: every model a card, how pictures are read, and a head that was adapted to others."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BF16_IS_QUICKER, FLOAT32_IS_QUICKER, dice_head, set_times
from tests.imaging.pictures import write_folder
from tests.models.test_authors_checkpoints import VIT, tensors_of, write
from tests.ui.pages import PATIENCE_S, app, call_of, opened, turned_to, words
from url_viz.base.errors import NotAllowedError
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import list_jobs, start_job
from url_viz.jobs.kinds import ADAPT, adapted_to_another
from url_viz.models.head import save_head
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.precision import Times
from url_viz.models.runtime import devices
from url_viz.reading import embed_folder
from url_viz.ui.auth import allowed_model
from url_viz.ui.widgets.embed_job import DEVICE, PRECISION


@pytest.fixture
def adapted(home: Workspace) -> Callable[[Path], Path]:
    """Makes a head, as if it had been adapted to a folder."""

    def make(pictures: Path) -> Path:
        folder = home.heads / f"{pictures.name}-1"
        folder.mkdir(parents=True)
        save_head(dice_head(0), folder / "head.safetensors")
        (folder / "config.json").write_text(json.dumps({"data": f"folder:{pictures}"}))
        return folder / "head.safetensors"

    return make


def test_every_model_is_a_card_whatever_its_state(home: Workspace, adapted: Callable[[Path], Path]) -> None:
    adapted(home.root / "cars").with_name("report.json").write_text('{"told": [3]}')
    (home.heads / "cut").mkdir()
    shutil.copy(__file__, home.heads / "cut" / "head.safetensors")
    home.checkpoints.mkdir()
    write(home.checkpoints / "any.pth.tar", tensors_of(VIT, classes=3, width=512, hidden=2))
    (home.checkpoints / "cut.pt").write_bytes(b"half")
    at, deadline = opened(page="models"), time.monotonic() + PATIENCE_S
    while "cannot be read as a checkpoint" not in words(at) and time.monotonic() < deadline:
        at.run()  # a page does not wait for the inspection of checkpoints
    text = words(at).replace("\\", "")
    for title in (DEFAULT, "ViT-Tiny of the paper", "ViT-Large of the paper", "cut.pt"):
        assert title in text
    assert "R-AUROC of the head on 3 sets not used to make it (.5 is chance): .59 [.41, .79]" in text
    assert "against .60 [.49, .72] for entropy" in text
    assert "authors' release" in text
    assert "cannot be read as a checkpoint" in text
    assert "cars-1" in text, "a broken report or head costs only its figures"
    assert not at.error
    [picker] = opened().sidebar.radio
    assert "ViT-Tiny of the paper" in picker.options
    assert "cut.pt" not in picker.options
    at.button(key=f"models.card.{DEFAULT}").click().run()
    assert any("# Uncertainty head for tf_efficientnet_lite0" in one.value for one in at.markdown)


def test_using_a_model_chooses_it_and_says_what_that_means(image_set: ImageSet, home: Workspace) -> None:
    home.checkpoints.mkdir()
    write(home.checkpoints / "any.pth.tar", tensors_of(VIT, classes=3, width=512, hidden=2))
    at = opened(page="models", chosen_set=image_set.set_id)
    assert f"has been read with it ({image_set.space.precision})." in words(at)
    assert "has not been read with it" in words(at)
    at.button(key="models.use.authors/vit-tiny").click().run()
    assert at.session_state["chosen_model"] == "authors/vit-tiny"
    assert at.session_state["chosen_set"] == image_set.set_id
    at.button(key="models.read").click().run()
    assert [job.about["model"] for job in list_jobs(home)] == ["authors/vit-tiny"]
    assert "Being read" in words(at)


def test_any_other_model_is_named(image_set: ImageSet) -> None:
    at = opened(image_set, "models")
    at.text_input(key="models.another").set_value("resnet10t").run()
    assert at.session_state["chosen_model"] == "resnet10t"
    assert {"resnet10t", "Read with this model"} <= {*(one.value for one in at.markdown), *(b.label for b in at.button)}
    at.text_input(key="models.another").set_value("x" * 5000).run()
    assert at.session_state["chosen_model"] == "resnet10t"
    assert at.toast


def test_the_menu_of_the_set_switches_the_model_and_leads_to_all(image_set: ImageSet) -> None:
    at = app(image_set).run()
    [picker] = at.sidebar.radio
    picker.set_value("tf_efficientnet_lite2").run()
    assert at.session_state["chosen_model"] == "tf_efficientnet_lite2"
    at = app(image_set).run()
    at.sidebar.button(key="all_models").click().run()
    assert at.title[0].value == "Settings"
    assert "Another model" in [one.label for one in at.text_input]


def test_device_and_precision_are_kept_for_the_session_and_reach_readings(home: Workspace, image_set: ImageSet) -> None:
    other = "fast" if image_set.space.precision == "float32" else "exact"
    set_times(home.root, BF16_IS_QUICKER)
    at = opened(page="models", chosen_set=image_set.set_id)
    if list(devices()) == ["cpu"]:
        assert "No usable GPU on this machine" in words(at)
    at.selectbox(key="models.pick_device").set_value("cpu").run()
    at.selectbox(key="models.pick_precision").set_value(other).run()
    assert "another precision reads it again" in words(at)
    turned_to(at, "jobs")
    turned_to(at, "models")
    assert (at.session_state[DEVICE], at.session_state[PRECISION]) == ("cpu", other)
    start_page = opened(page="explore", chosen_set=image_set.set_id, chosen_model="tf_efficientnet_lite2")
    for key in (DEVICE, PRECISION):
        start_page.session_state[key] = at.session_state[key]
    start_page.button(key="read_with_model").click().run()
    given = call_of(list_jobs(home)[0]).given
    assert (given["device"], given["precision"]) == ("cpu", other)


def test_a_ray_cluster_is_offered_where_one_is_named(
    home: Workspace, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    at = opened(page="models", chosen_set=image_set.set_id)
    assert not any("Ray" in name for name in at.selectbox(key="models.pick_device").options)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr("url_viz.pipeline.cluster.on_ray.find_spec", lambda name: object())
    at = opened(page="models", chosen_set=image_set.set_id, chosen_model="tf_efficientnet_lite2")
    assert at.selectbox(key="models.pick_device").options[-1] == "Ray cluster 10.0.0.1:6379"
    at.selectbox(key="models.pick_device").set_value("ray").run()
    assert "Its workers read the pictures" in words(at)
    start_page = opened(page="explore", chosen_set=image_set.set_id, chosen_model="tf_efficientnet_lite2")
    start_page.session_state[DEVICE] = at.session_state[DEVICE]
    start_page.button(key="read_with_model").click().run()
    given = call_of(list_jobs(home)[0]).given
    assert given["ray"] == "auto"
    assert not {"device", "precision"} & set(given), "as usual"


@pytest.mark.parametrize(("times", "precision"), [(BF16_IS_QUICKER, "bf16"), (FLOAT32_IS_QUICKER, "float32")])
def test_fast_is_what_was_measured_and_a_reading_goes_on_in_the_precision_of_its_set(
    home: Workspace, tmp_path: Path, times: Times, precision: str
) -> None:
    set_times(home.root, times)
    first = embed_folder(write_folder(tmp_path / "pictures", 4), workspace=home.root).space
    assert first.precision == precision
    write_folder(tmp_path / "pictures", 5)
    set_times(home.root, {"bf16": times["float32"], "float32": times["bf16"]})
    assert embed_folder(tmp_path / "pictures", workspace=home.root).space == first


@pytest.mark.parametrize(
    ("times", "fast", "slow"),
    [
        (BF16_IS_QUICKER, "bf16, measured 2.0 times as fast as float32", ""),
        (FLOAT32_IS_QUICKER, "float32, measured 2.0 times as fast as bf16", "float32 was measured 2.0 times as fast"),
        (None, "float32, 32-bit numbers", "this processor emulates, at about a third of the speed"),
    ],
    ids=["bf16 is quicker", "float32 is quicker", "emulated"],
)
def test_what_fast_is_on_this_processor_and_that_a_set_in_bf16_is_slow_where_it_is(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: Times | None, fast: str, slow: str
) -> None:
    set_times(home.root, times)
    monkeypatch.setattr("url_viz.models.model.IN_ENVIRONMENT", home)  # where it was measured
    monkeypatch.setattr("url_viz.models.precision.has_bf16", lambda: False)
    bf16 = load_model(DEFAULT, device="cpu", precision="bf16", workspace=home.root)
    image_set = embed_folder(write_folder(tmp_path / "bf16", 4), model=bf16, workspace=home.root)
    at = opened(page="models", chosen_set=image_set.set_id)
    at.selectbox(key="models.pick_device").set_value("cpu").run()
    assert f"new ones are read fast: {fast}" in words(at)
    assert (f"fast: {fast}" in next(one.value for one in at.caption if "dimensions" in one.value)) == bool(times)
    assert slow in words(at)
    assert bool(slow) == ("To change it, choose Fast below" in words(at))
    at.selectbox(key="models.pick_precision").set_value("fast").run()
    assert ("another precision reads it again" in words(at)) == bool(slow)


def test_a_head_of_another_set_is_told_above_the_page(
    image_set: ImageSet, adapted: Callable[[Path], Path], tmp_path: Path
) -> None:
    head = adapted(tmp_path / "cars")
    at = opened(page="explore", chosen_set=image_set.set_id, chosen_model=str(head))
    assert "was adapted to" in words(at)
    assert "cars, not to these pictures." in words(at)
    at.button(key="foreign_head.back").click().run()
    assert at.session_state["chosen_model"] == DEFAULT
    assert "not to these pictures" not in words(at)
    own = adapted(image_set.root)
    at = opened(page="explore", chosen_set=image_set.set_id, chosen_model=str(own))
    assert "not to these pictures" not in words(at)


def test_a_head_of_this_set_from_before_it_was_moved_is_known_by_its_job(
    home: Workspace, image_set: ImageSet, adapted: Callable[[Path], Path], tmp_path: Path
) -> None:
    head = adapted(tmp_path / "before")
    where: dict[str, Any] = {"set_id": image_set.set_id, "root": image_set.root, "workspace": home}
    assert adapted_to_another(str(head), **where) is not None
    about = {"set_id": image_set.set_id, "out": str(head.parent)}
    start_job(["-c", "pass"], kind=ADAPT.name, title="Adapt", workspace=home, about=about)
    assert adapted_to_another(str(head), **where) is None


def test_the_app_opens_what_lies_in_the_folder_of_checkpoints_wherever_that_is(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path / "elsewhere"))
    inside, outside = home.checkpoints / "a.pth.tar", tmp_path / "b.pth.tar"
    assert allowed_model(str(inside)) == str(inside)
    with pytest.raises(NotAllowedError):
        allowed_model(str(outside))
    home.checkpoints.mkdir()
    inside.symlink_to(outside)
    with pytest.raises(NotAllowedError):
        allowed_model(str(inside))
