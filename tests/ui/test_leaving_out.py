"""Whether leaving out helps: its verdict, its table, and what a set without classes is told."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.pages import words
from tests.ui.test_search_page import evidence_from
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.leaving_out import evidence_of, verdict

COUNT = 24


def evidence_page(set_id: str, model: str) -> None:
    from url_viz.ui.leaving_out import show_evidence
    from url_viz.ui.open_sets import open_sets

    show_evidence(open_sets().get(set_id, model), measure="confusability")


def shown_for(image_set: ImageSet) -> AppTest:
    return AppTest.from_function(evidence_page, args=(image_set.set_id, image_set.source.name)).run(timeout=120)


@pytest.fixture(autouse=True)
def _home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))


def test_with_classes_a_sentence_a_figure_and_a_table_say_whether_it_helps(
    tmp_path: Path, workspace: Path, model: Model
) -> None:
    folder = write_folder(tmp_path / "zoo", COUNT, classes=("cat", "dog"))
    zoo = embed_folder(folder, model=model, workspace=workspace)
    at = shown_for(zoo)
    of_confusability = zoo.cached(evidence_of, "confusability")
    assert of_confusability is not None
    assert verdict(of_confusability) in words(at)
    assert "A picture is never its own hit." in words(at)
    table = at.table[0].value
    assert list(table.columns) == ["By class", "Overall"]
    assert list(table.index) == ["Left out", "Both", "Refused"]


def test_without_classes_it_says_what_it_takes(tmp_path: Path, workspace: Path, model: Model) -> None:
    plain = embed_folder(write_folder(tmp_path / "plain", 6), model=model, workspace=workspace)
    assert "This needs classes" in words(shown_for(plain))


def test_the_verdict_says_no_more_than_the_figures_show() -> None:
    telling = evidence_from([0.1, 0.2, 0.3, 0.9], [True, True, True, False])
    silent = evidence_from([0.1, 0.2, 0.3, 0.9], [False, True, True, False])
    avoids = "Refusing ambiguous queries **avoids errors**: by “Easily mistaken”, a picture with a wrong match ranks"
    assert avoids in verdict(telling)
    assert "Refusing ambiguous queries **does not clearly avoid errors**" in verdict(silent)
    assert r"by **\+12.5 points** compared with leaving out as many at random" in verdict(silent)
