"""The first page in a browser: a set is opened and left again, and jobs are seen from everywhere."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, Serve, choose_in_set_menu, serve_app, settled
from tests.imaging.pictures import write_folder
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, cancel_job, start_job
from url_viz.store.allowed_folders import allowed_folders
from url_viz.ui.auth import others_have_accounts

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


@pytest.mark.skipif(others_have_accounts(), reason="the address of an app that is one person's holds a secret then")
def test_a_file_elsewhere_is_allowed_by_itself_and_never_what_holds_everything(
    serve: Serve, open_page: OpenPage, home: Path, tmp_path: Path
) -> None:
    pictures, archive = write_folder(tmp_path / "pictures", 3), tmp_path / "all.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(pictures, "pictures")
    page = open_page(serve_app(serve, home, URL_VIZ_TOKEN="auto"))
    choose_in_set_menu(page, "Open a folder")
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_role("textbox", name="Folder of pictures")
    allow = dialog.get_by_role("button", name=re.compile("^Allow this"))
    for typed, why in ((str(tmp_path / "typo.tar"), "does not exist"), ("/", "holds the folders of all users")):
        field.fill(typed)
        field.press("Enter")
        expect(dialog.get_by_role("alert").filter(has_text=why)).to_be_visible()
        expect(allow).to_have_count(0)
    field.fill(str(archive))
    field.press("Enter")
    expect(dialog.get_by_text(f"{archive} is outside the folders")).to_be_visible()
    settled(page)
    allow.click()
    expect(dialog.get_by_text("tar archive")).to_be_visible()
    assert allowed_folders(Workspace.at(home / "workspace")) == (archive,)
    field.fill(str(pictures))
    field.press("Enter")
    expect(dialog.get_by_role("button", name="Allow this folder")).to_be_visible()
