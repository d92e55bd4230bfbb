"""The stories of uploads and search in a real browser: real files go up, a real zip and table come down."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, eventually, settled
from tests.imaging.pictures import encoded, noise
from url_viz.image_set import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four pictures, one of a hostile name, two more in a zip, and a file that is no picture."""
    for seed in range(40, 44):
        noise(seed).save(tmp_path / (f"{seed}.png" if seed > 40 else HOSTILE))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("in/50.png", encoded(noise(50), "PNG"))
        archive.writestr("../51.png", encoded(noise(51), "PNG"))
    (tmp_path / "note.txt").write_text("hello")
    return sorted(tmp_path.iterdir())


def upload(page: Page, files: list[Path]) -> None:
    settled(page)  # a chooser that is being replaced stands beside its successor for a moment
    page.locator("input[type=file]").set_input_files(files)


def test_uploads_are_sorted_split_by_hand_taken_away_opened_and_removed_for_good(
    app: str, zoo: ImageSet, open_page: OpenPage, files: list[Path], tmp_path: Path
) -> None:
    page = open_page(f"{app}/upload?set={zoo.set_id}")
    upload(page, files)
    expect(page.get_by_text("5 pictures · scored with")).to_be_visible()
    expect(page.get_by_text("5 uploads among 40 pictures")).to_be_visible()
    expect(page.get_by_text("2 files were not scored")).to_be_visible()
    expect(page.locator(".tile .name", has_text=HOSTILE)).to_have_count(1)
    expect(page.locator(".tile img")).to_have_count(5)
    assert page.evaluate("[...document.images].every(i => i.src !== 'x')")

    settled(page)
    page.get_by_role("slider", name="Ambiguous if above").press("Home")
    expect(page.get_by_text("Ambiguous · 5")).to_be_visible()
    expect(page.get_by_text("Unambiguous · 0")).to_be_visible()

    with page.expect_download() as taken:
        page.get_by_role("button", name="Sorted zip").click()
    with zipfile.ZipFile(taken.value.path()) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        assert len([name for name in names if name.startswith("ambiguous/")]) == 5
        assert archive.read("ambiguous/41.png") == (tmp_path / "41.png").read_bytes()
        assert all(".." not in name and "<" not in name for name in names)

    with page.expect_download() as listed:
        page.get_by_role("button", name="Ranking (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(Path(listed.value.path()).read_text(encoding="utf-8"))))
    values = [float(row["confusability"]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert {row["name"] for row in rows} == {HOSTILE, "41.png", "42.png", "43.png", "more.zip/in/50.png"}

    page.set_viewport_size({"width": 420, "height": 900})
    page.locator(".tile").filter(has_text="41.png").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("41.png")).to_be_visible()
    expect(dialog.locator(".tile")).to_have_count(6)
    eventually(lambda: dialog.locator("img.url-viz-picture").evaluate("image => image.naturalWidth > 0"))
    dialog.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_text("Drop pictures, a folder or a zip.")).to_be_visible()
    expect(page.get_by_test_id("stFileChip")).to_have_count(0)
    upload(page, [tmp_path / "42.png"])
    expect(page.get_by_text("1 picture · scored with")).to_be_visible()


def test_a_pasted_picture_is_searched_with(app: str, zoo: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}&search=")
    expect(page.get_by_text("or paste a picture")).to_be_visible()
    settled(page)
    page.evaluate(
        """bytes => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        list(encoded(noise(77), "PNG")),
    )
    expect(page.get_by_text("24 most similar")).to_be_visible()
    searched = page.get_by_test_id("stCaptionContainer")  # the field for a picture, which goes, names it too
    expect(searched.get_by_text("pasted-1.png")).to_be_visible()


def test_a_search_goes_on_from_a_hit_and_is_left_by_a_click_or_by_back(
    app: str, zoo: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/?set={zoo.set_id}")
    page.locator(".tile").first.click()
    page.get_by_role("button", name="Search with this picture").click()
    expect(page.get_by_text("24 most similar")).to_be_visible()
    settled(page)
    first = page.url
    page.locator(".tile").first.click()
    expect(page).not_to_have_url(first)
    settled(page)
    page.go_back()
    expect(page).to_have_url(first)
    settled(page)
    page.go_back()
    expect(page.get_by_text("24 most similar")).to_have_count(0)
    expect(page.locator(".url-viz-map, canvas").first).to_be_visible()
    page.go_forward()
    expect(page.get_by_text("24 most similar")).to_be_visible()
    page.get_by_role("button", name="Back to the map").click()
    expect(page.locator(".url-viz-map, canvas").first).to_be_visible()
    expect(page).not_to_have_url(re.compile("search="))
