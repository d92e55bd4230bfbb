"""The pages by group, and the addresses of reviews."""

import streamlit as st

from url_viz.columns.filters import ReviewSpec, is_review_key, review_as_query, review_from_query
from url_viz.ui.session import DIALOG, GO_TO, PAGE, PAGE_KEYS, Key, clear_under, queried, write_query
from url_viz.ui.streamlit_private import is_back_or_forward
from url_viz.ui.widgets.buttons import leave_page

_GROUPS = {
    "Look": {
        "explore": (
            "Explore",
            "scatter_plot",
            "See your pictures on a map, and which are the most and the least ambiguous.",
        ),
        "upload": ("Check new pictures", "swap_vert", "Drop in new pictures and see which ones are ambiguous."),
        "search": ("Search", "image_search", "Find similar pictures, without those too ambiguous to trust."),
    },
    "Improve": {
        "review": ("Review", "rate_review", "Go through pictures one at a time and decide on each with a single key."),
        "labels": ("Check labels", "label", "Find labels that are probably wrong, and correct them."),
        "versions": (
            "Versions",
            "difference",
            "See what changed in your pictures since an earlier version, or between two folders, and what that did.",
        ),
    },
    "Models": {
        "your_model": (
            "Your model",
            "network_intelligence",
            "See where the model that you train is wrong or unsure, and whether the pictures or the model are why.",
        ),
        "finetune": (
            "Adapt and finetune",
            "model_training",
            "Train a model on your pictures, or only the part that judges ambiguity.",
        ),
        "evaluate": ("Evaluate", "monitoring", "Measure how well each way of ordering works on your pictures."),
        "compare": ("Compare models", "compare", "See which pictures two models judge differently."),
        "models": ("Models", "deployed_code", "The models on this machine: how good they are, and trained on what."),
    },
    "System": {
        "sets": ("Image sets", "folder_managed", "The folders you have opened, and the disk space they take."),
        "jobs": ("Jobs", "pending_actions", "What is running in the background, and what has finished."),
    },
}


def menu_of_pages() -> dict[str, list[st.Page]]:
    """The pages by group, Explore first; `Improve` begins with the review."""
    return {
        group: [
            st.Page(
                f"pages/{name}_page.py",
                title=title,
                icon=f":material/{icon}:",
                url_path=None if name == "explore" else name,
                default=name == "explore",
            )
            for name, (title, icon, _) in pages.items()
        ]
        for group, pages in _GROUPS.items()
    }


def go_to(name: str) -> None:
    """Show the page of that name next, also if a click on this page comes meanwhile; for callbacks."""
    GO_TO.set(name)


def follow(page: st.Page, menu: dict[str, list[st.Page]]) -> None:
    """Go to the page that a click has asked for, until the browser is there or leaves; call it first.

    A browser that has not heard of it sends its next click as one on the page before, with the address of that page;
    one that follows a link asks for a page without an address. What was open on another page is closed.
    """
    pages = {each.url_path or "explore": each for group in menu.values() for each in group}
    wanted, is_click = pages.get(GO_TO.get() or ""), bool(st.query_params) and not is_back_or_forward()
    if wanted is not None and wanted is not page and is_click:
        st.switch_page(wanted)
    if is_click or wanted is not page:
        GO_TO.clear()
    if PAGE.get() != page.url_path:
        DIALOG.clear()
        clear_under(PAGE_KEYS)
        leave_page()
        PAGE.set(page.url_path)


def purpose_of(title: str) -> str:
    """The sentence on the page of this title."""
    return next(purpose for pages in _GROUPS.values() for named, _, purpose in pages.values() if named == title)


REVIEW: "Key[ReviewSpec | None]" = Key("view.review")


def go_to_review(spec: ReviewSpec) -> None:
    """Open a review, on its page; for callbacks of other pages."""
    choose_review(spec)
    go_to("review")


def choose_review(spec: ReviewSpec | None) -> None:
    """Open a review, or none, when the Review page runs next."""
    REVIEW.set(spec)
    if spec is None:
        write_query({}, among=is_review_key)


def follow_link() -> bool:
    """Whether the address of another page asks for a review; it is then the one that is open."""
    spec = _linked()
    if spec is not None:
        REVIEW.set(spec)
    return spec is not None


def chosen_review() -> ReviewSpec | None:
    """The review in the session, else the one in the address; it is written into the address."""
    spec = REVIEW.get_or(_linked)
    write_query({} if spec is None else review_as_query(spec), among=is_review_key)
    return spec


def _linked() -> ReviewSpec | None:
    return review_from_query({key: values for key, values in queried().items() if is_review_key(key)})
