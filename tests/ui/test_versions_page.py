"""What changed, as a part of the Review page: nothing to compare with, an earlier version, another set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tests.drawing.decoded_points import decode_points
from tests.imaging.pictures import noise, write_folder
from tests.jobs.conftest import until
from tests.ui.conftest import Read
from tests.ui.pages import opened, words
from url_viz.drawing.tiles import card_url
from url_viz.image_set import ImageSet, diff
from url_viz.jobs import latest_job, log_tail
from url_viz.jobs.kinds import COMPARE
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.http import drawn_url, middleware, routes
from url_viz.ui.review.results import FOLD
from url_viz.ui.version_diff import VERSION_BEFORE, VERSION_CHANGES

COUNT = 24


@pytest.fixture
def first(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "zoo", COUNT, classes=("cat", "dog")))


@pytest.fixture
def later(first: ImageSet, tmp_path: Path, model: Model) -> ImageSet:
    """A copy of the folder with a new picture, without another, and with one of another class."""
    folder = shutil.copytree(first.root, tmp_path / "later")
    noise(100).save(folder / "cat" / "new.jpg")
    (folder / "dog" / "0001.jpg").unlink()
    (folder / "cat" / "0002.jpg").rename(folder / "dog" / "0002.jpg")
    return embed_folder(folder, model=model, workspace=first.workspace.root)


def changes(image_set: ImageSet, before: str | None = None) -> AppTest:
    """The page with what changed unfolded, compared with another set or by default an earlier version."""
    state = {} if before is None else {VERSION_BEFORE: before}
    return opened(image_set, "review", **{FOLD.under("changes"): True}, **state)


def test_since_an_earlier_version(first: ImageSet) -> None:
    assert "24 pictures before, 24 after: nothing changed" in words(changes(first))
    first.labels.give({int(first.table()["id"].iloc[0]): "dog"})
    at = changes(first)
    assert "24 pictures before, 24 after: 1 relabelled" in words(at)
    at.button(key="versions.measure").click().run()
    assert "The same linear probe gets" in words(at)
    shutil.rmtree(first.core.store.paths.versions)
    assert "No earlier version of this image set is kept yet" in words(changes(first))


def test_another_set_is_compared_and_filtered_its_map_has_both_and_the_card_of_what_is_gone(
    first: ImageSet, later: ImageSet
) -> None:
    shutil.rmtree(later.core.store.paths.versions)
    assert "added" not in words(changes(later)), "another set is compared with only once it is chosen"
    at = changes(later, before=first.set_id)
    assert "24 pictures before, 24 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in words(at)
    pills = at.button_group(key=VERSION_CHANGES.under("control"))
    assert pills.options == ["Added · 1", "Removed · 1", "Moved or renamed · 1", "Relabelled · 1"]
    pills.set_value(["removed"]).run()
    assert at.session_state[VERSION_CHANGES] == ["removed"]
    found = diff(first, later)
    table = found.on_map
    assert table["change"].value_counts().to_dict() == {"same": 22, "changed": 1, "gone": 1, "new": 1}
    client = TestClient(Starlette(routes=routes(), middleware=middleware()), base_url="http://127.0.0.1")
    points = decode_points(client.get(drawn_url(table, "change")).content)
    gone = int(table.loc[table["change"] == "gone", "id"].iloc[0])
    place = int(np.flatnonzero(points.ids == gone)[0])
    assert points.category[place] == 1  # changed, gone, new, same
    assert np.isfinite([points.x[place], points.y[place]]).all()
    assert table["x"].min() <= points.x[place] <= table["x"].max()
    card = client.get(card_url(later, gone=first.set_id).replace("{id}", str(gone))).json()
    assert (card["name"], card["label"]) == ("dog/0001.jpg", "dog")
    assert first.set_id in card["thumbnail"]
    assert (
        client.get(card_url(later, gone=later.set_id).replace("{id}", "1")).json()["name"] == "A picture that is gone"
    )
    assert json.loads(json.dumps(found.as_json()))["added"] == ["cat/new.jpg"]


def test_large_sets_are_compared_by_a_job_whose_result_stays(
    first: ImageSet, later: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.version_diff.AT_ONCE", COUNT)
    at = changes(later, before=first.set_id)
    assert "added" not in words(at)
    at.button(key="versions.compare").click().run()
    job = latest_job(later.workspace, kind=COMPARE.name, set_id=later.set_id)
    assert job is not None
    assert job.title.endswith("/zoo")
    assert job.config.queue == "small"
    until(lambda: not job.status().is_live, 120)
    assert job.state == "succeeded", log_tail(job)
    for page in (at.run(), changes(later)):
        assert "24 pictures before, 24 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in words(page)
        assert "The same linear probe gets" in words(page), "measured, too"
        assert not [one for one in page.button if one.key == "versions.measure"]
    later.decisions.decide([int(later.table()["id"].iloc[0])], "drop")
    at = changes(later, before=first.set_id)
    assert "added" not in words(at), "of another state it is another comparison"
    assert [one.label for one in at.button if one.key == "versions.compare"] == ["Compare"]
