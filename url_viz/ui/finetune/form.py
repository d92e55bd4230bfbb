"""Forms generated from config dataclasses, one widget per field, and the equivalent command-line options."""

import dataclasses
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import streamlit as st

from url_viz.ui.text import escape

Config = TypeVar("Config")


def show_form(
    config: Config, *, key: str, leave_out: Collection[str] = (), titles: Mapping[str, str] = MappingProxyType({})
) -> Config:
    """Widgets for the fields of `config` (a frozen dataclass), nested ones in groups; return the edited config.

    A field's documentation becomes its help text. `leave_out` names fields, GROUP.NAME in a group, that get no
    widget; `titles` has those that are not called by their names. Raises the dataclass's ValueError for fields that
    conflict.
    """
    hints = get_type_hints(type(config), include_extras=True)
    chosen: dict[str, Any] = {}
    groups = [f for f in _fields(config, leave_out) if is_dataclass(getattr(config, f.name))]
    plain = [f for f in _fields(config, leave_out) if f not in groups]
    columns = st.columns(3) if plain else []
    for number, entry in enumerate(plain):
        with columns[number % 3]:
            value, title = getattr(config, entry.name), titles.get(entry.name, _title(entry.name))
            chosen[entry.name] = _widget(title, hints[entry.name], value, key=f"{key}.{entry.name}")
    for group in groups:
        value = getattr(config, group.name)
        st.header(escape(_title(group.name)), anchor=False)
        st.caption(escape(_sentence(hints[group.name])))
        below = [name.removeprefix(f"{group.name}.") for name in leave_out if name.startswith(f"{group.name}.")]
        chosen[group.name] = show_form(value, key=f"{key}.{group.name}", leave_out=below, titles=titles)
    return dataclasses.replace(config, **chosen)  # type: ignore[type-var]


def show_field(config: Config, name: str, *, key: str, title: str) -> Config:
    """A widget for one field, GROUP.NAME in a group; return the edited config, which `show_form` would give too.

    Raises the dataclass's ValueError for fields that conflict.
    """
    group, _, inner = name.rpartition(".")
    if group:
        edited = show_field(getattr(config, group), inner, key=f"{key}.{group}", title=title)
    else:
        hint = get_type_hints(type(config), include_extras=True)[name]
        edited = _widget(title, hint, getattr(config, name), key=f"{key}.{name}")
    return dataclasses.replace(config, **{group or name: edited})  # type: ignore[type-var]


def _fields(config: object, leave_out: Collection[str]) -> list[Field[Any]]:
    return [f for f in fields(config) if f.name not in leave_out]  # type: ignore[arg-type]


def _widget(title: str, hint: Any, value: Any, *, key: str) -> Any:
    """One widget: a toggle, a choice, a number (which may be empty if the type allows None), or text."""
    kind, shown, help_text = _kind(hint), escape(title), escape(_sentence(hint))
    if isinstance(value, bool):
        return st.toggle(shown, value=value, key=key, help=help_text)
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        return st.selectbox(shown, options, index=options.index(value), key=key, help=help_text)
    number = next((t for t in (int, float) if t in (kind, *get_args(kind))), None)
    if number is int:
        typed = st.number_input(shown, value=value, step=1, key=key, help=help_text)
        return None if typed is None else int(typed)
    if number is float:
        return st.number_input(shown, value=value, step=None, format="%.4g", key=key, help=help_text)
    return st.text_input(shown, value=str(value), key=key, help=help_text)


def _kind(hint: Any) -> Any:
    kind = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    return kind if not isinstance(kind, types.UnionType) or get_args(kind) else MISSING


def _sentence(hint: Any) -> str:
    return next((str(m.documentation) for m in getattr(hint, "__metadata__", ()) if hasattr(m, "documentation")), "")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
