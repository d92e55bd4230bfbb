"""The dialog that chooses pictures on Explore: what it tags and says, with bounds, on top of an earlier choice."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.given import given_set
from tests.jobs.conftest import until
from tests.pipeline.whitened_examples import classes
from tests.read_sets import copied
from tests.ui.pages import opened, words
from url_viz.base.errors import JobError
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import latest_job, log_tail
from url_viz.jobs.kinds import MEASURE, result_of, start_measuring

pytestmark = pytest.mark.slow

ROWS, KIND = classes(60, of=3, spread=0.9)


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    paths = [f"{'abc'[kind]}/{number:03d}.jpg" for number, kind in enumerate(KIND)]
    return given_set(tmp_path_factory.mktemp("read"), paths, ROWS, name="mine")


@pytest.fixture
def image_set(sixty: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    return copied(sixty, tmp_path / "zoo", home=home.root)


def dialog(image_set: ImageSet, count: int = 60) -> AppTest:
    """The dialog by itself, of so many pictures: AppTest runs no fragments."""

    def script() -> None:
        import streamlit as st

        from url_viz.ui.explore.pick_pictures import choose_dialog
        from url_viz.ui.open_sets import open_sets

        found = open_sets().get(st.session_state["a_set"], "own:mine")
        choose_dialog(found, found.core.ids[: st.session_state["first"]].tolist())

    at = AppTest.from_function(script, default_timeout=120)
    at.session_state["a_set"], at.session_state["first"] = image_set.set_id, count
    return at.run()


def pressed(at: AppTest) -> AppTest:
    at = next(button for button in at.button if button.label == "Pick").click().run()
    assert not at.exception
    return at


def test_it_tags_what_it_chose_lists_it_and_says_what_it_is_worth(image_set: ImageSet) -> None:
    at = pressed(dialog(image_set))
    told = words(at)
    assert "12 pictures chosen, 4 of each of 3 classes. Tagged 12 pictures “chosen”." in told
    ids = image_set.subsets.tagged("chosen")
    assert set(ids) == set(image_set.subsets.choose(12)["id"])
    assert image_set.subsets.worth(ids).words.split(" ×")[0][:40] in told
    assert [button.proto.label for button in at.get("download_button")] == ["List of paths"]
    at.number_input[0].set_value(6)
    at.toggle(key="choose.worth").set_value(False)
    told = words(pressed(at))
    assert "Trained on" not in told
    assert len(image_set.subsets.tagged("chosen")) == 6, "the tag stands for one choice"


def test_of_a_part_and_on_top_of_a_tag(image_set: ImageSet) -> None:
    table = image_set.table()
    image_set.decisions.tag([int(table["id"].iloc[-1])], "first")
    at = dialog(image_set, 40)
    assert "Of these 40 pictures" in words(at)
    at.number_input[0].set_value(9)
    at.multiselect(key="choose.pinned").set_value(["first"])
    at.selectbox(key="choose.per").set_value("none")
    at.text_input(key="choose.tag").set_value("second")
    assert "9 pictures chosen, 1 of them pinned." in words(pressed(at))
    found = table[table["id"].isin(image_set.subsets.tagged("second"))]
    assert found["path"].iloc[-1] == table["path"].iloc[-1]
    assert set(found["id"].iloc[:-1]) <= set(table["id"].iloc[:40])


def test_of_a_large_set_a_job_measures_and_its_result_stays(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.explore.pick_pictures.AT_ONCE", 59)
    at = pressed(dialog(image_set))
    job = latest_job(image_set.workspace, kind=MEASURE.name, set_id=image_set.set_id)
    assert job is not None
    assert "Trained on these" not in words(at)
    until(lambda: not job.status().is_live, 120)
    assert job.state == "succeeded", log_tail(job)
    worth = image_set.subsets.worth(image_set.subsets.tagged("chosen")).words
    again = words(dialog(image_set))
    assert worth.split(" ×")[0][:40] in again
    assert "are worth, tagged “chosen”" in again
    monkeypatch.setattr("url_viz.jobs.kinds.MOST_CHOICES", 1)
    start_measuring(image_set, image_set.core.ids[:12].tolist(), name="zoo", tag="")
    assert len(list((image_set.core.store.paths.derived / "choices").glob("*.json"))) <= 1
    with pytest.raises(JobError, match="Measure it again"):
        result_of(job)


def test_an_error_is_a_sentence_and_the_page_has_the_button(image_set: ImageSet) -> None:
    at = dialog(image_set)
    at.number_input[0].set_value(1)
    at.text_input(key="choose.tag").set_value("a; b")
    assert "cannot be a tag" in words(pressed(at))
    assert any(button.key == "choose.open" for button in opened(image_set, "explore").button)
