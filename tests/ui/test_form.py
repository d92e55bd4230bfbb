"""A form is a config: what its widgets say is what the command gets."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_type_hints

import pytest
from streamlit.testing.v1 import AppTest
from typing_extensions import Doc

from training.config import FinetuneConfig
from url_viz.jobs.configs import command_words


@dataclass(frozen=True)
class Inner:
    """The inner options."""

    rate: Annotated[float, Doc("How fast.")] = 0.5
    is_loud: Annotated[bool, Doc("Whether to say so.")] = True


@dataclass(frozen=True)
class Outer:
    """The outer options."""

    kind: Annotated[Literal["a", "b"], Doc("Which of two.")] = "a"
    limit: Annotated[int | None, Doc("How many; empty for all.")] = None
    inner: Annotated[Inner, Doc("What lies inside.")] = field(default_factory=Inner)


def test_only_what_differs_is_on_the_command_line() -> None:
    assert command_words(Outer()) == []
    changed = Outer(kind="b", limit=3, inner=Inner(rate=0.25, is_loud=False))
    assert command_words(changed) == ["--kind", "b", "--limit", "3", "--rate", "0.25", "--no-is-loud"]
    assert command_words(Outer(), usual=Outer(limit=3)) == ["--limit", "None"]


def test_every_field_has_a_widget_with_its_sentence_as_help() -> None:
    def script() -> None:
        import streamlit as st

        from tests.ui.test_form import Outer
        from url_viz.ui.adapt import show_form

        st.session_state["made"] = show_form(Outer(), key="form")

    at = AppTest.from_function(script).run()
    assert at.session_state["made"] == Outer()
    assert at.selectbox(key="form.kind").help == "Which of two. Default: a."
    assert at.toggle(key="form.inner.is_loud").label == "Is loud"
    at.number_input(key="form.limit").set_value(7)
    at.number_input(key="form.inner.rate").set_value(0.125)
    at.toggle(key="form.inner.is_loud").set_value(False).run()
    assert at.session_state["made"] == Outer(limit=7, inner=Inner(rate=0.125, is_loud=False))
    assert any("What lies inside." in m.value for m in at.caption)


@pytest.mark.parametrize("config", [FinetuneConfig])
def test_every_field_of_a_real_config_has_a_sentence(config: type) -> None:
    for name, hint in get_type_hints(config, include_extras=True).items():
        assert any(getattr(one, "documentation", "") for one in getattr(hint, "__metadata__", ())), name
