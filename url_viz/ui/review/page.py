"""Parts of the Review page: which review to go on with, the one that is open, and what can come after it."""

import datetime
from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress

import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, for_objects
from url_viz.columns.filters import Filter, OneOf, ReviewSpec, Scope
from url_viz.columns.measures import title_of_column
from url_viz.drawing.tiles import answers_url, tile_of
from url_viz.findings.findings import reviews
from url_viz.image_set import ImageSet
from url_viz.review.queues import QueueRow, ReviewOutcome, copies_of, outcomes, outcomes_in_words, undecided_copies
from url_viz.review.review import PUT_ASIDE, title_of_review
from url_viz.review.review_queue import Review
from url_viz.runs.detections import DETECTED
from url_viz.ui.explore.export import corrected_in_words, go_to_export
from url_viz.ui.menu import ASKED_FOR, choose_review
from url_viz.ui.review.desk import OpenReview, opened_review, show_open_review
from url_viz.ui.review.queue_list import TABLED, show_queues
from url_viz.ui.review.results import MOST_TILES, fold, show_answers_import
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape, show_error, time_in_words
from url_viz.ui.widgets.buttons import act_button, download_table, offered, page_title
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.picture import open_picture


class Visit:
    """A session, as the key to its open review: a set has that, since it holds more than a session should."""


VISIT: Key[Visit] = Key("visit")
OWN_REVIEW = "view.review."
"""The beginning of the keys of the controls that put a review together: by, class, tag, most, within."""

OUTCOME_CLICKED: Key[bool] = Key("review.outcome_clicked")
"""Whether a picture of a finished review was clicked just now."""
FROZEN = (
    "Answers change the order. So that no picture moves or comes twice while you work, this queue stays in the order "
    "that it had when you began. *Start over with the current order*, at its end, makes it anew."
)
FROZEN_OBJECTS = for_objects(FROZEN)
SHOWN_FIRST = 5
"""So many reviews are shown at once; others are folded, but those that were begun."""


def show_open_heading(
    image_set: ImageSet, spec: ReviewSpec, *, begun: datetime.datetime | None = None, caution: str = ""
) -> None:
    """The heading of a review as it is open, `begun` then, or as a table (None), with the way to the other and to all.

    Below stands a `caution`: what to know before answering. A review of labels has a table, which leads to its review.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        page_title(Markdown("Review"), width="content")
        st.markdown(Markdown(f"**{escape(title_of_review(spec))}**"), width="content")
        name = escape(set_name(image_set.root))
        st.caption(
            name if begun is None else f"{name} · order of {escape(time_in_words(begun))}",
            help=None if begun is None else FROZEN_OBJECTS if image_set.is_of_objects else FROZEN,
            width="content",
        )
        st.space("stretch")
        if begun is None:
            icon = ":material/rate_review:"
            st.button(
                "One at a time", icon=icon, type="primary", key="review.each", on_click=choose_review, args=(spec,)
            )
        elif spec.by in TABLED:
            as_table, icon = partial(choose_review, spec, as_table=True), ":material/table_rows:"
            st.button("As a table", icon=icon, key="review.table", on_click=as_table)
        st.button("All reviews", icon=":material/list:", key="review.leave", on_click=choose_review, args=(None,))
    if caution:
        st.caption(escape(caution))


def show_start(image_set: ImageSet) -> None:
    """The reviews there are: what matters most first, the others folded with one that the user puts together."""
    with st.spinner(escape(f"Looking for what matters most in {len(image_set):,} {image_set.noun}s")):
        rows = image_set.reviews.queues(hides_tiny=True)
    if not rows:
        st.caption(
            escape(image_set.core.in_words("Nothing is left to review: no finding, and no picture without an answer."))
        )
    is_first = [number < SHOWN_FIRST or (row.done > 0 and not row.has_ended) for number, row in enumerate(rows)]
    show_queues(image_set, [*compress(rows, is_first)], key="review", has_first=True, with_tables=True)
    others = [row for row, is_shown in zip(rows, is_first, strict=True) if not is_shown]
    title = f"Other reviews · {len(others):,}" if others else "Other reviews"
    fold(title, partial(_show_others, rows=others), image_set, name="others", icon=":material/tune:")


def _show_others(image_set: ImageSet, *, rows: Sequence[QueueRow]) -> None:
    show_queues(image_set, rows, key="review.other", with_tables=True)
    _show_own(image_set)
    if not len(image_set.answers.log.now()):
        show_answers_import(image_set)


def _show_own(image_set: ImageSet) -> None:
    """A review put together: an order, a class, a tag, and how many."""

    def order_title(name: str) -> str:
        return reviews()[name].title if name in reviews() else title_of_column(name)

    def or_all(name: str | None) -> Markdown:
        return Markdown("All") if name is None else escape(name)

    has = {
        "nothing": True,
        "labels": image_set.labels.doubtful() is not None,
        "graph": image_set.core.has_graph,
        "predictions": DETECTED in image_set.core.frame,
        "people": bool(len(image_set.labels.disagreed())),
    }
    orders = [*offered(image_set), *(name for name, each in reviews().items() if not each.says and has[each.needs])]
    classes = image_set.cached_of_table(_classes)
    tags = image_set.decisions.tag_counts()
    st.header("Build your own", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        by = st.selectbox("Order", orders, format_func=order_title, key=f"{OWN_REVIEW}by", width=260)
        of_class = st.selectbox("Class", [None, *classes], format_func=or_all, key=f"{OWN_REVIEW}class", width=260)
        tag = st.selectbox("Tag", [None, *tags], format_func=or_all, key=f"{OWN_REVIEW}tag", width=200)
        most = st.number_input("At most", 1, 10_000, 200, step=50, key=f"{OWN_REVIEW}most", width=140)
        within = st.toggle("Rank within class", key=f"{OWN_REVIEW}within", disabled=not classes)
    filters: list[Filter] = [OneOf("label", (of_class,))] if of_class is not None else []
    filters += [OneOf("tags", (tag,))] if tag is not None else []
    spec = ReviewSpec(str(by), Scope(filters=tuple(filters)), within_class=bool(within), most=int(most))
    with st.container(horizontal=True, gap="small"):
        st.button("Start this review", key="review.own", on_click=choose_review, args=(spec,))
        if has["labels"]:
            table = partial(choose_review, ReviewSpec("suspects"), as_table=True)
            icon = ":material/table_rows:"
            st.button("All checks of labels", type="tertiary", icon=icon, key="review.labels", on_click=table)


def _classes(table: pd.DataFrame) -> list[str]:
    return sorted(table["label"].dropna().astype(str).unique())


def open_review(image_set: ImageSet, spec: ReviewSpec) -> OpenReview[Review] | None:
    """The review as it is open in this session, else opened now; None, with the reason, if there is no such review.

    The set has it, by the session's `Visit`: a session would hold the snapshot that a review stands on.
    """
    open_by, visit = image_set.reviews.open_by, VISIT.get_or(Visit)
    if ASKED_FOR.get():
        open_by.pop(visit, None)
        ASKED_FOR.clear()
    here: OpenReview[Review] | None = open_by.get(visit)
    if here is not None and here.review.spec == spec and here.review.is_of(image_set.core.ids, image_set.labels.source):
        return here
    try:
        with st.spinner(escape(image_set.core.in_words("Putting the pictures in order"))):
            here = opened_review(image_set.reviews.current(spec), answers_url(image_set, spec))
    except UrlVizError as error:
        show_error(error)
        return None
    open_by[visit] = here
    return here


@st.fragment
def show_desk(image_set: ImageSet, here: OpenReview[Review]) -> None:
    """The review, and what comes after it; an answer runs only this part of the page again."""
    try:
        show_open_review(image_set, here, key=f"review.desk.{image_set.set_id}")
        is_finished = here.review.progress().left == 0
    except UrlVizError as error:
        show_error(error)
        return
    if is_finished:
        _show_after(image_set, here)


def show_to_redraw(image_set: ImageSet) -> None:
    """The list of objects whose box is wrong, for whoever draws boxes; nothing if there are none."""
    wrong = image_set.objects.to_redraw()
    if wrong.empty:
        return
    are = "box is" if len(wrong) == 1 else "boxes are"
    st.caption(
        f"{len(wrong):,} {are} to be drawn again. URL-Viz draws and edits no boxes: hand the list to whoever does, and "
        "look for new objects once the annotations are corrected."
    )
    download_table("List of boxes to draw again", wrong, file_name=f"{image_set.root.stem}-boxes.csv", key="redraw")


def _show_after(image_set: ImageSet, here: OpenReview[Review]) -> None:
    """The outcome of a finished review, the pictures that it changed, and what can follow."""
    found = outcomes(here.review)
    if found:
        _show_outcomes(image_set, found)
    show_to_redraw(image_set)
    copies = copies_of(here.review)
    if copies is not None and copies.scope.ids is not None:
        count = len(copies.scope.ids)
        words = f"{undecided_copies(count)}: “and its {counted(count, 'copy', 'copies')}” on a card (t) decides both."
        st.info(escape(words), icon=":material/content_copy:")
    _show_next_steps(image_set, here.review.spec, found, copies=copies)


def _show_outcomes(image_set: ImageSet, found: Sequence[ReviewOutcome]) -> None:
    def open_outcome(image_id: int) -> None:
        open_picture(image_id)
        OUTCOME_CLICKED.set(True)

    st.header(escape(outcomes_in_words(found)), anchor=False)
    noun = image_set.noun
    article = "an" if image_set.is_of_objects else "a"
    st.caption(
        escape(
            f"Click {article} {noun} to change its answer. Files stay as they are: Export on Explore takes all along."
        )
    )
    paths = dict(zip(image_set.core.ids.tolist(), image_set.table()["path"], strict=True))
    tiles = tuple(
        tile_of({"id": one.id, "path": paths[one.id]}, set_id=image_set.set_id, value=one.what, label=one.label)
        for one in found[:MOST_TILES]
    )
    show_gallery(tiles, key="review.outcomes", empty="", on_click=open_outcome)
    if OUTCOME_CLICKED.get():
        OUTCOME_CLICKED.clear()
        st.rerun()  # the dialog is the page's, which an answer does not run again
    if len(found) > MOST_TILES:
        st.caption(f"and {len(found) - MOST_TILES:,} more")


def _show_next_steps(
    image_set: ImageSet, spec: ReviewSpec, found: Sequence[ReviewOutcome], *, copies: ReviewSpec | None
) -> None:
    """Buttons for what can follow a review; the first is primary if it goes on with the work."""

    def start_over() -> None:
        afresh = opened_review(image_set.reviews.open(spec, afresh=True), answers_url(image_set, spec))
        image_set.reviews.open_by[VISIT.get_or(Visit)] = afresh

    steps: list[tuple[str, str, Callable[[], object], str]] = []
    if copies is not None and copies.scope.ids is not None:
        words = f"Review {counted(len(copies.scope.ids), 'copy', 'copies')}"
        steps.append(("copies", words, partial(choose_review, copies), "content_copy"))
    what = {one.what for one in found}
    if what & {"relabelled", "dropped"}:
        words = corrected_in_words(image_set) if "relabelled" in what else "Export without what was dropped"
        steps.append(("export", words, go_to_export, "download"))
    queues = image_set.reviews.queues(hides_tiny=True)
    following = next((row for row in queues if row.opens not in (None, spec)), None)
    if following is not None:
        words = f"Next: {following.words} ({following.left:,})"
        steps.append(("next", words, partial(choose_review, following.opens), "arrow_forward"))
    goes_on = bool(steps)
    measure = image_set.order().measure
    if measure is not None and "put aside" in what:
        aside = partial(choose_review, ReviewSpec(measure, PUT_ASIDE))
        steps.append(("aside", "See those put aside", aside, "schedule"))
    steps.append(("others", "What it was worth, and other reviews", partial(choose_review, None), "trending_up"))
    steps.append(("afresh", "Start over with the current order", start_over, "replay"))
    with st.container(horizontal=True, gap="small", key="review_after"):
        for number, (key, words, act, icon) in enumerate(steps):
            kind = "primary" if goes_on and not number else "secondary"
            if act_button(words, act, icon=f":material/{icon}:", key=f"review.{key}", type=kind):
                st.rerun()
