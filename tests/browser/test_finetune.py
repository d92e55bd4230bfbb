"""Adapt to the demo pictures in a real browser, with a real job: from the button to what changed."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.fixtures import OpenPage, Serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LONG_MS = 150_000


def test_a_head_is_adapted_used_and_compared(
    serve: Serve, open_page: OpenPage, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("adapt")
    (home / "workspace").mkdir()
    shutil.copytree(prepared / "models", home / "workspace" / "models")
    variables = {"URL_VIZ_HOME": str(home / "workspace"), "URL_VIZ_ROOTS": str(home), "HOME": str(home)}
    page = open_page(serve(ROOT / "app.py", environment=variables))
    page.get_by_role("button", name="Try the demo pictures").click()
    expect(page.get_by_text("Most ambiguous")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=LONG_MS)

    page.get_by_role("link", name="Adapt and finetune").click()
    page.get_by_role("button", name="Adapt to these pictures").click()
    use = page.get_by_role("button", name="Use this head")
    expect(use).to_be_visible(timeout=LONG_MS)
    use.click()
    expect(page.get_by_text("What changed")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text("This head is in use.")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text("More ambiguous now")).to_be_visible()

    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_text("361 pictures · pictures-")).to_be_visible(timeout=LONG_MS)
