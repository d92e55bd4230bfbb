"""The Compare models page: agreement of two models on one image set, linked maps, and disagreements."""

import streamlit as st

from url_viz.ui import compare_models as compare
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.charts import show_figure
from url_viz.ui.widgets.picture import show_opened
from url_viz.ui.widgets.sidebar import start_page

first = start_page("Compare models").single_model
second = compare.pick_second(first)
if second is None:
    end_page()
if compare.is_being_read():
    st.caption("The comparison appears once reading has finished. Until then it would change with every picture.")
    end_page()

with st.spinner(f"Comparing {len(first):,} pictures"):
    comparison = compare.comparison_of(first, second)
compare.show_agreement(comparison, second)
if not compare.offered(comparison):
    end_page()

measure = compare.pick_measure(comparison, first.order().measure)
compared = comparison.measures[measure]
linked = compare.selection(first, second)
compare.show_maps(first, second, measure, linked)
compare.show_selected(linked, total=len(compared))

left, right = st.columns([2, 3], gap="large")
with left:
    figure = compare.scatter_figure(compared, names=(first.source.title, second.source.title), ids=linked.ids)
    alt, name = "Each picture by its percentile under both models", f"{first.root.name}-{measure}-compared"
    show_figure(figure, key="compare.scatter", alt=alt, svg=name)
    compare.show_download(first, compared)
with right:
    compare.show_disagreements(first, second, compared, selected=linked.ids)

show_opened(first, measure=measure)
