"""The Evaluate page: how well each measure orders a labelled image set, with intervals and baselines."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.ui import evaluate
from url_viz.ui.evaluate import show_crop_test
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.picture import show_opened
from url_viz.ui.widgets.sidebar import start_page

once_read = "The figures appear once reading has finished. Until then they would change with every picture."
image_set = start_page("Evaluate", once_read=once_read)
with st.spinner(f"Computing intervals on {len(image_set):,} pictures"):
    results = image_set.cached(ImageSet.evaluate)
if results is None:
    evaluate.show_without_classes(image_set)
    show_crop_test(image_set)
    end_page()

evaluate.show_recall(results)
left, right = st.columns(2, gap="large")
with left:
    evaluate.show_intervals(image_set, results)
with right:
    evaluate.show_coverage(image_set, results)
evaluate.show_measures(image_set, results)

measure = evaluate.pick_measure(results)
left, right = st.columns(2, gap="large")
with left:
    evaluate.show_deciles(image_set, results.pictures_of[measure], measure=measure)
with right:
    evaluate.show_reliability(image_set)
    show_crop_test(image_set)
evaluate.show_classes(image_set, results.pictures_of[measure], measure=measure)

options = offered(image_set)
show_opened(image_set, measure=measure if measure in options or not options else options[0])
