"""Explore while a set is being read, and after a reading that failed, stopped or left nothing."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import LONG, app, ended, opened, panes, words
from url_viz.base.errors import NoImagesError, NotAllowedError
from url_viz.base.progress import Progress, appended_to, silent
from url_viz.base.workspace import Workspace, set_id_of
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import Job, cancel_job, list_jobs, start_job
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline import embed as pipeline
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets
from url_viz.store.tables.writer import Writer
from url_viz.ui.widgets.embed_job import KIND, readable
from url_viz.ui.widgets.jobs import Reading


def test_a_set_that_is_being_read_says_how_far(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "slow", 3)
    job = a_job(home, folder, LONG[1])
    at = opened(chosen_set=set_id_of(folder.resolve()))
    assert "The map appears as soon as the first pictures are read." in words(at)
    assert [b.key for b in at.button if b.key == "stop_reading"]
    at.button(key="stop_reading").click().run()
    assert job.status().state == "cancelled"


FAILS = "import sys; print('error: There are no pictures in it.'); sys.exit(1)"


def after_a_failure(home: Workspace, folder: Path, **state: Any) -> AppTest:
    """The page of a folder whose reading has failed."""
    ended(a_job(home, folder, FAILS))
    at = opened(chosen_set=set_id_of(folder.resolve()), **state)
    assert at.error[0].value == "Reading stopped. There are no pictures in it."
    return at


def test_a_reading_that_failed_says_why_beside_other_sets(home: Workspace, tmp_path: Path, image_set: ImageSet) -> None:
    """The list of sets has none to show as chosen then, which is no choice of the user."""
    at = after_a_failure(home, write_folder(tmp_path / "bad", 1))
    assert at.session_state["chosen_set"] is None
    boxes = [box for box in at.sidebar.selectbox if box.label == "Image set"]
    assert [box.value for box in boxes] == [None]


def test_a_reading_that_failed_leaves_no_trace_is_put_away_and_fails_again(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "bad", 1)
    at = after_a_failure(home, folder)
    assert at.title[0].value == "Which of your pictures are ambiguous?", "the first page, with what went wrong above it"
    assert not at.info
    assert not [box for box in at.sidebar.selectbox if box.label == "Image set"]
    assert "No pictures read yet." in words(at)
    assert "set" not in at.query_params
    assert list_sets(home.root).empty
    at.button(key="put_away").click().run()
    assert not at.error
    assert at.session_state["chosen_set"] is None, "nothing of it is left in the session"
    ended(a_job(home, folder, FAILS))
    at.session_state["chosen_set"] = set_id_of(folder.resolve())
    at.run()
    assert at.error[0].value == "Reading stopped. There are no pictures in it."
    at.button(key="read_again").click().run()
    assert not at.error
    assert [job.about["folder"] for job in list_jobs(home)] == [str(folder.resolve())] * 3


def test_a_folder_of_which_nothing_can_be_read_leaves_no_trace(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"<html>404</html>")
    with pytest.raises(NoImagesError, match="None of the 1 files"):
        embed_folder(folder, model=model, workspace=home.root)
    assert not home.set_paths(set_id_of(folder)).folder.exists()


def test_a_set_that_is_not_here_is_said_to_be_so_and_nonsense_is_an_error(home: Workspace) -> None:
    at = app()
    at.query_params["set"] = "0" * 16
    at.run()
    assert "not in this workspace" in at.info[0].value
    assert "set" not in at.query_params
    at = app()
    at.query_params["set"] = "../../etc"
    at.run()
    assert "is not an image-set id" in at.error[0].value


def test_a_reading_that_was_stopped_before_its_first_picture_says_so(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "slow", 3)
    cancel_job(a_job(home, folder, LONG[1]), grace_s=0.1)
    at = opened(chosen_set=set_id_of(folder.resolve()))
    assert "stopped before anything was saved" in at.info[0].value
    assert at.button(key="read_again")
    at.button(key="put_away").click().run()
    assert not at.info


@pytest.fixture
def partial(home: Workspace, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Four pictures of twelve, read by a run that was killed then."""
    folder = write_folder(tmp_path / "zoo", 12, classes=("cat", "dog"))
    monkeypatch.setattr(type(model.runtime), "batch", 4)
    monkeypatch.setattr(pipeline, "FIRST_FLUSH_PICTURES", 1)

    def killed(step: Progress) -> None:
        if step.stage == "read" and step.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_folder(folder, model=model, workspace=home.root, progress=killed)
    return open_image_set(folder, model=model.name, workspace=home.root)


def test_a_set_that_is_not_whole_says_so_wherever_it_stands_and_goes_on(home: Workspace, partial: ImageSet) -> None:
    at = opened(partial)
    assert "**4 of 12 pictures: reading was stopped**" in words(at)
    assert partial.core.store.graph(partial.space.key) is None
    assert [len(pane["first"]) for pane in panes(at)] == [4], "galleries wait neither for neighbours nor for UMAP"
    assert [box.value for box in at.sidebar.selectbox if box.label == "Image set"] == [partial.set_id]
    assert any("(4 of 12)" in option for option in at.sidebar.selectbox[0].options)
    assert list_sets(home.root)["state"].tolist() == ["4 of 12 pictures: reading was stopped"]
    at.button(key="continue_reading").click().run()
    [job] = list_jobs(home)
    assert job.about["folder"] == str(partial.root)
    assert job.about["model"] == partial.source.name


def test_a_set_that_was_read_to_its_end_is_whole_again(home: Workspace, partial: ImageSet, model: Model) -> None:
    assert partial.core.store.about().files_begun(partial.space.key) == 12
    with Writer(home.set_paths(partial.set_id), partial.root):
        assert list_sets(home.root)["state"].tolist() == [""], "nothing is stopped while it is read"
    whole = embed_folder(partial.root, model=model, workspace=home.root)
    assert (whole.core.store.about().files_begun(whole.space.key), len(whole)) == (None, 12)
    assert list_sets(home.root)["state"].tolist() == [""]
    assert "reading was stopped" not in words(opened(whole))


def test_reading_again_holds_to_the_roots(home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that became a link out of the roots since its reading failed."""
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path / "roots"))
    folder = write_folder(tmp_path / "roots" / "bad", 1)
    secret = write_folder(tmp_path / "secret", 3)
    at = after_a_failure(home, folder)
    shutil.rmtree(folder)
    folder.symlink_to(secret)
    at.button(key="read_again").click().run()
    assert "is outside the folders that this app may read" in at.error[1].value
    assert len(list_jobs(home)) == 1


def test_the_demo_is_known_by_its_folder_whatever_the_roots(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setenv("URL_VIZ_ROOTS", str(home.root.parent / "elsewhere"))
    (home.demo / "pictures").mkdir(parents=True)
    assert readable(home.demo / "pictures") == (home.demo / "pictures").resolve()
    (home.root / "sets").mkdir()
    with pytest.raises(NotAllowedError):
        readable(home.root / "sets")


def a_job(home: Workspace, folder: Path, code: str, *, model: str = DEFAULT) -> Job:
    root = folder.resolve()
    about = {"set_id": set_id_of(root), "model": model, "folder": str(root)}
    return start_job(["-c", code], kind=KIND, title="Read", workspace=home, about=about)


@pytest.mark.parametrize(
    ("reader", "stage", "more", "is_drawn"),
    [
        ("shown", "read", 2, False),
        ("shown", "read", 4, True),
        ("shown", "neighbours", 2, True),
        ("shown", "neighbours", 0, False),
        ("another", "read", 4, False),
    ],
)
def test_a_page_is_drawn_anew_for_a_quarter_more_pictures_and_for_what_another_stage_made(
    home: Workspace, tmp_path: Path, model: Model, read_once: Read, reader: str, stage: str, more: int, is_drawn: bool
) -> None:
    folder = write_folder(tmp_path / "grows", 12)
    read = read_once(folder)
    job = a_job(home, folder, LONG[1], model=read.source.name if reader == "shown" else "resnet18")
    write_folder(folder, more, start=100)
    embed_folder(folder, model=model, workspace=home.root)
    appended_to(job.paths.progress, silent)(Progress(stage, 0))

    def script(shown: "ImageSet", reading: "Reading") -> None:
        import streamlit as st

        from url_viz.ui.widgets.jobs import show_reading

        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        show_reading(shown.set_id, reading, shown=shown)

    at = AppTest.from_function(script, args=(read, Reading(job, job.status().state, "read")))
    at.session_state["chosen_set"], at.session_state["chosen_model"] = read.set_id, read.source.name
    at.session_state["reading_ticks"] = 1000  # the last drawing is long ago
    at.run()
    assert at.session_state["runs"] == (2 if is_drawn else 1)
