"""Buttons, headings, downloads and controls whose clicks are never lost, and the choice of a measure."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from mimetypes import guess_type
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.columns.measures import in_text, is_measure, measure_named, measure_title, title_of_column
from url_viz.export.folders import paths_file
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.streamlit_private import hold_run
from url_viz.ui.text import ERROR_ICON, Markdown, escape


class Warned(str):
    """A sentence returned by an act that warns of its outcome."""


@dataclass(frozen=True)
class ClickOutcome:
    """The outcome of a click on the button of a key."""

    key: str
    words: str
    kind: Literal["success", "warning", "error"]
    is_seen: bool = False


ASKED: Key[tuple[str, ...]] = Key("button.asked")
"""The keys of buttons whose click no run of the page has carried out."""
OUTCOMES: "Key[tuple[ClickOutcome, ...]]" = Key("button.said")
"""The outcome of the last click, or of several that came together."""
_ICONS = {"success": ":material/check:", "warning": ":material/warning:", "error": ERROR_ICON}


POPOVER: Key[bool] = Key("popover")
POPOVERS_CLOSED: Key[int] = Key("popovers_closed")


def popover_key(name: str) -> Key[bool]:
    """The key of the popover of this name: once it was closed here, another one, closed, takes its place."""
    return POPOVER.under(name, POPOVERS_CLOSED.under(name).get() or 0)


def close_popover(name: str) -> None:
    """Close the popover of this name; for callbacks."""
    closed = POPOVERS_CLOSED.under(name)
    closed.set((closed.get() or 0) + 1)


def dialog_button(label: str, *, key: str, popover: str = "", **look: Any) -> bool:
    """A button that opens the dialog of its `key`; returns whether that is open, and to be drawn.

    The dialog has `on_dismiss=DIALOG.clear`. The `popover` that the button stands in closes: Escape is the dialog's.
    """

    def open_dialog() -> None:
        DIALOG.set(key)
        if popover:
            close_popover(popover)

    st.button(escape(label), key=key, on_click=open_dialog, **look)
    return DIALOG.get() == key


def act_button(
    label: str, act: Callable[[], object], *, key: str, draw: Callable[..., object] = st.button, **look: Any
) -> bool:
    """A button that carries out `act` where it stands, once the controls above have been read; returns whether it did.

    What was drawn before is then to be drawn again (`st.rerun()`). The sentence that `act` returns, or its UrlVizError,
    is shown here until the next of these buttons is clicked; `Warned` is a sentence that warns.
    """
    draw(escape(label), key=key, on_click=_ask, args=(key,), **look)
    waiting, is_done = ASKED.get() or (), False
    if key in waiting and not look.get("disabled"):
        hold_run()
        left = tuple(other for other in waiting if other != key)
        ASKED.set(left)
        outcome = None
        try:
            words, is_done = act(), True
            if isinstance(words, str):
                outcome = ClickOutcome(key, words, "warning" if isinstance(words, Warned) else "success")
        except UrlVizError as error:
            outcome = ClickOutcome(key, str(error), "error")
        if outcome is not None:
            OUTCOMES.set((*(OUTCOMES.get() or ()), outcome))
        if not left:
            hold_run(is_held=False)
    show_outcome(key)
    return is_done


def show_outcome(key: str) -> None:
    """Show the outcome of the last click on the button of that key, until another of these is clicked."""
    for outcome in OUTCOMES.get() or ():
        if outcome.key == key:
            draw = {"success": st.success, "warning": st.warning, "error": st.error}[outcome.kind]
            draw(escape(outcome.words), icon=_ICONS[outcome.kind])


def end_of_page() -> None:
    """Call once a page is drawn: its clicks are carried out, or not offered any more, and their outcomes seen."""
    ASKED.clear()
    OUTCOMES.set(tuple(replace(outcome, is_seen=True) for outcome in OUTCOMES.get() or ()))


def leave_page() -> None:
    """Forget the clicks on a page, and show in toasts their outcomes that were not seen there."""
    ASKED.clear()
    for outcome in OUTCOMES.get() or ():
        if not outcome.is_seen:
            st.toast(escape(outcome.words), icon=_ICONS[outcome.kind])
    OUTCOMES.clear()


def _ask(key: str) -> None:
    hold_run()
    OUTCOMES.clear()
    ASKED.set((*(ASKED.get() or ()), key))


TITLED: Key[bool] = Key("page_titled")
"""Whether this run of the page has drawn its heading."""


def page_title(words: Markdown, **look: Any) -> None:
    """Draw the heading of the page. Its sections are headers (`st.header`), theirs subheaders."""
    st.title(words, anchor=False, **look)
    TITLED.set(True)


@contextmanager
def with_title(name: str) -> Iterator[None]:
    """Put the heading `name` above what is drawn within, if that draws none, as an error does."""
    TITLED.clear()
    above = st.container()
    yield
    if not TITLED.get():
        with above:
            page_title(escape(name))


PARQUET_MIME = "application/vnd.apache.parquet"


def download(
    words: str,
    make: Callable[[], bytes],
    *,
    file_name: str,
    key: str,
    icon: str | None = None,
    is_quiet: bool = False,
    is_primary: bool = False,
    disabled: bool = False,
    help_text: str | None = None,
) -> None:
    """A button that downloads what `make` returns; its type follows from the file's extension. `is_quiet`: no frame."""
    is_parquet = PurePath(file_name).suffix == ".parquet"
    st.download_button(
        escape(words),
        data=make,
        file_name=file_name,
        mime=PARQUET_MIME if is_parquet else guess_type(file_name)[0],
        icon=icon,
        type="tertiary" if is_quiet else "primary" if is_primary else "secondary",
        on_click="ignore",
        key=key,
        disabled=disabled,
        help=None if help_text is None else Markdown(escape(help_text)),
    )


def download_paths(image_set: ImageSet, ids: Sequence[int], *, name: str, key: str) -> None:
    """A button that downloads the paths of pictures; the file's name ends in `name`."""
    download(
        "List of paths",
        partial(paths_file, image_set, ids),
        file_name=f"{image_set.root.name}-{name}.txt",
        key=key,
        help_text="Paths of these pictures, one per line (separated by NUL if a name contains a line break)",
    )


def download_table(words: str, table: pd.DataFrame, *, file_name: str, key: str, is_quiet: bool = True) -> None:
    """A button that downloads a table as CSV or Parquet, by the file's extension; disabled for an empty one."""
    download(
        words,
        lambda: table_bytes(table, PurePath(file_name).suffix),
        file_name=file_name,
        key=key,
        icon=":material/download:" if is_quiet else None,
        is_quiet=is_quiet,
        disabled=table.empty,
    )


@dataclass
class Shown:
    """The last values of a control's widgets, which differ in the number in their key, and the last one's options.

    Changed in place: a run that is overtaken has shown what it has shown.
    """

    options: object
    values: list[object] = field(default_factory=list)


SHOWN: Key[dict[str, Shown]] = Key("controls.shown")

T = TypeVar("T")


def control(key: Key[T], value: T, choose: Callable[[T], object], *, options: object = ()) -> dict[str, Any]:
    """The `key`, `on_change` and `args` of the widget that shows `value`; `choose` gets what the user chooses.

    Give the widget `value` as its first one (`index`, `value`, `default`), and its `options` also here, as it shows
    them.
    """
    shown = SHOWN.get_or(dict).setdefault(key, Shown(options))
    if not shown.values or shown.values[-1] != value or shown.options != options:
        shown.values.append(value)
        shown.options = options
    number = len(shown.values) - 1
    return {"key": _widget(key, number), "on_change": _take, "args": (key, number, choose)}


def control_of(stored: Key[T], value: T, *, options: object = ()) -> dict[str, Any]:
    """As `control`, for a choice in the session under `stored`; `value` is the one in force."""
    return control(stored.under("control"), value, stored.set, options=options)


def _widget(key: Key[T], number: int) -> Key[T]:
    return key.under(number) if number else key


def _take(key: Key[T], number: int, choose: Callable[[T], object]) -> None:
    values, now = SHOWN.get_or(dict)[key].values, _widget(key, number).get()
    if now != values[number]:
        values[number] = now
        choose(now)  # type: ignore[arg-type]


MOST_SIDE_BY_SIDE = 4
"""More measures would take a line for themselves."""


def offered(image_set: ImageSet) -> list[str]:
    """The measures that a set can be ordered by, the leading one first; empty before there is any."""
    return led_by(image_set.order().measure, image_set.core.measures())


def led_by(first: str | None, names: Sequence[str]) -> list[str]:
    """The measures, `first` before the others if it is one of them; baselines only where there is nothing else."""
    others = [name for name in names if not measure_named(name).is_baseline] or names
    return sorted(others, key=lambda name: name != first)


def measure_under(
    key: Key[str | None], names: Sequence[str], *, default: str | None = None, words: str = "Order by"
) -> str:
    """`choose_measure`, with the choice in the session under `key`."""
    control_key = key.under("control")
    return choose_measure(names, key=control_key, chosen=key.get(), choose=key.set, default=default, words=words)


def choose_measure(
    names: Sequence[str],
    *,
    key: Key[str | None],
    chosen: str | None,
    choose: Callable[[str | None], None],
    default: str | None = None,
    words: str = "Order by",
    is_list: bool = False,
    titled: Callable[[str], str] = title_of_column,
) -> str:
    """One of `names` (at least one): `default`, else the first, unless another is `chosen`; each is explained.

    They stand side by side, or in a list that opens: where there are many, and where it `is_list`; `titled` names them.

    A choice that is not among `names` does not apply. What nobody chose follows the default, which changes while a
    folder is read; to choose the default is to choose None.
    """
    first = default or names[0]
    shown = chosen if chosen is not None and chosen in names else first
    common = control(key, shown, lambda name: choose(None if name == first else name), options=(first, *names))
    if is_list or len(names) > MOST_SIDE_BY_SIDE:
        st.selectbox(
            escape(words),
            names,
            format_func=lambda name: f"Order: {titled(name).lower()}",
            index=list(names).index(shown),
            width=240,
            label_visibility="collapsed",
            **common,
        )
    else:
        st.segmented_control(
            escape(words),
            names,
            required=True,
            format_func=lambda name: escape(titled(name)),
            default=shown,
            help=meanings(names),
            **common,
        )
    return shown


def meanings(names: Sequence[str]) -> Markdown:
    """What each measure is, one per line."""
    lines = []
    for name in names:
        also = f" ({in_text(name)})" if is_measure(name) and in_text(name) != measure_title(name).lower() else ""
        lines.append(f"**{escape(measure_title(name))}**{escape(also)}: {escape(measure_named(name).meaning)}")
    lines.append("Higher means more ambiguous. Only the order matters, not the value.")
    return Markdown("\n\n".join(lines))
