"""Redraw the pictures of the documentation: `python -m tests.browser.screenshots FOLDER`, from the demo set."""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.fixtures import CHROMIUM_ARGUMENTS, CHROMIUM_NAMES, running_app, settled

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 300_000


def main(folder: Path) -> None:
    """Write explore-light.png and explore-dark.png into `folder`."""
    import shutil

    folder.mkdir(parents=True, exist_ok=True)
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(ROOT / "app.py", (), {"URL_VIZ_HOME": os.path.join(home, "workspace")}) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        for scheme in ("light", "dark"):
            _explore(browser, url, scheme, folder / f"explore-{scheme}.png")
        browser.close()


def _explore(browser: Browser, url: str, scheme: str, path: Path) -> None:
    context = browser.new_context(
        viewport={"width": 1500, "height": 940}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Try the demo pictures").wait_for()
    settled(page)
    page.get_by_role("button", name="Try the demo pictures").click()
    expect(page.locator(".pane").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator(".pane .tile img").nth(8)).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
