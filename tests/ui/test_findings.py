"""Findings on Explore, through app.py: lines with their counts, and the queue that a click opens."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import noise
from tests.leaky import leaky_set
from tests.ui.pages import opened
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.explore import finding_list

pytestmark = pytest.mark.slow


@pytest.fixture
def image_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(tmp_path / "home"))
    return leaky_set(tmp_path)


def lines(at: AppTest) -> list[str]:
    return [button.key for button in at.button if str(button.key).startswith("findings.")]


def test_each_finding_has_a_line_and_its_queue(image_set: ImageSet) -> None:
    at = opened(image_set)
    assert lines(at) == ["findings.leaks"], "what matters most"
    at.session_state["findings.more"] = True
    at.run()
    rows = image_set.reviews.queues()
    assert lines(at) == [f"findings.{row.key}" for row in rows]
    assert {one.words for one in image_set.findings()} <= {row.words for row in rows}
    said = {one.value for one in at.markdown} | {one.value for one in at.header}
    assert {row.words for row in rows} <= said
    for row in rows:
        label = at.button(key=f"findings.{row.key}").label
        assert label == f"{'List' if row.opens is None else 'Review'} {row.left:,}"
        assert row.opens is None or len(image_set.reviews.open(row.opens)) == row.left, "as many as it opens"
    at.button(key="findings.leaks").click().run()
    assert at.session_state["view.review"] == ReviewSpec("leaks")


def test_files_that_cannot_be_read_are_listed(image_set: ImageSet) -> None:
    at = opened(image_set, findings__more=True)
    at.button(key="findings.unreadable").click().run()
    assert "is an HTML page, not a picture" in at.dataframe[-1].value["reason"].tolist()


def test_a_large_set_is_asked_first(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_list, "MANY", 10)
    at = opened(image_set)
    assert lines(at) == ["findings.ask"]
    at.button(key="findings.ask").click().run()
    assert "findings.leaks" in lines(at)


def test_where_nothing_is_found_nothing_is_drawn(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    noise(3, width=300, height=240).resize((150, 120)).save(folder / "a.png")
    image_set = embed_folder(folder, model=model, workspace=home.root)
    found = image_set.findings()
    assert lines(opened(image_set)) == [f"findings.{row.key}" for row in image_set.reviews.queues(1)]
    assert not {one.kind for one in found} & {"leaks", "wrong-labels", "bursts", "unreadable", "small-classes"}
