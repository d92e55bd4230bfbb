"""The Streamlit app (`streamlit run app.py`): the server with its HTTP routes, and the script of a browser session."""

import sys

import streamlit as st


def run_page() -> None:
    """One run of a browser session's script: sidebar, then the page."""
    from url_viz.errors import UrlVizError
    from url_viz.ui.auth import show_gate
    from url_viz.ui.gc_schedule import collect_soon
    from url_viz.ui.review.review_address import follow_link
    from url_viz.ui.session import show_in_address
    from url_viz.ui.style import ICON, apply_style
    from url_viz.ui.text import show_error
    from url_viz.ui.widgets.sidebar import show_sidebar

    collect_soon()
    st.set_page_config(page_title="URL-Viz", page_icon=ICON, layout="wide")
    apply_style()
    if not show_gate():
        return
    pages = [
        st.Page("pages/explore_page.py", title="Explore", icon=":material/scatter_plot:", default=True),
        st.Page("pages/review_page.py", title="Review", icon=":material/rate_review:", url_path="review"),
        st.Page("pages/upload_page.py", title="Sort uploads", icon=":material/swap_vert:", url_path="upload"),
        st.Page("pages/search_page.py", title="Search safely", icon=":material/image_search:", url_path="search"),
        st.Page("pages/labels_page.py", title="Check labels", icon=":material/label:", url_path="labels"),
        st.Page(
            "pages/finetune_page.py", title="Adapt and finetune", icon=":material/model_training:", url_path="finetune"
        ),
        st.Page("pages/evaluate_page.py", title="Evaluate", icon=":material/monitoring:", url_path="evaluate"),
        st.Page("pages/compare_page.py", title="Compare models", icon=":material/compare:", url_path="compare"),
        st.Page("pages/models_page.py", title="Models", icon=":material/deployed_code:", url_path="models"),
        st.Page("pages/sets_page.py", title="Image sets", icon=":material/folder_managed:", url_path="sets"),
        st.Page("pages/jobs_page.py", title="Jobs", icon=":material/pending_actions:", url_path="jobs"),
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


if __name__ == "__main__":  # as Streamlit runs a session's script; the server imports this file
    run_page()
else:
    from pathlib import Path

    from url_viz.errors import UrlVizError
    from url_viz.gc_settings import search_rarely
    from url_viz.ui.auth import open_warning
    from url_viz.ui.http import middleware, routes
    from url_viz.ui.server import guard_settings, serving
    from url_viz.ui.streamlit_private import run_app_for_every_page

    search_rarely()
    try:
        guard_settings(Path(__file__))
        if (warning := open_warning()) is not None:
            print(f"warning: {warning}", file=sys.stderr)
        guards = middleware()
    except UrlVizError as error:
        sys.exit(f"error: {error}")
    run_app_for_every_page()
    app = st.App(__file__, routes=routes(), middleware=guards, lifespan=serving)
