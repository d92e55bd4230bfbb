"""The first page in a browser: a set is opened and left again, and jobs are seen from everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, settled
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, cancel_job, start_job
from url_viz.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OTHER_PAGES = ("Search", "Models", "Jobs")
"""What stands beside them stands beside all; tests/ui goes through all pages with a set."""


@pytest.fixture
def sleeping(home: Path) -> Iterator[Job]:
    workspace = Workspace.at(home / "workspace")
    command = ["-c", "import time; time.sleep(600)"]
    job = start_job(command, kind="x", title="Count sheep", workspace=workspace, queue=None)
    yield job
    if job.status().is_live:
        cancel_job(job, grace_s=0.2)


def test_a_set_is_opened_kept_on_every_page_and_left_again_and_a_job_is_seen_from_all(
    app: str, open_page: OpenPage, zoo: ImageSet, sleeping: Job
) -> None:
    page = open_page(app)
    card = page.get_by_test_id("stVerticalBlock").filter(has_text="40 pictures · 2 classes").last
    settled(page)
    card.click(position={"x": 4, "y": 4})  # anywhere on it
    expect(page).to_have_url(re.compile(f"set={zoo.set_id}"))
    expect(page.get_by_text("Most ambiguous").first).to_be_visible()
    for name in OTHER_PAGES:
        settled(page)
        link = page.get_by_role("link", name=name, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        expect(page).to_have_url(re.compile(f"set={zoo.set_id}"))
        expect(page.get_by_test_id("stSidebar").get_by_text("Count sheep")).to_be_visible()
        expect(page.get_by_role("combobox", name="Image set")).to_have_value(f"{zoo.root.parent.name}/zoo")
    settled(page)
    page.get_by_role("button", name="Start page").click()
    expect(page.get_by_role("heading", name="Which of your pictures")).to_be_visible()
    expect(page).not_to_have_url(re.compile("set="))
