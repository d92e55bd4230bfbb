"""The map is made anew when asked for, and offered only when much was placed."""

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.pages import call_of
from url_viz.base.workspace import Workspace
from url_viz.image_set import open_image_set
from url_viz.jobs import cancel_job, list_jobs
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.tables.tables import PLACED, UMAP, Coordinates
from url_viz.store.tables.writer import Writer


def test_it_is_offered_and_runs_as_a_job(home: Workspace, tmp_path: Path, model: Model) -> None:
    image_set = embed_folder(write_folder(tmp_path / "some", 6), model=model, workspace=home.root)
    assert image_set.maps.placed_fraction == 0
    contents = np.unique(image_set.core.contents)
    with Writer(home.set_paths(image_set.set_id), image_set.root) as writer:
        method = np.where(np.arange(6) < 3, UMAP, PLACED).astype(np.int8)
        writer.put_coordinates(image_set.space.key, Coordinates(contents, np.ones((6, 2), np.float32), method))
    image_set = open_image_set(image_set.root, workspace=home.root)
    assert image_set.maps.placed_fraction == 0.5

    def script(image_set) -> None:  # type: ignore[no-untyped-def]
        import streamlit as st

        from url_viz.ui.explore.explore_map import show_refit

        st.text("The map")
        show_refit(image_set)

    at = AppTest.from_function(script, args=(image_set,)).run()
    assert at.button(key="refit").label == "Recompute the map (50% added later)"
    at.button(key="refit").click().run()
    [job] = list_jobs(home)
    assert call_of(job).what.words == ("sets", "refit")
    assert call_of(job).given["folder"] == image_set.root
    cancel_job(job, grace_s=0.1)
    image_set.maps.refit()
    assert open_image_set(image_set.root, workspace=home.root).maps.placed_fraction == 0
