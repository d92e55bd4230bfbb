"""An app of our parts on made-up pictures, a page each: `streamlit run tests/browser/harness.py -- FOLDER`.

Decisions are kept in the folder. The query parameter `show` chooses the page: map (if none), gallery, styles, grid,
decide; each module says what others it takes.
"""

import streamlit as st
from starlette.routing import Route
from streamlit.runtime.scriptrunner import get_script_run_ctx

from tests.browser.harness_components import answer_card, answer_points, answer_thumbnail, gallery_page, map_page
from tests.browser.harness_decide import answer_tiles, decide_page, grid_page
from tests.browser.harness_map import answer_mask, answer_representatives, styles_page
from url_viz.ui.http import routes

PAGES = {"map": map_page, "gallery": gallery_page, "styles": styles_page, "grid": grid_page, "decide": decide_page}

if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(
        __file__,
        routes=[
            *routes(),
            Route("/harness/points", answer_points),
            Route("/harness/card/{id:int}", answer_card),
            Route("/harness/thumbnail/{id:int}", answer_thumbnail),
            Route("/harness/mask", answer_mask),
            Route("/harness/representatives", answer_representatives),
            Route("/harness/tiles", answer_tiles),
        ],
    )
else:
    st.set_page_config(layout="wide")
    PAGES[st.query_params.get("show", "map")]()
