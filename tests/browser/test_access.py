"""Access: axe-core finds nothing on any page, dialog or state, light or dark, wide or narrow; headings are in order.

Nothing is cut or faint, what changes is said, and Tab shows where it is, soon at the pictures.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.fixtures import FITS, OpenPage, choose_in_set_menu, settled, still, unfold
from tests.imaging.pictures import write_folder
from tests.ui.pages import LONG
from url_viz.image_set import ImageSet
from url_viz.jobs import cancel_job, start_job
from url_viz.jobs.kinds import about_set
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.widgets.embed_job import KIND

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = 5
DIALOGS = {"Pick pictures": "Export", "Add columns": "Filter"}
"""The dialogs of Explore, with the popovers that lead to them."""
POPOVERS = ("Folder and model", "Export", "Filter", "View")
MOST_STOPS = 36
"""Of these 15 are of Streamlit: its buttons of help, the collapsing of the sidebar, the scrolled page."""
WORST = ("serious", "critical", "moderate")
OF_WIDTH = ("target-size", "aria-hidden-focus", "button-name", "nested-interactive")
"""What hangs on the width of the window; that Streamlit's blocks of code scroll without the focus is its own."""
OF_COLOURS = ("link-in-text-block",)
"""What else hangs on colours; the contrast of text SEEN measures in the dark, too, for a twentieth of axe's work."""
SIDEBAR, MENU = "[data-testid=stSidebar]", "[data-testid=stSidebarNavItems]"
"""The sidebar is the same on all pages. Groups of its menu are no items of its list: Streamlit's own markup."""
SHORTENED = f"{SIDEBAR}, .cell, [data-testid=stFileUploader]"
"""Names of pictures are whole in the title of their tiles; what files are taken is Streamlit's."""
UNUSABLE = (
    "[disabled], [aria-disabled=true], [aria-hidden=true], label:has(input:disabled), [data-testid=stSliderThumbValue]"
)
FADE_MS = 300
"""How long colours of Streamlit's buttons fade into those of the other scheme, which changes nothing of the page."""
AXE = Axe()
SEEN = f"""(isWhole) => {{
    const [levels, cut, faint] = [[], [], []];
    const parse = (css) => {{
        const parts = css.match(/[\\d.]+/g)?.map(Number);
        const scale = css.startsWith("color(") ? 255 : 1;
        return parts && [...parts.slice(0, 3).map((part) => scale * part), parts[3] ?? 1];
    }};
    const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
    const linear = (part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
    const words = (element) => element.textContent.trim().slice(0, 60);
    const look = (element, page, opacity) => {{
        const style = getComputedStyle(element);
        if (style.display === "none" || (!isWhole && element.matches("{SIDEBAR}"))) return;
        const ground = parse(style.backgroundColor);
        if (ground?.[3] > 0) page = over(ground, page);
        opacity *= Number(style.opacity);
        const isSeen = style.visibility === "visible" && opacity > 0;
        if (isSeen && /^H[1-6]$/.test(element.tagName)) levels.push(Number(element.tagName[1]));
        const isSilent = style.textOverflow === "ellipsis" || style.scrollbarWidth === "none";
        const isWide = element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1;
        if (isSeen && isSilent && style.overflowX !== "visible" && isWide && !element.closest("{SHORTENED}"))
            cut.push(`cut: ${{element.tagName}} ${{words(element)}}`);
        const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const ink = isText && parse(element instanceof SVGElement ? style.fill : style.color);
        if (isSeen && ink && !element.closest("{UNUSABLE}")) {{
            const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], page)), light(page)];
            const ratio = Math.max(a, b) / Math.min(a, b);
            if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5))
                faint.push(`faint, ${{ratio.toFixed(2)}}: ${{element.tagName}} ${{words(element)}}`);
        }}
        for (const child of [...(element.shadowRoot?.children ?? []), ...element.children]) look(child, page, opacity);
    }};
    look(document.body, [255, 255, 255], 1);
    return {{ levels, cut, faint }};
}}"""
"""The levels of the headings; what is cut without a sign; text too faint on its page, opacity counted.

Axe gives up on what lies over drawings.
"""
HEARING = """() => {
    window.heard = [];
    const note = (changes) => {
        for (const { addedNodes } of changes) for (const added of addedNodes) heard.push(added.textContent);
    };
    new MutationObserver(note).observe(document.getElementById("url-viz-announced"), { childList: true });
}"""
FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    const style = getComputedStyle(at);
    const around = at.closest(".react-aria-ComboBox, [data-baseweb]")?.firstElementChild;
    const isSeen = (element) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
    };
    const name = at.getAttribute("aria-label") || at.textContent.trim() || at.tagName;
    return { name, at: at.className.toString(), isSeen: isSeen(at) || (around ? isSeen(around) : false) };
}"""

Faults = dict[tuple[str, str], list[str]]


def problems(
    page: Page, within: str | None = None, *, without: tuple[str, ...] = (SIDEBAR,), **options: Any
) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.axe_script)
    context: dict[str, list[list[str]]] = {"exclude": [[one] for one in without]}
    if within is not None:
        context = {"include": [[within]]}
    found = page.evaluate(
        "([context, options]) => axe.run(context, options)", [context, {"resultTypes": ["violations"], **options}]
    )
    return [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in WORST
        for node in violation["nodes"]
    ]


def jumps(levels: list[int]) -> list[str]:
    """What is wrong with the levels of a page's headings: one is of the first, and none skips a level."""
    is_right = levels.count(1) == 1 and all(level <= before + 1 for before, level in pairwise([0, *levels]))
    return [] if is_right else [f"headings of levels {levels}"]


def look(page: Page, where: str, faults: Faults, within: str | None = None, **how: Any) -> None:
    """Look for faults in what is open: all of them once, then those that hang on the width, and on the colours."""
    drawn(page)
    is_whole = SIDEBAR not in how.get("without", (SIDEBAR,))
    seen = page.evaluate(SEEN, is_whole)
    faults[where, "light"] = problems(page, within, **how) + jumps(seen["levels"]) + seen["cut"] + seen["faint"]
    page.set_viewport_size({"width": 420, "height": 900})
    drawn(page)
    sticks_out = [] if page.get_by_test_id("stMain").evaluate(FITS) else ["sticks out of the window"]
    faults[where, "420"] = problems(page, within, runOnly=OF_WIDTH) + page.evaluate(SEEN)["cut"] + sticks_out
    page.set_viewport_size({"width": 1400, "height": 900})
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark")
    drawn(page)
    page.wait_for_timeout(FADE_MS)
    faint = faint_for_good(page, is_whole)
    faults[where, "dark"] = ([] if within else problems(page, runOnly=OF_COLOURS)) + faint
    page.emulate_media(color_scheme="light")


def faint_for_good(page: Page, is_whole: bool) -> list[str]:
    """What is faint though it had seconds to take its colour: on a busy machine colours fade for longer."""
    for _ in range(10):
        if not (faint := page.evaluate(SEEN, is_whole)["faint"]):
            break
        page.wait_for_timeout(FADE_MS)
    return list(faint)


def drawn(page: Page) -> None:
    settled(page)
    expect(page.locator("[data-stale=true]")).to_have_count(0)  # what is drawn again is faint meanwhile
    still(page, quiet_ms=300)


def assert_none(faults: Faults) -> None:
    found = [f"{where}, {how}: {one}" for (where, how), all_of in faults.items() for one in all_of]
    assert not found, "\n".join(found)


@contextmanager
def being_read(zoo: ImageSet) -> Iterator[str]:
    """The address of a set of which nothing has been read yet."""
    about = about_set(Path("/photos"), "0" * 16, model=zoo.source.name, name="photos")
    job = start_job(LONG, kind=KIND, title="Read photos", workspace=zoo.workspace, about=about)
    try:
        yield f"?set={'0' * 16}"
    finally:
        cancel_job(job)


@pytest.fixture(scope="module")
def spoiled(home: Path, shipped: Model) -> ImageSet:
    """A few pictures, one of them decided on, and a file that is none, in a folder that is gone since."""
    folder = write_folder(home / "spoiled", 6, classes=("cat", "dog"))
    (folder / "cat" / "broken.jpg").write_bytes(b"no picture")
    image_set = embed_folder(folder, model=shipped, workspace=home / "workspace")
    image_set.decisions.decide([int(image_set.core.ids[0])], "keep")
    shutil.rmtree(folder)
    return image_set


def follow(page: Page, title: str) -> None:
    """Go to a page by the menu: a load of its address would compile every script anew."""
    page.locator(f"{MENU} a").filter(has=page.get_by_text(title, exact=True)).click()
    heading = page.get_by_role("heading", level=1, name=None if title == "Explore" else title)
    expect(heading).to_be_visible()


def with_stops(page: Page) -> None:
    """Return once Explore has its pictures, and Tab its stops: the map is ready without either."""
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator(f"{MENU} a[tabindex='0']")).to_have_count(1)
    drawn(page)


def test_no_page_has_a_fault(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    """Nor where no such set is there, a folder cannot be read, and where one is read for the first time."""
    page, faults = open_page(f"{app}/?set={zoo.set_id}"), Faults()
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    titles = page.locator(f"{MENU} a").all_inner_texts()
    assert len(titles) == PAGES
    for title in (words.split("\n")[-1] for words in titles):
        follow(page, title)
        look(page, title, faults)
        for tab in page.get_by_role("tab").all_inner_texts()[1:]:
            page.get_by_role("tab", name=tab).click()
            drawn(page)
            if tab == "Your model":
                unfold(page, "Which pictures are test?")
            look(page, f"{title}, {tab}", faults)
    page.goto(f"{app}/?set=none")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look(page, "no such set", faults)
    page.goto(app)
    page.get_by_role("textbox", name="Folder of pictures").fill("/nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stAlert").filter(has_text="/nowhere")).to_be_visible()
    look(page, "a folder that cannot be read", faults)
    with being_read(zoo) as address:
        page.goto(f"{app}/{address}")
        expect(page.get_by_text("The map appears as soon as")).to_be_visible()
        look(page, "being read", faults, without=(MENU,))
    assert_none(faults)


def test_nothing_of_a_spoiled_set_has_a_fault(app: str, spoiled: ImageSet, open_page: OpenPage) -> None:
    """Files that could not be read, what was decided, a folder that is gone, and forgetting a set."""
    page, faults = open_page(f"{app}/?set={spoiled.set_id}"), Faults()
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    page.get_by_role("button", name="1 unreadable").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "unreadable files", faults, "[role=dialog]")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    follow(page, "Review")
    unfold(page, "History")
    look(page, "History", faults)
    follow(page, "Settings")
    page.get_by_role("tab", name="Image sets").click()
    expect(page.get_by_text("This folder no longer exists.")).to_be_visible()
    look(page, "a folder that is gone", faults)
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "forgetting", faults, "[role=dialog]")
    assert_none(faults)


def test_no_dialog_or_popover_of_explore_has_a_fault(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page, faults = open_page(f"{app}/?set={zoo.set_id}"), Faults()
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    for name, popover in DIALOGS.items():
        settled(page)
        page.get_by_role("button", name=popover, exact=True).click()
        settled(page)  # the panel of exports is open for the server, too
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        look(page, name, faults, "section[role=dialog]")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
        settled(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name=name)).to_have_count(0)
    choose_in_set_menu(page, "Open a folder")
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "opening a folder", faults, "[role=dialog]")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for name in POPOVERS:
        settled(page)
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
        look(page, name, faults, "[data-testid=stPopoverBody]")
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    page.goto(f"{app}/?set={zoo.set_id}&picture={zoo.core.ids[0]}")
    expect(page.get_by_role("dialog").get_by_text("Nearest pictures")).to_be_visible()
    look(page, "a picture", faults, "[role=dialog]")
    assert_none(faults)


def test_no_review_and_no_upload_has_a_fault(app: str, zoo: ImageSet, open_page: OpenPage, tmp_path: Path) -> None:
    page, faults = open_page(f"{app}/?set={zoo.set_id}&review=confusability"), Faults()
    page.locator(".question").wait_for()
    look(page, "a review", faults)
    page.keyboard.press("?")
    look(page, "its keys", faults)
    page.goto(f"{app}/review?set={zoo.set_id}&review=suspects&as=table")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    look(page, "labels as a table", faults)
    page.goto(f"{app}/review?set={zoo.set_id}")
    for part in ("Other reviews", "What changed"):
        settled(page)
        unfold(page, part)
    expect(page.get_by_text("Build your own")).to_be_visible()
    expect(page.get_by_role("combobox", name="What changed since")).to_be_visible()
    look(page, "the parts of Review", faults)
    page.goto(f"{app}/upload?set={zoo.set_id}")
    note = tmp_path / "note.png"
    note.write_text("hello")
    settled(page)
    page.locator("input[type=file]").set_input_files([note])
    expect(page.get_by_text("None of these files")).to_be_visible()
    look(page, "nothing to sort", faults)
    page.locator("input[type=file]").set_input_files([zoo.files.path(int(zoo.core.ids[0])), note])
    expect(page.locator(".tile").first).to_be_visible()
    look(page, "uploads", faults)
    page.locator(".tile").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "an upload", faults, "[role=dialog]")
    page.goto(f"{app}/settings?tab=Models&set={zoo.set_id}")
    page.get_by_role("button", name="Model card").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look(page, "a model's card", faults, "[role=dialog]")
    assert_none(faults)


def test_what_changes_is_said_once(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    region = page.locator("#url-viz-announced")
    expect(region.locator("p").first).to_be_attached()
    page.evaluate(HEARING)
    for name in ("Torn between classes", "General model"):
        page.get_by_role("combobox", name="Order by").fill(f"Order: {name.lower()}")
        page.get_by_role("option", name=f"Order: {name.lower()}", exact=True).click()
        expect(region.locator("p").last).to_have_text(f"40 pictures by “{name}”")
    page.get_by_role("button", name="View", exact=True).click()  # runs the page again, and changes nothing of this
    settled(page)
    assert page.evaluate("heard") == ["40 pictures by “Torn between classes”", "40 pictures by “General model”"]
    assert [region.get_attribute(name) for name in ("role", "aria-live")] == ["status", "polite"]


def test_tab_leads_through_explore_and_shows_where_it_is(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    with_stops(page)
    stops = []
    while not stops or ("tile" not in stops[-1]["at"] and len(stops) < 80):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUSED))
    names = " ".join(stop["name"] for stop in stops)
    assert "tile" in stops[-1]["at"], f"no tile among {names}"
    for part in ("Explore", "Review", "Export", "Map of 40 pictures", "Show only above"):
        assert part in names
    assert [stop["name"] for stop in stops if not stop["isSeen"]] == []
    assert len(stops) <= MOST_STOPS, names


def test_one_tab_leads_to_the_pictures_and_arrows_through_menu_and_tools(
    app: str, zoo: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    with_stops(page)
    for key in ("Tab", "Enter"):
        page.keyboard.press(key)
    assert "tile" in page.evaluate(FOCUSED)["at"]
    page.get_by_role("button", name="Lasso").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Zoom in")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("toolbar", name="Map tools").get_by_role("button").last).to_be_focused()
    page.get_by_role("link", name="Explore").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Review", level=1)).to_be_visible()
    expect(page.locator(f"{MENU} a[tabindex='0']")).to_have_count(1)


def test_tab_goes_round_an_opened_picture_and_into_a_popover(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}&picture={zoo.core.ids[0]}")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".tile:visible").first).to_be_visible()
    settled(page)
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    assert any("tile" in stop["at"] for stop in reached), "its neighbours"
    assert "Copy the path" in [stop["name"] for stop in reached]
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    opener = page.get_by_test_id("stPopoverButton").filter(has_text="Export")  # the panel has a button of that name
    opener.press("Enter")
    expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("stPopoverBody").locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
