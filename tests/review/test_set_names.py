"""Names on an image set: which first, given and taken back, suggested, accepted, ordered by; reviewed one at a time."""

import numpy as np
import pandas as pd
import pytest

from tests.read_sets import Shelf, opened_again, undecided
from tests.review.test_set_answers import KINDS, kind_of, made
from url_viz.base.errors import DecisionError, ImageSetError
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.twin_groups import group_codes
from url_viz.image_set import ImageSet
from url_viz.review.cards import MOST_KEYS, CardAnswer
from url_viz.review.review import NameReview, ready_reviews

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def read(shelf: Shelf) -> ImageSet:
    return shelf(made)


@pytest.fixture
def image_set(read: ImageSet) -> ImageSet:
    """Nothing named, no review begun."""
    return undecided(read, labels=None)


def name(image_set: ImageSet, count: int) -> pd.DataFrame:
    """Name the first pictures by their kinds."""
    rows = image_set.names.ask(count)
    image_set.names.give({picture: f"kind {kind_of(path):02d}" for picture, path in rows[["id", "path"]].to_numpy()})
    return rows


def test_the_first_are_of_many_kinds_and_named_ones_do_not_come_again(image_set: ImageSet) -> None:
    first = name(image_set, 24)
    assert len({kind_of(path) for path in first["path"]}) >= 15
    again = image_set.names.ask(200)
    assert not set(again["id"]) & set(first["id"])
    assert len(again) + len(first) == len(np.unique(group_codes(image_set.table())))


def test_names_are_given_and_taken_back_in_the_table(image_set: ImageSet) -> None:
    one = int(image_set.core.ids[0])
    assert image_set.names.give({one: "kiwi"}, who="anna").sentence == "Named 1 picture “kiwi”"
    assert image_set.row(one)["name"] == "kiwi"
    assert image_set.decisions.history(1)["who"].tolist() == ["anna"]
    image_set.decisions.undo()
    assert image_set.row(one)["name"] is None
    first, second, third = image_set.core.ids[:3].tolist()
    image_set.names.give({first: "kiwi", second: "kiwi"})
    image_set.decisions.tag([second, third], "check")
    image_set.labels.use("tags")
    labels = [image_set.row(each)["label"] for each in (first, second, third)]
    assert labels[1:] == ["check", "check"]
    assert pd.isna(labels[0]), "a name is no tag"
    with pytest.raises(DecisionError, match="cannot be a name"):
        image_set.names.give({one: "a; b"})


def test_names_suggest_names_and_are_none_until_accepted(image_set: ImageSet) -> None:
    assert image_set.names.suggestions().empty
    first = name(image_set, 60)
    found = image_set.names.suggestions()
    assert set(found["id"]) == set(image_set.core.ids.tolist()) - set(first["id"])
    assert found["share"].is_monotonic_decreasing
    right = np.array([f"kind {kind_of(path):02d}" for path in found["path"]]) == found["name"]
    assert right.mean() > 4 / KINDS
    assert right[: len(right) // 4].mean() >= right.mean()
    table = image_set.table()
    assert table["label"].isna().all()
    assert table["name"].notna().sum() == 60
    assert table["tags"].eq("").all()
    sure = found.head(10)
    assert image_set.names.accept([*sure["id"], int(first["id"].iloc[0])]).count == 10
    assert set(image_set.table().set_index("id").loc[sure["id"], "name"]) == set(sure["name"])
    assert not set(sure["id"]) & set(image_set.names.suggestions()["id"])
    image_set.decisions.undo()
    assert image_set.table()["name"].notna().sum() == 60
    with pytest.raises(ImageSetError, match="no picture with id 77"):
        image_set.names.accept([77])


def test_a_single_picture_of_each_name_is_enough_to_suggest(image_set: ImageSet) -> None:
    by_kind = {kind_of(path): int(one) for one, path in zip(image_set.core.ids, image_set.table()["path"], strict=True)}
    image_set.names.give({one: f"kind {kind:02d}" for kind, one in by_kind.items()})
    found = image_set.names.suggestions()
    right = np.array([f"kind {kind_of(path):02d}" for path in found["path"]]) == found["name"]
    assert right.mean() > 5 / KINDS


def test_names_become_labels_when_they_are_chosen(image_set: ImageSet) -> None:
    name(image_set, 100)
    image_set.decisions.tag(image_set.core.ids.tolist(), "check")
    image_set.labels.use("names")
    table = image_set.table()
    assert table["label"].notna().sum() == 100
    assert set(table["label"].dropna()) == set(table["name"].dropna())
    assert table["ambiguity"].notna().any()
    other = int(table["id"][table["name"].isna()].iloc[0])
    image_set.names.give({other: "new"})
    assert image_set.row(other)["label"] == "new", "at once"


def test_a_tag_is_no_name_and_what_is_tagged_is_asked_for(image_set: ImageSet) -> None:
    first = int(image_set.names.ask(1)["id"].iloc[0])
    image_set.decisions.tag([first], "check")
    assert image_set.names.ask(1)["id"].tolist() == [first]
    review = image_set.reviews.open(ReviewSpec("names", most=5))
    assert isinstance(review, NameReview)
    assert review.progress().done == 0
    review.store(first, CardAnswer(label="kiwi"))
    assert review.state([first]) == [CardAnswer(label="kiwi")]
    assert (image_set.row(first)["tags"], review.classes) == ("check", ["kiwi"])


class TestReview:
    """One picture after the other."""

    def test_names_skips_and_goes_on(self, image_set: ImageSet) -> None:
        review = image_set.reviews.open(ReviewSpec("names", most=12))
        assert isinstance(review, NameReview)
        assert review.ids.tolist() == image_set.names.ask(12)["id"].tolist()
        first, second, third = (int(one) for one in review.ids[:3])
        card = review.card(first)
        assert (card.question.text, card.takes[1], len(card.near[0])) == ("What is it?", "name", 6)
        review.store(first, CardAnswer(label="kiwi"), who="anna")
        review.store(second, CardAnswer("drop"))
        review.skip(third)
        assert review.state([first, second]) == [CardAnswer(label="kiwi"), CardAnswer("drop")]
        assert review.classes == ["kiwi"]
        again = opened_again(image_set).reviews.open(ReviewSpec("names", most=12))
        progress = again.progress()
        assert (progress.done, progress.skipped, again.next_index()) == (2, 1, 3)
        again.store(first, CardAnswer())
        assert again.progress().done == 1

    def test_asks_about_what_the_names_suggest(self, image_set: ImageSet) -> None:
        review = image_set.reviews.open(ReviewSpec("names", most=45))
        paths = image_set.table().set_index("id")["path"]
        asked = []
        for one in review.ids.tolist():
            question = review.card(one).question
            asked += [question.text] if question.choices else []
            review.store(one, CardAnswer(label=f"kind {kind_of(paths[one]):02d}"))
        assert asked
        assert all(text.startswith("kind ") and text.endswith("?") for text in asked)

    def test_nine_names_have_a_key_and_keep_it(self, image_set: ImageSet) -> None:
        review = image_set.reviews.open(ReviewSpec("names"))
        assert isinstance(review, NameReview)
        for number, one in enumerate(review.ids[:MOST_KEYS].tolist()):
            review.store(one, CardAnswer(label=f"n{number}"))
        assert review.name_keys == tuple(f"n{number}" for number in range(MOST_KEYS))
        review.store(int(review.ids[9]), CardAnswer(label="n4"))
        assert review.name_keys[4] == "n4"
        review.store(int(review.ids[10]), CardAnswer(label="new"))
        assert review.name_keys == ("new", *(f"n{number}" for number in range(1, MOST_KEYS)))

    def test_is_offered_where_there_are_no_labels(self, image_set: ImageSet) -> None:
        table = image_set.table()
        assert ReviewSpec("names") in ready_reviews(table, "confusability")
        assert ReviewSpec("names") not in ready_reviews(table.assign(label="a"), "confusability")
