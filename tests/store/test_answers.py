"""Answers on pairs, by content and in one log with decisions, and kept reviews: what comes back, what is damaged."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from url_viz.base.errors import DamageError, DecisionError, WorkspaceError
from url_viz.base.workspace import SetPaths
from url_viz.store.decisions.answers import (
    MOST_STORED,
    Answers,
    StoredReview,
    change_review,
    list_reviews,
    ordered,
    read_review,
    review_key,
)
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions


@pytest.fixture
def answers(path: Path) -> Answers:
    return Answers(path)


def test_nothing_is_written_before_the_first(answers: Answers, path: Path) -> None:
    assert len(answers.now()) == 0
    assert not path.exists()


def test_a_pair_is_one_whichever_comes_first(answers: Answers) -> None:
    done = answers.answer({(5, 3): True, (-9, 7): False})
    assert (done.count, done.unchanged, done.of) == (2, 0, "pair")
    assert done.sentence == (
        "Said of 1 pair that both are the same kind and said of 1 pair that they are not the same kind"
    )
    assert answers.now().as_dict() == {(3, 5): True, (-9, 7): False}
    assert answers.answer({(3, 5): True}).sentence == "Nothing to change: the pair is so already"
    assert answers.answer({(3, 5): False}).count == 1
    assert answers.answer({(7, -9): None, (1, 2): None}).sentence == "Took back 1 answer (1 was already)"
    assert answers.now().as_dict() == {(3, 5): False}


def test_contents_are_kept_to_the_last_bit(answers: Answers) -> None:
    ends = np.iinfo(np.int64)
    answers.answer({(ends.max, ends.min): True})
    assert answers.now().pairs.tolist() == [[ends.min, ends.max]]


def test_the_same_object_until_one_changes(answers: Answers, path: Path) -> None:
    answers.answer({(1, 2): True})
    before = answers.now()
    Decisions(path, FileKeys(np.array([1]), np.array([11]))).decide([1], "keep")
    assert answers.now() is before
    Answers(path).answer({(1, 3): True})  # another process
    assert len(answers.now()) == 2


def test_a_pair_of_one_picture_is_refused_and_nothing_of_its_action_stored(answers: Answers, path: Path) -> None:
    for _ in range(2):
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(DecisionError, match="are one picture, or copies of one file"):
            answers.answer({(1, 3): True, (4, 4): False})
        assert (path.read_bytes() if path.exists() else None) == before
        answers.answer({(1, 2): True})
    assert ordered((2, 1)) == (1, 2)


def test_one_order_of_undo_with_decisions(answers: Answers, path: Path) -> None:
    decisions = Decisions(path, FileKeys(np.array([1]), np.array([11])))
    answers.answer({(1, 2): True}, who="anna")
    decisions.by("bert").decide([1], "drop")
    answers.answer({(1, 2): False}, who="anna")
    assert decisions.history()["who"].tolist() == ["anna", "bert", "anna"]
    said = []
    for _ in range(3):
        action = decisions.undo()
        assert action is not None
        said.append((action.sentence, answers.now().as_dict(), decisions.now().decision.tolist()))
    assert said == [
        ("Undone: said of 1 pair that they are not the same kind", {(1, 2): True}, ["drop"]),
        ("Undone: dropped 1 picture", {(1, 2): True}, [None]),
        ("Undone: said of 1 pair that both are the same kind", {}, [None]),
    ]
    for _ in range(3):
        decisions.redo()
    assert (answers.now().as_dict(), decisions.now().decision.tolist()) == ({(1, 2): False}, ["drop"])


@pytest.mark.parametrize("change", ["value = 2", "first = 'a'"])
def test_answers_that_cannot_be_are_damage(answers: Answers, path: Path, change: str) -> None:
    answers.answer({(1, 2): True})
    path.with_suffix(".json").unlink()  # so that nothing but the content tells
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE state SET {change}")
    with pytest.raises(DamageError, match="answers"):
        Answers(path).now()


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    (tmp_path / "set" / "reviews").mkdir(parents=True)
    return SetPaths(tmp_path / "set")


def review(number: int = 0) -> StoredReview:
    ids = np.array([-(2**63), 2**63 - 1, number], np.int64)
    return StoredReview({"review": ["ambiguity"], "most": [str(number)]}, ids, "2026-11-25T10:00:00+00:00")


def write_review(paths: SetPaths, kept: StoredReview) -> None:
    change_review(paths, kept, lambda _: replace(kept))


def test_comes_back(paths: SetPaths) -> None:
    kept = StoredReview(review().query, review().ids, review().begun, frozenset({-(2**63), 5}), frozenset({7}))
    write_review(paths, kept)
    found = read_review(paths, review_key(kept.query))
    assert found is not None
    np.testing.assert_array_equal(found.ids, kept.ids)
    assert replace(found, ids=kept.ids) == kept
    assert len(found) == 3
    assert read_review(paths, "none") is None


def test_the_key_is_of_the_address_whatever_its_order() -> None:
    assert review_key({"a": ["1"], "b": ["2"]}) == review_key({"b": ("2",), "a": ("1",)})
    assert review_key({"a": ["1"]}) != review_key({"a": ["1", "2"]})


def test_those_not_touched_for_longest_go(paths: SetPaths) -> None:
    for number in range(MOST_STORED + 3):
        write_review(paths, review(number))
        os.utime(paths.reviews / f"{review_key(review(number).query)}.json", ns=(number, number * 10**9))
    numbers = [int(one.query["most"][0]) for one in list_reviews(paths)]
    assert len(numbers) == MOST_STORED
    assert 0 not in numbers
    write_review(paths, review(5))
    assert next(list_reviews(paths)).query["most"] == ["5"]


def test_damaged_ones_count_as_none(paths: SetPaths) -> None:
    write_review(paths, review(41))
    file = paths.reviews / f"{review_key(review(41).query)}.json"
    flipped = file.read_bytes().replace(b" 41]", b" 42]")
    spoilt = (b"", b"[]", b'{"ids": [1]}', b'{"ids": ["x"], "query": {}}', b'{"query": 3}', b"[" * 200_000)
    for spoil in (flipped, *spoilt):
        file.write_bytes(spoil)
        assert read_review(paths, file.stem) is None
        assert list(list_reviews(paths)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(paths: SetPaths) -> None:
    paths.reviews.chmod(0o500)
    with pytest.raises(WorkspaceError, match="may not be written"):
        write_review(paths, review())
