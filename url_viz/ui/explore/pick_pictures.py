"""The dialog that picks pictures which cover a set: how many, of each what, and what that is worth."""

import time

import streamlit as st

from url_viz.columns.measures import title_of_column
from url_viz.evidence.choice import choice_in_words
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, latest_job, why_it_failed
from url_viz.jobs.kinds import AT_ONCE, MEASURE, start_measuring
from url_viz.ui.auth import user_name
from url_viz.ui.explore.controls import columns_of_kind
from url_viz.ui.explore.view import EXPORT_PANEL
from url_viz.ui.session import DIALOG
from url_viz.ui.text import errors_shown, escape, show_error
from url_viz.ui.widgets.buttons import act_button, dialog_button, download_paths
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.jobs import TICK_S, show_progress, show_result

USUAL = 500
NO_QUOTA = "none"


def show_choose_button(image_set: ImageSet, ids: list[int]) -> None:
    """A button that opens the dialog, which picks among these pictures; none without a graph."""
    if not image_set.core.has_graph:
        return
    words = escape(
        image_set.core.in_words("Pictures that cover the set, to train on or to label, and what they are worth")
    )
    if dialog_button(
        "Pick pictures",
        icon=":material/checklist:",
        key="choose.open",
        popover=EXPORT_PANEL,
        type="tertiary",
        help=words,
    ):
        choose_dialog(image_set, ids)


@st.dialog("Pick pictures", on_dismiss=DIALOG.clear)
def choose_dialog(image_set: ImageSet, among: list[int]) -> None:
    """Choose pictures `among` ids: how many, of each what, on top of which; then tagged, listed and measured."""

    def title(option: str) -> str:
        return "no matter what" if option == NO_QUOTA else "class" if option == "label" else title_of_column(option)

    scope = f"these {len(among):,}" if len(among) < len(image_set) else f"all {len(among):,}"
    st.caption(
        f"Of {scope} pictures those that cover the others: each next one resembles most of what is left. Near copies "
        "count once; dropped pictures are left out."
    )
    columns, tags = columns_of_kind(image_set, "category"), image_set.decisions.tag_counts()
    has_labels = bool(image_set.table()["label"].notna().any())
    options = [*(["label"] if has_labels else []), NO_QUOTA, *(column for column in columns if column != "label")]
    with st.form("choose.form", border=False):
        left, right = st.columns(2)
        count = left.number_input("How many", 1, max(1, len(among)), min(USUAL, max(1, len(among) // 5)))
        per = right.selectbox("As many of each", options, format_func=title, key="choose.per")
        over = st.multiselect("On top of an earlier choice", list(tags), placeholder="Tags", key="choose.pinned")
        tag = st.text_input("Tag the chosen ones", "chosen", key="choose.tag")
        is_measured = st.toggle(
            "Measure what it is worth", has_labels, key="choose.worth", help="Seconds; in a large set minutes, as a job"
        )
        quota, chosen = None if per == NO_QUOTA else per, list[int]()

        def choose() -> str:
            pinned = {image_id for each in over for image_id in image_set.subsets.tagged(each)}
            picked = image_set.subsets.choose(count, per=quota, among=among, pinned=pinned)
            chosen.extend(picked["id"].tolist())
            words = [choice_in_words(picked, count, per=image_set.subsets.quota_column(quota))]
            if tag.strip():
                words.append(f"{image_set.subsets.tag(chosen, tag.strip(), who=user_name()).sentence}.")
            if is_measured and len(image_set) > AT_ONCE:
                start_measuring(image_set, chosen, name=set_name(image_set.root), tag=tag.strip())
            return " ".join(words)

        is_done = act_button("Pick", choose, key="choose.go", draw=st.form_submit_button, type="primary")
    if is_done:
        download_paths(image_set, chosen, name="chosen", key="choose.paths")
    if is_done and is_measured and len(image_set) <= AT_ONCE:
        with errors_shown(st.error), st.spinner("Measuring"):
            st.markdown(escape(image_set.subsets.worth(chosen).words))
    job = latest_job(image_set.workspace, kind=MEASURE.name, set_id=image_set.set_id)
    if job is not None:
        st.fragment(_show_measured, run_every=TICK_S if job.status().is_live else None)(job)


def _show_measured(job: Job) -> None:
    """The worth of a choice, as a job measured it, or its progress."""
    status, tag = job.status(), job.about["tag"]
    started = time.strftime("%d %b %H:%M", time.localtime(job.created))
    st.caption(escape(f"{job.title}{f', tagged “{tag}”' if tag else ''} · {started}"))
    if status.is_live:
        show_progress(job)
        st.caption("It goes on when you close this window; its result stands here, and among the jobs.")
    elif not show_result(job, status):
        show_error(f"Nothing was measured. {why_it_failed(job)}")
