"""What a button asks for is done once, whatever is clicked meanwhile, and what came of it is said beside it."""

import pytest
from streamlit.testing.v1 import AppTest

from url_viz.ui.streamlit_private import PatientRequests


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's thread takes clicks as it does in the app."""
    from streamlit.runtime.scriptrunner import script_runner

    monkeypatch.setattr(script_runner, "ScriptRequests", PatientRequests)


def page() -> None:
    """A page with a setting and a button; `click` is where the next click comes: "before" the button, "within" it."""
    from concurrent.futures import ThreadPoolExecutor

    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx
    from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

    from url_viz.errors import UrlVizError
    from url_viz.ui.session import ASKED
    from url_viz.ui.widgets.buttons import act_button, finish_asked

    def click(where: str) -> None:
        if st.session_state.get("click") == where and (ASKED.is_set or where == "within"):
            st.session_state["click"] = ""
            requests = get_script_run_ctx().script_requests  # type: ignore[union-attr]
            with ThreadPoolExecutor() as others:
                st.session_state["waits"] = others.submit(requests.request_rerun, RerunData()).result()  # type: ignore[union-attr]

    def start() -> str:
        click("within")
        if epochs < 1:
            raise UrlVizError("It needs an epoch.")
        st.session_state["done"] = [*st.session_state.get("done", []), epochs]
        return f"Started {epochs}."

    st.title("Training")
    if st.session_state.get("left"):
        finish_asked()
        return
    click("before")
    epochs = st.session_state.get("epochs", 3)
    act_button("Start", start, key="start", disabled=epochs == 9)


def opened(click: str = "") -> AppTest:
    at = AppTest.from_function(page, default_timeout=60)
    at.session_state["click"] = click
    return at.run()


def test_a_click_that_the_next_one_comes_before_is_carried_out_with_what_the_page_says_then() -> None:
    at = opened("before")
    at.button(key="start").click().run()
    assert "done" not in at.session_state, "the run has ended before the button"
    at.session_state["epochs"] = 5
    at.run()
    assert at.session_state["done"] == [5]
    assert at.run().session_state["done"] == [5], "once"


def test_the_next_click_waits_until_it_is_done() -> None:
    at = opened("within")
    at.button(key="start").click().run()
    assert at.session_state["waits"], "this run goes on"
    assert at.session_state["done"] == [3]
    assert [one.value for one in at.success] == ["Started 3."]


def test_what_came_of_it_stays_until_the_next_such_click() -> None:
    at = opened()
    at.session_state["epochs"] = 0
    at.button(key="start").click().run()
    assert [one.value for one in at.run().error] == ["It needs an epoch."]
    at.session_state["epochs"] = 2
    at.button(key="start").click().run()
    assert not at.error
    assert [one.value for one in at.run().success] == ["Started 2."]


def test_it_is_done_though_the_page_is_left_and_nothing_is_that_is_not_offered() -> None:
    at = opened("before")
    at.button(key="start").click().run()
    at.session_state["left"] = True
    assert at.run().session_state["done"] == [3]
    at = opened("before")
    at.button(key="start").click().run()
    at.session_state["epochs"] = 9
    at.run()
    assert "done" not in at.session_state
