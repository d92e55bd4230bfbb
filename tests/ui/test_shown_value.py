"""Controls whose value the page changes, too: neither a late browser nor a late answer undoes what somebody chose."""

from streamlit.testing.v1 import AppTest


def page() -> None:
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


def opened() -> AppTest:
    at = AppTest.from_function(page).run()
    return at.selectbox[0].set_value("cat").run()


def shown(at: AppTest) -> tuple[str, str | None]:
    return at.text[0].value, at.selectbox[0].value


def test_a_choice_is_shown_by_the_same_widget_and_one_by_the_page_by_another() -> None:
    at = opened()
    assert shown(at) == ("cat", "cat")
    assert at.selectbox[0].key == "choice.control"
    at.button[0].click().run()
    assert shown(at) == ("none", "none")
    assert at.selectbox[0].key == "choice.control.1"
    assert not at.selectbox[0].proto.set_value, "what is sent replaces what was clicked since"


def test_a_browser_that_has_not_heard_of_the_change_does_not_take_it_back() -> None:
    at = opened()
    late = at._tree
    at.button[0].click().run()
    at._tree = late
    at.button[0].set_value(False)
    at.selectbox[0].set_value("cat")  # which it sends with every click
    at.button[1].click().run()
    assert shown(at) == ("none", "none")


def test_what_is_chosen_in_such_a_browser_counts() -> None:
    at = opened()
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


def test_the_same_choice_again_counts_once_the_page_has_changed_it() -> None:
    at = opened()
    at.button[0].click().run()
    at.selectbox[0].set_value("cat").run()
    assert shown(at) == ("cat", "cat")
