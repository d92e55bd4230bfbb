"""The choice of an image set's classes: folders, a level of them, names, tags, a column, or none; and what is apart."""

from functools import partial

import streamlit as st

from url_viz.base.wording import first_of
from url_viz.columns.filters import class_columns
from url_viz.image_set import ImageSet
from url_viz.labels.apart import apart_choices, apart_in_words
from url_viz.reading import PREPARED_FROM
from url_viz.store.columns.imported_columns import FOLDERS, NAMES, TAGS
from url_viz.store.columns.source_columns import CLASS, PICTURE
from url_viz.ui.explore.view import set_filter
from url_viz.ui.session import Key
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.buttons import act_button, control

CLASSES_OPEN = "view.classes_open"
CLASSES: Key[str] = Key("set.classes")
"""The choice of a set's classes, by its id."""

NONE = "none"
"""The option for no classes; no column can have this name."""


def class_choices(image_set: ImageSet) -> dict[str, tuple[str, str]]:
    """The options by the argument of `ImageSet.labels.use` (NONE for None), each with its title and its classes."""
    now = image_set.labels.levels()
    taken = next((level for level in now.levels if level.number == now.folder_level), None)
    choices = {FOLDERS: ("Class folders", "none found" if taken is None else first_of(taken.names))}
    for level in now.levels:
        if (level != taken and len(level.names) > 1) or now.chosen == level.choice:
            choices[level.choice] = (f"Level {level.number} of the folders", first_of(level.names))
    choices[NAMES] = ("Names", "the names you gave to pictures")
    choices[TAGS] = ("Tags", "a picture's first tag in alphabetical order")
    brought = {column.name: column.source for column in image_set.columns.list()}
    fitting = image_set.cached_of_table(class_columns, tuple(brought))
    choices |= {
        name: (name, f"a column from {source}")
        for name, source in brought.items()
        if name in fitting or name == now.chosen
    }
    if now.chosen is not None and now.chosen not in choices:  # another session may have brought it just now
        choices[now.chosen] = now.chosen, ""
    return choices | {NONE: ("No classes", "")}


def show_class_choice(image_set: ImageSet) -> None:
    """The classes in use, and a choice of others; stored with the set, for all pages."""

    def take(picked: str) -> None:
        with errors_shown():
            image_set.labels.use(None if picked == NONE else picked)
            set_filter("label", None)

    now, choices = image_set.labels.levels(), class_choices(image_set)
    chosen = now.chosen or NONE
    words = escape("; ".join(filter(None, [now.words, image_set.labels.apart.words])))
    if image_set.is_of_objects and (now.chosen, image_set.labels.apart.choice) == (CLASS, PICTURE):
        words = escape(now.words)  # apart as was to be expected
    with st.expander(words, icon=":material/category:", key=CLASSES_OPEN, on_change="rerun") as expander:
        st.radio(
            "Classes from",
            list(choices),
            format_func=lambda choice: escape(choices[choice][0]),
            captions=[escape(detail) for _, detail in choices.values()],
            index=list(choices).index(chosen),
            help="Pictures are not read again",
            **control(CLASSES.under(image_set.set_id), chosen, take, options=choices),
        )
        _show_apart(image_set, with_suggestion=bool(expander.open))


def _show_apart(image_set: ImageSet, *, with_suggestion: bool) -> None:
    """The choice of pictures that are no witnesses for each other, and a suggestion, which takes a moment."""
    now = image_set.labels.apart.choice or NONE
    choices = (NONE, *apart_choices(image_set.core.base, [column.name for column in image_set.columns.list()]))
    picked = st.selectbox(
        "Keep apart",
        choices,
        index=choices.index(now),
        format_func=lambda choice: "near copies only" if choice == NONE else apart_in_words(choice),
        key=f"apart.{image_set.version}",
        help="Pictures of one patient, video or camera are then no evidence for each other, as with near copies",
    )
    suggestion = image_set.labels.suggested_apart() if with_suggestion and len(image_set) < PREPARED_FROM else None
    if suggestion is not None:
        st.caption(escape(suggestion.words))
        set_apart = partial(image_set.labels.set_apart, suggestion.choice)
        if act_button("Keep them apart", set_apart, key="apart.suggested"):
            st.rerun()
    if picked != now:
        with errors_shown():
            image_set.labels.set_apart(None if picked == NONE else picked)
            st.rerun()
