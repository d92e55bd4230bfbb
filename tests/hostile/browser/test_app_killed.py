"""The app is killed while a job that a page started runs: the job goes on, and the next app shows it all."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.fixtures import ROOT, await_health, eventually, free_port
from url_viz.base.workspace import Workspace
from url_viz.image_set import open_set
from url_viz.jobs import Job, cancel_job, list_jobs
from url_viz.models.model_names import DEFAULT

pytestmark = [pytest.mark.browser, pytest.mark.torture]
PICTURES = 500
"""Pictures in the demo image set."""


@contextmanager
def app(workspace: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The app as a shell starts it, in a process group of its own: its address, and its process."""
    port = free_port()
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    words = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    variables = {**os.environ, "URL_VIZ_HOME": str(workspace)}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            words, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            await_health(f"http://127.0.0.1:{port}/_stcore/health", process, log)
            yield f"http://127.0.0.1:{port}", process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=120)


@pytest.fixture
def ending_jobs(workspace: Path) -> Iterator[None]:
    """Whatever the test came to, no job outlives it."""
    yield
    for job in list_jobs(Workspace.at(workspace)):
        if job.status().is_live:
            cancel_job(job, grace_s=1)


@pytest.mark.usefixtures("ending_jobs")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_job_outlives_the_app_that_started_it(chromium: Browser, workspace: Path, how: signal.Signals) -> None:
    home = Workspace.at(workspace)

    def job() -> Job | None:
        return next(iter(list_jobs(home)), None)

    def is_running() -> bool:
        found = job()
        return found is not None and found.state == "running"

    with app(workspace) as (address, process):
        page = chromium.new_page()
        page.goto(address)
        page.get_by_role("button", name="Try the demo pictures").click()
        eventually(is_running)
        os.killpg(process.pid, how)  # as Ctrl-C does: the server and all that it started in its group
        process.wait(timeout=120)
        page.close()
    started = job()
    assert started is not None
    assert started.status().is_live, "the job went with the app"
    eventually(lambda: not started.status().is_live)
    assert started.state == "succeeded"
    set_id = started.about["set_id"]
    table = open_set(set_id, model=DEFAULT, workspace=home).table()
    assert (len(table), table["id"].nunique()) == (PICTURES, PICTURES)
    with app(workspace) as (address, _):
        page = chromium.new_page()
        page.goto(f"{address}/?set={set_id}")
        expect(page.get_by_text(f"{PICTURES} pictures", exact=False).first).to_be_visible()
        page.close()
