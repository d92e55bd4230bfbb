"""The review of doubtful labels: it is cut again after every ten answers, and says what the next fifty hold."""

from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.columns.set_table import columns_given
from tests.labels.test_doubtful_labels import COUNT, made
from url_viz.base.workspace import SetPaths
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.twin_groups import group_codes
from url_viz.findings.reasons import NAMES, Reasons
from url_viz.labels.doubtful_labels import ALWAYS_ASKED
from url_viz.pipeline.nearest import UnitRows
from url_viz.review.cards import CardAnswer
from url_viz.review.queues import QueueRow
from url_viz.review.review import DoubtfulReview
from url_viz.review.review_queue import ReviewContext
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions
from url_viz.ui.review import desk

FALLING = dict(enumerate(np.linspace(0.7, 0.1, 100)))


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    (tmp_path / "set").mkdir()
    return SetPaths(tmp_path / "set")


def opened(paths: SetPaths, wrong: dict[int, float], **answers: dict[int, bool]) -> DoubtfulReview:
    doubtful, table = made(wrong, **answers)  # type: ignore[arg-type]
    rows: pd.DataFrame = table.assign(label_given="ant", tags="")
    ids = rows["id"].to_numpy(np.int64)
    reasons = Reasons(np.zeros((COUNT, len(NAMES)), np.float32), np.ones(len(NAMES), np.float32))
    columns = columns_given(reasons=reasons, sources=group_codes(rows), doubtful=doubtful)
    decisions = Decisions(paths.decisions, FileKeys(ids, ids))
    unit = UnitRows(np.random.default_rng(0).normal(size=(COUNT, 4)).astype(np.float16))
    of = ReviewContext(rows, unit, decisions, "folders", paths, Answers(paths.decisions), columns)
    return DoubtfulReview(ReviewSpec("suspects"), of)


def answer(review: DoubtfulReview, label: str, times: int) -> None:
    """Give the next of the queue a label: ant is the one that they have, bee the other."""
    for _ in range(times):
        review.store(int(review.ids[review.next_index()]), CardAnswer(label=label))


def test_it_asks_as_many_as_are_doubtful_and_tells_of_the_next(paths: SetPaths) -> None:
    review, doubtful = opened(paths, FALLING), made(FALLING)[0]
    assert review.ids.tolist() == doubtful.rows["id"].tolist()
    card = review.card(int(review.ids[0]))
    assert (card.question.text, card.question.wrong) == ("ant or bee? Labelled ant", pytest.approx(0.7))
    assert np.isnan([choice.share for choice in card.question.choices]).all(), "one number a picture"
    told = review.moved(lambda: review.table)
    assert told.words.startswith("Of the next 50 labels about ")
    assert 0.3 < told.share < 0.7
    for image_id in review.ids[8:].tolist():
        review.skip(image_id)
    told = review.moved(lambda: review.table)
    assert told.words.startswith("Of the 8 labels left here "), "of no more than are asked about"


def test_ten_right_labels_end_it_and_not_nine(paths: SetPaths) -> None:
    review = opened(paths, FALLING)
    before = len(review)
    answer(review, "ant", 9)
    assert len(review) == before
    answer(review, "ant", 1)
    assert review.progress().left < before / 4
    answer(review, "ant", review.progress().left)
    assert review.progress().left == 0
    assert len(review) < before / 2


def test_what_is_undone_at_the_end_is_asked_again(paths: SetPaths) -> None:
    review = opened(paths, FALLING)
    answer(review, "ant", 10)
    answer(review, "ant", review.progress().left)
    assert review.progress().left == 0
    last = int(review.ids[-1])
    Decisions(paths.decisions, FileKeys(review.ids, review.ids)).undo()
    assert review.progress().left > 0
    assert int(review.ids[review.next_index()]) == last


def test_wrong_labels_carry_it_on_and_it_goes_on_where_it_was_left(paths: SetPaths) -> None:
    review = opened(paths, FALLING)
    before = len(review)
    answer(review, "ant", 2)
    answer(review, "bee", 18)
    assert len(review) > before
    left = review.progress().left
    assert review.goes_on == f"18 of these 20 labels were wrong, so {left} more are worth a look"
    again = opened(paths, FALLING)
    assert again.ids.tolist() == review.ids.tolist()
    assert (again.progress().done, again.next_index()) == (20, 20)
    assert again.card(int(again.ids[3])).question.text == "ant or bee? Labelled ant", "of the label as it was given"


def test_a_queue_that_becomes_longer_while_it_is_drawn_is_drawn_as_one(
    paths: SetPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are stored by another thread than the one that draws: each look at the queue may find a longer one."""
    review = opened(paths, FALLING)
    answer(review, "bee", 2)
    queue, ends = review.ids, count(10)
    monkeypatch.setattr(DoubtfulReview, "ids", property(lambda self: queue[: next(ends)]))
    monkeypatch.setattr(desk, "_drawn_once", lambda image_set, here, image_id: {"id": str(image_id)})
    progress = review.progress()
    assert (progress.total, progress.done, progress.left) == (10, 2, 8)
    assert review.next_index() == 2
    assert review.goes_on == "2 of these 2 labels were wrong, so 10 more are worth a look"
    state = desk.desk_state(None, desk.OpenReview(review, 2))
    assert (state["total"], state["done"], state["upcoming"]) == (13, 2, list(range(2, 13)))


def test_what_is_skipped_says_nothing(paths: SetPaths) -> None:
    review = opened(paths, FALLING)
    before, told = len(review), review.moved(lambda: review.table)
    for image_id in review.ids[:10].tolist():
        review.skip(image_id)
    assert len(review) == before
    assert review.moved(lambda: review.table).share < told.share, "the next ones come later in the queue"
    review.unskip()
    assert review.moved(lambda: review.table) == told


def test_where_no_label_stands_out_ten_are_asked_about(paths: SetPaths) -> None:
    review = opened(paths, {0: 0.2})
    assert len(review) == ALWAYS_ASKED
    answer(review, "ant", ALWAYS_ASKED)
    assert (review.progress().left, review.goes_on) == (0, "")


def test_where_the_list_has_ended_the_rest_is_a_choice(paths: SetPaths) -> None:
    answer(opened(paths, FALLING), "bee", 20)
    seen = dict.fromkeys(range(20), True)
    assert not opened(paths, FALLING, answers=seen).has_ended
    over = opened(paths, {}, answers=dict.fromkeys(range(20), False))
    assert (over.has_ended, over.why) == (True, "Ended: no label stands out any more")
    row = QueueRow("suspects", "Doubtful labels", over.why, over.spec, 82, 47, has_ended=over.has_ended)
    assert (row.opening, row.progress) == ("Look at the other 82", "47 of 129 done, 82 not looked at")


def test_answers_that_were_heard_before_it_began_count(paths: SetPaths) -> None:
    heard = dict.fromkeys(range(20), True)
    review = opened(paths, FALLING, answers=heard)
    assert review.ids.tolist() == made(FALLING, answers=heard)[0].rows["id"].tolist()
