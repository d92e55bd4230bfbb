"""The first page: ways in, image sets that were read lately, what runs, and what one gets, on real pictures."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import noise, write_folder
from tests.ui.conftest import Read
from tests.ui.pages import LONG, call_of, folder_dialog, opened, words
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import list_jobs, start_job
from url_viz.ui.first_page import DAY_S, SHOWN, demo_example, when
from url_viz.ui.menu import purpose_of

STRIP = '<div class="url-viz-strip"'


def pictures(at: AppTest) -> list[int]:
    """How many pictures each strip of the page holds."""
    return [strip.proto.body.count("<img") for strip in at.get("html") if STRIP in strip.proto.body]


def test_a_newcomer_sees_what_the_demo_gives(home: Workspace) -> None:
    at = opened()
    assert at.title[0].value == "Which of your pictures are ambiguous?"
    assert {"Browse", "Try the demo pictures"} <= {button.label for button in at.button}
    assert "No pictures read yet." in words(at)
    assert "What you get · the demo pictures" in words(at)
    assert pictures(at) == [SHOWN] * 3
    bodies = [strip.proto.body for strip in at.get("html")]
    assert all(any(one.words in body for body in bodies) for one in demo_example().ambiguous)
    assert "Recent image sets" not in words(at)
    assert not home.demo.exists(), "nothing is built, read or fetched for it"


def test_recent_sets_stand_there_with_counts_and_pictures_and_open(image_set: ImageSet) -> None:
    at = opened()
    text = words(at)
    assert "12 pictures · 2 classes · read " in text
    assert pictures(at) == [5, SHOWN, SHOWN, SHOWN]
    assert any(one.value.startswith("In your latest set · ") and "zoo" in one.value for one in at.header)
    assert image_set.root.name in text
    at.button(key=f"first.open.{image_set.set_id}").click().run()
    assert at.session_state["chosen_set"] == image_set.set_id
    image_set.root.rename(image_set.root.with_name("moved"))
    assert "The folder is missing" in words(opened())


PAGES = {"review": "Review", "model": "Model"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_set_says_what_it_is_for_and_stays_once_one_is_open(image_set: ImageSet, page: str) -> None:
    at = opened(page=page)
    assert at.title[0].value == PAGES[page]
    text = words(at)
    assert purpose_of(PAGES[page]) in text
    assert "You stay on this page." in text
    assert "Try the demo pictures" in text
    assert "Which of your pictures" not in text
    at.button(key=f"first.open.{image_set.set_id}").click().run()
    assert at.title[0].value == PAGES[page]


@pytest.mark.parametrize("page", ["sets", "jobs", "upload"])
def test_pages_that_need_no_set_lead_to_one_where_there_is_none(home: Workspace, page: str) -> None:
    assert "Try the demo pictures" in words(opened(page=page))


def test_a_path_is_typed_told_and_read(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "zoo", 3)
    at = opened()
    at.text_input(key="first.typed").set_value(str(tmp_path / "none")).run()
    assert "does not exist" in at.error[0].value
    assert at.button(key="read_typed").disabled
    at.text_input(key="first.typed").set_value(str(folder)).run()
    assert "3 pictures, no class folders" in words(at)
    at.button(key="read_typed").click().run()
    [job] = list_jobs(home)
    assert job.about["folder"] == str(folder)
    assert not {"one_model", "also"} & set(call_of(job).given), (
        "tests/cli/test_models_commands.py reads by this command"
    )
    assert at.session_state["chosen_set"] is not None


def test_what_runs_stands_there(home: Workspace) -> None:
    start_job(list(LONG), kind="x", title="Count sheep", workspace=home)
    at = opened()
    assert any(bar.proto.text.startswith("**Count sheep** · ") for bar in at.main.get("progress"))


def test_names_are_shown_as_they_are(read_once: Read, tmp_path: Path) -> None:
    folder = tmp_path / "<b>zoo</b>"
    for name in ('<img src=x onerror="alert(1)">', "dog"):
        (folder / name).mkdir(parents=True)
        for seed in range(4):
            noise(seed).save(folder / name / f"{seed}.jpg")
    read_once(folder)
    at = opened()
    bodies = [strip.proto.body for strip in at.get("html") if STRIP in strip.proto.body]
    assert any("&lt;img src=x" in body for body in bodies)
    assert not any("<img src=x" in body for body in bodies)
    assert not any("<b>" in one.value for one in at.markdown)


def test_times_are_told_in_words() -> None:
    now = time.time()
    assert when(now) == when(now + 50) == "read just now"
    assert when(now - 300) == "read 5 min ago"
    assert when(now - 5 * 3600) == "read 5 h ago"
    assert when(now - 3 * DAY_S) == "read 3 days ago"
    assert when(time.mktime((2020, 5, 2, 12, 0, 0, 0, 0, -1))) == "read on 2 May 2020"


def test_a_damaged_set_says_so_and_hides_no_other(image_set: ImageSet, read_once: Read, tmp_path: Path) -> None:
    """On the first page, in the dialog that opens folders, and on the page where it is repaired or forgotten."""
    other = read_once(write_folder(tmp_path / "other", 6, start=40))
    image_set.labels.use("folders")
    labels = image_set.core.store.paths.labels
    labels.write_bytes(labels.read_bytes()[:-3])
    at = opened()
    assert ":red[:material/broken_image: Needs a look.]" in words(at)
    assert f"labels use {image_set.root} folders" in words(at)
    assert "6 pictures · read " in words(at)
    at = folder_dialog()
    assert {f"recent.{one.set_id}" for one in (image_set, other)} <= {button.key for button in at.button}
    at = opened(page="sets")
    listed = at.dataframe[0].value.set_index("folder")["state"]
    assert listed.to_dict() == {str(image_set.root): "damaged", str(other.root): ""}
    at = opened(image_set, "sets")
    assert f"url-viz sets repair {image_set.root}" in words(at)
    assert "Forget this image set" in words(at)
    opened(other, "finetune")
