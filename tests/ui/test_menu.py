"""Tabs of a page: the one that is open is kept, and stands in the address."""

from tests.ui.pages import app, opened, words
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.ui.menu import TAB

SETTINGS = TAB.under("settings")


def test_only_the_open_tab_is_drawn_and_it_stands_in_the_address(home: Workspace) -> None:
    at = opened(page="settings")
    assert [tab.label for tab in at.tabs] == ["Models", "Image sets", "Jobs"]
    assert "tab" not in at.query_params, "the first one needs no word"
    assert "Nothing is running" not in words(at)
    at = opened(page="jobs")
    assert "Jobs" in at.query_params["tab"]
    assert "Model card" not in words(at)


def test_an_address_opens_a_tab_and_an_unknown_one_does_no_harm(home: Workspace) -> None:
    for asked, shown in (("Image sets", "Image sets"), ("<b>", "Models"), ("", "Models")):
        at = app()
        at.query_params["tab"] = asked
        at.switch_page("pages/settings_page.py").run()
        assert at.session_state[SETTINGS] == shown
        assert shown in at.query_params.get("tab", "Models")


def test_a_page_comes_back_with_its_tab_and_with_another_set(image_set: ImageSet) -> None:
    at = opened(image_set, "finetune")
    at.switch_page("pages/review_page.py").run()
    at.session_state["chosen_set"] = None
    at.query_params.clear()  # as a browser's next page does
    at.switch_page("pages/settings_page.py").run()
    assert at.session_state[SETTINGS] == "Models"
    at.session_state["chosen_set"] = image_set.set_id
    at.switch_page("pages/model_page.py").run()
    assert at.session_state[TAB.under("model")] == "Train"
    assert "Train" in at.query_params["tab"]
