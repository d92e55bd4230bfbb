"""How far people agree on labels: by hand, in a set, as a queue, in the report, and by command."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.ui.pages import opened, words
from url_viz.cli.main import main
from url_viz.columns.filters import ReviewSpec
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.labels.people import agreement, classes_said, cohens_kappa, differ
from url_viz.review.cards import CardAnswer
from url_viz.store.decisions.decision_rows import LabelAnswer
from url_viz.ui.review.desk import desk_state, opened_review
from url_viz.ui.review.results import FOLD

slow = pytest.mark.slow
Said = list[Mapping[str, LabelAnswer] | None]


def test_kappa_by_hand() -> None:
    """Of 50 applications both readers say yes to 20 and no to 15: .7 alike, .5 by chance (25 · 30 + 25 · 20) / 50²."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
    assert cohens_kappa(["a", "b"], ["a", "b"]) == 1
    assert np.isnan(cohens_kappa(["a", "a"], ["a", "a"])), "who always says one thing agrees by chance"
    assert np.isnan(cohens_kappa([], []))


def test_kappa_is_that_of_scikit_learn() -> None:
    dice = np.random.default_rng(0)
    first, second = ([str(each) for each in dice.integers(4, size=200)] for _ in range(2))
    second[:120] = first[:120]
    assert cohens_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))


def test_people_differ_where_no_answer_is_that_of_most() -> None:
    people: Said = [
        *(None, {"a": "kiwi"}, {"a": "kiwi", "b": "lime"}, {"a": "kiwi", "b": "kiwi"}),
        *({"a": "kiwi", "b": "lime", "c": "lime"}, {"a": ("kiwi", "lime"), "b": ("lime", "kiwi")}),
        *({"a": "kiwi", "b": "lime", "c": "plum"}, {"a": "kiwi", "b": ("kiwi", "lime")}),
    ]
    assert differ(people).tolist() == [False, False, True, False, False, False, True, True]
    assert classes_said({"a": "plum", "b": ("kiwi", "plum")}) == ["plum", "kiwi"]


def test_agreement_by_people_and_by_ambiguity() -> None:
    people: Said = [
        {"anna": "x", "ben": "x"},
        {"anna": "x", "ben": "y"},
        {"anna": "y", "ben": "y"},
        {"anna": "y"},
        None,
    ]
    found = agreement(people, np.array([95, 91, 10, 20, np.nan]))
    rows = found.table.set_index("of")[["pictures", "agree", "agreement"]]
    assert rows.loc["all"].tolist() == [3, 2, 2 / 3]
    assert rows.loc["most ambiguous tenth"].tolist() == [2, 1, 0.5]
    assert rows.loc["clear half"].tolist() == [1, 1, 1]
    assert (found.pictures, found.differing) == (3, 1)
    assert found.words == (
        "anna and ben agree on 2 of 3 (67 %, 21 to 94 %; Cohen's kappa .40). They differ on 1 picture."
    )
    assert agreement([None], np.zeros(1)).words.startswith("No label was answered by two people yet")


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    """Four pictures that Anna and Ben answered; they differ on the second, and on whether the third is both."""
    ids = mislabelled.table()["id"][:4].tolist()
    for who, answers in {
        "anna": ["cat", "cat", "cat", "dog"],
        "ben": ["cat", "dog", ("dog", "cat"), "dog"],
    }.items():
        mislabelled.labels.give(dict(zip(ids, answers, strict=True)), who=who)
    return mislabelled


@slow
def test_the_pictures_on_which_they_differ_are_a_queue_until_they_agree(image_set: ImageSet) -> None:
    ids = image_set.table()["id"].tolist()
    assert image_set.labels.agreement().words.startswith("anna and ben agree on 2 of 4 (50 %")
    assert image_set.labels.disagreed()["said"].tolist() == ["anna: cat · ben: dog", "anna: cat · ben: cat or dog"]
    first = image_set.reviews.queues()
    [row] = [row for row in first if row.kind == "disagreed"]
    assert (row.words, row.left) == ("Labels on which people differ", 2)
    desk = opened_review(image_set.reviews.open("disagreed"))
    assert desk.review.ids.tolist() == ids[1:3]
    card = desk_state(image_set, desk)["cards"][0]
    assert card["question"] == "Anna says cat and ben says dog"
    assert [panel["label"] for panel in card["panels"]] == ["cat", "dog"]
    desk.review.store(ids[1], CardAnswer(label="dog"), who="eve")
    assert desk.review.is_done(np.array(ids[1:3])).tolist() == [True, False]
    desk.review.step("undo")
    assert desk.review.is_done(np.array(ids[1:3])).tolist() == [False, False]
    desk.review.step("redo")
    desk.review.store(ids[2], CardAnswer(label="cat"), who="ben")
    assert image_set.labels.disagreed().empty, "two of three say dog, and Ben says as Anna does"
    assert not len(image_set.reviews.open(ReviewSpec("disagreed"), afresh=True))


@slow
def test_by_command(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(*arguments: str) -> str:
        assert main([*arguments, "--workspace", str(image_set.workspace.root)]) == 0
        return capsys.readouterr().out

    folder = str(image_set.root)
    assert "Cohen's kappa" in ran("labels", "agreement", folder)
    assert "people differ" in ran("findings", folder)
    assert "ben says dog" in ran("review", folder, "--by", "disagreed")
    ran("labels", "correct", folder, "dog", "cat/0002.jpg", "--as", "eve")
    assert len(image_set.labels.disagreed()) == 1


@slow
def test_the_report_has_a_section_of_each_pair_that_overlaps(
    tmp_path: Path, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.labels.label_issues.MIXED_PICTURES", 1)
    monkeypatch.setattr("url_viz.labels.label_issues.MIXED_SHARE", 0.0)
    page = report_html(image_set, is_live=False)
    assert "Labels on which people differ" not in page
    section = page.partition("<h2>Classes that overlap</h2>")[2].partition("</section>")[0]
    for title in ("Clearly cat", "Clearly dog", "Rightly both", "People differ"):
        assert f"<h3>{title}</h3>" in section
    assert "anna and ben agree on 2 of 4" in section
    paths = {title: re.findall(r"\w+/\d{4}\.jpg", part) for title, _, part in parts_of(section)}
    assert paths["Clearly cat"], "and in the other parts"
    table = image_set.table().set_index("path")
    for name in ("cat", "dog"):
        clear = table.loc[paths[f"Clearly {name}"], ["label", "first_class"]]
        assert (clear == name).all(axis=None)
    between = table.loc[paths["Labelled one, like the other"], ["label", "first_class"]]
    assert len(between)
    assert (between["label"] != between["first_class"]).all()


def parts_of(section: str) -> list[tuple[str, str, str]]:
    """Each heading of a section of the report, and what follows it."""
    return [part.partition("</h3>") for part in section.split("<h3>")[1:]]


@slow
def test_the_page_tells_it_and_leads_to_the_queue(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    at = opened(image_set, "review", **{FOLD.under("people"): True})
    assert "anna and ben agree on 2 of 4" in words(at)
    assert not at.exception
    assert at.button(key="review.disagreed").label == "Review 2", "in the list of queues, too"
    at.button(key="people.disagreed").click().run()
    assert at.session_state["view.review"].by == "disagreed"
