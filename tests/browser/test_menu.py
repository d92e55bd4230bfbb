"""The menu in a real browser: a set is opened and left, jobs are seen from everywhere, tabs stand in the address."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, choose_in_set_menu, settled
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, cancel_job, start_job

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OTHER_PAGES = ("New pictures", "Settings")
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
    page.get_by_role("button", name="Count sheep").click()
    expect(page.get_by_role("tab", name="Jobs")).to_have_attribute("aria-selected", "true")
    choose_in_set_menu(page, "Start page")
    expect(page.get_by_role("heading", name="Which of your pictures")).to_be_visible()
    expect(page).not_to_have_url(re.compile("set="))


def expect_tab(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    settled(page)


def test_a_tab_comes_back_by_link_back_and_menu(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/settings?set={zoo.set_id}&tab=Jobs")
    expect_tab(page, "Jobs")
    page.get_by_role("tab", name="Image sets").click()
    expect(page).to_have_url(re.compile(r"tab=Image(\+|%20)sets"))
    expect(page.get_by_text("Nothing here changes your pictures.")).to_be_visible()
    settled(page)
    page.go_back()
    expect_tab(page, "Jobs")
    page.reload()
    expect_tab(page, "Jobs")
    page.get_by_role("link", name="New pictures", exact=True).click()
    expect(page).to_have_url(re.compile("/upload"))
    settled(page)
    expect(page).not_to_have_url(re.compile("tab="))
    page.get_by_role("link", name="Settings", exact=True).click()
    expect_tab(page, "Jobs")


def test_the_menu_of_the_set_closes_once_something_is_chosen_in_it(
    app: str, zoo: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/settings?set={zoo.set_id}&model=tf_efficientnet_lite2&tab=Jobs")
    settled(page)
    page.get_by_role("button", name="Folder and model").click()
    page.get_by_test_id("stPopoverBody").get_by_text("tf_efficientnet_lite0").click()
    expect(page).not_to_have_url(re.compile("model="))
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    choose_in_set_menu(page, "All models")
    expect_tab(page, "Models")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    choose_in_set_menu(page, "Open a folder")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def test_back_from_a_review_leads_at_once_to_the_page_before(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}&by=entropy")
    settled(page)
    page.get_by_role("button", name="Review these").click()
    expect(page).to_have_url(re.compile("/review"))
    settled(page)
    page.go_back()
    settled(page)
    expect(page).not_to_have_url(re.compile("review"))
    expect(page.get_by_test_id("stMain").get_by_role("button", name="Export")).to_be_visible()
