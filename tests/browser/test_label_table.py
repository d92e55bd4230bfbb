"""The labels to check as a table in a real browser: a row ticked and labelled, a pair of classes, one opened."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.fixtures import OpenPage, assert_fits, eventually, settled
from tests.given import by_turns, dice
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNT = 60
ROW_PX, HEAD_PX = 84, 38


@pytest.fixture(scope="module")
def image_set(home: Path) -> ImageSet:
    """Two classes under given embeddings, of which a fifth look like the other one."""
    paths, folder = by_turns(COUNT), write_folder(home / "labels", COUNT, classes=("cat", "dog"))
    rows = 0.5 * dice(COUNT)
    rows[:, 0] += [3 if (number % 2 == 0) == (number % 10 > 1) else -3 for number in range(COUNT)]
    np.savez(home / "labels.npz", paths=np.array(paths), values=rows)
    return embed_folder(folder, embeddings=home / "labels.npz", workspace=home / "workspace")


def tick(page: Page, row: int) -> None:
    """Click on the box at the left edge of a row."""
    settled(page)
    box = page.get_by_test_id("stDataFrame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + HEAD_PX + ROW_PX * row + ROW_PX // 2)


def test_ticked_labels_are_corrected_together_and_one_is_opened(
    app: str, image_set: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/review?set={image_set.set_id}&model={image_set.source.name}")
    words, rows = image_set.labels.doubtful().words, image_set.labels.doubtful().rows
    expect(page.get_by_text(words, exact=True)).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Table").first.click()
    expect(page.get_by_text(f"{words}.")).to_be_visible()
    suggest = page.get_by_role("button", name="Label as suggested")
    expect(suggest).to_be_disabled()
    tick(page, 0)
    page.get_by_role("button", name="Open picture").click()
    expect(page.get_by_role("dialog").get_by_text("Nearest pictures")).to_be_visible()
    settled(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    tick(page, 1)
    expect(suggest).to_have_text("Label as suggested · 2")
    assert_fits(page)
    suggest.click()
    wanted = rows.head(2).set_index("path")["suggested"].to_dict()
    eventually(lambda: image_set.table().set_index("path").loc[[*wanted], "label"].to_dict() == wanted)
    expect(suggest).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    eventually(lambda: bool(image_set.table()["label_checked"].isna().all()))


def test_two_classes_that_overlap_are_shown_by_themselves(app: str, image_set: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/review?set={image_set.set_id}&model={image_set.source.name}&review=mixed-up&as=table")
    pair = image_set.labels.confused().iloc[0]
    expect(page.get_by_text(f"of {pair['class_a']} look like {pair['class_b']}")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Both on Explore").click()
    expect(page.locator(".pane").first).to_be_visible()
