"""`url-viz photos/`: pictures are read by a job, and shown by a server that the browser is opened at."""

import re
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.browser.fixtures import eventually, free_port
from tests.cli.conftest import ending_jobs
from tests.imaging.pictures import write_folder
from tests.processes import ROOT
from url_viz.base.errors import NotAllowedError
from url_viz.base.processes import GIVEN_VARIABLE, ROOTS_VARIABLE
from url_viz.base.workspace import HOME_VARIABLE, Workspace
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.jobs import latest_job
from url_viz.jobs.kinds import EMBED
from url_viz.ui.auth import allowed


def test_what_is_not_there_or_holds_no_pictures_starts_nothing(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.md").write_text("no pictures")
    (tmp_path / "photos").mkdir()
    for words, status, why in (
        (["no/folder"], 1, "'.*no/folder' does not exist"),
        ([str(tmp_path / "notes.md")], 1, "is a file, not a folder, and none that holds pictures"),
        (["/"], 1, "'/' holds the folders of all users"),
        ([str(tmp_path / "photos"), "--port", "0"], 2, "--port is 0"),
    ):
        assert main([*words, "--workspace", str(workspace)]) == status
        assert re.search(why, capsys.readouterr().err)
    assert latest_job(Workspace.at(workspace), kind=EMBED.name, set_id="") is None


def test_a_port_that_is_taken_is_said_with_the_address(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = [str(write_folder(tmp_path / "zoo", 2)), "--port", str(port), "--workspace", str(workspace)]
        assert main(words) == 2
    assert f"open the folder in it: http://127.0.0.1:{port}" in capsys.readouterr().err
    assert latest_job(Workspace.at(workspace), kind=EMBED.name, set_id="") is None


def test_annotations_beside_pictures_are_named(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "zoo", 2)
    (folder / "data.yaml").write_text("names: [cat]")
    monkeypatch.setattr("url_viz.cli.open_command.begin_reading", lambda *_, **_named: None)
    monkeypatch.setattr("url_viz.cli.open_command.become_app", lambda *_: None)
    assert main([str(folder), "--workspace", str(workspace)]) == 0
    shown = capsys.readouterr().out
    assert f"data.yaml marks objects in pictures. To see these: url-viz open {folder}/data.yaml" in shown


@pytest.mark.slow
def test_a_folder_anywhere_is_read_and_shown_meanwhile(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also outside what the app may read, and with a colon in its path; the browser is opened below a proxy's path."""
    folder, told, browser = write_folder(tmp_path / "zoo: a:b", 6), tmp_path / "told", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{told}.new" && mv "{told}.new" "{told}"\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(ROOTS_VARIABLE, str(ROOT))
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", "pictures")
    port = free_port()
    words = [str(folder), "--port", str(port), "--one-model", "--workspace", str(workspace)]
    with ending_jobs(Workspace.at(workspace)):
        server = subprocess.Popen(
            [sys.executable, "-m", "url_viz", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            eventually(told.exists)
            opened = told.read_text().strip()
            [job] = [latest_job(Workspace.at(workspace), kind=EMBED.name, set_id=re.findall(r"set=(\w+)", opened)[0])]
            assert job is not None
            assert opened.startswith(f"http://127.0.0.1:{port}/pictures/?set=")
            with urllib.request.urlopen(opened, timeout=120) as answer:
                assert answer.status == 200
            with pytest.raises(urllib.error.HTTPError, match="404"):  # by our own route: others give the page
                urllib.request.urlopen(f"http://127.0.0.1:{port}/pictures/url-viz/points/nothing", timeout=120)
            eventually(lambda: not job.status().is_live)
            assert len(open_image_set(folder, workspace=workspace)) == 6
            environment = psutil.Process(server.pid).environ()
        finally:
            server.terminate()
            said = server.communicate(timeout=120)[0].decode()
    assert f"URL-Viz is at {opened}" in said
    assert environment[ROOTS_VARIABLE] == str(ROOT)
    with pytest.raises(NotAllowedError):
        allowed(folder)
    monkeypatch.setenv(GIVEN_VARIABLE, environment[GIVEN_VARIABLE])
    assert allowed(folder) == folder.resolve()
    monkeypatch.delenv(GIVEN_VARIABLE)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace))
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    assert allowed(folder) == folder.resolve(), "the next one, too"
