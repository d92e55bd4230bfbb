"""A selection gets a map of its own from a process beside the server, and the last few are held."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, embed_folder, open_image_set
from url_viz.jobs import list_jobs
from url_viz.models.model import Model
from url_viz.store.tables import PLACED, UMAP, Coordinates
from url_viz.store.writer import Writer
from url_viz.ui.explore.selection_map import Subset, Subsets, subsets
from url_viz.ui.http import routes
from url_viz.ui.points import decode_points
from url_viz.ui.urls import points_url, representatives_url
from url_viz.workspace import Workspace

PATIENCE_S = 60


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    """Eight pictures: their map is PCA's."""
    folder = write_folder(module_workspace.parent / "pictures", 8, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def held() -> Iterator[Subsets]:
    made = Subsets(most=2)
    yield made
    made.stop()


def made(held: Subsets, subset: Subset) -> Subset:
    """The subset once its map is there, or has failed."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := held.get(subset.key)) is not None and found.is_being_made:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found is not None
    return found


def test_a_selection_is_shown_where_it_is_until_its_own_map_is_made(image_set: ImageSet, held: Subsets) -> None:
    table = image_set.table()
    ids = table["id"].to_numpy()[[6, 1, 3]]
    asked = held.ask(image_set, ids)
    before = Subset(asked.key, asked.ids).table_of(table)
    assert before.equals(table.iloc[[1, 3, 6]])
    found = made(held, asked)
    assert found.state != Subset(asked.key, asked.ids).state
    after = found.table_of(table)
    assert after["id"].tolist() == before["id"].tolist()
    own = image_set.project(ids)
    assert after[["x", "y"]].to_numpy() == pytest.approx(own.xy)
    assert own.by == "PCA"
    assert held.ask(image_set, ids[::-1]) is found


def test_a_process_beside_makes_the_same_map(
    image_set: ImageSet, held: Subsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.explore.selection_map.FEWEST_FOR_UMAP", 2)
    ids = image_set.table()["id"].to_numpy()[:5]
    found = made(held, held.ask(image_set, ids))
    assert found.failure == ""
    assert found.projection is not None
    own = image_set.project(ids)
    assert found.projection.ids.tolist() == own.ids.tolist()
    assert found.projection.xy == pytest.approx(own.xy)


def test_what_went_wrong_is_said_and_tried_again_only_when_asked(
    image_set: ImageSet, held: Subsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = image_set.table()["id"].to_numpy()[:5]
    with monkeypatch.context() as broken:
        broken.setattr("url_viz.ui.explore.selection_map.FEWEST_FOR_UMAP", 2)
        broken.setattr("sys.executable", "/bin/false")
        failed = made(held, held.ask(image_set, ids))
        assert failed.failure == "the process was ended"
    assert held.ask(image_set, ids) is failed
    held.forget(failed.key)
    assert made(held, held.ask(image_set, ids)).failure == ""


def test_only_the_last_few_are_held(image_set: ImageSet, held: Subsets) -> None:
    ids = image_set.table()["id"].to_numpy()
    keys = [made(held, held.ask(image_set, ids[:count])).key for count in (2, 3, 4)]
    assert [held.get(key) is None for key in keys] == [True, False, False]


def test_what_is_looked_at_is_held_for_longer(image_set: ImageSet, held: Subsets) -> None:
    ids = image_set.table()["id"].to_numpy()
    first, second = (made(held, held.ask(image_set, ids[:count])).key for count in (2, 3))
    assert held.get(first) is not None
    held.ask(image_set, ids[:4])
    assert [held.get(key) is None for key in (first, second)] == [False, True]


def test_an_error_that_nobody_expected_is_said_too(
    image_set: ImageSet, held: Subsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ImageSet, ids: object, method: str) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageSet, "project", broken)
    assert made(held, held.ask(image_set, image_set.table()["id"].to_numpy()[:4])).failure == "MemoryError"


def test_ids_of_no_picture_are_refused(image_set: ImageSet) -> None:
    with pytest.raises(ImageSetError, match="no picture with id 5"):
        image_set.project([5, int(image_set.table()["id"].iloc[0])])


def test_the_routes_serve_its_points_and_representatives(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    client = TestClient(Starlette(routes=routes()), base_url="http://127.0.0.1")
    ids = np.sort(image_set.table()["id"].to_numpy()[:4])
    subset = made(subsets, subsets.ask(image_set, ids))
    key, state = subset.key, subset.state
    points = decode_points(client.get(points_url(image_set, subset=key, state=state)).content)
    assert sorted(points.ids) == ids.tolist()
    assert subset.projection is not None
    own = dict(zip(subset.projection.ids.tolist(), subset.projection.xy[:, 0].tolist(), strict=True))
    assert points.x == pytest.approx([own[i] for i in points.ids.tolist()], abs=1e-3)
    alone = client.get(representatives_url(image_set, subset=key, state=state)).json()
    whole = client.get(representatives_url(image_set)).json()
    assert {row["id"] for row in alone} <= {str(i) for i in ids}
    assert sum(row["size"] for row in whole) <= 8
    assert set(whole[0]) == {"id", "name", "thumbnail", "x", "y", "size", "label", "share", "looks_like"}
    assert client.get(points_url(image_set, subset="nothing")).status_code == 404


def test_the_line_tells_what_is_shown_and_leads_back(image_set: ImageSet) -> None:
    def script() -> None:
        import numpy as np
        import streamlit as st

        from url_viz.ui.explore.selection_map import Subset, show_subset

        def back() -> None:
            st.session_state["back"] = True

        show_subset(Subset("key", np.arange(412), failure="no room"), total=5000, on_back=back)

    at = AppTest.from_function(script).run()
    assert at.markdown[0].value == "This map shows only **412** of 5,000 pictures."
    assert at.error[0].value == "The map of these pictures could not be computed: no room"
    assert "back" not in at.session_state
    at.button(key="subset.back").click().run()
    assert at.session_state["back"]


class TestRefit:
    """The map is made anew when asked for, and offered only when much was placed."""

    def test_it_is_offered_and_runs_as_a_job(self, home: Workspace, tmp_path: Path, model: Model) -> None:
        image_set = embed_folder(write_folder(tmp_path / "some", 6), model=model, workspace=home.root)
        assert image_set.placed_share == 0
        contents = np.unique(image_set.contents)
        with Writer(home.set_paths(image_set.set_id), image_set.root) as writer:
            method = np.where(np.arange(6) < 3, UMAP, PLACED).astype(np.int8)
            writer.put_coordinates(image_set.space.key, Coordinates(contents, np.ones((6, 2), np.float32), method))
        image_set = open_image_set(image_set.root, workspace=home.root)
        assert image_set.placed_share == 0.5

        def script(image_set) -> None:  # type: ignore[no-untyped-def]
            import streamlit as st

            from url_viz.ui.explore.refit import show_refit

            st.text("The map")
            show_refit(image_set)

        at = AppTest.from_function(script, args=(image_set,)).run()
        assert at.button(key="refit").label == "Recompute the map (50% added later)"
        at.button(key="refit").click().run()
        assert not at.exception
        job = list_jobs(home)[0]
        deadline = time.monotonic() + PATIENCE_S
        while job.status().is_live:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not image_set.is_current()
        assert open_image_set(image_set.root, workspace=home.root).placed_share == 0
