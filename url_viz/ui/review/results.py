"""What came of the reviews of a set: what changed, what it was worth, its export, names, answers, and the history."""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.wording import percent
from url_viz.columns.filters import ReviewSpec
from url_viz.drawing.tiles import tile_of
from url_viz.evidence.worth import METRICS, Worth
from url_viz.export.result_files import answers_table, import_answers
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.jobs import JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import AT_ONCE, REVIEW_WORTH, start_worth, worth_by_job
from url_viz.review.naming import SUGGESTED_FROM, can_order
from url_viz.review.queues import progress_counts
from url_viz.review.tuned import change_in_words, moved_share
from url_viz.store.columns.imported_columns import NAMES as BY_NAMES
from url_viz.ui.auth import user_name
from url_viz.ui.explore.export import corrected_in_words, go_to_export
from url_viz.ui.menu import choose_review
from url_viz.ui.session import Key
from url_viz.ui.text import errors_shown, escape, show_error, time_in_words, with_toast
from url_viz.ui.version_diff import show_versions
from url_viz.ui.widgets.buttons import download_table
from url_viz.ui.widgets.decide import decisions_here, reported, show_undo
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.jobs import show_until_over

HISTORY: Key[Any] = Key("view.review.history")
"""The table of the latest actions, by the version of the decisions."""
FOLD: Key[bool] = Key("view.review.fold")
"""Whether a part of the page is unfolded, by its name."""
MEASURED: Key[str] = Key("view.review.worth")
MOST_TILES = 24


def fold(title: str, show: Callable[[ImageSet], None], image_set: ImageSet, *, name: str, icon: str) -> None:
    """A part of the page under its title, which is computed and drawn only while it is unfolded."""
    part = st.expander(escape(title), key=FOLD.under(name), icon=icon, on_change="rerun")
    if part.open:
        with part, errors_shown(st.error):
            show(image_set)


def show_results(image_set: ImageSet) -> None:
    """What came of the reviews, in folded parts: only those in which there is something."""
    counts, is_reviewed = progress_counts(image_set.table()), image_set.labels.is_reviewed()
    if counts:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            words = ", ".join(f"{count:,} {part}" for part, count in counts.items())
            st.header(escape(words), anchor=False, width="stretch")
            if is_reviewed:
                words, icon = corrected_in_words(image_set), ":material/download:"
                st.button(escape(words), icon=icon, key="review.export", on_click=go_to_export)
    fold("What changed", show_versions, image_set, name="changes", icon=":material/difference:")
    if is_reviewed:
        fold("What it was worth", show_worth, image_set, name="worth", icon=":material/trending_up:")
    if image_set.labels.agreement().pictures:
        fold("Two people", show_agreement, image_set, name="people", icon=":material/group:")
    if image_set.cached_of_table(_names_in).notna().any():
        fold("Names", show_names, image_set, name="names", icon=":material/sell:")
    if len(image_set.answers.log.now()):
        fold("“Same kind?” answers", show_answers, image_set, name="answers", icon=":material/join_inner:")
    if image_set.decisions.can_undo or image_set.decisions.can_redo:
        fold("History", show_history, image_set, name="history", icon=":material/history:")


def show_agreement(image_set: ImageSet) -> None:
    """How far people agree where two answered the same label, and the review of those on which they differ."""
    found = image_set.labels.agreement()
    st.markdown(escape(found.words))
    if found.differing:
        spec = ReviewSpec("disagreed")
        st.button(f"Review these {found.differing:,}", key="people.disagreed", on_click=choose_review, args=(spec,))
    shown = {
        "First": found.table["first"],
        "Second": found.table["second"],
        "Of": found.table["of"],
        image_set.core.in_words("Pictures"): found.table["pictures"],
        "Agree": found.table["agreement"].map(percent),
        "95 % interval": found.table["low"].map(percent) + " to " + found.table["high"].map(percent),
        "Cohen’s kappa": found.table["kappa"].map(lambda value: "–" if pd.isna(value) else f"{value:.2f}"),
    }
    about = "How far people agree on labels"
    st.dataframe(pd.DataFrame(shown), hide_index=True, width="content", height="auto", alt=about)


def show_names(image_set: ImageSet) -> None:
    """How many pictures are named, what the names suggest, and the order by them."""

    def order_by_names() -> str:
        image_set.labels.use(BY_NAMES)
        return "Your names are the labels now, and Explore orders pictures by ambiguity between them."

    names = image_set.cached_of_table(_names_in)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = f"{names.notna().sum():,} of {len(names):,} {image_set.noun}s have one of {names.nunique():,} names."
        st.caption(escape(words), width="content")
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
            f"Accept {len(rows):,} of {len(suggestions):,} suggestions",
            type="primary",
            key="review.names.accept",
            disabled=rows.empty,
            on_click=reported(image_set, lambda: image_set.names.accept(rows["id"].tolist(), who=user_name())),
            help="One undo reverts all of it. Accepted names come from a picture's neighbours, so figures measured on "
            "them are too good",
        )
        st.button("One at a time", key="review.names.each", on_click=choose_review, args=(ReviewSpec("names"),))
    if len(rows):
        st.caption(f"About {mistakes:,} of these {len(rows):,} are wrong. The least certain:")
    least_certain = tuple(
        tile_of(row, set_id=image_set.set_id, value=f"{percent(row['share'])} likely", label=str(row["name"]))
        for row in rows.iloc[::-1].head(MOST_TILES).to_dict("records")
    )
    show_gallery(least_certain, key="review.names.tiles", empty="No suggestion is that certain.")


def show_answers(image_set: ImageSet) -> None:
    """The number of answers and what they have changed, with download and import."""
    answers, moved = image_set.answers, image_set.cached_of_table(moved_share)
    sentence = change_in_words(answers.log.now(), answers.tuned(), moved=moved)
    st.caption(escape(sentence))
    table = answers_table(image_set)
    download_table("Download the answers", table, file_name="answers.csv", key="review.answers", is_quiet=False)
    show_answers_import(image_set)


def show_answers_import(image_set: ImageSet) -> None:
    """A field for a file of answers, and the button that takes them in."""
    file = st.file_uploader(
        "“Same kind?” answers from another machine, or filled in by hand", type="csv", key="review.answers.file"
    )
    if file is not None:
        brought = IncomingFile(file.name, file.getvalue())
        taking = with_toast(lambda: import_answers(image_set, brought, who=user_name()).words)
        st.button("Import these answers", key="review.answers.import", on_click=taking)


shown = partial(percent, digits=1)


METHOD = (
    "A linear classifier on the stored embeddings is trained with the original labels, with your decisions, and with "
    "every likely suggestion accepted unseen; it is tested on pictures that no decision changed. The network itself is "
    "not trained."
)


def show_worth(image_set: ImageSet) -> None:
    """What dropping and correcting gained, or the button that measures it."""
    worth = _measured(image_set) if len(image_set) <= AT_ONCE else _measured_by_job(image_set)
    if worth is not None:
        _show(worth, image_set.core.in_words)


def _measured(image_set: ImageSet) -> Worth | None:
    now = f"{image_set.version}.{image_set.decisions.version}"
    if MEASURED.get() != now:
        st.caption(escape(image_set.core.in_words(METHOD)))
        st.button("Measure", icon=":material/speed:", key="review.worth", on_click=MEASURED.set, args=(now,))
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
    st.caption(escape(f"{image_set.core.in_words(METHOD)} It takes minutes, and goes on when you leave this page."))
    if st.button("Measure", icon=":material/speed:", key="review.worth"):
        start_worth(image_set, name=set_name(image_set.root))
        st.rerun()
    return None


def _show(worth: Worth, in_words: Callable[[str], str]) -> None:
    if not worth.is_comparable:
        st.markdown(escape(in_words(worth.words)))
        return
    st.header(escape(worth.gain), anchor=False)
    st.markdown(escape(in_words(worth.outcome)))
    with st.expander("How this was measured, and other ways to train"):
        _show_details(worth, in_words)


def _show_details(worth: Worth, in_words: Callable[[str], str]) -> None:
    st.markdown(escape(in_words(f"{METHOD} {worth.details}")))
    right, loss = ([worth.figure(arm, metric) for arm in worth.arms] for metric in METRICS)
    table = pd.DataFrame(
        {
            "Trained on the set": worth.arms,
            "Right": [shown(figure.value) for figure in right],
            in_words("95 % interval over pictures"): [
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
            _class_table(worth.differing).rename(columns=in_words),
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


def show_history(image_set: ImageSet) -> None:
    """The latest actions: when, who, what; with undo and redo."""
    history = image_set.decisions.history(30)
    with st.container(horizontal=True, gap="small"):
        show_undo(image_set, key="review")
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
        height=min(260, 38 + 35 * len(shown)),
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
