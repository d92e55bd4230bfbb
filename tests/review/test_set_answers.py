"""Answers on an image set from Python: asked, given, taken in, kept through everything, and the order that follows."""

from pathlib import Path

import numpy as np
import pytest

from tests.given import given_set
from tests.imaging.pictures import noise
from tests.read_sets import Shelf, opened_again, undecided
from url_viz.base.errors import DecisionError, ImageSetError
from url_viz.columns.filters import OneOf, ReviewSpec, Scope
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.review.review import PairReview

pytestmark = pytest.mark.slow

COUNT, KINDS = 120, 30


def kind_of(path: str) -> int:
    return int(Path(path).stem) % KINDS


def made(base: Path, *, count: int = COUNT, classes: tuple[str, ...] = ()) -> ImageSet:
    """Pictures of thirty kinds as given embeddings, in which a style hides the kind."""
    rng = np.random.default_rng(0)
    rows = 1.2 * rng.normal(size=(KINDS, 32))[np.arange(count) % KINDS]
    rows += 1.4 * rng.normal(size=(4, 32))[np.arange(count) // KINDS % 4] + 0.7 * rng.normal(size=(count, 32))
    names = [f"{classes[n % len(classes)]}/{n:04d}.jpg" if classes else f"{n:04d}.jpg" for n in range(count)]
    return given_set(base, names, rows)


@pytest.fixture(scope="module")
def read(shelf: Shelf) -> ImageSet:
    return shelf(made)


@pytest.fixture
def image_set(read: ImageSet) -> ImageSet:
    """Nothing answered, no review begun."""
    return undecided(read)


def answer(image_set: ImageSet, count: int = 40) -> dict[tuple[int, int], bool]:
    """The answers of somebody who knows the kinds."""
    pairs = image_set.answers.ask(count)
    answers = {
        (int(str(row.id)), int(str(row.neighbour_id))): kind_of(str(row.path)) == kind_of(str(row.neighbour_path))
        for row in pairs.itertuples()
    }
    image_set.answers.give(answers)
    return answers


def test_pairs_are_pictures_and_their_nearest(image_set: ImageSet) -> None:
    pairs = image_set.answers.ask()
    assert pairs.columns.tolist() == ["id", "neighbour_id", "path", "neighbour_path"]
    assert len(pairs) == 20
    for picture, neighbour in pairs[["id", "neighbour_id"]].to_numpy().tolist():
        assert image_set.neighbours(picture, 1)["id"].tolist() == [neighbour]
    assert not image_set.answers.ask(seed=1).equals(pairs)


def test_tuned_leads_from_ten_answers_on_and_is_a_measure_like_others(image_set: ImageSet) -> None:
    assert image_set.order().measure == "confusability"
    assert image_set.table()["tuned"].isna().all()
    assert "tuned" not in image_set.core.measures()
    answers = answer(image_set)
    assert {True, False} == set(answers.values())
    table, order, tuned = image_set.table(), image_set.order(), image_set.answers.tuned()
    assert tuned is not None
    assert order.measure == "tuned"
    assert order.evidence == tuned.evidence
    assert order.reason.startswith("Ordered by confusability adjusted to 40 answers: R-AUROC ")
    assert "few answers" not in order.reason
    assert order.others["confusability"] == tuned.before
    assert table["tuned"].between(0, 1).all()
    assert "tuned" in image_set.core.measures()
    gated = image_set.search(int(table["id"].iloc[0]), k=5, by="tuned", max_percentile=30)
    assert (gated["tuned"] <= table["tuned"].quantile(0.31)).all()
    image_set.decisions.undo()
    assert image_set.order().measure == "confusability"
    assert image_set.table()["tuned"].isna().all()
    answer(image_set, 16)
    reason = image_set.order().reason
    assert "few answers" in reason or "too few to tell" in reason


def test_classes_that_pictures_bear_out_lead_all_the_same(tmp_path: Path) -> None:
    image_set = made(tmp_path, classes=("cat", "dog"))
    table = image_set.table()
    kinds = np.array([kind_of(path) % 2 for path in table["path"]])
    assert (table["label"].to_numpy() == np.array(["cat", "dog"])[kinds]).all()
    answer(image_set)
    assert image_set.answers.tuned() is not None
    assert image_set.order().measure in ("ambiguity", "tuned")
    image_set.labels.use(None)
    assert image_set.order().measure == "tuned"


def test_answers_stay_by_content_whatever_becomes_of_files_and_graph(tmp_path: Path) -> None:
    image_set = made(tmp_path)
    answer(image_set)
    before, known = image_set.table().set_index("path")["tuned"], image_set.answers.log.now().as_dict()
    image_set.maps.refit()
    root = image_set.root
    (root / "0001.jpg").rename(root / "moved.jpg")
    noise(999).save(root / "0500.jpg")
    given = dict(np.load(tmp_path / "given.npz"))
    names = ["moved.jpg" if name == "0001.jpg" else name for name in given["paths"]]
    rows = np.vstack([given["values"], np.random.default_rng(5).normal(size=(1, 32))])
    np.savez(tmp_path / "given.npz", paths=np.array([*names, "0500.jpg"]), values=rows)
    again = embed_folder(root, embeddings=tmp_path / "given.npz", workspace=tmp_path / "home")
    assert again.answers.log.now().as_dict() == known
    after = again.table().set_index("path")["tuned"].rename(index={"moved.jpg": "0001.jpg"})
    assert len(after) == COUNT + 1
    both = before.to_frame("before").join(after.rename("after"))
    assert both["before"].corr(both["after"], method="spearman") > 0.9


def test_what_cannot_be_answered_is_refused_and_nothing_stored(image_set: ImageSet) -> None:
    first, second = (int(one) for one in image_set.core.ids[:2])
    with pytest.raises(ImageSetError, match="no picture with id 77"):
        image_set.answers.give({(first, second): True, (first, 77): False})
    with pytest.raises(DecisionError, match="are one picture"):
        image_set.answers.give({(first, first): True})
    assert len(image_set.answers.log.now()) == 0


def test_a_review_stays_goes_on_begins_anew_and_keeps_to_its_scope(image_set: ImageSet) -> None:
    review = image_set.reviews.open(ReviewSpec("pairs", most=12))
    assert isinstance(review, PairReview)
    first, second = (int(one) for one in review.ids[:2])
    card = review.card(first)
    assert (card.question.text, card.takes) == ("The same kind: would you put both in one class?", ("same",))
    assert review.state([first]) == [CardAnswer()]
    assert card.near[0]["id"].tolist() == image_set.neighbours(first, 1)["id"].tolist()
    review.store(first, CardAnswer(same=True), who="anna")
    review.skip(second)
    again = opened_again(image_set).reviews.open(ReviewSpec("pairs", most=12))
    assert np.array_equal(again.ids, review.ids)
    progress = again.progress()
    assert (progress.done, progress.skipped, again.next_index()) == (1, 1, 2)
    assert again.state([first]) == [CardAnswer(same=True)]
    again.store(first, CardAnswer())
    assert again.progress().done == 0
    for number, one in enumerate(again.ids.tolist()):
        again.store(one, CardAnswer(same=number % 2 == 0))
    assert image_set.answers.tuned() is not None
    anew = image_set.reviews.open(ReviewSpec("pairs", most=12), afresh=True)
    assert (len(anew), anew.progress().done) == (12, 0), "one begun anew asks others"
    some = [int(one) for one in image_set.core.ids[:30]]
    image_set.decisions.tag(some, "mine")
    review = image_set.reviews.open(ReviewSpec("pairs", Scope(filters=(OneOf("tags", ("mine",)),))))
    assert 0 < len(review) <= 30
    assert set(review.ids.tolist()) <= set(some), "only of pictures in scope"
