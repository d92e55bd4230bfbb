"""The control "Order by": what nobody chose follows the leading measure; what somebody chose stays."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from url_viz.ui.session import Key
    from url_viz.ui.widgets.buttons import measure_under

    leading = st.session_state.setdefault("leading", "uncertainty")
    st.text(measure_under(Key("by"), ["uncertainty", "ambiguity"], default=leading))


def led_by(measure: str, at: AppTest) -> str:
    at.session_state["leading"] = measure
    return str(at.run().text[0].value)


def test_what_nobody_chose_follows_also_where_the_browser_is_late() -> None:
    at = AppTest.from_function(page).run()
    drawn = at._tree
    assert led_by("ambiguity", at) == "ambiguity"
    at._tree = drawn
    at.segmented_control[0].set_value("uncertainty")  # what the browser still shows, sent with any other event
    assert led_by("ambiguity", at) == "ambiguity"


def test_what_somebody_chose_stays_until_the_leading_one_is_chosen() -> None:
    at = AppTest.from_function(page).run()
    at.segmented_control[0].set_value("ambiguity").run()
    assert led_by("uncertainty", at) == "ambiguity"
    at.segmented_control[0].set_value("uncertainty").run()
    assert led_by("ambiguity", at) == "ambiguity"
    at.segmented_control[0].set_value("uncertainty").run()
    assert led_by("ambiguity", at) == "uncertainty"


def page_of_five() -> None:
    import streamlit as st

    from url_viz.ui.session import Key
    from url_viz.ui.widgets.buttons import measure_under

    names = ["uncertainty", "ambiguity", "confusability", "tuned", "entropy"]
    st.text(measure_under(Key("by"), names))


def test_more_than_fit_on_a_line_are_a_list() -> None:
    at = AppTest.from_function(page_of_five).run()
    assert not at.segmented_control
    assert at.selectbox[0].options[1] == "Order: torn between classes"
    at.selectbox[0].set_value("ambiguity").run()
    assert at.text[0].value == "ambiguity"
