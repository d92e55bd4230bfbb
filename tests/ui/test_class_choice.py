"""The line that says what was taken as classes, and the choice of something else, on a folder with splits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.given import by_turns, given_set
from url_viz.columns.filters import OneOf
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.apart import apart_suggestion
from url_viz.labels.set_columns import SetColumns
from url_viz.ui.explore.class_choice import CLASSES_OPEN, class_choices
from url_viz.ui.explore.view import VIEW, ExploreView

pytestmark = pytest.mark.slow

FOLDERS = ("train/cat", "train/[dog](x)", "test/cat")
NAMES = by_turns(6, FOLDERS)
PARTS = ["first part of the file name", "first 2 parts of the file name"]


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    return given_set(tmp_path, NAMES, np.eye(6))


@pytest.fixture
def shown(image_set: ImageSet) -> Callable[[], AppTest]:
    """The choice alone on a page."""

    def script(image_set: object) -> None:
        from url_viz.ui.explore.class_choice import show_class_choice

        show_class_choice(image_set)  # type: ignore[arg-type]

    def ran() -> AppTest:
        return AppTest.from_function(script, args=(image_set,)).run()

    return ran


def line(at: AppTest) -> str:
    """The label of the one expander."""
    [expander] = at.expander
    return str(expander.label)


def test_it_says_what_was_taken(shown: Callable[[], AppTest], image_set: ImageSet) -> None:
    at = shown()
    assert line(at) == "2 classes; test and train as split"
    [radio] = at.radio
    assert radio.value == "folders"
    assert list(class_choices(image_set)) == ["folders", "level:1", "names", "tags", "none"]
    assert [detail for _, detail in class_choices(image_set).values()][:2] == ["[dog](x), cat", "test, train"]


@pytest.mark.parametrize(
    ("chosen", "words", "labels"),
    [
        ("level:1", "2 classes from level 1 of the folders", ["test", "test", "train", "train", "train", "train"]),
        ("tags", "No classes; test and train as split", [None] * 6),
        ("none", "No classes; test and train as split", [None] * 6),
    ],
)
def test_one_click_chooses(
    shown: Callable[[], AppTest], image_set: ImageSet, chosen: str, words: str, labels: list[str | None]
) -> None:
    at = shown()
    at.session_state[VIEW] = ExploreView(filters=(OneOf("label", ("cat",)),))
    at.radio[0].set_value(chosen).run()
    assert line(at) == words
    assert image_set.table()["label"].tolist() == labels
    assert at.session_state[VIEW].filters == ()
    at.radio[0].set_value("folders").run()
    assert line(at) == "2 classes; test and train as split"


def test_names_of_others_are_text(shown: Callable[[], AppTest], image_set: ImageSet) -> None:
    image_set.columns.add(IncomingFile("m.csv", f"path,[a](b)\n{NAMES[0]},x\n{NAMES[1]},y\n".encode()))
    image_set.labels.use("[a](b)")
    at = shown()
    assert line(at) == r"2 classes from the column '\[a\](b)'; test and train as split"
    assert r"\[a\](b)" in at.radio[0].options
    assert r"\[dog\](x), cat" in at.radio[0].proto.captions


def test_a_column_that_another_session_added_meanwhile_is_left_alone(
    shown: Callable[[], AppTest], image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_set.columns.add(IncomingFile("m.csv", f"path,kind\n{NAMES[0]},a\n{NAMES[1]},b\n".encode()))
    image_set.labels.use("kind")
    monkeypatch.setattr(SetColumns, "list", lambda columns: ())  # as read just before
    assert shown().radio[0].value == image_set.labels.chosen == "kind"


def test_a_choice_made_elsewhere_is_shown(shown: Callable[[], AppTest], image_set: ImageSet) -> None:
    at = shown()
    image_set.labels.use("level:2")
    at.run()
    assert at.radio[0].value == "level:2"
    assert line(at) == "2 classes from level 2 of the folders; test and train as split"


def test_what_is_kept_apart_is_one_click(shown: Callable[[], AppTest], image_set: ImageSet) -> None:
    at = shown()
    assert at.selectbox[0].options == ["near copies only", "level 1 of the folders", "level 2 of the folders", *PARTS]
    at.selectbox[0].set_value("level:1").run()
    assert image_set.labels.apart.choice == "level:1"
    assert line(at).endswith("; apart by level 1 of the folders (2 groups)")
    at.selectbox[0].set_value("none").run()
    assert image_set.labels.apart.choice is None


def test_a_suggestion_is_worked_out_once_the_choice_is_opened(
    shown: Callable[[], AppTest], image_set: ImageSet
) -> None:
    at = shown()
    assert not image_set.core.derived.is_cached(apart_suggestion), "the map does not wait for it"
    at.session_state[CLASSES_OPEN] = True
    at.run()
    assert not at.exception
    assert image_set.core.derived.is_cached(apart_suggestion)
