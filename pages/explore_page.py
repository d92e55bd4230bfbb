"""The Explore page: an image set in one sentence, its map, and its most ambiguous pictures."""

from dataclasses import replace
from functools import partial

import streamlit as st

from url_viz.columns.filters import scoped
from url_viz.columns.undecided import left_to_ask
from url_viz.findings.object_findings import legible
from url_viz.ui.explore import controls, explore_grid, explore_map, page
from url_viz.ui.explore.explore_grid import GRID, show_twins_button
from url_viz.ui.explore.filter_controls import pick_reason, show_chips, show_filter_popover
from url_viz.ui.explore.sentence import show_findings, show_first_review, show_sentence
from url_viz.ui.explore.view import current_view, show_in_address
from url_viz.ui.search import is_searching, show_search, start_search
from url_viz.ui.search import show_in_address as show_search_in_address
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.decide import show_decide_bar, show_progress
from url_viz.ui.widgets.embed_job import is_growing
from url_viz.ui.widgets.picture import open_linked, show_opened
from url_viz.ui.widgets.sidebar import require_image_set

image_set = require_image_set()
if is_searching():
    show_search(image_set)
    if (leading := controls.default_measure(image_set)) is not None:
        show_opened(image_set, measure=leading)
    end_page()

view = current_view(partial(explore_map.map_key, image_set), GRID.under(image_set.set_id))
open_linked()
view = explore_map.without_stale_lasso(image_set, view)
above = st.container(key="explore_above", gap="small")
with above:
    heading, sentence = st.container(), st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_controls"):
        measure = controls.pick_measure(image_set)
        colour = controls.pick_colour(image_set, measure)
        reasons = show_filter_popover(image_set)
        more = controls.show_view_popover(image_set, measure)
        st.button("Find similar", icon=":material/image_search:", key="search.start", on_click=start_search)
        show_chips(view)
with sentence:
    found = show_sentence(image_set, measure)

hiding = legible(image_set.table()) if view.hide_tiny else ()
shown = replace(view, filters=(*view.filters, *hiding))
filtered = image_set.core.for_filters(image_set.table(), view.filters)
table = explore_map.rows_on_map(image_set, page.ranked_by(filtered, view, measure))
asked = scoped(table, view.scope)
rows = scoped(table, shown.scope) if hiding else asked

left, right = (st.container(), st.container()) if view.is_wide else st.columns([6, 5], gap="medium")
with left:
    if not view.is_wide:
        explore_map.pick_space(image_set)
        note = "still reading" if is_growing(image_set.set_id) else ""
        explore_map.draw_map(image_set, table, shown, measure=measure, colour=colour, note=note)
        explore_map.show_refit(image_set)
with right:
    chosen = explore_grid.show_galleries(image_set, rows, shown, measure=measure)
on_other_map = bool(explore_map.space_shown(image_set) and view.polygon)
# The map and the grid are drawn first, wherever they are on the page: a lasso waits for them.
acts_on = partial(explore_grid.acted_on, chosen=chosen, measure=measure, on_other_map=on_other_map)
acted = acts_on(rows, shown)
leaving = acts_on(asked, view) if hiding else acted
lasting = page.lasting(view, image_set, measure=measure, colour=colour)
is_narrowed = explore_grid.is_narrowed(acted, view)
with heading:
    is_own = is_narrowed or page.is_in_own_order(view, image_set, measure=measure)
    review = page.review_of(shown, measure, acted.scope) if is_own else None
    cards = 0 if review is None else left_to_ask(acted.rows, review)
    decide, first = page.show_heading(image_set, table, leaving.rows, review, count=cards)
with decide:
    if is_narrowed:
        show_decide_bar(image_set, acted.rows, key=controls.DECIDE, which=acted.which)
    else:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_progress"):
            show_progress(image_set, key=controls.DECIDE)
with reasons:
    pick_reason(image_set, page.before_reasons(table, shown, rows))
with more:
    show_twins_button(image_set, table)
page.announce_shown(image_set, rows, measure)
show_in_address(lasting)
show_search_in_address()
with found:
    findings = show_findings(image_set)
if review is None:
    with first:
        show_first_review(image_set, findings)

show_opened(image_set, measure=measure)
