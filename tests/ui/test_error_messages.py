"""What goes wrong in a callback is a sentence, not a traceback, and its text is no markup."""

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.given import given_set
from tests.imaging.pictures import noise
from url_viz.image_set import ImageSet


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    """One picture in two files, under embeddings of the user's own."""
    (tmp_path / "photos").mkdir()
    noise(1).save(tmp_path / "photos" / "0.jpg")
    return given_set(tmp_path, ["0.jpg", "1.jpg"], np.ones((2, 4)))


def said(act: Callable[[], object]) -> str:
    """The one toast of a callback that acts so."""

    def script(act: "Callable[[], object]") -> None:
        from url_viz.ui.text import with_toast

        with_toast(act)()

    [toast] = AppTest.from_function(script, args=(act,)).run().toast
    return str(toast.value)


def test_what_was_done_is_said_and_what_could_not_be(image_set: ImageSet) -> None:
    assert "no picture with id 17" in said(lambda: image_set.decisions.decide([17], "keep"))
    assert "1 picture" in said(lambda: image_set.twins.keep_one().sentence)
    paths = image_set.workspace.set_paths(image_set.set_id)
    for path in paths.folder.glob("decisions.*"):
        path.unlink()
    paths.decisions.write_bytes(b"no database" * 100)
    assert r"\`sqlite3 FILE .recover\`" in said(lambda: image_set.twins.keep_one().sentence)


def test_labels_on_a_full_disk(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("url_viz.base.records.replaced", full)
    assert "is full" in said(lambda: image_set.labels.use(None))
