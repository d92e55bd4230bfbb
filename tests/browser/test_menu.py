"""Tabs of a page in a real browser: they stand in the address, Back returns to them, and a menu closes once used."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, choose_in_set_menu, settled
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
    page = open_page(f"{app}/settings?set={zoo.set_id}&tab=Jobs")
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
