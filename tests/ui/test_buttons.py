"""What a button asks for is done once, whatever is clicked meanwhile, and what came of it is said beside it."""

import pytest
from streamlit.testing.v1 import AppTest

from url_viz.ui.streamlit_private import PatientRequests
from url_viz.ui.widgets.buttons import ClickOutcome


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's thread takes clicks as it does in the app."""
    from streamlit.runtime.scriptrunner import script_runner

    monkeypatch.setattr(script_runner, "ScriptRequests", PatientRequests)


def page() -> None:
    """A page with a setting and two buttons; `click` is where the next one comes: before, within, after the first."""
    from concurrent.futures import ThreadPoolExecutor

    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx
    from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

    from url_viz.base.errors import UrlVizError
    from url_viz.ui.widgets.buttons import ASKED, act_button, end_of_page, leave_page

    def click(where: str) -> None:
        if st.session_state.get("click") == where and (ASKED.is_set or where == "after"):
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
        leave_page()
    click("before")
    epochs = st.session_state.get("epochs", 3)
    act_button("Start", start, key="start", disabled=epochs == 9)
    act_button("Stop", lambda: "Stopped.", key="stop")
    click("after")
    st.text("drawn to the end")
    end_of_page()


def opened(click: str = "") -> AppTest:
    at = AppTest.from_function(page, default_timeout=120)
    at.session_state["click"] = click
    return at.run()


@pytest.mark.parametrize("where", ["before", "within"])
def test_the_next_click_waits_until_it_is_done(where: str) -> None:
    at = opened(where)
    at.session_state["epochs"] = 5
    at.button(key="start").click().run()
    assert at.session_state["waits"], "this run goes on"
    assert at.session_state["done"] == [5], "as the page says by then"
    assert [one.value for one in at.run().success] == ["Started 5."]
    assert at.session_state["done"] == [5], "once"


def test_of_two_that_come_together_both_are_carried_out_and_said() -> None:
    at = opened()
    at.session_state["epochs"] = 0
    at.session_state["button.asked"] = ("stop",)
    at.button(key="start").click().run()
    assert [one.value for one in (*at.error, *at.success)] == ["It needs an epoch.", "Stopped."]


def test_what_came_of_it_stays_until_the_next_such_click() -> None:
    at = opened()
    at.session_state["epochs"] = 0
    at.button(key="start").click().run()
    assert [one.value for one in at.run().error] == ["It needs an epoch."]
    at.session_state["epochs"] = 2
    at.button(key="start").click().run()
    assert not at.error
    assert [one.value for one in at.run().success] == ["Started 2."]


def test_what_was_not_seen_of_it_when_the_page_is_left_is_said_in_a_toast() -> None:
    at = opened()
    at.session_state["button.said"] = (ClickOutcome("start", "Started 3.", "success"),)
    at.session_state["left"] = True
    assert [one.value for one in at.run().toast] == ["Started 3."]
    at = opened()
    at.button(key="start").click().run()
    at.session_state["left"] = True
    assert not at.run().toast


def test_what_is_not_offered_is_not_done_and_after_it_clicks_end_runs_again() -> None:
    at = opened()
    at.session_state["epochs"] = 9
    at.button(key="start").click().run()
    assert "done" not in at.session_state
    assert at.button(key="stop").click().run().text
    at.session_state["click"] = "after"
    assert not at.run().text
