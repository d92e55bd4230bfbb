"""The choice of classes: a line that says what was taken for them, and opens the other choices."""

from dataclasses import dataclass

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.store.imported_columns import FOLDERS, NAMES, TAGS
from url_viz.ui.session import classes_of
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.filter_controls import set_filter

NONE = "none"
"""The option for no classes; no column can have this name."""


@dataclass(frozen=True)
class ClassChoice:
    """An option: its title, and what it would take."""

    title: str
    detail: str = ""


def class_choices(image_set: ImageSet) -> dict[str, ClassChoice]:
    """The options of an image set, by what `ImageSet.labels.use` takes (NONE for None)."""
    now = image_set.labels.levels()
    taken = next((level for level in now.levels if level.number == now.found), None)
    choices = {FOLDERS: ClassChoice("Class folders", "none found" if taken is None else taken.shown)}
    for level in now.levels:
        if level != taken or now.chosen == level.choice:
            choices[level.choice] = ClassChoice(f"Level {level.number} of the folders", level.shown)
    choices[NAMES] = ClassChoice("Names", "what you called a picture")
    choices[TAGS] = ClassChoice("Tags", "the first tag of a picture by the alphabet, its name among them")
    choices |= {
        column.name: ClassChoice(column.name, f"your column, from {column.source}")
        for column in image_set.user_columns()
    }
    if now.chosen is not None and now.chosen not in choices:  # another session may have brought it just now
        choices[now.chosen] = ClassChoice(now.chosen)
    return choices | {NONE: ClassChoice("No classes")}


def show_class_choice(image_set: ImageSet) -> None:
    """What was taken as classes, and a choice of something else; kept with the set, for all pages."""
    now, choices = image_set.labels.levels(), class_choices(image_set)
    key = classes_of(image_set.set_id)
    key.set(now.chosen or NONE)  # another session or a command may have chosen
    with st.popover(escape(now.words), type="tertiary", help="Choose what the classes are; nothing is read again"):
        st.radio(
            "Classes from",
            list(choices),
            format_func=lambda choice: escape(choices[choice].title),
            captions=[escape(choice.detail) for choice in choices.values()],
            key=key,
            on_change=_take_classes,
            args=(image_set,),
        )


def _take_classes(image_set: ImageSet) -> None:
    picked = classes_of(image_set.set_id).get()
    with errors_shown():
        image_set.labels.use(None if picked == NONE else picked)
        set_filter("label", None)
