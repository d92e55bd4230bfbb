"""The review in a real browser: by keys or mouse alone, taken back where storing fails, gone on with, as a table."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.fixtures import OpenPage, assert_fits, eventually, held_back, settled
from tests.given import by_turns, dice, given_set
from tests.imaging.pictures import write_folder
from tests.read_sets import copied
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.twin_groups import first_of_each
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.store.sets import forget

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT = 60
ROW_PX, HEAD_PX = 84, 38


@dataclass(frozen=True)
class Desk:
    """The review as it is seen."""

    page: Page

    @property
    def name(self) -> str:
        return self.page.locator("figcaption").inner_text()

    @property
    def counts(self) -> Locator:
        return self.page.locator(".counts")

    def press(self, *keys: str) -> None:
        """Press keys as people do: each once the picture is shown, since an answer before is not taken."""
        for key in keys:
            expect(self.page.locator(".card.unseen").filter(visible=True)).to_have_count(0)
            self.page.keyboard.press(key)


def opened(open_page: OpenPage, app: str, image_set: ImageSet, query: str = "review=confusability", **how: int) -> Desk:
    page = open_page(f"{app}/?set={image_set.set_id}&{query}", **how)  # type: ignore[arg-type]
    page.locator(".question").wait_for()
    settled(page)
    return Desk(page)


def state(image_set: ImageSet, path: str) -> tuple[str | None, str | None]:
    """The decision on a picture and the label that somebody gave it."""
    row: Any = image_set.table().set_index("path").loc[path]
    return row["decision"], row["label"] if row["label_checked"] is not None else None


def test_by_keys_alone(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    desk = opened(open_page, app, own_set)
    total = len(first_of_each(own_set.table()))
    expect(desk.counts).to_have_text(f"{total} left · 0 done of {total}")
    seen = [desk.name]
    for key in ("1", "k", "d", "l", "Space"):
        desk.press(key)
        expect(desk.page.locator("figcaption")).not_to_have_text(seen[-1])
        seen.append(desk.name)
    desk.press("c")
    expect(desk.page.get_by_role("combobox", name="Another class")).to_be_focused()
    desk.page.keyboard.type("bird")  # with keys of the review in it
    desk.press("Enter")
    expect(desk.page.locator("figcaption")).not_to_have_text(seen[-1])
    expect(desk.counts).to_have_text(f"{total - 6} left · 5 done · 1 skipped of {total}")
    wanted = {
        seen[0]: (None, "cat"),  # the first class by its name, whatever is likelier
        seen[1]: ("keep", None),
        seen[2]: ("drop", None),
        seen[3]: ("look-again", None),
        seen[4]: (None, None),
        seen[5]: (None, "bird"),
    }
    eventually(lambda: {path: state(own_set, path) for path in seen[:6]} == wanted)
    desk.press("Backspace", "Backspace", "Backspace")
    expect(desk.page.locator("figcaption")).to_have_text(seen[3])
    expect(desk.page.get_by_role("button", name="Decide later")).to_have_attribute("aria-pressed", "true")
    desk.press("k")
    eventually(lambda: state(own_set, seen[3]) == ("keep", None))
    assert len(own_set.decisions.history()) == 6


def test_undo_leads_back_through_the_answers_and_redo_forth(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    desk = opened(open_page, app, own_set)
    caption, said, seen = desk.page.locator("figcaption"), desk.page.locator(".said"), [desk.name]
    heard, total = desk.page.get_by_role("status").filter(has_text="left"), len(first_of_each(own_set.table()))
    for key, words in (("d", "Drop"), ("k", "Keep"), ("Space", "Skipped")):
        desk.press(key)
        expect(caption).not_to_have_text(seen[-1])
        expect(heard).to_have_text(re.compile(f"^{words}: {re.escape(seen[-1])}. {total - len(seen)} left. .+$"))
        seen.append(desk.name)
    desk.press("u")
    expect(said).to_have_text(f"Back to what was skipped: {seen[2]}")
    desk.press("Control+z")
    expect(said).to_have_text(f"Undone: kept {seen[1]}")
    expect(caption).to_have_text(seen[1])
    desk.press("u")
    expect(said).to_have_text(f"Undone: dropped {seen[0]}")
    expect(heard).to_have_text(re.compile(f"^Undone: dropped {re.escape(seen[0])}. {total - 1} left. .+$"))
    eventually(lambda: {state(own_set, path) for path in seen} == {(None, None)})
    desk.press("Control+Shift+z")
    expect(said).to_have_text(f"Redone: dropped {seen[0]}")
    assert state(own_set, seen[0]) == ("drop", None)
    desk.page.reload()
    caption.wait_for()
    settled(desk.page)
    desk.press("u")  # of an answer before this visit
    expect(caption).to_have_text(seen[0])
    assert state(own_set, seen[0]) == (None, None)


def test_after_going_back_an_answer_leads_to_the_next_and_space_over_what_is_answered(
    app: str, own_set: ImageSet, open_page: OpenPage
) -> None:
    desk = opened(open_page, app, own_set)
    caption, seen = desk.page.locator("figcaption"), [desk.name]
    for _ in range(5):
        desk.press("k")
        expect(caption).not_to_have_text(seen[-1])
        seen.append(desk.name)
    for name in reversed(seen[:5]):
        desk.press("Backspace")
        expect(caption).to_have_text(name)
    desk.press("d")
    expect(caption).to_have_text(seen[1])
    desk.press("Space")
    expect(caption).to_have_text(seen[2])
    desk.press("Backspace")
    expect(caption).to_have_text(seen[1])
    for name in seen[2:6]:
        desk.press("Space")
        expect(caption).to_have_text(name)
    desk.press("k")
    expect(caption).not_to_have_text(seen[5])
    wanted = [("drop", None), *[("keep", None)] * 5]
    eventually(lambda: [state(own_set, name) for name in seen] == wanted)
    expect(desk.counts).to_contain_text("6 done")
    assert "skipped" not in desk.counts.inner_text()


def test_pairs_by_keys_and_mouse(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    desk = opened(open_page, app, own_set, "review=pairs&most=8")
    page, first = desk.page, desk.page.locator("figcaption").first
    expect(page.locator(".question")).to_have_text("The same kind: would you put both in one class?")
    expect(page.locator("figure > img")).to_have_count(2)
    for image in page.locator("figure > img").all():
        eventually(lambda image=image: image.evaluate("image => image.complete && image.naturalWidth > 0"))
    seen = [first.inner_text()]
    for press in (
        lambda: desk.press("y"),
        lambda: page.get_by_role("button", name="No").click(),
        lambda: desk.press("n"),
        lambda: desk.press("Space"),
    ):
        press()
        expect(first).not_to_have_text(seen[-1])
        seen.append(first.inner_text())
    expect(desk.counts).to_have_text("4 left · 3 done · 1 skipped of 8")
    expect(page.locator(".change p")).to_contain_text("3 answers, 1 the same kind.")
    desk.press("k", "1", "c")  # no answers to a pair
    expect(first).to_have_text(seen[-1])
    desk.press("Backspace", "Backspace")
    expect(first).to_have_text(seen[2])
    expect(page.get_by_role("button", name="No")).to_have_attribute("aria-pressed", "true")
    desk.press("n")  # again: taken back
    expect(page.locator(".change p")).to_contain_text("2 answers, 1 the same kind.")
    answers = own_set.answers
    eventually(lambda: sorted(answers.log.now().as_dict().values()) == [False, True])
    assert own_set.table()["decision"].isna().all()
    expect(page.get_by_role("button", name="Keep")).to_have_count(0)


def test_pictures_are_named_by_typing_and_by_number(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    own_set.labels.use(None)
    desk = opened(open_page, app, own_set, "review=names&most=10")
    page, caption = desk.page, desk.page.locator("figcaption")
    expect(page.locator(".question")).to_have_text("What is it?")
    seen = [desk.name]
    for name, opener in (("kiwi", "Enter"), ("pear", "c")):
        desk.press(opener)
        expect(page.get_by_role("combobox", name="Another name")).to_be_focused()
        page.keyboard.type(name)
        desk.press("Enter")
        expect(caption).not_to_have_text(seen[-1])
        seen.append(desk.name)
    expect(page.locator(".names .choose")).to_have_count(2)
    desk.press("2")
    expect(caption).not_to_have_text(seen[-1])
    seen.append(desk.name)
    page.locator(".names .choose", has_text="kiwi").click()
    expect(caption).not_to_have_text(seen[-1])
    expect(desk.counts).to_have_text("6 left · 4 done of 10")
    wanted = dict(zip(seen, ("kiwi", "pear", "pear", "kiwi"), strict=True))
    eventually(lambda: own_set.table().set_index("path").loc[seen, "name"].to_dict() == wanted)
    desk.press("Backspace")
    expect(caption).to_have_text(seen[-1])
    expect(page.locator(".own")).to_have_text("named kiwi")
    assert own_set.table()["label"].isna().all()


def test_by_mouse_alone(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    desk = opened(open_page, app, own_set)
    page, caption = desk.page, desk.page.locator("figcaption")
    names = [desk.name]
    keys = page.locator(".choose kbd").all_inner_texts()
    assert keys == [str(place + 1) for place in range(len(keys))], "as they are read"
    second = page.locator(".choose .name").nth(1).inner_text()
    page.locator(".choose").nth(1).click()
    expect(caption).not_to_have_text(names[-1])
    names.append(desk.name)
    expect(page.locator(".card.unseen").filter(visible=True)).to_have_count(0)
    page.locator(".near button").first.click()
    expect(page.locator(".large.peek")).to_be_visible()
    page.get_by_role("button", name="Another class").click()
    page.get_by_role("option", name="dog").click()
    expect(caption).not_to_have_text(names[-1])
    names.append(desk.name)
    page.get_by_role("button", name="Skip").click()
    expect(caption).not_to_have_text(names[-1])
    page.get_by_role("button", name="Back", exact=False).first.click()
    expect(caption).to_have_text(names[2])
    page.get_by_role("button", name="Drop").click()
    eventually(lambda: [state(own_set, name) for name in names] == [(None, second), (None, "dog"), ("drop", None)])
    assert_fits(page)
    box = page.locator(".large img").first.bounding_box()
    assert box is not None
    assert box["width"] > 300


def test_keys_are_told_hold_where_nothing_is_typed_take_back_and_lose_nothing(
    app: str, own_set: ImageSet, open_page: OpenPage
) -> None:
    desk = opened(open_page, app, own_set)
    first = desk.name
    desk.press("?")
    expect(desk.page.get_by_text("another class, by typing")).to_be_visible()
    desk.press("Escape")
    expect(desk.page.get_by_text("another class, by typing")).to_be_hidden()
    desk.press("f")
    expect(desk.page.get_by_text("Easily mistaken", exact=True).first).to_be_visible()
    desk.press("Control+k", "r", "x")  # none of ours
    desk.page.get_by_role("combobox", name="Image set").first.focus()
    desk.press("k")
    assert desk.name == first
    assert own_set.decisions.history().empty
    desk.page.get_by_role("combobox", name="Image set").first.blur()
    desk.press("k", "Backspace", "k")  # the same answer again
    assert desk.name == first
    expect(desk.page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "false")
    eventually(lambda: len(own_set.decisions.history()) == 2)
    assert state(own_set, first) == (None, None)
    desk.press(*"kdkdkdkdkd")  # without a pause
    eventually(lambda: own_set.decisions.counts() == {"keep": 5, "drop": 5, "look-again": 0})


def test_no_answer_lands_on_a_picture_that_is_not_shown(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    query = "review=confusability&most=3"
    names = own_set.reviews.open(ReviewSpec("confusability", most=3)).ids.tolist()
    page = open_page(f"{app}/")
    held = held_back(page, f"**/picture/*/{names[1]}*")
    page.route(f"**/picture/*/{names[2]}*", lambda route: route.fulfill(body="no picture", content_type="image/jpeg"))
    page.goto(f"{app}/?set={own_set.set_id}&{query}")
    desk, picture = Desk(page), page.locator(".large > img")
    eventually(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
    expect(picture).not_to_have_class("loading")
    settled(page)
    desk.press("k")
    expect(desk.counts).to_have_text("2 left · 1 done of 3")
    expect(picture).to_have_class("loading")  # blank, and not the first picture under the second's name
    expect(page.get_by_text("Loading …")).to_be_visible()
    for key in "d1c":
        page.keyboard.press(key)
    page.get_by_role("button", name="Drop").click()
    expect(page.locator(".said")).to_have_text("Not taken: the picture was still loading")
    expect(page.get_by_role("combobox", name="Another class")).to_be_hidden()
    expect(desk.counts).to_have_text("2 left · 1 done of 3")
    for route in held:
        route.continue_()
    expect(picture).not_to_have_class("loading")
    desk.press("d")
    expect(desk.counts).to_have_text("1 left · 2 done of 3")
    expect(page.get_by_text("The picture could not be loaded.")).to_be_visible()  # and may be answered
    desk.press("l")
    eventually(lambda: own_set.decisions.counts() == {"keep": 1, "drop": 1, "look-again": 1})


def test_an_answer_of_yesterday_is_taken_back_by_its_key(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    query = "review=confusability&most=4"
    desk = opened(open_page, app, own_set, query)
    names, caption = [desk.name], desk.page.locator("figcaption")
    for key in ("d", "1"):
        desk.press(key)
        expect(caption).not_to_have_text(names[-1])
        names.append(desk.name)
    eventually(lambda: len(own_set.decisions.history()) == 2)
    later = opened(open_page, app, own_set, query)
    assert later.name == names[2]
    for name, key in ((names[1], "1"), (names[0], "d")):
        later.press("Backspace")
        expect(later.page.locator("figcaption")).to_have_text(name)
        later.press(key)
        expect(later.page.locator(".said")).to_have_text(f"Undone: {name}")
    expect(later.page.get_by_role("button", name="Drop")).to_have_attribute("aria-pressed", "false")
    eventually(lambda: [state(own_set, name) for name in names[:2]] == [(None, None)] * 2)


def test_what_cannot_be_stored_is_taken_back_with_the_reason(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    desk = opened(open_page, app, own_set)
    first = desk.name
    folder = own_set.workspace.set_paths(own_set.set_id).folder
    folder.joinpath("decisions.db").write_bytes(b"not a database")
    desk.press("k")
    expect(desk.page.get_by_role("alert").filter(has_text="decisions.db")).to_be_visible()
    assert desk.name == first
    expect(desk.page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "false")
    folder.joinpath("decisions.db").unlink()
    desk.press("k")
    expect(desk.page.locator("figcaption")).not_to_have_text(first)
    eventually(lambda: own_set.decisions.counts()["keep"] == 1)


def test_goes_on_another_day_and_ends(app: str, own_set: ImageSet, open_page: OpenPage) -> None:
    query = "review=confusability&most=3"
    desk = opened(open_page, app, own_set, query)
    desk.press("k", "Space")
    eventually(lambda: own_set.decisions.counts()["keep"] == 1)
    expect(desk.counts).to_have_text("1 left · 1 done · 1 skipped of 3")
    third = desk.name
    later = opened(open_page, app, own_set, query)
    expect(later.counts).to_have_text("1 left · 1 done · 1 skipped of 3")
    assert later.name == third
    later.press("d")
    expect(later.page.get_by_text("2 done, 1 skipped.")).to_be_visible()
    later.page.get_by_role("button", name="Go back to skipped pictures").click()
    expect(later.counts).to_have_text("1 left · 2 done of 3")
    later.press("k")
    expect(later.page.get_by_text("All 3 pictures are done.")).to_be_visible()
    expect(later.page.get_by_role("button", name="Start over with the current order")).to_be_visible()


def test_a_queue_that_becomes_longer_at_its_end_says_why_and_goes_on(
    app: str, home: Path, tmp_path: Path, open_page: OpenPage
) -> None:
    """Every fifth label of cats and dogs that are far apart is wrong: more than ten that were asked about first."""
    count, paths = 60, by_turns(60)
    is_wrong = np.arange(count) % 5 == 0
    looks_like_a_dog = np.array([path.startswith("dog") for path in paths]) != is_wrong
    rows = 0.5 * dice(count, 12)
    rows[:, 0] += np.where(looks_like_a_dog, 3, -3)
    image_set = copied(given_set(tmp_path, paths, rows), home / "every fifth", home=home / "workspace")
    desk = opened(open_page, app, image_set, f"review=suspects&model={image_set.source.name}")
    page, shown = desk.page, dict(zip(paths, looks_like_a_dog.tolist(), strict=True))
    asked = len(image_set.reviews.open("suspects"))
    for _ in range(asked):
        name = desk.name
        desk.press("2" if shown[name] else "1")
        expect(page.locator(".said")).to_have_text(re.compile(re.escape(name)))
    words = rf"^\d+ of these {asked} labels were wrong, so \d+ more are worth a look$"
    expect(page.locator(".end h2")).to_have_text(re.compile(words))
    expect(page.get_by_role("heading", name="relabelled")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".question")).to_be_visible()
    expect(desk.counts).to_have_text(re.compile(rf"^\d+ left · {asked} done of \d+$"))
    forget(image_set.root, workspace=home / "workspace")


def test_a_picture_at_the_end_opens_where_its_answer_is_changed(
    app: str, own_set: ImageSet, open_page: OpenPage
) -> None:
    review = own_set.reviews.open(ReviewSpec("confusability", most=1))
    one = int(review.ids[0])
    path = str(own_set.row(one)["path"])
    review.store(one, CardAnswer("keep"))
    page = open_page(f"{app}/review?set={own_set.set_id}&review=confusability&most=1")
    expect(page.get_by_role("heading", name="1 kept")).to_be_visible()
    settled(page)
    page.locator(".tile").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Drop Shortcut D").click()
    eventually(lambda: state(own_set, path) == ("drop", None))
    settled(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", name="1 dropped")).to_be_visible()


@pytest.fixture(scope="module")
def doubtful(home: Path) -> ImageSet:
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
    app: str, doubtful: ImageSet, open_page: OpenPage
) -> None:
    page = open_page(f"{app}/review?set={doubtful.set_id}&model={doubtful.source.name}")
    words, rows = doubtful.labels.doubtful().words, doubtful.labels.doubtful().rows
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
    eventually(lambda: doubtful.table().set_index("path").loc[[*wanted], "label"].to_dict() == wanted)
    expect(suggest).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    eventually(lambda: bool(doubtful.table()["label_checked"].isna().all()))


def test_two_classes_that_overlap_are_shown_by_themselves(app: str, doubtful: ImageSet, open_page: OpenPage) -> None:
    page = open_page(f"{app}/review?set={doubtful.set_id}&model={doubtful.source.name}&review=mixed-up&as=table")
    pair = doubtful.labels.confused().iloc[0]
    expect(page.get_by_text(f"of {pair['class_a']} look like {pair['class_b']}")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Both on Explore").click()
    expect(page.locator(".pane").first).to_be_visible()
