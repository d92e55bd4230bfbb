"""The bar that decides on all pictures in scope, as a visitor meets it."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from url_viz.image_set import ImageSet
from url_viz.ui.widgets.decide import handle_gallery_actions, likeliest_first
from url_viz.ui.widgets.gallery import GalleryAction

COUNT = 8


@pytest.fixture
def image_set(seen_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_ROOTS", str(seen_set.root.parent))
    while seen_set.decisions.undo() is not None:
        pass
    return seen_set


def page(image_set: "ImageSet", label: str) -> None:
    import streamlit as st  # an AppTest's function is a script of its own

    from url_viz.ui.widgets.decide import show_decide_bar

    table = image_set.table()
    show_decide_bar(image_set, table[table["label"] == label], key="view.decide")
    st.text(f"drawn {label}")


def bar(image_set: ImageSet, label: str = "cat") -> AppTest:
    return AppTest.from_function(page, args=(image_set, label)).run()


def toasts(at: AppTest) -> list[str]:
    return [toast.value for toast in at.toast]


def decided(image_set: ImageSet) -> list[tuple[str, str | None]]:
    table = image_set.table()
    return sorted(
        {(label, decision) for label, decision in zip(table["label"], table["decision"], strict=True)}, key=str
    )


def test_a_button_decides_on_what_is_in_scope_and_says_so_and_undo_what_it_takes_back(image_set: ImageSet) -> None:
    at = bar(image_set)
    assert at.markdown[0].value == "**4** of 8"
    assert at.button(key="view.decide.undo").disabled
    labels = [at.button(key=f"view.decide.{word}").label for word in ("keep", "drop", "look-again", "clear")]
    assert labels == ["Keep", "Drop 4", "Decide later", "Remove decision"]
    for word, said in (("keep", "Kept 4 pictures"), ("drop", "Dropped 4 pictures")):
        at.button(key=f"view.decide.{word}").click().run()
        assert toasts(at) == [said]
        assert at.markdown[-1].value == f"**{said}.**"
        assert decided(image_set) == [("cat", word), ("dog", None)]
        at.button(key="view.decide.undo").click().run()
        assert toasts(at) == [f"Undone: {said[0].lower()}{said[1:]}"]
        assert f"**{said}.**" not in [one.value for one in at.markdown]
        assert decided(image_set) == [("cat", None), ("dog", None)]
    at.button(key="view.decide.redo").click().run()
    at.button(key="view.decide.clear").click().run()
    assert toasts(at) == ["Removed the decision on 4 pictures"]
    assert decided(image_set) == [("cat", None), ("dog", None)]
    at.button(key="view.decide.drop").click().run()
    image_set.decisions.decide([int(image_set.core.ids[0])], "keep")
    assert "**Dropped 4 pictures.**" not in [one.value for one in at.run().markdown], "undo takes back something else"
    at = bar(image_set, "cow")
    assert at.markdown[0].value == "**0** of 8"
    assert all(at.button(key=f"view.decide.{word}").disabled for word in ("keep", "drop", "look-again", "clear", "tag"))


def test_tags_are_given_and_taken_and_known_ones_offered(image_set: ImageSet) -> None:
    image_set.decisions.tag([int(image_set.table()["id"].iloc[0])], "night")
    at = bar(image_set)
    tags = at.multiselect(key="view.decide.tags")
    assert tags.options == ["night (1)"]
    tags.set_value(["night", "blur"]).run()
    at.button(key="view.decide.tag").click().run()
    assert toasts(at) == ["Tagged 4 pictures “blur” and tagged 3 pictures “night”"]
    assert image_set.decisions.tag_counts() == {"blur": 4, "night": 4}
    at.button(key="view.decide.untag").click().run()
    assert image_set.decisions.tag_counts() == {}
    at.multiselect(key="view.decide.tags").set_value(["a;b"]).run()
    at.button(key="view.decide.tag").click().run()
    assert "cannot be a tag" in toasts(at)[0]
    assert image_set.decisions.tag_counts() == {}


def test_a_name_is_given_to_all_beside_their_tags(image_set: ImageSet) -> None:
    image_set.decisions.tag(image_set.core.ids.tolist(), "night")
    at = bar(image_set)
    at.multiselect(key="view.decide.tags").set_value(["night", "kiwi"]).run()
    assert at.button(key="view.decide.name").disabled, "a picture has one name"
    at.multiselect(key="view.decide.tags").set_value(["kiwi"]).run()
    at.button(key="view.decide.name").click().run()
    assert toasts(at) == ["Named 4 pictures “kiwi”"]
    assert image_set.table()["name"].notna().sum() == 4
    assert image_set.decisions.tag_counts() == {"night": 8}


def test_a_gallery_event_is_done_in_order_and_errors_are_told(image_set: ImageSet) -> None:
    def script(image_set: "ImageSet", actions: "tuple[GalleryAction, ...]") -> None:
        from url_viz.ui.widgets.decide import handle_gallery_actions

        handle_gallery_actions(image_set, actions)

    ids = image_set.table()["id"].tolist()
    actions = (
        GalleryAction(ids[0], "keep"),
        GalleryAction(ids[1], "drop"),
        GalleryAction(command="undo"),
        GalleryAction(17, "keep"),
        GalleryAction(command="redo"),
        GalleryAction(command="redo"),
    )
    at = AppTest.from_function(script, args=(image_set, actions)).run()
    said = toasts(at)
    name = image_set.table()["path"].iloc[1]
    assert [said[0], *said[2:]] == [f"Undone: dropped {name}", f"Redone: dropped {name}", "Nothing to redo"]
    assert "no picture with id 17" in said[1]
    assert image_set.table()["decision"].tolist()[:2] == ["keep", "drop"]
    handle_gallery_actions(image_set, ())


def test_one_class_is_set_for_all_in_scope_and_one_undo_takes_it_back(image_set: ImageSet) -> None:
    at = bar(image_set)
    set_class = at.button(key="view.decide.set_class")
    assert set_class.label == "Set class of 4 pictures"
    assert set_class.disabled
    classes = at.selectbox(key="view.decide.class")
    assert sorted(classes.options) == ["cat", "dog"]
    classes.select("dog").run()
    at.button(key="view.decide.set_class").click().run()
    assert toasts(at) == ["Labelled 4 pictures “dog”"]
    assert image_set.table()["label"].tolist() == ["dog"] * 8
    at.button(key="view.decide.undo").click().run()
    assert (image_set.table()["label"] == "cat").sum() == 4


def test_classes_are_offered_by_what_pictures_look_like_all_together() -> None:
    rows = pd.DataFrame(
        {
            "first_class": ["plum", "kiwi", None],
            "first_share": [0.5, 0.6, float("nan")],
            "second_class": ["kiwi", "plum", None],
            "second_share": [0.3, 0.2, float("nan")],
        }
    )
    assert likeliest_first(rows, ["fig", "ant", "kiwi", "plum"]) == ["kiwi", "plum", "fig", "ant"]
