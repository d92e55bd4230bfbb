"""What the tests of pages share: a workspace that the app runs on, and whose jobs end with the test."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

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


@pytest.fixture(scope="session", autouse=True)
def _installed_components_are_looked_for_once() -> Iterator[None]:
    """Each AppTest has Streamlit read the metadata of every installed package anew, which takes .2 s."""
    with pytest.MonkeyPatch.context() as patch:
        once = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(autouse=True)
def _no_run_ends_in_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of a page, the first and after each click, shows something, and none of it is a traceback."""
    run = AppTest._run

    def checked(self: AppTest, *args: Any, **keywords: Any) -> AppTest:
        ran = run(self, *args, **keywords)
        assert not ran.exception, [one.value for one in ran.exception]
        assert any(map(_text, ran._tree)), "nothing is seen"
        return ran

    monkeypatch.setattr(AppTest, "_run", checked)


def _text(element: Any) -> object:
    """What an element says, if anything; a progress bar is none of AppTest's own kinds."""
    proto = getattr(element, "proto", None)
    return getattr(element, "value", None) or getattr(element, "label", None) or getattr(proto, "text", None)
