"""The pages of the menu, their tabs, and the addresses of reviews."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import streamlit as st

from url_viz.columns.filters import ReviewSpec, is_review_key, review_as_query, review_from_query
from url_viz.ui.session import DIALOG, GO_TO, PAGE, PAGE_KEYS, Key, choice_as_query, clear_under, queried, write_query
from url_viz.ui.streamlit_private import PageEnd, is_back_or_forward
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import leave_page

_PAGES = {
    "explore": (
        "Explore",
        "scatter_plot",
        "See your pictures on a map, and which are the most and the least ambiguous.",
    ),
    "review": ("Review", "rate_review", "Decide on one after the other, each with a single key."),
    "upload": ("New pictures", "swap_vert", "Drop in new pictures and see which ones are ambiguous."),
    "model": (
        "Model",
        "network_intelligence",
        "How well the order holds, where your model is wrong, and how to train one.",
    ),
    "settings": ("Settings", "settings", "The models, image sets and jobs of this machine."),
}


TAB: Key[str] = Key("tab_shown")
"""The title of the tab that a page shows, by the page's name; it outlasts a change of set."""
_TABS: Key[str] = Key("tabs")
"""The tabs themselves, whose value Streamlit forgets with the page."""
_IN_ADDRESS = "tab"
_SWITCHED: Key[bool] = Key("switched")
"""Whether the next run is the first of a page that was switched to: the browser has not heard of it yet."""
_WITH_TABS = ("model", "settings")


def menu_of_pages() -> list[st.Page]:
    """The pages in the order of the menu, Explore first."""
    return [
        st.Page(
            f"pages/{name}_page.py",
            title=title,
            icon=f":material/{icon}:",
            url_path=None if name == "explore" else name,
            default=name == "explore",
        )
        for name, (title, icon, _) in _PAGES.items()
    ]


def go_to(name: str) -> None:
    """Show the page of that name next, also if a click on this page comes meanwhile; for callbacks."""
    GO_TO.set(name)


def go_to_tab(page: str, tab: str) -> None:
    """Show a tab of a page next; for callbacks."""
    TAB.under(page).set(tab)
    go_to(page)


def show_tabs(page: str, parts: Mapping[str, Callable[[], None]]) -> None:
    """Draw a page's tabs by their titles; only the part in the open one runs, and it stands in the address."""
    shown, tabs = TAB.under(page), _TABS.under(page)
    titles = list(parts)
    linked = st.query_params.get(_IN_ADDRESS, titles[0])
    asked = linked if is_back_or_forward() else shown.get() or linked
    opened = asked if asked in titles else titles[0]
    shown.set(opened)
    tabs.set(opened)
    _write_tab(*[opened] if opened != titles[0] else [])
    with suppress(PageEnd):
        containers = st.tabs(
            [escape(title) for title in titles], key=tabs, on_change=lambda: shown.set(tabs.get() or titles[0])
        )
        for tab, show in zip(containers, parts.values(), strict=True):
            if tab.open:
                with tab:
                    show()


def _write_tab(*title: str) -> None:
    write_query({_IN_ADDRESS: title} if title else {}, among=lambda key: key == _IN_ADDRESS)


def follow(page: st.Page, menu: Sequence[st.Page]) -> None:
    """Go to the page that a click has asked for, until the browser is there or leaves; call it first.

    A browser that has not heard of it sends its next click as one on the page before, with the address of that page;
    one that follows a link asks for a page without an address. What was open on another page is closed.
    """
    pages = {each.url_path or "explore": each for each in menu}
    wanted, is_click = pages.get(GO_TO.get() or ""), bool(st.query_params) and not is_back_or_forward()
    if wanted is not None and wanted is not page and is_click:
        _SWITCHED.set(True)
        st.switch_page(wanted, query_params=_address_of(wanted))
    is_first_run = wanted is page and bool(_SWITCHED.get())
    _SWITCHED.clear()
    if wanted is not page or (is_click and not is_first_run):
        GO_TO.clear()
    if page.url_path not in _WITH_TABS:  # a step of the browser's history may name that of the page before
        _write_tab()
    if PAGE.get() != page.url_path:
        DIALOG.clear()
        clear_under(PAGE_KEYS)
        leave_page()
        PAGE.set(page.url_path)


def _address_of(page: st.Page) -> dict[str, list[str]]:
    """The address with which a page begins: whole at once, since each change of it is a step of the browser's history.

    The set and the model, and the review that is open.
    """
    is_review = page.url_path == "review"
    return choice_as_query() | (_review_as_query(REVIEW.get(), is_table=is_table()) if is_review else {})


def purpose_of(title: str) -> str:
    """The sentence on the page of this title."""
    return next(purpose for named, _, purpose in _PAGES.values() if named == title)


REVIEW: "Key[ReviewSpec | None]" = Key("view.review")
AS_TABLE: Key[bool] = Key("view.review.as_table")
"""Whether the review that is open is shown as a table."""
ASKED_FOR: Key[bool] = Key("view.review.asked_for")
"""Whether another page has asked for a review, which is opened as the set is now."""
_AS, _TABLE = "as", "table"


def go_to_review(spec: ReviewSpec | None, *, as_table: bool = False) -> None:
    """Open a review, or the list of all, on its page; for callbacks of other pages."""
    choose_review(spec, as_table=as_table)
    ASKED_FOR.set(True)
    go_to("review")


def choose_review(spec: ReviewSpec | None, *, as_table: bool = False) -> None:
    """Open a review, or none, when the Review page runs next."""
    REVIEW.set(spec)
    AS_TABLE.set(as_table)
    if spec is None:
        write_query({}, among=_is_of_review)


def follow_link() -> bool:
    """Whether the address of another page asks for a review; it is then the one that is open.

    On the way to a review the browser's history has a step with the page before and the review's address: who comes
    back by it wants that page.
    """
    if is_back_or_forward():
        write_query({}, among=_is_of_review)
        return False
    spec = _linked()
    if spec is not None:
        REVIEW.set(spec)
        AS_TABLE.set(_is_linked_table())
    return spec is not None


def chosen_review() -> ReviewSpec | None:
    """The review in the session, else the one in the address; it is written into the address."""
    spec, is_table = REVIEW.get_or(_linked), AS_TABLE.get_or(_is_linked_table)
    write_query(_review_as_query(spec, is_table=bool(is_table)), among=_is_of_review)
    return spec


def _review_as_query(spec: ReviewSpec | None, *, is_table: bool) -> dict[str, list[str]]:
    return {} if spec is None else dict(review_as_query(spec)) | ({_AS: [_TABLE]} if is_table else {})


def is_table() -> bool:
    """Whether the review that is open, if any, is shown as a table."""
    return bool(AS_TABLE.get())


def _linked() -> ReviewSpec | None:
    return review_from_query({key: values for key, values in queried().items() if is_review_key(key)})


def _is_linked_table() -> bool:
    return queried().get(_AS) == [_TABLE]


def _is_of_review(key: str) -> bool:
    return is_review_key(key) or key == _AS
