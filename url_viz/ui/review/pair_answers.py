"""The answers on pairs, on the Review page: what they have changed, and both ways to and from a file."""

import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.analysis.tuned import change_in_words, moved_share
from url_viz.export.answers_file import answers_table, import_answers
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.ui.auth import user_name
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.download import download_table


def show_answers(image_set: ImageSet) -> None:
    """How many there are and what they have changed, with download and import; folded before the first."""
    table = answers_table(image_set)
    with st.expander("Your answers on pairs", icon=":material/join_inner:", expanded=not table.empty):
        answers, moved = image_set.answers, image_set.cached_of_table(moved_share)
        said = change_in_words(answers.log.now(), answers.tuned(), moved=moved)
        st.caption(escape(said))
        download_table("Download the answers", table, file_name="answers.csv", key="review.answers", is_quiet=False)
        file = st.file_uploader(
            "Upload answers from another machine, or filled in by hand", type="csv", key="review.answers.file"
        )
        if file is not None:
            st.button("Import these answers", key="review.answers.import", on_click=_import, args=(image_set, file))


def _import(image_set: ImageSet, file: UploadedFile) -> None:
    with errors_shown():
        done = import_answers(image_set, IncomingFile(file.name, file.getvalue()), who=user_name())
        st.toast(escape(done.words))
