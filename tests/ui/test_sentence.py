"""The sentence on Explore, through app.py: its numbers are those of what a click on them shows or opens."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.findings.test_shortcuts import write_planted
from tests.given import given_set
from tests.imaging.pictures import noise
from tests.read_sets import copied
from tests.ui.pages import opened, panes, stacked, with_picture, words
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import NameContains, OneOf, ReviewSpec, Scope
from url_viz.columns.measures import shown_reason
from url_viz.evidence.order import grade
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.explore import page, sentence
from url_viz.ui.explore.view import VIEW, ExploreView
from url_viz.ui.session import DIALOG

pytestmark = pytest.mark.slow

CLASSES = ("apple", "pear", "plum", "quince")


def between(names: Sequence[str], each: int, torn: int) -> tuple[list[str], np.ndarray]:
    """Paths and embeddings: `each` pictures of a class, and `torn` on half way to the next one, of either label.

    The last two of these are to be copies of one another.
    """
    rng, paths, rows = np.random.default_rng(0), list[str](), list[np.ndarray]()
    axes = np.eye(max(8, len(names))) * 3
    for number, name in enumerate(names):
        following = (number + 1) % len(names)
        middle = (axes[number] + axes[following]) / 2
        paths += [f"{name}/{number}{place:03d}.jpg" for place in range(each)]
        paths += [f"{(name, names[following])[place % 2]}/between{number}{place:03d}.jpg" for place in range(torn)]
        rows += [centre + rng.normal(size=len(middle)) * 0.4 for centre in [axes[number]] * each + [middle] * torn]
        rows[-1] = rows[-2] + 1e-4
    return paths, np.stack(rows)


@pytest.fixture(scope="module")
def read_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Of the pictures between two classes two each are copies, which one tile stands for."""
    base, (paths, rows) = tmp_path_factory.mktemp("read"), between(CLASSES, 14, 8)
    for number in range(21, len(paths), 22):
        file = base / "photos" / paths[number]
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(number - 1).save(file)
    return given_set(base, paths, rows, name="mine")


@pytest.fixture
def image_set(read_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(read_set.workspace.root))
    return read_set


def parts(at: AppTest, beginning: str) -> list[str]:
    """The keys of the sentence's buttons that begin so."""
    return [str(button.key) for button in at.button if str(button.key).startswith(beginning)]


def number(label: str) -> int:
    """The number that stands in bold."""
    [found] = re.findall(r"\*\*([\d,]+)\*\*", label)
    return int(found.replace(",", ""))


def in_head(at: AppTest) -> int:
    """How many pictures the gallery's head counts, those folded in among them."""
    note = str(panes(at)[0]["note"])
    found = re.match(r"[\d,]+", note)
    assert found is not None
    shown, folded = panes(at)[0]["total"], sum(stacked(tile) for tile in panes(at)[0]["first"])
    count = int(found[0].replace(",", ""))
    assert count == shown + folded, "all tiles are at hand here"
    return count


def test_pairs_add_up_and_a_click_shows_as_many_as_it_says_and_a_second_all(image_set: ImageSet) -> None:
    at = opened(image_set)
    torn = image_set.labels.torn()
    assert len(torn.pairs) > sentence.PAIRS_NAMED
    assert (image_set.table()["twin_group"] >= 0).any()
    assert "folded in" in panes(at)[0]["note"]
    keys = parts(at, "torn.")
    listed = [key for key in keys if key.startswith("torn.more.")]
    assert sum(number(at.button(key=key).label) for key in listed) == number(at.button(key="torn.all").label)
    assert number(at.button(key="torn.all").label) == torn.count
    for key in ("sentence.all", *keys):
        at = opened(image_set, view__explore=ExploreView(filters=(NameContains("no such"),), cuts=(50.0,)))
        said = number(at.button(key=key).label)
        at.button(key=key).click().run()
        assert in_head(at) == said, key
        if key != "sentence.all":
            assert f"**{said}** of {len(image_set)}" in words(at)
            spec = page.review_of(at.session_state[VIEW], str(image_set.order().measure))
            asked = len(image_set.reviews.open(spec).ids)
            assert at.button(key="explore.review").label == f"Review these {asked}"
            assert 1 < asked <= said
            assert at.button(key="view.decide.drop").label == f"Drop {said}"
            assert ":primary[" in at.button(key=key).label
        at.button(key=key).click().run()
        assert in_head(at) == len(image_set)
        assert at.session_state[VIEW].filters == ()


def test_the_last_part_says_how_the_order_that_is_shown_holds(image_set: ImageSet) -> None:
    def chips(at: AppTest) -> list[str]:
        return [str(each.proto.popover.label) for each in at.get("popover")]

    leading, other = grade(image_set.order()), grade(image_set.order("brightness"))
    assert leading.startswith("Order: ")
    assert leading in chips(opened(image_set))
    at = opened(image_set, view__explore=ExploreView(measure="brightness"))
    assert other in chips(at)
    assert leading != other
    assert leading not in chips(at)


def test_without_classes_the_reason_that_explains_most_takes_the_place(image_set: ImageSet) -> None:
    image_set.labels.use(None)
    try:
        at = opened(image_set)
        assert not parts(at, "torn.")
        if image_set.core.reasons.order():
            said = number(at.button(key="sentence.reason").label)
            at.button(key="sentence.reason").click().run()
            assert in_head(at) == said
    finally:
        image_set.labels.use("folders")


@pytest.fixture
def leaky(leaky: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(leaky.workspace.root))
    return leaky


def test_what_matters_most_is_named_and_opens_its_queue(leaky: ImageSet) -> None:
    at, found = opened(leaky), [each for each in leaky.findings() if each.kind != "unreadable"]
    named = found[: sentence.FINDINGS_NAMED]
    assert len(found) > len(named)
    assert parts(at, "findings.") == [*(f"findings.{each.kind}" for each in named), "findings.unreadable"]
    labels = [at.button(key=f"findings.{each.kind}").label for each in named]
    assert labels == [f"{each.count} {each.short}" for each in named]
    assert "2 leaks" in labels
    at.button(key="findings.leaks").click().run()
    assert at.session_state["view.review"] == ReviewSpec("leaks")
    first = opened(leaky).button(key="explore.review")
    assert first.label == "Review 2 leaks", "what matters most is named on the button, too"
    assert first.click().run().session_state["view.review"] == ReviewSpec("leaks")


def test_files_that_cannot_be_read_are_one_part_and_listed(leaky: ImageSet) -> None:
    at = opened(leaky)
    assert at.button(key="findings.unreadable").label == "1 unreadable"
    at.button(key="findings.unreadable").click().run()
    assert "is an HTML page, not a picture" in at.dataframe[-1].value["reason"].tolist()


def test_a_large_set_is_asked_first(leaky: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence, "MANY", 10)
    at = opened(leaky)
    assert parts(at, "findings.") == ["findings.ask", "findings.unreadable"]
    at.button(key="findings.ask").click().run()
    assert "findings.leaks" in parts(at, "findings.")


def test_where_nothing_is_found_nothing_is_said(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    noise(3, width=300, height=240).resize((150, 120)).save(folder / "a.png")
    image_set = embed_folder(folder, model=model, workspace=home.root)
    at = opened(image_set)
    assert at.button(key="sentence.all").label == "**1** picture"
    assert parts(at, "findings.") == [f"findings.{each.kind}" for each in image_set.findings()]
    assert not parts(at, "torn.")


def test_names_from_outside_are_shown_literally(home: Workspace, tmp_path: Path) -> None:
    paths, rows = between(("*apple*", "[pear](x)"), 14, 8)
    image_set = copied(given_set(tmp_path / "odd", paths, rows, name="mine"), tmp_path / "zoo", home=home.root)
    at = opened(image_set)
    assert image_set.labels.torn().count
    assert at.button(key="torn.0").label.startswith(r"\*apple\* or \[pear\]")


def test_pictures_that_are_merely_alike_are_not_counted_as_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without classes the first reason is named: three flowers that are exceptionally near are no copies."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 32)).astype(np.float32)
    rows[1:7] = rows[0] + rng.normal(size=(6, 32)) * 0.02
    flat = given_set(tmp_path, [f"{number:03}.png" for number in range(60)], rows, name="mine")
    monkeypatch.setenv("URL_VIZ_HOME", str(flat.workspace.root))
    table = flat.table()
    assert table["twin_group"].notna().sum() >= 7
    assert table["copy_group"].notna().sum() == 0
    at = opened(flat, "explore")
    labels = [button.label for button in at.button if button.key == "sentence.reason"]
    assert not any("alike" in label for label in labels)
    reasons = flat.reasons()
    assert "the same kind of thing" in reasons.loc[reasons["reason"] == "twin", "detail"].iloc[0]
    assert shown_reason("twin") == "copies or look-alikes"


def test_what_is_rightly_both_is_counted_said_in_the_opened_picture_and_taken_back_there(image_set: ImageSet) -> None:
    torn = image_set.table().set_index("path", drop=False).filter(like="between", axis=0)
    image_id = int(torn["id"].iloc[0])
    at = opened(image_set, **with_picture(image_id))
    assert not parts(at, "sentence.either")
    at.button(key=f"view.either.{image_id}").click().run()
    assert image_set.row(image_id)["label_checked"] == "either"
    assert at.button(key="sentence.either").label == "**1** is rightly both"
    at = opened(image_set)
    at.button(key="sentence.either").click().run()
    assert in_head(at) == 1
    assert at.button(key="chip.label_checked").label == "Label you checked: rightly both"
    at = opened(image_set, **with_picture(image_id))
    at.button(key=f"view.either.{image_id}").click().run()
    assert "either" not in image_set.table()


def test_without_findings_the_button_leads_to_all_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = given_set(tmp_path, [f"{number}.jpg" for number in range(6)])
    monkeypatch.setenv("URL_VIZ_HOME", str(plain.workspace.root))
    at = opened(plain)
    assert at.button(key="explore.review").label == "Review"
    at.button(key="explore.review").click().run()
    assert at.session_state["view.review"] is None


def test_what_tells_classes_is_listed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_set = given_set(tmp_path, write_planted(tmp_path / "photos"))
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    at = opened(image_set)
    assert at.button(key="findings.shortcuts").label == "2 classes told by a shortcut"
    at.button(key="findings.shortcuts").click().run()
    shown = words(at)
    assert "JPEG quality alone tells 2 of 2 classes (cat and dog): 100 % right" in shown
    assert "cat: 40; others: 90 (100 % right" in shown
    at.button(key="shortcuts.JPEG quality").click().run()
    assert at.session_state[VIEW].scope == Scope(filters=(OneOf("label", ("cat", "dog")),))
    assert DIALOG not in at.session_state, "it is closed"
