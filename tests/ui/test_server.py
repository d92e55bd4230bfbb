"""The server has the default model converted while the first page is looked at, and nobody converts it twice."""

import shutil
import time
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

from url_viz.models.model import load_model, prepared_folder, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.ui.server import prepare_model
from url_viz.workspace import Workspace


@pytest.mark.slow
def test_the_model_of_a_new_workspace_is_converted_and_that_of_an_old_one_left(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    waiting = prepare_model(workspace.root)
    assert waiting is not None
    waiting.join()
    assert list(prepared_folder(resolve(DEFAULT), workspace).glob("compiled-*/*.blob"))
    assert prepare_model(workspace.root) is None


def test_who_comes_while_it_is_converted_waits_and_takes_what_was_made(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.models.model.load_source", None)  # to convert it again would fail
    workspace = Workspace.at(tmp_path)
    folder = prepared_folder(resolve(DEFAULT), workspace)
    loaded = []
    second = Thread(target=lambda: loaded.append(load_model(DEFAULT, device="cpu", workspace=workspace.root)))
    folder.parent.mkdir()
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        second.start()
        time.sleep(0.2)
        assert second.is_alive()
        shutil.copytree(prepared / "models" / folder.name, folder)
    second.join()
    assert [model.name for model in loaded] == [DEFAULT]
