"""The report in a real browser, from a file: nothing runs but its own script, nothing is asked for, a hover answers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.export.sets import hostile_set
from url_viz.export.report import write_report
from url_viz.image_set import ImageSet
from url_viz.models.model import Model

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model) -> ImageSet:
    return hostile_set(tmp_path_factory.mktemp("report"), model, prepared)


@pytest.fixture(scope="module")
def report(hostile: ImageSet) -> Path:
    return write_report(hostile, hostile.root.parent / "report.html", title="A & B <b>c</b>")


def opened(chromium: Browser, report: Path, asked: list[str]) -> Page:
    page = chromium.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.on("dialog", lambda dialog: asked.append(f"dialog: {dialog.message}"))
    page.goto(report.as_uri())
    return page


def test_nothing_runs_nothing_is_asked_for_and_a_hover_answers(chromium: Browser, report: Path) -> None:
    asked: list[str] = []
    page = opened(chromium, report, asked)
    expect(page).to_have_title("A & B <b>c</b> · URL-Viz report")
    assert page.locator("h1").inner_text() == "A & B <b>c</b>"
    layers = page.locator("section.map label").all_inner_texts()
    assert layers == ["Confusability", "Pretrained head", "Class"], "the leading order first"
    page.locator("section.map label", has_text="Pretrained head").click()
    expect(page.locator("svg .layer1")).to_be_visible()
    expect(page.locator("svg .layer0")).to_be_hidden()
    dot = re.search(r"M(\d+) (\d+)h0", page.locator("svg .layer1 path").first.get_attribute("d") or "")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    assert dot is not None
    assert box is not None
    scale = box["width"] / 1000
    page.mouse.move(box["x"] + int(dot[1]) * scale + 1, box["y"] + int(dot[2]) * scale + 1)
    expect(page.locator("#card")).to_be_visible()
    expect(page.locator("#card img")).to_be_visible()
    expect(page.locator("#card small")).to_contain_text("percentile")
    page.wait_for_timeout(200)
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_another_script_would_not_run(chromium: Browser, report: Path, tmp_path: Path) -> None:
    page_text = report.read_text("utf-8")
    broken = tmp_path / "injected.html"
    broken.write_text(
        page_text.replace("<main>", "<main><img src=x onerror=\"document.title='taken'\"><script>alert(1)</script>"),
        "utf-8",
    )
    asked: list[str] = []
    page = opened(chromium, broken, asked)
    page.wait_for_timeout(200)
    assert page.title() != "taken"
    assert not any(line.startswith("dialog") for line in asked)
    assert any("Content Security Policy" in line for line in asked)


def test_it_fits_a_narrow_window_follows_the_scheme_and_prints_dark_on_white(chromium: Browser, report: Path) -> None:
    page, background = opened(chromium, report, []), "getComputedStyle(document.body).backgroundColor"
    page.set_viewport_size({"width": 420, "height": 900})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        is_dark = max(map(int, re.findall(r"\d+", page.evaluate(background))[:3])) < 60
        assert is_dark == (scheme == "dark")
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert max(map(int, re.findall(r"\d+", ink))) < 80
    assert page.pdf().startswith(b"%PDF")
