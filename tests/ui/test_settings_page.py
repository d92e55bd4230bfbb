"""Settings, as a visitor meets them: models as cards, image sets, and jobs as they wait, run and end."""

import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import BF16_IS_QUICKER, FLOAT32_IS_QUICKER, dice_head, set_times
from tests.imaging.pictures import write_folder
from tests.jobs.conftest import running, until
from tests.models.test_authors_checkpoints import VIT, tensors_of, write
from tests.ui.conftest import Read
from tests.ui.pages import LONG, PATIENCE_S, app, call_of, ended, opened, turned_to, words
from url_viz.base.errors import NotAllowedError
from url_viz.base.progress import Progress
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, Waiting, cancel_job, list_jobs, start_job, waiting_for
from url_viz.jobs.kinds import ADAPT, about_set, adapted_to_another
from url_viz.models.head import save_head
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.precision import Times
from url_viz.models.runtime import devices, has_gpu
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets, rename
from url_viz.ui.auth import allowed_model
from url_viz.ui.widgets.embed_job import DEVICE, KIND, PRECISION, set_name, start_reading
from url_viz.ui.widgets.jobs import in_quarters, progress_of, step_in_words, title_of_job, waiting_in_words


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


def test_a_reading_goes_on_in_the_precision_of_its_set(home: Workspace, tmp_path: Path) -> None:
    set_times(home.root, BF16_IS_QUICKER)
    first = embed_folder(write_folder(tmp_path / "pictures", 4), workspace=home.root).space
    assert first.precision == "bf16"
    write_folder(tmp_path / "pictures", 5)
    set_times(home.root, FLOAT32_IS_QUICKER)
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


@pytest.fixture
def zoo(tmp_path: Path, read_once: Read) -> Path:
    folder = write_folder(tmp_path / "zoo", 6, classes=("cat", "dog"))
    (folder / "notes.txt").write_text("words")
    return read_once(folder).root


@pytest.fixture
def at(zoo: Path) -> AppTest:
    at = opened(page="sets")
    assert "On disk" in words(at)
    return at


def pressed(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click().run()
    return at


def test_what_is_kept_is_told_named_never_moved_out_of_the_roots_and_forgotten_after_a_question(
    at: AppTest, zoo: Path, home: Workspace
) -> None:
    listed, parts, passed_over = (frame.value for frame in at.dataframe)
    assert listed["folder"].tolist() == [str(zoo)]
    assert parts["part"].iloc[0] == "files and thumbnails"
    assert passed_over.to_numpy().tolist() == [[".txt", 1]]
    next(field for field in at.text_input if field.label.startswith("New location")).set_value("/etc")
    pressed(at, "Change location")
    assert any("outside the folders" in error.value for error in at.error)
    next(field for field in at.text_input if field.label == "Name").set_value("My zoo")
    pressed(at, "Rename")
    assert "My zoo" in [heading.value for heading in at.header]
    assert any("My zoo" in done.value for done in at.success)
    assert list_sets(home.root)["name"].tolist() == ["My zoo"]
    pressed(at, "Forget this image set")
    assert len(list_sets(home.root)) == 1
    assert "The pictures themselves are not touched" in words(at)
    assert "Forget" in [button.label for button in at.button]
    about = {"set_id": list_sets(home.root)["id"].iloc[0]}
    running(start_job(list(LONG), kind=KIND, title="Read zoo", workspace=home, about=about))
    pressed(at, "Forget this image set")
    assert any("The job 'Read zoo' (running) works on it and will be stopped." in one.value for one in at.markdown)
    pressed(at, "Forget")
    assert any("Its pictures were not touched" in done.value for done in at.success)
    assert list_sets(home.root).empty
    assert len(list(zoo.rglob("*.jpg"))) == 6


def test_a_moved_folder_is_found_again_and_other_pictures_are_not_it(
    at: AppTest, zoo: Path, home: Workspace, tmp_path: Path
) -> None:
    write_folder(tmp_path / "other", 6, classes=("cat", "dog"), start=50)
    shutil.move(zoo, tmp_path / "moved")
    where = "New location of the folder, if it was moved"
    next(field for field in at.text_input if field.label == where).set_value(str(tmp_path / "other"))
    pressed(at, "Change location")
    assert any("holds other pictures" in error.value for error in at.error)
    assert any("no longer exists" in warning.value for warning in at.warning)
    next(field for field in at.text_input if field.label == where).set_value(str(tmp_path / "moved"))
    pressed(at, "Change location")
    assert any("6 of 6" in done.value for done in at.success)
    assert list_sets(home.root)["folder"].tolist() == [str(tmp_path / "moved")]


def a_job(image_set: ImageSet, command: Sequence[str], *, kind: str = KIND) -> Job:
    about = about_set(image_set.root, image_set.set_id, model="m", name=set_name(image_set.root))
    title = f"Read {about['set_name']} with m"
    return start_job(list(command), kind=kind, title=title, workspace=image_set.workspace, about=about)


def headings(at: AppTest) -> list[str]:
    return [one.label for one in at.expander]


def test_a_reading_is_named_by_what_it_reads_and_with_which_models(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "zoo", 2)
    start_reading(folder, set_id="0" * 16, model="tf_efficientnet_lite0", also="tf_efficientnet_lite2")
    title = f"Read {tmp_path.name}/zoo with tf_efficientnet_lite0 and tf_efficientnet_lite2"
    assert any(name.replace("\\", "").startswith(title) for name in headings(opened(page="jobs")))
    assert [job.config.is_light for job in list_jobs(home)] == [not has_gpu()]


def test_renaming_a_set_renames_what_its_jobs_are_called(image_set: ImageSet) -> None:
    job = ended(a_job(image_set, ["-c", "pass"]))
    assert title_of_job(job).endswith("/zoo with m")
    rename(image_set.root, "My zoo", workspace=image_set.workspace.root)
    assert title_of_job(job) == "Read My zoo with m"
    at = opened(page="jobs")
    assert any(name.startswith("Read My zoo with m · ") for name in headings(at))
    assert "jobs_chip" not in [button.key for button in opened().sidebar.button]
    assert "Nothing is running." in [one.value for one in at.caption]


def test_a_waiting_job_says_what_for_and_since_when(image_set: ImageSet) -> None:
    first, second = (a_job(image_set, LONG) for _ in range(2))
    third = a_job(image_set, LONG)
    assert progress_of(third)[1].startswith(f"Waiting for “{title_of_job(first)}” and 1 more · for ")
    assert progress_of(second)[1].startswith(f"Waiting for “{title_of_job(first)}” · for ")
    assert waiting_for(first) is None
    step = {"time": time.time(), **asdict(Progress("read", 1, 4, seconds_left=120))}
    first.paths.progress.write_text(json.dumps(step) + "\n")
    assert f"“{title_of_job(first)}” (2 min left in this stage)" in progress_of(second)[1]
    lacking = "Waiting for memory: 700 of 2,048 MB are free · for 2 min so far"
    assert waiting_in_words(Waiting((), 100.0, 700)) == lacking


def test_what_is_announced_of_a_job_changes_with_a_quarter_of_a_stage_at_most(image_set: ImageSet) -> None:
    job, said = a_job(image_set, LONG), []
    until(lambda: in_quarters(job) == f"{title_of_job(job)}: running", 60)
    for done in range(401):
        step = {"time": time.time(), **asdict(Progress("read", done, 400, rate_per_s=done, seconds_left=done))}
        job.paths.progress.write_text(json.dumps(step) + "\n")
        if not said or said[-1] != in_quarters(job):
            said.append(in_quarters(job))
    stages = [one.removeprefix(f"{title_of_job(job)}: ") for one in said if "Reading" in one]
    assert stages == [f"Reading pictures, {share} %" for share in (0, 25, 50, 75, 100)]
    cancel_job(job)
    assert in_quarters(job) == f"{title_of_job(job)}: stopped"


def test_stages_are_told_in_plain_words() -> None:
    reading = (
        "Reading pictures, each in several views · 1,893 of 5,000 pictures · 90 per second · 35 s left · 2 unreadable"
    )
    for step, told in (
        (Progress("cache", 1893, 5000, 2, 90.0, 35.0), reading),
        (Progress("map", 0), "Making the map"),
        (Progress("map", 0, 1), "Making the map"),
        (Progress("epochs", 2, 5), "Training backbone and head · 2 of 5 epochs"),
        (Progress("train, seed 2 of 3", 3, 60), "Training the head · seed 2 of 3 · 3 of 60 steps"),
        (Progress("of others", 2, 5), "of others"),
    ):
        assert step_in_words(step) == told
    assert step_in_words(Progress("read", 2, 5), is_of_objects=True) == "Reading objects · 2 of 5 objects"
    assert step_in_words(Progress("share", 2, 5), is_of_objects=True) == "Writing the data set · 2 of 5 pictures"


def test_a_running_job_is_a_chip_beside_every_page_that_leads_to_all(image_set: ImageSet) -> None:
    """AppTest draws the sidebar beside the first page alone; tests/browser looks at the others."""
    for _ in range(2):
        a_job(image_set, LONG, kind=ADAPT.name)
    at = opened()
    chip = at.sidebar.button(key="jobs_chip")
    assert re.match(r"(Waiting|\d+ %) · 1 more · Read .*/zoo with m$", chip.label.replace("\\", ""))
    chip.click().run()
    assert at.title[0].value == "Settings"
    assert sum("/zoo with m" in name for name in headings(at)) == 2


def test_the_page_stops_opens_repeats_and_deletes(image_set: ImageSet) -> None:
    job = a_job(image_set, LONG)
    at = opened(page="jobs")
    at.button(key=f"cancel.{job.id}").click().run()
    assert job.state == "cancelled"
    [heading] = headings(at)
    assert "stopped after" in heading
    at.button(key=f"again.{job.id}").click().run()
    repeated, stopped = (name.split(" · ")[2] for name in headings(at))
    assert repeated in ("waiting", "running")
    assert stopped.startswith("stopped after")
    at.button(key=f"delete.{job.id}").click().run()
    assert len(headings(at)) == 1
    at.button(key=next(str(b.key) for b in at.button if str(b.key).startswith("open."))).click().run()
    assert at.session_state["chosen_set"] == image_set.set_id


def test_a_failed_job_says_its_status_or_the_error_of_its_command_and_shows_its_log(image_set: ImageSet) -> None:
    ended(a_job(image_set, ["-c", "import sys; print('no luck'); sys.exit(3)"]))
    ended(a_job(image_set, ["-c", "import sys; print('error: no room is left'); sys.exit(1)"]))
    at = opened(page="jobs")
    told = [one.value for one in at.caption]
    assert any("exit status 3" in one for one in told)
    assert "no room is left" in told
    assert any("no luck" in block.value for block in at.code)
