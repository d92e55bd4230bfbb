"""A selection gets a map of its own from a job, two at a time, and the last few stay on disk."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.decoded_points import decode_points
from url_viz.image_set import ImageSet, embed_folder, open_image_set
from url_viz.jobs import Job, cancel_job, list_jobs, why_it_failed
from url_viz.jobs.configs import Method
from url_viz.jobs.kinds import PROJECT
from url_viz.jobs.mapping import Subset, find_map, start_map
from url_viz.jobs.turn import LIGHT_NEEDS_MB, available_mb
from url_viz.models.model import Model
from url_viz.store.tables.tables import PLACED, UMAP, Coordinates
from url_viz.store.tables.writer import Writer
from url_viz.ui.http import routes
from url_viz.ui.urls import points_url, representatives_url
from url_viz.workspace import Workspace

PATIENCE_S = 120


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    """Twenty pictures: more than PCA alone would be for."""
    folder = write_folder(module_workspace.parent / "pictures", 20, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


def ids_of(image_set: ImageSet, count: int) -> NDArray[np.int64]:
    return image_set.table()["id"].to_numpy(np.int64)[:count]


def found(image_set: ImageSet, key: str) -> Subset:
    subset = find_map(image_set, key)
    assert subset is not None
    return subset


def made(image_set: ImageSet, key: str) -> Subset:
    """The subset once its map is there, or its job has ended without one."""
    deadline = time.monotonic() + PATIENCE_S
    while found(image_set, key).is_being_made:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found(image_set, key)


def start(image_set: ImageSet, ids: NDArray[np.int64], *, method: Method = "umap", again: bool = False) -> str:
    return start_map(image_set, ids, method=method, name="zoo", again=again)


@pytest.fixture
def sleeping(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Jobs whose map takes ten minutes."""
    (tmp_path / "sitecustomize.py").write_text("import sys, time\nif 'project' in sys.orig_argv: time.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_few_pictures_have_their_map_at_once(image_set: ImageSet) -> None:
    table = image_set.table()
    ids = table["id"].to_numpy()[[6, 1, 3]]
    key = start(image_set, ids)
    subset = found(image_set, key)
    assert (subset.job, subset.is_being_made, subset.method) == (None, False, "umap")
    before = replace(subset, projection=None)
    assert before.state != subset.state
    assert before.table_of(table).equals(table.iloc[[1, 3, 6]])
    after = subset.table_of(table)
    assert after["id"].tolist() == before.table_of(table)["id"].tolist()
    own = image_set.maps.project(ids)
    assert after[["x", "y"]].to_numpy() == pytest.approx(own.xy)
    assert own.by == "PCA"
    assert start(image_set, ids[::-1]) == key


@pytest.mark.slow
@pytest.mark.usefixtures("sleeping")
def test_a_long_map_holds_up_no_other_is_cancelled_and_made_at_another_click(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ids_of(image_set, 17)
    long = start(image_set, ids, method="tsne")
    monkeypatch.undo()
    other = made(image_set, start(image_set, np.arange(16)))
    assert other.projection is None
    assert other.job is not None
    assert "no picture with id 0" in why_it_failed(other.job)
    first = found(image_set, long)
    assert first.is_being_made
    assert first.job is not None
    assert first.job.title == "t-SNE map of 17 pictures of zoo"
    assert first.job.about["set_id"] == image_set.set_id
    cancel_job(first.job, grace_s=0.1)
    stopped = made(image_set, long)
    assert (stopped.projection, first.job.state) == (None, "cancelled")
    assert start(image_set, stopped.ids, method="tsne") == long, "not by itself"
    assert not found(image_set, long).is_being_made
    start(image_set, stopped.ids, method="tsne", again=True)
    subset, own = made(image_set, long), image_set.maps.project(ids, method="tsne")
    assert subset.projection is not None
    assert subset.projection.ids.tolist() == own.ids.tolist()
    assert subset.projection.xy == pytest.approx(own.xy)
    assert (subset.projection.by, subset.method) == ("t-SNE", "tsne")
    jobs = len(list_jobs(image_set.workspace, kind=PROJECT.name))
    assert start(image_set, ids, method="tsne", again=True) == long
    assert start(image_set, ids[::-1], method="tsne") == long
    assert len(list_jobs(image_set.workspace, kind=PROJECT.name)) == jobs, "not run twice"


@pytest.mark.slow
@pytest.mark.usefixtures("sleeping")
@pytest.mark.skipif(available_mb() < LIGHT_NEEDS_MB, reason="too little memory for two jobs at once")
def test_two_are_computed_at_once_others_wait_and_that_of_a_dropped_map_ends(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.jobs.mapping.MOST", 3)

    def job_of(count: int) -> Job:
        job = found(image_set, start(image_set, ids_of(image_set, count), method="tsne")).job
        assert job is not None
        return job

    first, second, third = map(job_of, (18, 19, 20))
    deadline = time.monotonic() + PATIENCE_S
    while [first.state, second.state] != ["running", "running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert third.state == "queued"
    fourth = found(image_set, start(image_set, np.arange(17), method="tsne")).job
    assert first.state == "cancelled", "of the map that was looked at longest ago"
    while third.state != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for job in filter(None, (second, third, fourth)):
        cancel_job(job, grace_s=0.1)


def test_only_those_looked_at_last_stay_on_disk(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.jobs.mapping.MOST", 2)
    first, second = (start(image_set, ids_of(image_set, count)) for count in (4, 5))
    assert find_map(image_set, first) is not None
    third = start(image_set, ids_of(image_set, 6))
    assert [find_map(image_set, key) is None for key in (first, second, third)] == [False, True, False]
    files = list(image_set.workspace.set_paths(image_set.set_id).maps.iterdir())
    assert len({path.stem for path in files}) == 2


def test_what_is_no_key_is_no_map(image_set: ImageSet) -> None:
    for key in ("", "umap-0", "../set", "tsne-" + "0" * 24, "umap-" + "g" * 24):
        assert find_map(image_set, key) is None


def test_a_damaged_map_is_made_again_when_that_is_wanted(image_set: ImageSet) -> None:
    key = start(image_set, ids_of(image_set, 7))
    path = image_set.workspace.set_paths(image_set.set_id).maps / f"{key}.parquet"
    path.write_bytes(path.read_bytes()[:100])
    assert found(image_set, key).projection is None
    start(image_set, ids_of(image_set, 7), again=True)
    assert found(image_set, key).projection is not None


def test_the_routes_serve_its_points_and_representatives(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    client = TestClient(Starlette(routes=routes()), base_url="http://127.0.0.1")
    ids = np.sort(ids_of(image_set, 4))
    key = start(image_set, ids)
    subset = found(image_set, key)
    points = decode_points(client.get(points_url(image_set, subset=key, state=subset.state)).content)
    assert sorted(points.ids) == ids.tolist()
    assert subset.projection is not None
    own = dict(zip(subset.projection.ids.tolist(), subset.projection.xy[:, 0].tolist(), strict=True))
    assert points.x == pytest.approx([own[i] for i in points.ids.tolist()], abs=1e-3)
    alone = client.get(representatives_url(image_set, subset=key, state=subset.state)).json()
    whole = client.get(representatives_url(image_set)).json()
    assert {row["id"] for row in alone} <= {str(i) for i in ids}
    assert sum(row["size"] for row in whole) <= 20
    assert set(whole[0]) == {"id", "name", "thumbnail", "x", "y", "size", "label", "share", "looks_like"}
    assert client.get(points_url(image_set, subset="nothing")).status_code == 404


class TestRefit:
    """The map is made anew when asked for, and offered only when much was placed."""

    def test_it_is_offered_and_runs_as_a_job(self, home: Workspace, tmp_path: Path, model: Model) -> None:
        image_set = embed_folder(write_folder(tmp_path / "some", 6), model=model, workspace=home.root)
        assert image_set.maps.placed_fraction == 0
        contents = np.unique(image_set.contents)
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
        assert job.command[:3] == ("-m", "url_viz", "refit")
        cancel_job(job, grace_s=0.1)
        image_set.maps.refit()
        assert open_image_set(image_set.root, workspace=home.root).maps.placed_fraction == 0
