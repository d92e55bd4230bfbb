"""The Streamlit app (`streamlit run app.py`): the server with its HTTP routes, and the script of a browser session."""

import sys
from contextlib import suppress

import streamlit as st


def run_page() -> None:
    """One run of a browser session's script: sidebar, then the page."""
    from url_viz.base.errors import UrlVizError
    from url_viz.base.processes import collect_soon
    from url_viz.base.wording import for_folder
    from url_viz.store.decisions.decision_log import seen_once
    from url_viz.ui.auth import show_gate
    from url_viz.ui.menu import follow, follow_link, menu_of_pages
    from url_viz.ui.review.desk import send_unsent
    from url_viz.ui.session import show_in_address
    from url_viz.ui.streamlit_private import PageEnd
    from url_viz.ui.style import ICON, apply_style
    from url_viz.ui.text import show_error
    from url_viz.ui.widgets.buttons import end_of_page, with_title
    from url_viz.ui.widgets.components import say_announced, spare_stops
    from url_viz.ui.widgets.sidebar import chosen_folder, show_sidebar

    collect_soon()
    st.set_page_config(page_title="URL-Viz", page_icon=ICON, layout="wide")
    apply_style()
    if not show_gate():
        return
    menu = menu_of_pages()
    page = st.navigation(menu)
    with with_title(page.title):
        try:
            follow(page, menu)
            show_sidebar()
            with st.sidebar:
                send_unsent()
            show_in_address()
            review = next(each for each in menu if each.url_path == "review")
            if page is not review and follow_link():
                st.switch_page(review)
            with suppress(PageEnd), seen_once():
                page.run()
            end_of_page()
            say_announced()
            with st.sidebar:
                spare_stops()
        except UrlVizError as error:
            show_error(for_folder(str(error), chosen_folder()))


if __name__ == "__main__":  # as Streamlit runs a session's script; the server imports this file
    run_page()
else:
    from pathlib import Path

    from url_viz.base.errors import UrlVizError
    from url_viz.base.processes import search_rarely
    from url_viz.ui.auth import open_warning
    from url_viz.ui.http import middleware, routes
    from url_viz.ui.server import guard_settings, serving
    from url_viz.ui.streamlit_private import carry_out_every_click, run_app_for_every_page

    search_rarely()
    try:
        guard_settings(Path(__file__))
        if (warning := open_warning()) is not None:
            print(f"warning: {warning}", file=sys.stderr)
        guards = middleware()
    except UrlVizError as error:
        sys.exit(f"error: {error}")
    run_app_for_every_page()
    carry_out_every_click()
    app = st.App(__file__, routes=routes(), middleware=guards, lifespan=serving)
