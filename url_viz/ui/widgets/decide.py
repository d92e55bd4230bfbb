"""Decisions on pages: actions of a gallery, the bar that decides on all pictures in scope, and what undoes them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.columns.twin_groups import with_twins
from url_viz.drawing.assets import WIRE
from url_viz.image_set import ImageSet
from url_viz.review.queues import progress_counts
from url_viz.store.decisions.decision_rows import Decision
from url_viz.store.decisions.decisions import Action, Decisions, Step
from url_viz.ui.auth import user_name
from url_viz.ui.session import Key
from url_viz.ui.text import errors_shown, escape, with_toast
from url_viz.ui.widgets.gallery import GalleryAction

DONE: Key[tuple[str, int]] = Key("view.done")
"""What was last done in this session to several pictures, and the version of the decisions after it."""

_DECISIONS: dict[Decision, dict[str, str]] = WIRE["decisions"]
CHOICES: dict[Decision | None, tuple[str, str]] = {
    "keep": (_DECISIONS["keep"]["word"], ":material/check:"),
    "drop": (_DECISIONS["drop"]["word"], ":material/close:"),
    "look-again": (_DECISIONS["look-again"]["word"], ":material/question_mark:"),
    None: ("Remove decision", ":material/backspace:"),
}
KEYS = (
    "The buttons act on this many: those you selected (Ctrl+click, Shift+click for a range, Space), or else "
    "those beyond the threshold, or else all in the lasso and filters. For one picture, or those you selected, press "
    + ", ".join(f"**{decision['key']}** to {decision['word'].lower()}" for decision in _DECISIONS.values())
    + " (the same key again takes it back), **u** or **Ctrl+Z** to undo, **y** or **Ctrl+Shift+Z** to redo; "
    "arrow keys move."
)


_STEP_KEYS: dict[Step, str] = {"undo": "Key u or Ctrl+Z", "redo": "Key y or Ctrl+Shift+Z"}
NAMING = "What the pictures show, one name each; the review *Name these first* continues from there. Tags stay"


def decisions_here(image_set: ImageSet) -> Decisions:
    """The decisions of an image set, changed in the name of this session's user."""
    who = user_name()
    return image_set.decisions if who is None else image_set.decisions.by(who)


def handle_gallery_actions(
    image_set: ImageSet, actions: Sequence[GalleryAction], *, stacks: pd.DataFrame | None = None
) -> None:
    """Carry out the actions of a gallery: pass this as its `handle`, with the image set bound.

    All of it is done before the first call of Streamlit, as `show_gallery` requires. Decisions show in the gallery;
    undo, redo, errors, and what was done to several pictures, are reported.
    `stacks` are the rows of `image_set.table()` where one tile stands for a picture and its twins.
    """
    results: list[Action | str] = []
    for action in actions if stacks is None else map(partial(_with_twins, stacks), actions):
        try:
            if action.command is not None:
                results.append(step_history(image_set, action.command)[0])
            elif action.chosen:
                results.append(decisions_here(image_set).decide(action.chosen, action.decision))
            elif action.id is not None:
                decisions_here(image_set).decide([action.id], action.decision)
        except UrlVizError as error:
            results.append(str(error))
    report(image_set, results)


def report(image_set: ImageSet, results: Sequence[Action | str]) -> None:
    """Show the results in toasts; an action on several pictures also beside *Undo*, as long as it undoes that."""
    last = results[-1] if results else None
    if isinstance(last, Action) and last.count > 1:
        DONE.set((last.sentence, image_set.decisions.version))
    for result in results:
        st.toast(escape(result.sentence if isinstance(result, Action) else result))


def reported(image_set: ImageSet, act: Callable[[], Action]) -> Callable[[], None]:
    """A callback that carries out `act` on several pictures, and reports it or its error."""

    def carry_out() -> None:
        with errors_shown():
            report(image_set, [act()])

    return carry_out


def show_decide_bar(image_set: ImageSet, rows: pd.DataFrame, *, key: str, which: str = "") -> None:
    """Buttons and tags for all pictures of `rows` (of `image_set.table()`), undo and redo.

    `which` says which pictures these are ("chosen"), if they are not all in scope. Each click is one action for undo,
    and is reported. *Drop* says how many it drops. While the bar appears, it takes no click that
    was meant for what stood there. It is a single line, however narrow the page: one scrolls it there.
    """
    ids, decisions = tuple(rows["id"].tolist()), decisions_here(image_set)
    total = len(image_set)
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small", key="decide_bar"):
        scope = which or (f"of {total:,}" if len(ids) != total else f"{image_set.noun}s")
        st.markdown(f"**{len(ids):,}** {escape(scope)}", help=KEYS, width="content")
        for decision, (word, icon) in CHOICES.items():
            st.button(
                escape(f"{word}{f' {len(ids):,}' if decision == 'drop' else ''}"),
                icon=icon,
                key=f"{key}.{decision or 'clear'}",
                disabled=not ids,
                on_click=reported(image_set, partial(decisions.decide, ids, decision)),
            )
        _show_classes(image_set, rows, key=key)
        _show_tags(image_set, ids, key=key)
        show_undo(image_set, key=key)


def _with_twins(table: pd.DataFrame, action: GalleryAction) -> GalleryAction:
    """The action, also on the twins of its pictures among these rows; unchanged on one picture without twins."""
    if action.id is None and not action.chosen:
        return action
    ids = action.chosen or (action.id,)
    rows = with_twins(table, table["id"].isin(ids).to_numpy(dtype=bool))
    stack = tuple(table["id"].to_numpy(np.int64)[rows].tolist())
    return action if len(stack) <= 1 else replace(action, id=None, chosen=stack)


def show_progress(image_set: ImageSet, *, key: str) -> None:
    """How many pictures of the set were kept, dropped … and are left, with undo and redo."""
    show_undo(image_set, key=key, is_always=False)
    counts = progress_counts(image_set.table())
    if counts:
        st.caption(escape(" · ".join(f"{count:,} {part}" for part, count in counts.items())), width="content")


def step_history(image_set: ImageSet, command: Step) -> tuple[str, int | None]:
    """Undo or redo; returns what that did, in words, and the id of the picture, if it was about one."""
    action = decisions_here(image_set).step(command)
    if action is None:
        return f"Nothing to {command}", None
    if len(action.ids) != 1 or not (image_set.core.ids == action.ids[0]).any():
        return action.sentence, None
    return action.about(str(image_set.row(action.ids[0])["path"])).sentence, action.ids[0]


def _show_classes(image_set: ImageSet, rows: pd.DataFrame, *, key: str) -> None:
    """One class for all of `rows`: those that they look like come first, and a new one may be typed."""
    classes = image_set.labels.classes()
    if not classes:
        return
    with st.popover("Class", icon=":material/category:"):
        button = st.container()  # above the list that opens below
        name = st.selectbox(
            "Class",
            likeliest_first(rows, classes),
            index=None,
            accept_new_options=True,
            placeholder="Choose a class, or type a new one",
            key=f"{key}.class",
        )
        ids = rows["id"].tolist()
        give = partial(image_set.labels.give, dict.fromkeys(ids, name), who=user_name())
        button.button(
            escape(f"Set class of {len(ids):,} {image_set.noun}{'' if len(ids) == 1 else 's'}"),
            type="primary",
            key=f"{key}.set_class",
            disabled=not ids or not name,
            help="Files stay where they are; one undo reverts all of it",
            on_click=reported(image_set, give),
        )


def likeliest_first(rows: pd.DataFrame, classes: Sequence[str]) -> list[str]:
    """Classes by what some rows of `ImageSet.table()` look like, all together; then the others as they come."""
    total = Counter[str]()
    for nth in ("first", "second"):
        shares = rows[f"{nth}_share"].groupby(rows[f"{nth}_class"]).sum()
        total.update(dict(zip(map(str, shares.index), map(float, shares), strict=True)))
    return sorted(classes, key=lambda name: -total[name])


def _show_tags(image_set: ImageSet, ids: tuple[int, ...], *, key: str) -> None:
    with st.popover("Tag", icon=":material/label:"):
        buttons = st.container(horizontal=True)  # above the list that opens below
        counts = image_set.decisions.tag_counts()
        tags = tuple(
            st.multiselect(
                "Tags, or a name",
                list(counts),
                format_func=lambda tag: f"{tag} ({counts[tag]:,})" if tag in counts else tag,
                accept_new_options=True,
                placeholder="Choose tags, or type new ones",
                key=f"{key}.tags",
            )
        )
        with buttons:
            change = partial(decisions_here(image_set).change, ids)
            acts = {
                "tag": ("Tag", partial(change, tag=tags)),
                "untag": ("Untag", partial(change, untag=tags)),
                "name": ("Name", partial(change, name=tags[0] if tags else None)),
            }
            for kind, (word, act) in acts.items():
                st.button(
                    escape(f"{word} {len(ids):,} {image_set.noun}s"),
                    key=f"{key}.{kind}",
                    disabled=not ids or not tags or (kind == "name" and len(tags) > 1),
                    help=NAMING if kind == "name" else None,
                    on_click=reported(image_set, act),
                )


def show_undo(image_set: ImageSet, *, key: str, is_always: bool = True) -> None:
    """Buttons for undo and redo on this image set, after what undo would take back, if that was on several pictures.

    Unless `is_always`, nothing where there is nothing to undo or redo.
    """
    decisions, done = image_set.decisions, DONE.get()
    possible: dict[Step, bool] = {"undo": decisions.can_undo, "redo": decisions.can_redo}
    if not (is_always or any(possible.values())):
        return
    if done is not None and done[1] == decisions.version:
        st.markdown(f"**{escape(done[0])}.**", width="content")
    for command, is_possible in possible.items():
        st.button(
            escape(command.capitalize()),
            icon=f":material/{command}:",
            type="tertiary",
            key=f"{key}.{command}",
            disabled=not is_possible,
            help=f"{escape(_STEP_KEYS[command])}. For the whole image set, including other users' decisions",
            on_click=with_toast(lambda command: step_history(image_set, command)[0]),
            args=(command,),
        )
