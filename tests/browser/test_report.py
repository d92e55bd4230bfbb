"""The report in a real browser, from a file: nothing runs but its own script, nothing is asked for, a hover answers."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_components import drag_around
from tests.export.sets import hostile_set
from url_viz.export.report import write_report
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.store.tables.tables import UMAP, Coordinates
from url_viz.store.tables.writer import Writer

LEFT_HALF = ((0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98))
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model) -> ImageSet:
    return in_columns(hostile_set(tmp_path_factory.mktemp("report"), model, prepared))


def in_columns(image_set: ImageSet) -> ImageSet:
    """The set with a map in six columns: what lies left of the middle hangs on no processor."""
    contents = np.unique(image_set.core.contents)
    xy = np.stack(np.divmod(np.arange(len(contents)), 6)[::-1], axis=1).astype(np.float32)
    with Writer(image_set.core.store.paths, image_set.root) as writer:
        method = np.full(len(contents), UMAP, np.int8)
        writer.put_coordinates(image_set.space.key, Coordinates(contents, xy, method))
    return open_image_set(image_set.root, model=image_set.source.name, workspace=image_set.workspace.root)


@pytest.fixture(scope="module")
def report(hostile: ImageSet) -> Path:
    return write_report(hostile, hostile.root.parent / "report.html", title="A & B <b>c</b>", is_live=False)


@pytest.fixture(scope="module")
def live(hostile: ImageSet) -> Path:
    return write_report(hostile, hostile.root.parent / "live.html")


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
    assert layers == ["Easily mistaken", "General model", "Class"], "the leading order first"
    page.locator("section.map label", has_text="General model").click()
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


def test_the_live_one_is_lassoed_and_filtered_without_a_server(
    chromium: Browser, live: Path, hostile: ImageSet
) -> None:
    asked: list[str] = []
    page = opened(chromium, live, asked)
    table, count = hostile.table(), page.locator(".filters output")
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    assert page.locator(".still").count() > 2
    expect(page.locator(".still:visible")).to_have_count(0)  # each picture is there once
    expect(count).to_have_text(f"{len(table)} of {len(table)}")
    first = table.sort_values("confusability", ascending=False)["path"].iloc[0]
    expect(page.locator(".pane").first.locator(".tile").first).to_have_attribute(
        "aria-label", re.compile(re.escape(first[:20]))
    )
    assert page.locator(".choices:visible").count() == 0, "nobody decides on a report"

    page.locator("#live-class").select_option("dog")
    dogs = int((table["label"] == "dog").sum())
    expect(count).to_have_text(f"{dogs} of {len(table)}")
    expect(page.locator(".stage")).to_have_attribute("data-kept", str(dogs))
    page.locator("#live-words").fill("COPY.jpg")
    expect(count).to_have_text(f"1 of {len(table)}")
    page.locator("#live-words").fill("")
    page.locator("#live-class").select_option("")
    expect(count).to_have_text(f"{len(table)} of {len(table)}")

    stage = page.locator(".stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in LEFT_HALF]
    page.keyboard.down("Shift")
    drag_around(page, corners)
    page.keyboard.up("Shift")
    within = int((table["x"] < 2.5).sum())  # the middle of the stage is that of the map
    expect(count).to_have_text(f"{within} of {len(table)}")
    expect(page.locator(".pane").first.locator(".title")).to_contain_text(f"{within}")
    assert [url for url in asked if not url.startswith("data:")] == [live.as_uri()]
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert page.evaluate("document.title") != "taken"


def test_fits_a_phone_and_without_scripts_the_drawing_stays(chromium: Browser, live: Path) -> None:
    page = chromium.new_context(viewport={"width": 420, "height": 900}, color_scheme="dark").new_page()
    page.goto(live.as_uri())
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    still = chromium.new_context(java_script_enabled=False).new_page()
    still.goto(live.as_uri())
    expect(still.locator("#map")).to_be_visible()
    expect(still.locator("#live")).to_be_hidden()
    expect(still.locator(".two .tiles").first).to_be_visible()
