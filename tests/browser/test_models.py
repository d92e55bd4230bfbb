"""The models of the settings in a real browser: cards within the window, one opened, another model chosen."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, assert_fits, settled
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_models_are_looked_at_and_one_is_chosen(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/settings?tab=Models&set={zoo.set_id}")
    expect(page.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("Checkpoints in this folder")).to_be_visible()
    assert_fits(page)

    page.get_by_role("button", name="Model card").first.click()
    card = page.get_by_role("dialog")
    expect(card.get_by_role("heading", name="Uncertainty head for tf_efficientnet_lite0")).to_be_visible()
    card.get_by_role("button", name="Close").click()

    settled(page)
    page.get_by_role("button", name="Use this model").first.click()
    expect(page).to_have_url(re.compile("model=tf_efficientnet_lite"))
    page.set_viewport_size({"width": 1400, "height": 900})
    page.get_by_role("button", name="Folder and model").click()
    page.get_by_test_id("stPopoverBody").get_by_text("tf_efficientnet_lite0").click()
    expect(page).not_to_have_url(re.compile("model="))
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
