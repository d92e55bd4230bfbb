"""The first page in a browser: folders told before they are read, sets opened and left, jobs seen from everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, settled
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, cancel_job, start_job
from url_viz.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OTHER_PAGES = (
    *("Explore", "Review", "Sort uploads", "Search safely", "Check labels", "Adapt and finetune"),
    *("Evaluate", "Compare models", "Models", "Image sets", "Jobs"),
)


def typed(page: Page, path: Path | str) -> None:
    field = page.get_by_role("textbox", name="Folder of pictures").last
    field.fill(str(path))
    field.press("Enter")


def test_what_is_wrong_with_a_path_is_said_before_anything_is_read(app: str, open_page: OpenPage, home: Path) -> None:
    (home / "notes.txt").write_text("words")
    page = open_page(app)
    read = page.get_by_role("button", name="Read this folder")
    for path, why in ((home / "none", "does not exist"), (home / "notes.txt", "is a file, not a folder")):
        typed(page, path)
        expect(page.get_by_text(re.compile(rf"{path.name}.*{why}"))).to_be_visible()
        expect(read).to_be_disabled()
    typed(page, write_folder(home / "typed", 6, classes=("cat", "dog")))
    expect(page.get_by_text("6 pictures in 2 folders: 2 classes (cat, dog)")).to_be_visible()
    expect(read).to_be_enabled()


def test_a_folder_of_which_nothing_can_be_read_leaves_no_trace(app: str, open_page: OpenPage, home: Path) -> None:
    (home / "broken").mkdir()
    (home / "broken" / "a.jpg").write_bytes(b"<html>404</html>")
    page = open_page(app)
    typed(page, home / "broken")
    expect(page.get_by_text("1 picture, no class folders")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Read this folder").click()
    expect(page.get_by_text("None of the 1 files").first).to_be_visible()
    expect(page.get_by_role("heading", name="Which of your pictures")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("broken")).to_have_count(0)
    expect(page.get_by_text("not in this workspace")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("set="))
    settled(page)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("None of the 1 files")).to_have_count(0)
    page.get_by_role("link", name="Image sets").click()
    expect(page.get_by_role("heading", name="Image sets")).to_be_visible()
    expect(page.get_by_text("broken")).to_have_count(0)


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
    card.get_by_role("button", name="Open").click()
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
