"""What the tests of pages share: a workspace that the app runs on, and whose jobs end with the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from url_viz.jobs import cancel_job, list_jobs
from url_viz.workspace import Workspace


@pytest.fixture
def home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The workspace of the app under test; pictures may lie anywhere in the tests' own folders."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    opened = Workspace.at(workspace)
    yield opened
    for job in list_jobs(opened):
        if job.status().is_live:
            cancel_job(job, grace_s=0.1)
