"""Which review is open: in the session, and in the address, so that a link opens it where it was left."""

from url_viz.analysis.scope import ReviewSpec, is_of_review, review_as_query, review_from_query
from url_viz.ui.menu import go_to
from url_viz.ui.session import Key, queried, write_query

REVIEW: "Key[ReviewSpec | None]" = Key("view.review")

LINK = "review"
"""The parameter that opens a review, on any page."""


def go_to_review(spec: ReviewSpec) -> None:
    """Open a review, on its page; for callbacks of other pages."""
    choose_review(spec)
    go_to("review")


def choose_review(spec: ReviewSpec | None) -> None:
    """Open a review, or none, when the Review page runs next."""
    REVIEW.set(spec)
    if spec is None:
        write_query({}, among=is_of_review)


def follow_link() -> bool:
    """Whether the address of another page asks for a review; it is then the one that is open."""
    spec = _linked()
    if spec is not None:
        REVIEW.set(spec)
    return spec is not None


def chosen_review() -> ReviewSpec | None:
    """The review in the session, else the one in the address; it is written into the address."""
    spec = REVIEW.get_or(_linked)
    write_query({} if spec is None else review_as_query(spec), among=is_of_review)
    return spec


def _linked() -> ReviewSpec | None:
    return review_from_query({key: values for key, values in queried().items() if is_of_review(key)})
