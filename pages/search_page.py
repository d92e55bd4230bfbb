"""The Search page: the most similar pictures, the ambiguous ones left out, and evidence that this helps."""

import streamlit as st

from url_viz.ui import search
from url_viz.ui import search as search_query
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.sidebar import start_page

image_set = start_page("Search")
table = image_set.table()
measures = offered(image_set)
if not measures:
    st.info(
        "Nothing to leave pictures out by yet. Values appear once the pictures are read.",
        icon=":material/hourglass_empty:",
    )
    end_page()

query = search_query.query_for(image_set)
if query is None:
    left, right = st.columns([14, 6], gap="medium")
    with left:
        search_query.pick_query(image_set, measure=measures[0], columns=6)
    with right, st.container(key="search_evidence"):
        search.show_evidence(image_set, measures, measure=measures[0])
    end_page()

left, middle, right = st.columns([5, 9, 6], gap="medium")
with left:
    search_query.show_query(query)
    search.show_values(query)
    with st.expander("Search with another picture", icon=":material/image_search:"):
        search_query.pick_query(image_set, measure=measures[0], columns=3)
with middle:
    gate = search.pick_gate(table, measures)
    if search.may_search(query, gate, search.known_evidence(image_set, gate.measure) if gate.is_on else None):
        search.show_hits(image_set, search.gated_search(image_set, query, gate), gate)
with right, st.container(key="search_evidence"):
    search.show_evidence(image_set, measures, measure=gate.measure)
