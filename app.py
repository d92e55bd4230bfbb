"""The Streamlit app (`streamlit run app.py`): the server with its HTTP routes, and the script of a browser session."""

import sys

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def run_page() -> None:
    """One run of a browser session's script: sidebar, then the page."""
    from url_viz.errors import UrlVizError
    from url_viz.ui.auth import show_gate
    from url_viz.ui.review.address import follow_link
    from url_viz.ui.session import show_in_address
    from url_viz.ui.style import ICON, apply_style
    from url_viz.ui.text import show_error
    from url_viz.ui.widgets.sidebar import show_sidebar

    st.set_page_config(page_title="URL-Viz", page_icon=ICON, layout="wide")
    apply_style()
    if not show_gate():
        return
    pages = [
        st.Page("pages/explore.py", title="Explore", icon=":material/scatter_plot:", default=True),
        st.Page("pages/review.py", title="Review", icon=":material/rate_review:"),
        st.Page("pages/upload.py", title="Sort uploads", icon=":material/swap_vert:"),
        st.Page("pages/search.py", title="Search safely", icon=":material/image_search:"),
        st.Page("pages/labels.py", title="Check labels", icon=":material/label:"),
        st.Page("pages/finetune.py", title="Adapt and finetune", icon=":material/model_training:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/monitoring:"),
        st.Page("pages/compare.py", title="Compare models", icon=":material/compare:"),
        st.Page("pages/sets.py", title="Image sets", icon=":material/folder_managed:"),
    ]
    page = st.navigation(pages)
    try:
        show_sidebar()
        show_in_address()
        if page is not pages[1] and follow_link():
            st.switch_page(pages[1])
        page.run()
    except UrlVizError as error:
        show_error(error)


if get_script_run_ctx(suppress_warning=True) is None:
    from streamlit.runtime.pages_manager import PagesManager

    from url_viz.ui.auth import open_warning
    from url_viz.ui.http import middleware, routes

    if (warning := open_warning()) is not None:
        print(f"warning: {warning}", file=sys.stderr)
    PagesManager.uses_pages_directory = False  # else a link to a page, opened first, would run that page's file alone
    app = st.App(__file__, routes=routes(), middleware=middleware())
else:
    run_page()
