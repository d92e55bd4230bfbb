"""Jobs on pages: named by what they do, told what they wait for, seen from every page, and there when they end."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.jobs.conftest import until
from tests.ui.pages import LONG, ended, opened
from url_viz.base.progress import Progress
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, Waiting, cancel_job, list_jobs, start_job, waiting_for
from url_viz.jobs.kinds import ADAPT, about_set
from url_viz.models.runtime import has_gpu
from url_viz.store.sets import rename
from url_viz.ui.widgets.embed_job import KIND, set_name, start_reading
from url_viz.ui.widgets.jobs import in_quarters, progress_of, step_in_words, title_of_job, waiting_in_words


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
    words = progress_of(third)[1]
    assert words.startswith(f"Waiting for “{title_of_job(first)}” and 1 more · for ")
    assert progress_of(second)[1].startswith(f"Waiting for “{title_of_job(first)}” · for ")
    assert waiting_for(first) is None
    step = {"time": time.time(), **asdict(Progress("read", 1, 4, seconds_left=120))}
    first.paths.progress.write_text(json.dumps(step) + "\n")
    assert f"“{title_of_job(first)}” (2 min left in this stage)" in progress_of(second)[1]


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


def test_a_job_that_lacks_memory_says_how_much() -> None:
    words = waiting_in_words(Waiting((), 100.0, 700))
    assert words == "Waiting for memory: 700 of 2,048 MB are free · for 2 min so far"


def test_stages_are_told_in_plain_words() -> None:
    reading = (
        "Reading pictures, each in several views · 1,893 of 5,000 pictures · 90 per second · 35 s left · 2 unreadable"
    )
    for step, words in (
        (Progress("cache", 1893, 5000, 2, 90.0, 35.0), reading),
        (Progress("map", 0), "Making the map"),
        (Progress("map", 0, 1), "Making the map"),
        (Progress("epochs", 2, 5), "Training backbone and head · 2 of 5 epochs"),
        (Progress("of others", 2, 5), "of others"),
    ):
        assert step_in_words(step) == words
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


def test_a_failed_job_shows_why_and_its_log(image_set: ImageSet) -> None:
    ended(a_job(image_set, ["-c", "import sys; print('no luck'); sys.exit(3)"]))
    at = opened(page="jobs")
    assert any("exit status 3" in one.value for one in at.caption)
    assert any("no luck" in block.value for block in at.code)


def test_a_failed_job_says_the_error_of_its_command(image_set: ImageSet) -> None:
    ended(a_job(image_set, ["-c", "import sys; print('error: no room is left'); sys.exit(1)"]))
    assert any(one.value == "no room is left" for one in opened(page="jobs").caption)
