"""What a button asks for is done once and said beside it; what a control shows is what somebody chose last."""

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


def with_buttons(click: str = "") -> AppTest:
    at = AppTest.from_function(page, default_timeout=120)
    at.session_state["click"] = click
    return at.run()


@pytest.mark.parametrize("where", ["before", "within"])
def test_the_next_click_waits_until_it_is_done(where: str) -> None:
    at = with_buttons(where)
    at.session_state["epochs"] = 5
    at.button(key="start").click().run()
    assert at.session_state["waits"], "this run goes on"
    assert at.session_state["done"] == [5], "as the page says by then"
    assert [one.value for one in at.run().success] == ["Started 5."]
    assert at.session_state["done"] == [5], "once"


def test_of_two_that_come_together_both_are_carried_out_and_said() -> None:
    at = with_buttons()
    at.session_state["epochs"] = 0
    at.session_state["button.asked"] = ("stop",)
    at.button(key="start").click().run()
    assert [one.value for one in (*at.error, *at.success)] == ["It needs an epoch.", "Stopped."]


def test_what_came_of_it_stays_until_the_next_such_click() -> None:
    at = with_buttons()
    at.session_state["epochs"] = 0
    at.button(key="start").click().run()
    assert [one.value for one in at.run().error] == ["It needs an epoch."]
    at.session_state["epochs"] = 2
    at.button(key="start").click().run()
    assert not at.error
    assert [one.value for one in at.run().success] == ["Started 2."]


def test_what_was_not_seen_of_it_when_the_page_is_left_is_said_in_a_toast() -> None:
    at = with_buttons()
    at.session_state["button.said"] = (ClickOutcome("start", "Started 3.", "success"),)
    at.session_state["left"] = True
    assert [one.value for one in at.run().toast] == ["Started 3."]
    at = with_buttons()
    at.button(key="start").click().run()
    at.session_state["left"] = True
    assert not at.run().toast


def test_what_is_not_offered_is_not_done_and_after_it_clicks_end_runs_again() -> None:
    at = with_buttons()
    at.session_state["epochs"] = 9
    at.button(key="start").click().run()
    assert "done" not in at.session_state
    assert at.button(key="stop").click().run().text
    at.session_state["click"] = "after"
    assert not at.run().text


def page_of_measures(*more: str) -> None:
    import streamlit as st

    from url_viz.ui.session import Key
    from url_viz.ui.widgets.buttons import measure_under

    leading = st.session_state.setdefault("leading", "uncertainty")
    st.text(measure_under(Key("by"), ["uncertainty", "ambiguity", *more], default=leading))


def led_by(measure: str, at: AppTest) -> str:
    at.session_state["leading"] = measure
    return str(at.run().text[0].value)


def test_what_nobody_chose_follows_also_where_the_browser_is_late() -> None:
    at = AppTest.from_function(page_of_measures).run()
    drawn = at._tree
    assert led_by("ambiguity", at) == "ambiguity"
    at._tree = drawn
    at.segmented_control[0].set_value("uncertainty")  # what the browser still shows, sent with any other event
    assert led_by("ambiguity", at) == "ambiguity"


def test_what_somebody_chose_stays_until_the_leading_one_is_chosen() -> None:
    at = AppTest.from_function(page_of_measures).run()
    at.segmented_control[0].set_value("ambiguity").run()
    assert led_by("uncertainty", at) == "ambiguity"
    at.segmented_control[0].set_value("uncertainty").run()
    assert led_by("ambiguity", at) == "ambiguity"
    at.segmented_control[0].set_value("uncertainty").run()
    assert led_by("ambiguity", at) == "uncertainty"


def test_more_than_fit_on_a_line_are_a_list() -> None:
    at = AppTest.from_function(page_of_measures, args=("confusability", "tuned", "entropy")).run()
    assert not at.segmented_control
    assert at.selectbox[0].options[1] == "Order: torn between classes"
    at.selectbox[0].set_value("ambiguity").run()
    assert at.text[0].value == "ambiguity"


def page_of_classes() -> None:
    import streamlit as st

    from url_viz.ui.session import Key
    from url_viz.ui.widgets.buttons import control_of

    choice: Key[str] = Key("choice")
    value = choice.get() or "none"
    options = ["none", "cat", "dog"]
    st.text(value)
    st.button("Clear", on_click=choice.clear)
    st.button("Run again")
    st.selectbox("Class", options, options.index(value), **control_of(choice, value))


def with_cat() -> AppTest:
    at = AppTest.from_function(page_of_classes).run()
    return at.selectbox[0].set_value("cat").run()


def shown(at: AppTest) -> tuple[str, str | None]:
    return at.text[0].value, at.selectbox[0].value


def test_a_choice_is_shown_by_the_same_widget_and_one_by_the_page_by_another_and_both_count() -> None:
    at = with_cat()
    assert shown(at) == ("cat", "cat")
    assert at.selectbox[0].key == "choice.control"
    at.button[0].click().run()
    assert shown(at) == ("none", "none")
    assert at.selectbox[0].key == "choice.control.1"
    assert not at.selectbox[0].proto.set_value, "what is sent replaces what was clicked since"
    at.selectbox[0].set_value("cat").run()
    assert shown(at) == ("cat", "cat"), "the same choice again"


def test_a_browser_that_has_not_heard_of_the_change_does_not_take_it_back() -> None:
    at = with_cat()
    late = at._tree
    at.button[0].click().run()
    at._tree = late
    at.button[0].set_value(False)
    at.selectbox[0].set_value("cat")  # which it sends with every click
    at.button[1].click().run()
    assert shown(at) == ("none", "none")


def test_what_is_chosen_in_such_a_browser_counts() -> None:
    at = with_cat()
    late = at._tree
    at.button[0].click().run()
    at._tree = late
    at.button[0].set_value(False)
    at.selectbox[0].set_value("dog").run()
    assert shown(at) == ("dog", "dog")
    at._tree = late
    at.button[0].set_value(False)
    at.selectbox[0].set_value("dog")  # which it sends with every click
    at.button[1].click().run()
    assert shown(at) == ("dog", "dog")
    at.button[0].click().run()
    assert shown(at) == ("none", "none")
