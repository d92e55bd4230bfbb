"""Parts of the Review page: which review to go on with, what comes after it, and what decisions were worth."""

import datetime
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, percent
from url_viz.columns.filters import Filter, OneOf, ReviewSpec, Scope
from url_viz.columns.measures import title_of_column
from url_viz.drawing.tiles import answers_url, tile_of
from url_viz.evidence.worth import METRICS, Worth
from url_viz.export.result_files import answers_table, import_answers
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.jobs import JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import AT_ONCE, REVIEW_WORTH, start_worth, worth_by_job
from url_viz.review.naming import SUGGESTED_FROM, can_order
from url_viz.review.queues import ReviewOutcome, copies_of, outcomes, outcomes_in_words, undecided_copies
from url_viz.review.review import PUT_ASIDE, REVIEWS, title_of_review
from url_viz.review.review_queue import Review
from url_viz.review.tuned import change_in_words, moved_share
from url_viz.runs.detections import DETECTED
from url_viz.store.columns.imported_columns import NAMES as BY_NAMES
from url_viz.ui.auth import user_name
from url_viz.ui.explore.export import corrected_in_words, go_to_export
from url_viz.ui.menu import choose_review
from url_viz.ui.review.desk import OpenReview, opened_review, show_open_review
from url_viz.ui.review.queue_list import show_queues
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, errors_shown, escape, show_error, time_in_words, with_toast
from url_viz.ui.widgets.buttons import act_button, download_table, offered, page_title
from url_viz.ui.widgets.decide import decisions_here, reported, show_undo
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.jobs import show_until_over
from url_viz.ui.widgets.picture import open_picture


class Visit:
    """A session, as the key to its open review: a set has that, since it holds more than a session should."""


VISIT: Key[Visit] = Key("visit")
OWN_REVIEW = "view.review."
"""The beginning of the keys of the controls that put a review together: by, class, tag, most, within."""

HISTORY: Key[Any] = Key("view.review.history")
"""The table of the latest actions, by the version of the decisions."""
OUTCOME_CLICKED: Key[bool] = Key("review.outcome_clicked")
"""Whether a picture of a finished review was clicked just now."""
FROZEN = (
    "Answers change the order. So that no picture moves or comes twice while you work, this queue stays in the order "
    "that it had when you began. *Start over with the current order*, at its end, makes it anew."
)
MOST_TILES = 24


def show_open_heading(image_set: ImageSet, review: Review) -> None:
    """The heading of an open review: its name and set, with the way to others."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        page_title(Markdown("Review"), width="content")
        st.markdown(Markdown(f"**{escape(title_of_review(review.spec))}**"), width="content")
        begun = f"{set_name(image_set.root)} · order of {time_in_words(review.begun)}"
        st.caption(escape(begun), help=FROZEN)
        st.space("stretch")
        st.button("All reviews", icon=":material/list:", key="review.leave", on_click=choose_review, args=(None,))


def show_start(image_set: ImageSet) -> None:
    """The reviews there are, what matters most first, and one that the user puts together."""
    rows = image_set.reviews.queues(hides_tiny=True)
    if not rows:
        st.caption(
            escape(image_set.core.in_words("Nothing is left to review: no finding, and no picture without an answer."))
        )
    show_queues(image_set, rows, key="review", has_first=True)
    _show_own(image_set)


def _show_own(image_set: ImageSet) -> None:
    """A review put together: an order, a class, a tag, and how many."""

    def order_title(name: str) -> str:
        return REVIEWS[name].title if name in REVIEWS else title_of_column(name)

    def or_all(name: str | None) -> Markdown:
        return Markdown("All") if name is None else escape(name)

    has = {
        "nothing": True,
        "labels": image_set.labels.doubtful() is not None,
        "graph": image_set.core.has_graph,
        "finding": False,
        "predictions": DETECTED in image_set.core.frame,
    }
    orders = [*offered(image_set), *(name for name, kind in REVIEWS.items() if has[kind.needs])]
    classes = image_set.cached_of_table(_classes)
    tags = image_set.decisions.tag_counts()
    with st.expander("Build your own", icon=":material/tune:"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            by = st.selectbox("Order", orders, format_func=order_title, key=f"{OWN_REVIEW}by", width=260)
            of_class = st.selectbox("Class", [None, *classes], format_func=or_all, key=f"{OWN_REVIEW}class", width=260)
            tag = st.selectbox("Tag", [None, *tags], format_func=or_all, key=f"{OWN_REVIEW}tag", width=200)
            most = st.number_input("At most", 1, 10_000, 200, step=50, key=f"{OWN_REVIEW}most", width=140)
            within = st.toggle("Rank within class", key=f"{OWN_REVIEW}within", disabled=not classes)
        filters: list[Filter] = [OneOf("label", (of_class,))] if of_class is not None else []
        filters += [OneOf("tags", (tag,))] if tag is not None else []
        spec = ReviewSpec(str(by), Scope(filters=tuple(filters)), within_class=bool(within), most=int(most))
        st.button("Start this review", key="review.own", on_click=choose_review, args=(spec,))


def _classes(table: pd.DataFrame) -> list[str]:
    return sorted(table["label"].dropna().astype(str).unique())


def open_review(image_set: ImageSet, spec: ReviewSpec) -> OpenReview[Review] | None:
    """The review as it is open in this session, else opened now; None, with the reason, if there is no such review.

    The set has it, by the session's `Visit`: a session would hold the snapshot that a review stands on.
    """
    open_by, visit = image_set.reviews.open_by, VISIT.get_or(Visit)
    here: OpenReview[Review] | None = open_by.get(visit)
    if here is not None and here.review.spec == spec and here.review.is_of(image_set.core.ids, image_set.labels.source):
        return here
    try:
        with st.spinner(escape(image_set.core.in_words("Putting the pictures in order"))):
            here = opened_review(image_set.reviews.open(spec), answers_url(image_set, spec))
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
    st.caption("Click a picture to change its answer. Files stay as they are: *Export* on Explore takes all along.")
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
    if "relabelled" in what:
        steps.append(("export", corrected_in_words(image_set), go_to_export, "download"))
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


def show_history(image_set: ImageSet) -> None:
    """The latest actions: when, who, what; with undo and redo."""
    with st.expander("History", icon=":material/history:"):
        history = image_set.decisions.history(30)
        with st.container(horizontal=True, gap="small"):
            show_undo(image_set, key="review")
        if history.empty:
            st.caption("No decisions yet.")
            return
        shown = pd.DataFrame(
            {
                "When": [time_in_words(datetime.datetime.fromisoformat(at)) for at in history["at"]],
                "Who": history["who"],
                "What": history["did"],
                "State": history["state"],
            }
        )
        event = st.dataframe(
            shown,
            hide_index=True,
            width="stretch",
            height=260,
            on_select="rerun",
            selection_mode="single-row",
            key=HISTORY.under(image_set.decisions.version),
            alt="Decisions, latest first",
        )
        chosen = history.iloc[event["selection"]["rows"]]
        chosen = chosen[chosen["state"] == "done"]
        if chosen.empty:
            st.caption("Tick what was done to take it back alone.")
            return
        row = chosen.iloc[0]
        act = reported(image_set, partial(decisions_here(image_set).take_back, int(row["number"])))
        st.button(f"Take back: {escape(row['did'])}", icon=":material/undo:", key="history.take_back", on_click=act)


def show_names(image_set: ImageSet) -> None:
    """How many pictures are named, what the names suggest, and the order by them; nothing before the first name."""

    def order_by_names() -> str:
        image_set.labels.use(BY_NAMES)
        return "Your names are the labels now, and Explore orders pictures by ambiguity between them."

    names = image_set.cached_of_table(_names_in)
    if names.isna().all():
        return
    with st.expander("Your names", icon=":material/sell:", expanded=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            words = f"{names.notna().sum():,} of {len(names):,} pictures have one of {names.nunique():,} names."
            st.caption(words, width="content")
            show_undo(image_set, key="review.names")
        if not can_order(names):
            st.caption("Once two names have three pictures each, pictures can be ordered by ambiguity between them.")
        elif image_set.labels.chosen != BY_NAMES:
            st.button(
                "Order by ambiguity between your names",
                icon=":material/swap_vert:",
                key="review.names.order",
                on_click=with_toast(order_by_names),
                help="Makes the names the labels. You can switch back under the classes on Explore.",
            )
        _show_suggestions(image_set, names)


def _names_in(table: pd.DataFrame) -> "pd.Series[str]":
    return table["name"]


def _show_suggestions(image_set: ImageSet, names: "pd.Series[str]") -> None:
    suggestions = image_set.names.suggestions()
    if suggestions.empty:
        st.caption("A second name brings suggestions." if names.nunique() < 2 else "Every picture has a name.")
        return
    least = st.slider(
        "Suggestions at least this likely to be right",
        0.5,
        1.0,
        SUGGESTED_FROM,
        0.01,
        format="percent",
        key="review.names.share",
        width=360,
    )
    rows = suggestions[suggestions["share"] >= least]
    mistakes = round(float((1 - rows["share"]).sum()))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            f"Accept {len(rows):,} suggestions",
            type="primary",
            key="review.names.accept",
            disabled=rows.empty,
            on_click=reported(image_set, lambda: image_set.names.accept(rows["id"].tolist(), who=user_name())),
        )
        st.button("One at a time", key="review.names.each", on_click=choose_review, args=(ReviewSpec("names"),))
        st.caption(
            f"of {len(suggestions):,} pictures without a name. About {mistakes:,} of the accepted names are wrong; "
            "the least certain are below. One undo reverts all of it."
        )
    st.caption("Accepted names come from a picture's neighbours, so figures measured on them are too good.")
    least_certain = tuple(
        tile_of(row, set_id=image_set.set_id, value=f"{percent(row['share'])} likely", label=str(row["name"]))
        for row in rows.iloc[::-1].head(MOST_TILES).to_dict("records")
    )
    show_gallery(least_certain, key="review.names.tiles", empty="No suggestion is that certain.")


def show_answers(image_set: ImageSet) -> None:
    """The number of answers and what they have changed, with download and import; folded before the first."""
    table = answers_table(image_set)
    with st.expander("“Same kind?” answers", icon=":material/join_inner:", expanded=not table.empty):
        answers, moved = image_set.answers, image_set.cached_of_table(moved_share)
        sentence = change_in_words(answers.log.now(), answers.tuned(), moved=moved)
        st.caption(escape(sentence))
        download_table("Download the answers", table, file_name="answers.csv", key="review.answers", is_quiet=False)
        file = st.file_uploader(
            "Upload answers from another machine, or filled in by hand", type="csv", key="review.answers.file"
        )
        if file is not None:
            brought = IncomingFile(file.name, file.getvalue())
            taking = with_toast(lambda: import_answers(image_set, brought, who=user_name()).words)
            st.button("Import these answers", key="review.answers.import", on_click=taking)


MEASURED: Key[str] = Key("view.review.worth")

shown = partial(percent, digits=1)


METHOD = (
    "A linear classifier on the stored embeddings is trained with the original labels, with your decisions, and with "
    "every likely suggestion accepted unseen; it is tested on pictures that no decision changed. The network itself is "
    "not trained."
)


def show_worth(image_set: ImageSet) -> None:
    """A button that measures what the review gained, and the result; nothing where nothing was dropped or corrected."""
    if not image_set.labels.is_reviewed():
        return
    title = "What did correcting and dropping gain?"
    with st.expander(title, icon=":material/trending_up:", expanded=True), errors_shown(st.error):
        worth = _measured(image_set) if len(image_set) <= AT_ONCE else _measured_by_job(image_set)
        if worth is None:
            st.caption(METHOD)
        else:
            _show(worth)


def _measured(image_set: ImageSet) -> Worth | None:
    now = f"{image_set.version}.{image_set.decisions.version}"
    st.button("Measure", icon=":material/speed:", key="review.worth", on_click=MEASURED.set, args=(now,))
    if MEASURED.get() != now:
        return None
    with st.spinner("Training the classifier in five folds"):
        return image_set.cached(_worth_at, now)


def _worth_at(image_set: ImageSet, version: str) -> Worth:
    # `version`, which decisions change, is part of the cache's key: a snapshot stays the same
    return image_set.labels.worth()


def _measured_by_job(image_set: ImageSet) -> Worth | None:
    """The result of a job for the present decisions; else its progress, or a button that starts it."""
    worth = worth_by_job(image_set)
    job = latest_job(image_set.workspace, kind=REVIEW_WORTH.name, set_id=image_set.set_id)
    if worth is not None:
        return worth
    if job is not None and job.status().is_live:
        show_until_over(job)
        return None
    if job is not None and job.state is JobState.FAILED:
        show_error(f"Nothing was measured. {why_it_failed(job)}")
    st.caption("In so large a set it may take minutes. It goes on when you leave this page; its result stays here.")
    if st.button("Measure", icon=":material/speed:", key="review.worth"):
        start_worth(image_set, name=set_name(image_set.root))
        st.rerun()
    return None


def _show(worth: Worth) -> None:
    if not worth.is_comparable:
        st.markdown(escape(worth.words))
        return
    st.markdown(f"**{escape(worth.gain)}** {escape(worth.outcome)}")
    with st.expander("How this was measured, and other ways to train"):
        _show_details(worth)


def _show_details(worth: Worth) -> None:
    st.markdown(f"{METHOD} {escape(worth.details)}")
    right, loss = ([worth.figure(arm, metric) for arm in worth.arms] for metric in METRICS)
    table = pd.DataFrame(
        {
            "Trained on the set": worth.arms,
            "Right": [shown(figure.value) for figure in right],
            "95 % interval over pictures": [
                f"{shown(figure.interval.low)} to {shown(figure.interval.high)}" for figure in right
            ],
            "Log loss": [figure.text() for figure in loss],
        }
    )
    st.dataframe(
        table, hide_index=True, width="content", alt="What a classifier gets right, with and without the review"
    )
    if len(worth.differing):
        st.header("Classes where it made a difference", anchor=False)
        st.dataframe(
            _class_table(worth.differing),
            hide_index=True,
            width="content",
            height="auto",
            alt="Classes where the review made a difference",
        )


def _class_table(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Class": rows["label"],
            "Pictures": rows["pictures"],
            "As given": rows["given"].map(shown),
            "As decided": rows["decided"].map(shown),
            "Difference": [f"{100 * value:+.1f}" for value in rows["difference"]],
        }
    )
