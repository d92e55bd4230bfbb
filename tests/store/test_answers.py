"""Answers on pairs: kept by content whichever comes first, one log with decisions, what is damaged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from url_viz.base.errors import DamageError, DecisionError
from url_viz.store.decisions.answers import Answers, ordered
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.db"


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


def test_a_pair_of_one_picture_is_refused(answers: Answers, path: Path) -> None:
    with pytest.raises(DecisionError, match="are one picture, or copies of one file"):
        answers.answer({(1, 2): True, (4, 4): False})
    assert not path.exists()
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


def test_an_action_that_fails_stores_nothing(answers: Answers, path: Path) -> None:
    answers.answer({(1, 2): True})
    before = path.read_bytes()
    with pytest.raises(DecisionError):
        answers.answer({(1, 3): True, (2, 2): True})
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", ["value = 2", "first = 'a'"])
def test_answers_that_cannot_be_are_damage(answers: Answers, path: Path, tmp_path: Path, change: str) -> None:
    answers.answer({(1, 2): True})
    (tmp_path / "decisions.json").unlink()  # so that nothing but the content tells
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE state SET {change}")
    with pytest.raises(DamageError, match="answers"):
        Answers(path).now()
