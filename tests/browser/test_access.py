"""Access: axe-core finds nothing serious on any page, headings are in order, and Tab shows where it is."""

from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.fixtures import HEALTH, OpenPage, settled, still
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    *("", "review", "upload", "search", "labels", "versions"),
    *("your_model", "finetune", "evaluate", "compare", "models", "sets", "jobs"),
)
WORST = ("serious", "critical")
OF_WIDTH = ("target-size", "aria-hidden-focus", "button-name", "nested-interactive")
"""What hangs on the width of the window; that Streamlit's blocks of code scroll without the focus is its own."""
OF_COLOURS = ("color-contrast", "link-in-text-block")
STREAMLITS_MENU = "[data-testid=stSidebarNavItems]"
"""Its groups are no items of its list: Streamlit's own markup."""
HEADINGS = """() => {
    const levels = [];
    const look = (root) => {
        for (const element of root.children) {
            if (/^H[1-6]$/.test(element.tagName) && element.checkVisibility()) levels.push(Number(element.tagName[1]));
            if (element.shadowRoot) look(element.shadowRoot);
            look(element);
        }
    };
    look(document.body);
    return levels;
}"""
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


def problems(page: Page, **options: object) -> list[str]:
    options = {"resultTypes": ["violations"], **options}
    found = Axe().run(page, context={"exclude": [[STREAMLITS_MENU]]}, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in WORST
        for node in violation["nodes"]
    ]


def jumps(page: Page) -> list[str]:
    """What is wrong with the levels of the page's headings: one is of the first, and none skips a level."""
    levels = page.evaluate(HEADINGS)
    is_right = levels.count(1) == 1 and all(level <= before + 1 for before, level in pairwise([0, *levels]))
    return [] if is_right else [f"headings of levels {levels}"]


def test_no_page_has_a_serious_fault(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    """Nor on an opened picture, in a review and where no set is open; in the dark none that hangs on colours."""
    page = open_page(f"{app}{HEALTH}")
    faults = {}
    opened = f"set={zoo.set_id}&picture={zoo.ids[0]}", f"set={zoo.set_id}&review=confusability"
    states = [(name, f"set={zoo.set_id}") for name in PAGES] + [("", query) for query in (*opened, "")]
    for name, query in states:
        page.emulate_media(color_scheme="light")
        page.goto(f"{app}/{name}?{query}")
        expect(page.get_by_role("heading").first).to_be_visible()
        drawn(page)
        where = f"{name}?{query}"
        faults[where, "light"] = problems(page)
        faults[where, "headings"] = jumps(page)
        page.set_viewport_size({"width": 420, "height": 900})
        drawn(page)
        faults[where, "420"] = problems(page, runOnly=OF_WIDTH)
        page.set_viewport_size({"width": 1400, "height": 900})
        page.emulate_media(color_scheme="dark")
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark")
        drawn(page)
        faults[where, "dark"] = problems(page, runOnly=OF_COLOURS)
    assert {where: found for where, found in faults.items() if found} == {}


def test_what_changes_is_said_once(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    lines = page.locator("#url-viz-announced p")
    expect(lines).to_have_text(["40 pictures by “Easily mistaken”"])
    page.evaluate(HEARING)
    for name in ("Torn between classes", "General model"):
        page.get_by_role("radio", name=name, exact=True).click()
        settled(page)
    page.get_by_role("button", name="View", exact=True).click()  # runs the page again, and changes nothing of this
    settled(page)
    assert page.evaluate("heard") == ["40 pictures by “Torn between classes”", "40 pictures by “General model”"]
    region = page.locator("#url-viz-announced")
    assert [region.get_attribute(name) for name in ("role", "aria-live")] == ["status", "polite"]


def drawn(page: Page) -> None:
    settled(page)
    expect(page.locator("[data-stale=true]")).to_have_count(0)  # what is drawn again is faint meanwhile
    still(page, quiet_ms=300)


def test_tab_leads_through_explore_and_shows_where_it_is(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    expect(page.locator(".stage[data-state=ready]")).to_be_visible()
    settled(page)
    stops = []
    for _ in range(80):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUSED))
        if "tile" in stops[-1]["at"]:
            break
    names = " ".join(stop["name"] for stop in stops)
    assert "tile" in stops[-1]["at"], f"no tile among {names}"
    for part in (
        "Explore",
        "Review",
        "Export",
        "Torn between classes",
        "Map of 40 pictures",
        "Lasso",
        "Threshold percentile",
    ):
        assert part in names
    assert [stop["name"] for stop in stops if not stop["isSeen"]] == []
