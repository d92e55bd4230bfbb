"""The app is killed while a job that a page started runs: the job goes on, and the next app shows it all."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.fixtures import eventually
from tests.hostile.started import started
from url_viz.base.workspace import Workspace
from url_viz.image_set import open_set
from url_viz.jobs import Job, cancel_job, list_jobs
from url_viz.models.model_names import DEFAULT

pytestmark = [pytest.mark.browser, pytest.mark.torture]
PICTURES = 500
"""Pictures in the demo image set."""


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

    environment = {"URL_VIZ_HOME": str(workspace)}
    with started(workspace.parent, environment=environment) as app:
        page = chromium.new_page()
        page.goto(f"http://{app.address}")
        page.get_by_role("button", name="Try the demo pictures").click()
        eventually(is_running)
        os.killpg(app.process.pid, how)  # as Ctrl-C does: the server and all that it started in its group
        app.process.wait(timeout=120)
        page.close()
    begun = job()
    assert begun is not None
    assert begun.status().is_live, "the job went with the app"
    eventually(lambda: not begun.status().is_live)
    assert begun.state == "succeeded"
    set_id = begun.about["set_id"]
    table = open_set(set_id, model=DEFAULT, workspace=home).table()
    assert (len(table), table["id"].nunique()) == (PICTURES, PICTURES)
    with started(workspace.parent, environment=environment) as app:
        page = chromium.new_page()
        page.goto(f"http://{app.address}/?set={set_id}")
        expect(page.get_by_text(f"{PICTURES} pictures", exact=False).first).to_be_visible()
        page.close()
