"""The dialog for a user's own columns: what matched is shown before it is kept; a hostile file ends in a sentence."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Multiselect

from tests.annotated_sets import write_annotated
from tests.given import by_turns, given_set
from tests.read_sets import copied
from tests.ui.pages import opened, words
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.widgets.sidebar import user_models

CSV = "text/csv"


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Four pictures in two classes, under embeddings of the user's own: no model runs."""
    return given_set(tmp_path_factory.mktemp("read"), by_turns(4), np.eye(4), name="mine")


@pytest.fixture
def image_set(four: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    return copied(four, tmp_path / "zoo", home=home.root)


def dialog(image_set: ImageSet) -> AppTest:
    """The dialog by itself: AppTest runs no fragments, so one that a button opened is gone at the next click."""

    def script() -> None:
        import streamlit as st

        from url_viz.ui.explore.add_columns import user_columns_dialog
        from url_viz.ui.open_sets import open_sets

        user_columns_dialog(open_sets().get(*st.session_state["a_set"]))

    at = AppTest.from_function(script)
    at.session_state["a_set"] = (image_set.set_id, image_set.source.name)
    return at.run()


def page(image_set: ImageSet, name: str | None) -> AppTest:
    """A page by itself, or None for the first one with the sidebar beside it."""
    return opened(image_set, name)


def drop(at: AppTest, text: str) -> AppTest:
    at.file_uploader[0].set_value([("mine.csv", text.encode(), CSV)]).run()
    return at


def marked_in(at: AppTest) -> Multiselect[str]:
    return next(one for one in at.multiselect if one.label == "Uncertainty columns")


def test_a_file_is_shown_before_it_is_kept_and_then_taken_away(image_set: ImageSet) -> None:
    at = drop(dialog(image_set), "path,risk,kind\n0000.jpg,1,a\n0001.jpg,2,b\nno.jpg,3,c\n")
    assert "2 of 3 rows" in words(at)
    assert "no.jpg" in words(at)
    assert at.dataframe[0].value["risk"].tolist() == [1, 2]
    assert image_set.columns.list() == ()  # nothing is kept yet
    marked_in(at).set_value(["risk"]).run()
    at.button(key="own.keep").click().run()
    assert [(c.name, c.is_uncertainty) for c in image_set.columns.list()] == [("risk", True), ("kind", False)]
    at = drop(dialog(image_set), "path,risk,kind\n0000.jpg,1,a\n0001.jpg,3,b\n")
    assert marked_in(at).value == ["risk"], "what it was before stays, unless somebody takes it off"
    at.button(key="own.keep").click().run()
    assert [(c.name, c.is_uncertainty) for c in image_set.columns.list()] == [("risk", True), ("kind", False)]
    at = dialog(image_set)
    assert "risk, kind" in words(at)
    at.button(key="own.remove.mine").click().run()
    assert image_set.columns.list() == ()


def test_what_comes_with_the_pictures_is_not_taken_away(model: Model, home: Workspace, tmp_path: Path) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=home.root)
    at = dialog(objects)
    assert "**objects**" in words(at)
    assert "comes with the pictures" in words(at)
    assert not [button for button in at.button if button.label == "Remove"]


def test_a_hostile_file_ends_in_a_sentence_without_markup(image_set: ImageSet) -> None:
    at = drop(dialog(image_set), "path,v\n![x](http://example.invalid/x.png),1\n")
    assert r"\[x\]" in at.error[0].value
    assert not image_set.columns.list()


def test_pages_say_what_a_users_own_embeddings_cannot(image_set: ImageSet) -> None:
    assert "A new picture cannot be embedded" in words(page(image_set, "search"))
    assert "no model here can embed a new picture" in words(page(image_set, "upload"))
    assert "there is no model to adapt" in words(page(image_set, "finetune"))


def test_the_sidebar_offers_what_was_brought_and_no_reading_without_it(image_set: ImageSet) -> None:
    assert user_models(image_set.set_id) == ["own:mine"]
    assert user_models("0" * 16) == user_models(None) == []
    text = words(page(image_set, None))
    assert "New pictures need imported embeddings" in text
    assert "Look for new pictures" not in text
