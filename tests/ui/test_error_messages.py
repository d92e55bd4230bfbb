"""What goes wrong in a callback is a sentence, not a traceback, and its text is no markup."""

import errno
import io
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet, embed_folder
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.workspace import SetPaths


@pytest.fixture
def image_set(workspace: Path, tmp_path: Path) -> ImageSet:
    """Two pictures that are twins, under embeddings of the user's own, in a folder whose name is markup."""
    folder = write_folder(tmp_path / "[zoo](x)", 1)
    (folder / "copy.jpg").write_bytes((folder / "0000.jpg").read_bytes())
    file = io.BytesIO()
    np.savez(file, paths=np.array(["0000.jpg", "copy.jpg"]), values=np.ones((2, 4)))
    return embed_folder(folder, embeddings=IncomingFile("mine.npz", file.getvalue()), workspace=workspace)


def said(callback: str, image_set: ImageSet, *more: object) -> str:
    """The one toast of a callback."""

    def script(callback: str, set_id: str, arguments: tuple[object, ...]) -> None:
        from importlib import import_module

        from url_viz.ui.session import CLASSES

        CLASSES.of(set_id).set("none")
        module, name = callback.split(":")
        getattr(import_module(f"url_viz.ui.{module}"), name)(*arguments)

    at = AppTest.from_function(script, args=(callback, image_set.set_id, (image_set, *more))).run()
    [toast] = at.toast
    return str(toast.value)


def paths_of(image_set: ImageSet) -> SetPaths:
    return image_set.workspace.set_paths(image_set.set_id)


def test_a_decision_on_a_picture_that_is_gone(image_set: ImageSet) -> None:
    assert "no picture with id 17" in said("widgets.picture:_decide", image_set, 17, "keep")


def test_twins_say_what_was_done_and_what_was_not(image_set: ImageSet) -> None:
    assert "1 picture" in said("explore.twin_dialog:_keep_one_of_each", image_set)
    for path in paths_of(image_set).folder.glob("decisions.*"):
        path.unlink()
    paths_of(image_set).decisions.write_bytes(b"no database" * 100)
    assert r"\`sqlite3 FILE .recover\`" in said("explore.twin_dialog:_keep_one_of_each", image_set)


def test_labels_on_a_full_disk(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("url_viz.store.imported_columns.write_label_choice", full)
    assert "is full" in said("widgets.class_choice:_take_classes", image_set)
