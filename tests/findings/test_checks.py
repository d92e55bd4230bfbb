"""A check is one declaration: reasons, findings, reviews, the gate and Explore's words follow from it."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tests.findings.declared import declare
from tests.given import by_turns, given_set
from tests.read_sets import opened_again
from url_viz.base.errors import ImageSetError, UsageError
from url_viz.columns.filters import ReviewSpec
from url_viz.findings.checks import Said, undecided
from url_viz.findings.findings import check_columns, every_check, reviews, rules
from url_viz.findings.reasons import Reason
from url_viz.image_set import ImageSet
from url_viz.labels.questions import ask_use
from url_viz.review.review import OTHERWISE


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return given_set(tmp_path_factory.mktemp("checks"), by_turns(8))


def _on_a_page(table: pd.DataFrame) -> np.ndarray:
    """The second and third picture are pages, the third more so."""
    return np.array([0, 0.5, 1] + [0] * (len(table) - 3), np.float32)


SCANNED = Reason(
    "scanned page",
    strength=_on_a_page,
    detail=lambda rows: ["a page of text"] * len(rows),
    shared="are scanned pages",
    place=145,
    says=lambda left: Said(left, f"{left} are scanned pages"),
    short="scanned page{s}",
    why="Text tells the class.",
    title="Scanned pages",
    ask=ask_use,
    bound=undecided,
)


def test_a_check_is_one_declaration(read: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read.findings()
    with pytest.raises(UsageError, match="'scanned page' is not a rule"):
        read.check({"scanned page": 0})
    with pytest.raises(ImageSetError, match="'scanned page' is not a measure"):
        read.reviews.open("scanned page")
    declare(monkeypatch, SCANNED)
    image_set = opened_again(read)
    ids = image_set.table()["id"].tolist()
    reasons = image_set.reasons()
    assert reasons.loc[reasons["reason"] == "scanned page", ["id", "strength", "detail"]].to_numpy().tolist() == [
        [ids[1], 0.5, "a page of text"],
        [ids[2], 1.0, "a page of text"],
    ]
    (found,) = {*image_set.findings()} - {*before}
    assert (found.kind, found.count, found.words) == (SCANNED.name, 2, "2 are scanned pages")
    assert (found.short, found.opens) == ("scanned pages", ReviewSpec("scanned page"))
    review = image_set.reviews.open("scanned page")
    assert review.ids.tolist() == [ids[2], ids[1]], "the surest first"
    assert review.card(ids[2]).question.text == "scanned page: is it of any use?"
    assert "Scanned pages" in {reviews()[row.kind].title for row in image_set.reviews.queues() if row.kind in reviews()}
    (rule,) = image_set.check({"scanned page": 1}).rules
    assert (rule.state, rule.words) == ("broken", f"scanned page: 2 of {len(ids)}, at most 1")
    image_set.decisions.decide([ids[1]], "keep")
    assert image_set.check({"scanned page": 1}).state == "passed"
    assert next(each for each in image_set.findings() if each.kind == SCANNED.name).count == 1
    image_set.decisions.undo()


def test_names_are_unique_for_each_use_and_every_finding_leads_somewhere() -> None:
    for every in ([each for each in every_check() if each.title], [each for each in every_check() if each.bound]):
        assert len({each.name for each in every}) == len(every)
    told = [each for each in every_check() if each.says]
    assert max(Counter(each.place for each in told).values()) == 1, "an order without ties"
    assert all(each.short and each.place for each in told)
    assert {each.name for each in told if not each.why} == {"unknown-classes"}, "it says why by what is known"
    assert all(each.review in reviews() for each in told if each.review)
    silent = {each.name for each in told if not each.review and not each.listed_by}
    assert silent == {"without-objects"}, "its pictures are named themselves"
    assert {*OTHERWISE} <= {*reviews()}
    assert all(each.finds or each.name in OTHERWISE for each in reviews().values())
    names = [each.name for each in check_columns()]
    assert len({*names}) == len(names)


def test_policies_keep_their_keys() -> None:
    keys = ("leaks", "wrong-labels", "mixed-up", "ambiguous", "copies", "useless", "unreadable", "small-classes")
    assert {*rules()} == {*keys, "double-boxes", "tiny", "outside", "shortcuts"}


@pytest.mark.parametrize("name", ["double-boxes", "separated-by-context", "tiny", "outside", "cut-by-frame"])
def test_what_is_asked_of_objects_is_refused_on_whole_pictures(read: ImageSet, name: str) -> None:
    with pytest.raises(ImageSetError, match="asked of objects, and these are whole pictures"):
        read.reviews.open(name)
