"""The New pictures page: uploaded pictures, scored in memory and sorted from most to least ambiguous."""

import streamlit as st

from url_viz.models.model import EXTERNAL
from url_viz.outside.sides import sort
from url_viz.ui.first_page import show_ways_in
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import choice
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.upload import page as upload
from url_viz.ui.upload.batch import UPLOADS, scored_batch
from url_viz.ui.upload.page import show_exports, show_opened_upload
from url_viz.ui.upload.upload_review import show_upload_review, with_answers

now = choice()
image_set = open_sets().find(now.set_id, now.model) if now.set_id is not None else None
if image_set is not None and not len(image_set):
    image_set = None

if now.model.startswith(EXTERNAL):
    upload.show_cannot_embed(now)
    end_page()

upload.show_drop()
uploads = UPLOADS.get() or ()
if not uploads:
    upload.show_empty(now, image_set)
    if image_set is None:
        show_ways_in()
    end_page()

batch = scored_batch(uploads, now, image_set)
if not batch.scored:
    st.info("None of these files can be read as a picture.", icon=":material/info:")
    upload.show_refused(batch)
    end_page()

table = upload.ranked_uploads(batch, image_set)
upload.show_heading(batch, now, image_set)
order = upload.pick_order(table, image_set)
if order is None:
    st.info(f"{escape(now.model)} has no measure to sort these pictures by.", icon=":material/info:")
    end_page()
measure, threshold = order
done = sort(with_answers(table, batch), measure=measure, threshold=threshold)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    is_review = st.toggle("Review one by one", key="upload.reviewing")
    show_exports(batch, done, now, image_set)

if is_review:
    show_upload_review(batch, done, image_set, measure=measure)
    upload.show_refused(batch)
    end_page()
if image_set is not None and table["x"].notna().any():
    left, right = st.columns([9, 11], gap="medium")
    with left:
        upload.show_on_map(table, done, image_set, measure=measure, threshold=threshold)
    with right:
        upload.show_sides(batch, done, image_set, measure=measure, columns=2)
else:
    upload.show_sides(batch, done, image_set, measure=measure, columns=4)
upload.show_refused(batch)
show_opened_upload(batch, table, image_set)
