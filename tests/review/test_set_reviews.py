"""A review of an image set from Python: suggestions taken, reviews that go on, what it was worth."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.findings.declared import declare
from tests.given import dice, given_set
from tests.read_sets import copied, opened_again
from tests.wrong_labels import COUNT, WRONG, set_with_wrong_labels
from url_viz.base.errors import ImageSetError, WorkspaceError
from url_viz.columns.filters import ReviewSpec, review_as_query
from url_viz.evidence.worth import DECIDED, GIVEN
from url_viz.export.report import report_html
from url_viz.findings.checks import Check
from url_viz.image_set import ImageSet
from url_viz.labels.questions import ask_label, ask_use
from url_viz.outside.uploads import NewPicture, judge_pictures
from url_viz.review.cards import CardAnswer
from url_viz.review.review import title_of_review
from url_viz.review.set_reviews import SetReviews
from url_viz.store.decisions.answers import StoredReview, change_review
from url_viz.store.sets import forget
from url_viz.ui.review.desk import desk_state, opened_review

pytestmark = pytest.mark.slow


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    return mislabelled


def ids_of(image_set: ImageSet, *paths: str) -> list[int]:
    return [int(one) for one in image_set.table().set_index("path").loc[list(paths), "id"]]


def labels(image_set: ImageSet) -> dict[str, str]:
    """The label of each picture that somebody labelled, by path."""
    table = image_set.table()
    table = table[table["label_checked"].notna()]
    return dict(zip(table["path"], table["label"], strict=True))


def test_where_no_label_stands_out_the_ten_most_doubtful_are_asked_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.wrong_labels.WRONG", {})
    image_set = set_with_wrong_labels(tmp_path)
    suspects = image_set.labels.doubtful().rows
    assert len(suspects) == 10
    assert suspects["reason"].str.fullmatch(r"\d+ of \d+ neighbours are (cat|dog)").all()
    assert suspects["id"].tolist() == image_set.reviews.open("suspects").ids.tolist()
    [row] = [row for row in image_set.reviews.queues()[:2] if row.kind == "wrong-labels"]
    assert (row.left, len(row.first), row.minutes) == (10, 3, "")
    assert row.words == image_set.labels.doubtful().words
    assert re.fullmatch(r"Look at the 10 most doubtful labels \(1 min\); up to \d+ of 24 may be wrong", row.words)
    caution = image_set.labels.doubtful().caution
    assert caution.startswith("These 10 are the most doubtful labels, not errors that were found: at most ")
    assert image_set.reviews.open("suspects").caution == caution
    [found] = [each for each in image_set.findings() if each.kind == "wrong-labels"]
    assert (found.short, row.why) == ("most doubtful labels", f"{caution} {found.why.removeprefix(caution).strip()}")
    given = image_set.table().set_index("id")["label"]
    first = image_set.reviews.open("suspects").ids.tolist()
    review, other = image_set.reviews.open("suspects"), {"cat": "dog", "dog": "cat"}
    review.store(first[0], CardAnswer(label=other[str(given[first[0]])]))
    assert review.caution == "", "one was wrong"
    review.step("undo")
    assert review.caution == caution
    image_set.decisions.label({image_id: str(given[image_id]) for image_id in first}, source=image_set.labels.source)
    assert ReviewSpec("suspects") not in [row.opens for row in image_set.reviews.queues()]


def test_labels_that_were_shuffled_are_told_first_and_nothing_of_single_ones(tmp_path: Path) -> None:
    """As a wrong join leaves them: the pictures say four classes, and the labels are of any."""
    rows = 0.5 * dice(80, 12)
    rows[np.arange(80), np.arange(80) % 4] += 3
    shuffled = np.random.default_rng(0).permutation(np.arange(80) % 4)
    image_set = given_set(
        tmp_path, [f"{'abcd'[label]}/{number:02d}.png" for number, label in enumerate(shuffled)], rows
    )
    agreement = image_set.labels.check().agreement
    assert agreement.share < 0.4
    assert image_set.labels.wrong_share() is None
    assert image_set.labels.doubtful().wrong is None
    assert image_set.labels.doubtful().rows["wrong"].isna().all()
    assert not image_set.labels.shows_shares()
    outside = NewPicture.of_embedding(rows[0], None)
    judged = judge_pictures([outside], image_set.core.reference())
    assert judged[["first_share", "second_share"]].isna().all(axis=None), "nor of pictures from outside"
    first = image_set.reviews.queues()[0]
    assert (first.kind, first.words, first.left, len(first.first)) == ("unknown-classes", agreement.words, 10, 3)
    card = image_set.reviews.open("suspects").card(first.first[0])
    assert np.isnan([card.question.wrong, *(choice.share for choice in card.question.choices)]).all()
    assert image_set.reviews.open("suspects").moved(image_set.table) is None
    assert f"<b>{agreement.words}</b>." in report_html(image_set)
    result = image_set.check({"wrong-labels": 0, "mixed-up": 0, "ambiguous": "50%"})
    assert result.status == 2
    assert [rule.why_not.startswith(agreement.words) for rule in result.rules] == [True] * 3, "nor once a class"
    assert image_set.labels.accept(image_set.core.ids).count == 0


class TestAcceptSuggestions:
    """Suspects get the class that is suggested, the others stay."""

    def test_those_that_are_named_as_one_action(self, image_set: ImageSet) -> None:
        suspects = image_set.labels.doubtful().rows
        assert dict(zip(suspects["path"][:2], suspects["suggested"], strict=False)) == WRONG
        assert len(suspects) == 10
        done = image_set.labels.accept(image_set.core.ids, who="anna")
        assert done.sentence == "Labelled 2 pictures"
        assert labels(image_set) == WRONG
        assert image_set.decisions.history()["who"].tolist() == ["anna"]
        image_set.decisions.undo()
        assert labels(image_set) == {}

    def test_one_alone_and_what_is_no_suspect(self, image_set: ImageSet) -> None:
        image_set.labels.accept(ids_of(image_set, "cat/0004.jpg", "dog/0001.jpg"))
        assert labels(image_set) == {"cat/0004.jpg": "dog"}
        assert image_set.labels.accept(ids_of(image_set, "cat/0004.jpg")).count == 0, "it is none any more"
        assert image_set.labels.accept([]).sentence == "No picture was chosen"

    def test_unknown_pictures_and_no_labels(self, image_set: ImageSet) -> None:
        with pytest.raises(ImageSetError, match="no picture with id 5"):
            image_set.labels.accept([*ids_of(image_set, "cat/0004.jpg"), 5])
        assert labels(image_set) == {}
        image_set.labels.use(None)
        with pytest.raises(ImageSetError, match="no labels to check"):
            image_set.labels.accept(image_set.core.ids)


class TestReview:
    """The review of a set, and the reviews that were begun."""

    def test_each_order_has_its_queue(self, image_set: ImageSet) -> None:
        table = image_set.table().set_index("id")
        for measure in ("ambiguity", "confusability"):
            found = image_set.reviews.open(ReviewSpec(measure))
            assert len(found) == COUNT, "of the two copies one"
            assert table.loc[found.ids.tolist(), measure].is_monotonic_decreasing
        doubtful = image_set.labels.doubtful().rows
        assert image_set.reviews.open(ReviewSpec("suspects")).ids.tolist() == doubtful["id"].tolist()
        assert image_set.reviews.open(ReviewSpec("copies")).ids.tolist() == ids_of(image_set, "cat/0000.jpg")

    def test_a_queue_that_was_asked_for_before_is_still_of_now(self, image_set: ImageSet) -> None:
        spec, pairs = ReviewSpec("confusability"), ReviewSpec("pairs")
        for _ in range(2):
            before = image_set.reviews.open(spec).ids
            image_set.decisions.decide([int(before[0])], "keep")
            assert image_set.reviews.open(spec).ids.tolist() == before[1:].tolist()
            image_set.decisions.undo()
            assert image_set.reviews.open(spec).ids.tolist() == before.tolist()
        asked = image_set.answers.ask(1).iloc[0]
        first = (int(asked["id"]), int(asked["neighbour_id"]))
        image_set.reviews.open(pairs)
        image_set.answers.give({first: True})
        opened_review = opened_again(image_set)
        assert image_set.reviews.open(pairs).ids.tolist() == opened_review.reviews.open(pairs).ids.tolist()

    def test_another_source_is_one_declaration(self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        odd = Check("odd", finds=lambda table: table.iloc[1::2].assign(suggested="odd"), title="Odd ones", ask=ask_use)
        declare(monkeypatch, odd)
        image_set = opened_again(image_set)
        review = image_set.reviews.open(ReviewSpec("odd", most=3))
        state = desk_state(image_set, opened_review(review))
        assert title_of_review(review.spec) == "Odd ones · the first 3"
        assert [card["question"] for card in state["cards"]] == ["odd: is it of any use?"] * 3
        review.store(int(review.ids[0]), CardAnswer("drop"))
        assert [again.spec for again in image_set.reviews.kept()] == [review.spec]

    def test_the_question_of_a_suspect_tells_what_to_try(self, image_set: ImageSet) -> None:
        review = image_set.reviews.open(ReviewSpec("suspects"))
        (image_id,) = ids_of(image_set, "dog/0007.jpg")
        card = review.card(image_id)
        assert card.question.text == "dog or cat? Labelled dog"
        assert card.question.wrong > 0.5
        assert [choice.label for choice in card.question.choices] == ["dog", "cat"]
        assert [set(near["label"]) for near in card.near] == [{"dog"}, {"cat"}]
        review.store(image_id, CardAnswer("keep", "cat"), who="anna")
        row = review.card(image_id).row
        assert (row["label"], row["label_given"], row["label_checked"], row["decision"]) == (
            "cat",
            "dog",
            "cat",
            "keep",
        )
        assert labels(image_set) == {"dog/0007.jpg": "cat"}
        again = opened_again(image_set).reviews.open(ReviewSpec("suspects"))
        assert image_id in again.ids.tolist(), "the queue stays"
        assert again.card(image_id).question.text == "dog or cat? Labelled dog", "and what it asked"

    @pytest.mark.parametrize(("name", "is_wrong_told"), [("suspects", True), ("of any label", False)])
    def test_one_number_a_picture(
        self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch, name: str, is_wrong_told: bool
    ) -> None:
        """That the label is wrong, or the shares of classes, which leave the label out: both would contradict."""
        first = lambda label_check: label_check.pictures.head(3)  # noqa: E731
        declare(monkeypatch, Check("of any label", finds=first, title="Any label", ask=ask_label))
        image_set = opened_again(image_set)
        cards = desk_state(image_set, opened_review(image_set.reviews.open(ReviewSpec(name))))["cards"]
        assert cards
        for card in cards:
            shares = [panel["said"] for panel in card["panels"]] + [dict(card["facts"])["Looks like"]]
            assert (card["wrong"] is not None) == is_wrong_told
            assert any("%" in (told or "") for told in shares) != is_wrong_told
            assert card["are_shares_told"] != is_wrong_told, "nor while a class is typed"

    def test_an_order_that_there_is_not(self, image_set: ImageSet) -> None:
        with pytest.raises(ImageSetError, match="'nope' is not a measure of this set"):
            image_set.reviews.open(ReviewSpec("nope"))
        image_set.labels.use(None)
        with pytest.raises(ImageSetError, match="no labels to check"):
            image_set.reviews.open(ReviewSpec("suspects"))

    def test_those_begun_are_kept_the_one_worked_on_last_first_while_their_order_is_there(
        self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for by in ("ambiguity", "suspects", "confusability", "suspects"):
            review = image_set.reviews.open(ReviewSpec(by))
            review.skip(int(review.ids[review.next_index()]))
        kept = ["suspects", "confusability", "ambiguity"]
        assert [review.spec.by for review in image_set.reviews.kept()] == kept
        image_set.labels.use(None)
        assert [review.spec.by for review in image_set.reviews.kept()] == ["confusability"]
        image_set.labels.use("folders")
        made: list[str] = []
        make = SetReviews.open
        monkeypatch.setattr(SetReviews, "open", lambda self, spec: made.append(spec.by) or make(self, spec))
        assert len(image_set.reviews.kept(2)) == 2
        assert made == kept[:2], "no more are made than are asked for"
        assert [review.spec.by for review in image_set.reviews.kept()] == kept

    def test_two_windows_that_skip_at_once_lose_none(self, image_set: ImageSet) -> None:
        spec = ReviewSpec("confusability")
        ids = image_set.reviews.open(spec).ids.tolist()
        windows = [image_set.reviews.open(spec)]
        time.sleep(1.1)  # another second: one review, whoever begins it
        windows.append(opened_again(image_set).reviews.open(spec))
        with ThreadPoolExecutor(2) as pool:
            skipping = [
                pool.submit(lambda mine, of: [mine.skip(one) for one in of], *both)
                for both in zip(windows, (ids[::2], ids[1::2]), strict=True)
            ]
        for each in skipping:
            each.result()
        assert opened_again(image_set).reviews.open(spec).skipped(ids).tolist() == [True] * len(ids)
        assert len(ids) >= 20

    def test_skipping_in_a_set_that_was_forgotten_is_told(self, image_set: ImageSet, tmp_path: Path) -> None:
        theirs = copied(image_set, tmp_path / "pictures", home=tmp_path / "home")
        review = theirs.reviews.open(ReviewSpec("confusability"))
        forget(theirs.root, workspace=tmp_path / "home")
        with pytest.raises(WorkspaceError, match="was forgotten meanwhile"):
            review.skip(int(review.ids[0]))


class TestWorth:
    """Labels as given against labels as they are now."""

    def test_corrected_and_dropped_ones_are_told_apart(self, image_set: ImageSet) -> None:
        image_set.labels.give(dict.fromkeys(ids_of(image_set, "cat/0000.jpg"), "cat"))
        assert not image_set.labels.is_reviewed(), "a confirmed label changes nothing"
        image_set.labels.give(dict(zip(ids_of(image_set, *WRONG), WRONG.values(), strict=True)))
        assert image_set.labels.is_reviewed()
        image_set.decisions.undo()
        assert not image_set.labels.is_reviewed()
        image_set.decisions.redo()
        image_set.decisions.decide(ids_of(image_set, "cat/0002.jpg"), "drop")
        image_set.decisions.decide(ids_of(image_set, "cat/0000.jpg"), "keep")
        found = image_set.labels.worth(seeds=2)
        assert (found.pictures, found.classes, found.dropped, found.corrected) == (COUNT + 1, 2, 1, 2)

    def test_what_no_decision_touched_is_asked_by_what_the_folders_say(self, image_set: ImageSet) -> None:
        """Every second label turned round, and nobody's picture is asked whose label, or whose twin's, was turned."""
        table = image_set.table()
        turned = table.iloc[::2]
        image_set.labels.give(dict(zip(turned["id"], turned["label"].map({"cat": "dog", "dog": "cat"}), strict=True)))
        found = image_set.labels.worth(seeds=2)
        touched = image_set.table()["twin_group"].isin(turned["twin_group"].dropna()) | table["id"].isin(turned["id"])
        assert found.corrected == len(turned)
        assert found.asked == int((~touched).sum()) >= 10
        assert (
            dict(found.by_class[["label", "pictures"]].to_numpy()) == table["label"][~touched].value_counts().to_dict()
        )
        assert found.figure(GIVEN).value > found.figure(DECIDED).value


def test_a_queue_of_other_labels_than_are_doubtful_now_begins_anew(image_set: ImageSet) -> None:
    spec, doubtful = ReviewSpec("suspects"), image_set.labels.doubtful().rows
    ids = image_set.core.ids
    others = ids[~np.isin(ids, doubtful["id"])][:3]
    stored = StoredReview(review_as_query(spec), others, "2026-01-01T00:00:00+00:00")
    change_review(image_set.core.store.paths, stored, lambda review: replace(review, skipped=frozenset({1})))
    assert image_set.reviews.open(spec).ids[0] in others, "it goes on where it was left"
    current = image_set.reviews.current(spec)
    assert {*current.ids.tolist()} == {*doubtful["id"].tolist()}
    row = next(row for row in image_set.reviews.queues() if row.opens == spec)
    assert (row.left, row.done) == (len(doubtful), 0)
    current.skip(int(current.ids[0]))
    assert image_set.reviews.current(spec).begun == current.begun, "once begun it goes on"
