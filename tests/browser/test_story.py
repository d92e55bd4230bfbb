"""The story of README's first five minutes, in a real browser, on real pictures, with real jobs."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.fixtures import (
    OpenPage,
    Serve,
    assert_fits,
    choose_in_set_menu,
    eventually,
    new_home,
    serve_app,
    settled,
    still,
    unfold,
)
from tests.conftest import SECOND
from tests.imaging.pictures import noise, write_folder
from url_viz.base.workspace import Workspace
from url_viz.demo import build_demo
from url_viz.image_set import ImageSet
from url_viz.jobs import list_jobs
from url_viz.models.model import Model
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Look = tuple[list[str], list[NDArray[np.int16]]]
"""Pictures as text with their places, and the drawn canvases (H, W, 3)."""
BY_BOTH = f"by two models (also {SECOND})"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prepared: Path, second_model: Model) -> Path:
    assert second_model.name == SECOND, "which is prepared with the first"
    return new_home(tmp_path_factory.mktemp("story"), prepared)


@pytest.fixture(scope="module")
def app(serve: Serve, home: Path) -> str:
    return serve_app(serve, home)


@pytest.fixture(scope="module")
def demo(home: Path) -> ImageSet:
    """The demo set for tests that only look at it: read, so that no job draws the page anew below them."""
    workspace = Workspace.at(home / "workspace")
    return embed_folder(build_demo(workspace), workspace=workspace.root)


def wait_until_read(page: Page) -> None:
    expect(page.get_by_role("heading", name="Most ambiguous")).to_be_visible()
    expect(page.locator(".stage[data-state=ready]").first).to_be_visible()  # its legend says what is still being done
    expect(page.get_by_text("still reading")).to_have_count(0)  # the progress goes before the map is drawn anew
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    settled(page)  # the last run of the script takes the progress away first


def to_second_opinion(page: Page) -> Locator:
    """Go to where models are set; returns the switch."""
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.get_by_role("heading", name="Shipped")).to_be_visible()
    unfold(page, "Device, precision, second opinion")
    return page.get_by_text("Second opinion", exact=True)


def look_of(page: Page) -> Look:
    """The order and places of the pictures, and the map with its colours, once two looks at them are the same."""
    before: Look = ([], [])
    while True:
        still(page, quiet_ms=500)
        tiles = page.locator("button:has(img)").evaluate_all(
            "all => all.map(b => JSON.stringify([b.querySelector('img').src, b.getBoundingClientRect()]))"
        )
        shots = [io.BytesIO(canvas.screenshot()) for canvas in page.locator("canvas:visible").all()]
        now = tiles, [np.asarray(Image.open(shot).convert("RGB"), np.int16) for shot in shots]
        if is_same(now, before):
            return now
        before = now


def is_same(one: Look, other: Look) -> bool:
    """Whether two looks are the same but for what a rounded corner is smoothed by: one of 255 in a pixel."""
    shots = [*zip(one[1], other[1], strict=False)]
    return (
        one[0] == other[0]
        and len(one[1]) == len(other[1]) > 0
        and all(a.shape == b.shape and np.abs(a - b).max() <= 1 for a, b in shots)
    )


def lasso_everything_on_the_right(page: Page) -> None:
    still(page, quiet_ms=500)  # the points of the map that was just made are there
    expect(page.locator(".stage[data-state=ready][data-gliding=false]").first).to_be_visible()  # points lie still
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    corners = [(0.5, 0.02), (0.9, 0.02), (0.9, 0.98), (0.5, 0.98), (0.5, 0.02)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.keyboard.down("Shift")
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.keyboard.up("Shift")


def test_the_demo_opens_with_one_click_and_is_explored_and_no_other_machine_is_asked(
    app: str, open_page: OpenPage
) -> None:
    asked: list[str] = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app)
    expect(page.get_by_role("heading", name="Which of your pictures are ambiguous?")).to_be_visible()
    page.get_by_role("button", name="Try the demo pictures").click()
    wait_until_read(page)
    expect(page.get_by_text("500 pictures", exact=True).first).to_be_visible()
    expect_classes(page, 10)
    page.get_by_role("button", name=re.compile(r"^Order: \w+ \(\d\d of 100\)$")).click()
    expect(page.get_by_text(re.compile(r"ranks higher in \d\d of 100 cases"))).to_be_visible()
    page.keyboard.press("Escape")

    lasso_everything_on_the_right(page)
    chip = page.get_by_role("button", name="Selection")
    expect(chip).to_be_visible()
    here = page.get_by_test_id("stMainBlockContainer").get_by_text(" of 500")
    narrowed = here.filter(has_not_text="spread over the set")  # which a search that was just left said
    expect(narrowed).to_be_visible()
    shown = int(narrowed.inner_text().split()[0])
    assert 0 < shown < 500

    page.get_by_role("button", name="Find similar").click()
    expect(page.get_by_role("heading", name="Similar pictures")).to_be_visible()
    page.get_by_role("button", name="Back to the map").click()
    expect(chip).to_be_visible()
    expect(narrowed).to_have_text(f"{shown} of 500")
    expect(page).to_have_url(re.compile("lasso="))
    settled(page)
    still(page, quiet_ms=500)  # seen once, on a busy machine: the menu that is opened next was closed again

    page.get_by_role("button", name="Export").click()
    panel = page.get_by_test_id("stPopoverBody")
    panel.get_by_text("Table", exact=True).click()
    expect(panel.get_by_role("radio", name="CSV", exact=True)).to_be_visible()
    with page.expect_download() as download:
        panel.get_by_role("button", name="Export", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert len(rows) == shown
    assert {"path", "uncertainty", "confusability", "x", "y"} <= set(rows[0])
    page.keyboard.press("Escape")

    chip.click()
    expect(chip).to_have_count(0)
    expect(page.get_by_text("500 pictures", exact=True).first).to_be_visible()
    settled(page)

    page.get_by_role("button", name=re.compile(r"\bView\b")).click()  # not "Review"
    page.get_by_role("combobox", name="Size by").click()
    page.get_by_role("option", name="Order", exact=True).click()
    expect(page).to_have_url(re.compile("size=value"))
    expect(page.get_by_role("switch", name="Show copies and views as one")).to_be_checked()  # as before
    strangers = [url for url in asked if not url.startswith((app, "data:", "blob:", app.replace("http", "ws")))]
    assert strangers == []


def test_the_most_ambiguous_asks_between_which_two_and_leads_on(app: str, open_page: OpenPage, demo: ImageSet) -> None:
    page = open_page(f"{app}/?set={demo.set_id}")
    wait_until_read(page)
    question = page.locator(".question:visible").first.get_attribute("title") or ""
    first, second = question.removesuffix("?").split(" or ")
    page.locator("button:has(img)").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=re.compile(rf"^{re.escape(question)} Labelled \d$"))).to_be_visible()
    for name in (first, second):
        expect(dialog.get_by_text(re.compile(rf"^{re.escape(name)}( · its label)?$")).first).to_be_visible()
    look_through(page)


def expect_counted(page: Page, count: int) -> None:
    """Explore says so many pictures, and one file that could not be read."""
    expect(page.get_by_role("button", name=f"{count} pictures", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="1 unreadable")).to_be_visible()


def expect_classes(page: Page, count: int) -> None:
    """The filters say what was taken as classes."""
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_test_id("stPopoverBody").get_by_text(f"{count} classes", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def expect_by_both(page: Page, *, is_so: bool = True) -> None:
    """What is said of the order names both models, or does not."""
    settled(page)
    page.get_by_role("button", name="Why this order?").click()
    said = page.get_by_test_id("stPopoverBody").get_by_text(BY_BOTH)
    expect(said).to_have_count(1 if is_so else 0)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def look_through(page: Page) -> None:
    """An open picture leads on by keys and by its neighbours, and is decided on by a key."""
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Nearest pictures")).to_be_visible()
    path = dialog.locator(".path h3")
    picture = dialog.get_by_alt_text("The picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth }") > 100
    first = path.inner_text()
    expect(page).to_have_url(re.compile("picture="))
    page.keyboard.press("ArrowRight")
    expect(path).not_to_have_text(first)
    settled(page)  # the buttons are drawn after the name
    second = path.inner_text()
    dialog.get_by_text("Show which parts matter").click()
    expect(dialog.get_by_role("switch")).to_be_focused()  # which takes no letter
    page.keyboard.press("d")
    dropped = dialog.get_by_role("button", name="Drop").first
    expect(dropped).to_have_attribute("data-testid", "stBaseButton-primary")
    page.keyboard.press("d")
    expect(dropped).to_have_attribute("data-testid", "stBaseButton-secondary")
    page.keyboard.press("d")
    expect(dropped).to_have_attribute("data-testid", "stBaseButton-primary")
    page.keyboard.press("ArrowLeft")
    expect(path).to_have_text(first)
    settled(page)
    page.keyboard.press("Control+z")
    expect(page.get_by_text(f"Undone: dropped {second}")).to_be_visible()
    expect(path).to_have_text(second)
    expect(dropped).to_have_attribute("data-testid", "stBaseButton-secondary")
    settled(page)
    page.keyboard.press("ArrowLeft")
    expect(path).to_have_text(first)
    settled(page)  # below the name there are the neighbours of the picture before, until all is drawn
    dialog.locator("button:has(img)").first.click()
    expect(path).not_to_have_text(first)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("picture="))


def test_what_is_chosen_stays_so_while_another_page_is_looked_at(app: str, open_page: OpenPage, demo: ImageSet) -> None:
    page = open_page(f"{app}/?set={demo.set_id}")
    wait_until_read(page)
    tiles = page.locator("button:has(img)")
    for place in (0, 2):
        tiles.nth(place).click(modifiers=["Control"])
    expect(page.get_by_role("button", name="Review these 2")).to_be_visible()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    chosen = page.get_by_role("button", name="2 selected")
    expect(chosen).to_be_visible()
    expect(page.get_by_role("button", name="Review these 2")).to_be_visible()
    chosen.click()
    expect(page.get_by_role("button", name="Review these")).to_have_count(0)
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_role("heading", name="Most ambiguous")).to_be_visible()
    settled(page)
    expect(chosen).to_have_count(0)
    assert_fits(page)


def take_truer_order(page: Page, before: Look) -> None:
    """Take the order that another page made, which changes nothing until it is clicked."""
    truer = page.get_by_role("button", name="Truer order ready")
    page.get_by_role("button", name="View", exact=True).click()
    for _ in range(2):  # any click has the page look
        page.get_by_text("Show copies and views as one").click()
        settled(page)
    expect(truer).to_be_visible()
    page.keyboard.press("Escape")
    settled(page)
    page.mouse.move(0, 0)
    eventually(lambda: is_same(look_of(page), before))
    expect_by_both(page, is_so=False)
    truer.click()
    expect_by_both(page)
    expect(truer).to_have_count(0)


def test_a_folder_is_typed_read_grown_and_read_again(app: str, open_page: OpenPage, home: Path) -> None:
    folder = write_folder(home / "photos", 10, classes=("cat", "dog"))
    (folder / "cat" / "broken.jpg").write_bytes(b"<html></html>")
    noise(77).save(folder / "dog" / "<img src=x onerror=document.title='owned'>.jpg")
    page = open_page(app)
    choose_in_set_menu(page, "Open a folder")
    field = page.get_by_role("dialog").get_by_role("textbox", name="Folder of pictures")
    field.fill(str(folder))
    field.press("Enter")
    page.get_by_role("button", name="Read this folder").click()
    wait_until_read(page)
    expect_counted(page, 11)
    expect_classes(page, 2)
    assert page.title() == "URL-Viz"

    open_meanwhile = open_page(page.url)
    wait_until_read(open_meanwhile)
    before = look_of(open_meanwhile)
    to_second_opinion(page)
    page.get_by_role("button", name="Ask EfficientNet-Lite2").click()
    expect(page.get_by_text(f"has one, by {SECOND}")).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    expect_by_both(page)  # who comes back takes it

    take_truer_order(open_meanwhile, before)

    to_second_opinion(page).click()
    expect(page.get_by_text("has one, by")).to_have_count(0)
    page.get_by_role("link", name="Explore").click()
    wait_until_read(page)
    expect_by_both(page, is_so=False)
    to_second_opinion(page).click()
    expect(page.get_by_text("has one, by")).to_be_visible()
    page.get_by_role("link", name="Explore").click()
    expect_by_both(page)
    wait_until_read(page)

    write_folder(folder / "bird", 3, start=100)
    choose_in_set_menu(page, "Look for new pictures")
    expect_counted(page, 14)
    wait_until_read(page)
    page.reload()  # a new visit
    expect_by_both(page)
    expect_classes(page, 3)
    jobs = [job for job in list_jobs(Workspace.at(home / "workspace")) if job.about.get("folder") == str(folder)]
    last = (jobs[0].paths.progress).read_text()
    assert '"stage": "read", "done": 3, "total": 3' in last

    again = open_page(page.url)
    expect_counted(again, 14)


def test_a_head_is_adapted_used_and_compared(app: str, open_page: OpenPage, home: Path) -> None:
    """From the button over a real job to what changed."""
    few = embed_folder(write_folder(home / "few", 40, classes=("cat", "dog")), workspace=home / "workspace")
    page = open_page(f"{app}/?set={few.set_id}")
    wait_until_read(page)

    page.get_by_role("link", name="Model", exact=True).click()
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Adapt to these pictures").click()
    use = page.get_by_role("button", name="Use this head")
    expect(use).to_be_visible()
    use.click()
    expect(page.get_by_text("What changed")).to_be_visible()
    expect(page.get_by_text("This head is in use.")).to_be_visible()
    settled(page)
    page.get_by_role("tab", name="Does the order hold").click()
    expect(page.get_by_role("combobox", name="Compare with another model")).to_have_value(re.compile("lite0"))

    page.get_by_role("link", name="Explore").click()
    page.get_by_role("button", name="Folder and model").click()
    expect(page.get_by_role("radio", name=re.compile("few-"))).to_be_checked()
