"""Image sets on their page: listed, named, moved and forgotten after a question, through app.py as a visitor does."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.jobs.conftest import LONG, running
from tests.ui.pages import opened, words
from url_viz.base.workspace import Workspace
from url_viz.jobs import start_job
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets
from url_viz.ui.widgets.embed_job import KIND


@pytest.fixture
def zoo(home: Workspace, tmp_path: Path, bare_model: Model) -> Path:
    folder = write_folder(tmp_path / "zoo", 6, classes=("cat", "dog"))
    (folder / "notes.txt").write_text("words")
    embed_folder(folder, model=bare_model, workspace=home.root)
    return folder


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
    assert any("The pictures themselves are not touched" in words.value for words in at.markdown)
    assert "Forget" in [button.label for button in at.button]
    assert len(list(zoo.rglob("*.jpg"))) == 6
    about = {"set_id": list_sets(home.root)["id"].iloc[0]}
    running(start_job(LONG, kind=KIND, title="Read zoo", workspace=home, about=about))
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
