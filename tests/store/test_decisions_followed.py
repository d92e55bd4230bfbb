"""What an action costs hangs on what it changes: what changed is followed, in memory and in the copy, and checked."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from url_viz.base.errors import DamageError
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decision_transaction import PICTURE, Transaction
from url_viz.store.decisions.decisions import Decisions

HERE = FileKeys(np.arange(1, 6), np.array([101, 102, 103, 104, 104]))
MOVED = FileKeys(np.array([1, 2, 9, 4, 5]), np.array([101, 199, 103, 104, 104]))


def shown(decisions: Decisions) -> list[list[object]]:
    now = decisions.now()
    return [column.tolist() for column in (now.code, now.tags, now.labels_of("folders"), now.names)]


STEP = st.one_of(
    st.tuples(st.just("decide"), st.sets(st.integers(1, 5)), st.sampled_from(["keep", "drop", None])),
    st.tuples(st.just("tag"), st.sets(st.integers(1, 5)), st.sampled_from(["a", "b"])),
    st.tuples(st.just("name_each"), st.dictionaries(st.integers(1, 5), st.sampled_from(["kiwi", None]))),
    st.tuples(st.just("label"), st.dictionaries(st.integers(1, 5), st.sampled_from(["fig", None]))),
    st.tuples(st.just("answer"), st.sampled_from([(1, 2), (2, 3)]), st.sampled_from([True, False, None])),
    st.tuples(st.sampled_from(["undo", "redo"])),
)


DROP, UNDO, REDO = ("decide", {1}, "drop"), ("undo",), ("redo",)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@example([(False, True, DROP), (False, False, UNDO), (False, True, REDO), (True, True, UNDO)])
@given(st.lists(st.tuples(st.booleans(), st.booleans(), STEP), max_size=10))
def test_what_is_followed_is_what_is_read_anew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, bool, tuple[object, ...]]]
) -> None:
    """By two that act in turn, before and after files moved, each looking only now and then."""
    path = tmp_path_factory.mktemp("followed") / "decisions.db"
    both = [(Decisions(path, files), Answers(path)) for files in (HERE, MOVED)]
    for is_moved, looks, (name, *arguments) in steps:
        decisions, answers = both[is_moved]
        if name == "answer":
            answers.answer({arguments[0]: arguments[1]})  # type: ignore[dict-item]
        elif name in ("undo", "redo"):
            getattr(decisions, str(name))()
        else:
            ids = [9 if one == 3 and is_moved else one for one in list(arguments[0])]  # type: ignore[call-overload]
            given_to = dict(zip(ids, arguments[0].values(), strict=True)) if isinstance(arguments[0], dict) else ids
            options = {"source": "folders"} if name == "label" else {}
            getattr(decisions, str(name))(given_to, *arguments[1:], **options)
        if looks:
            assert shown(decisions) == shown(Decisions(path, decisions.files))
            assert answers.now().as_dict() == Answers(path).now().as_dict()
    for decisions, answers in both:
        assert shown(decisions) == shown(Decisions(path, decisions.files))
        assert answers.now().as_dict() == Answers(path).now().as_dict()
        copy = Decisions(path.with_suffix(".copy.db"), decisions.files)
        assert not path.exists() or (shown(copy), copy.version) == (shown(decisions), decisions.version)
    assert DecisionLog(path).is_whole()
    assert DecisionLog(path.with_suffix(".copy.db")).is_whole()


def test_from_the_second_on_an_action_reads_and_copies_what_it_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions, other, answers = Decisions(path, HERE), Decisions(path, HERE), Answers(path)
    for one in (decisions, other):
        one.decide([1], "keep")
    answers.answer({(1, 2): True})
    whole = [Decisions(path, HERE).now().code.tolist(), answers.now().as_dict()]
    assert whole == [[1, 0, 0, 0, 0], {(1, 2): True}]
    decisions.decide([2], "drop")
    copy = path.with_suffix(".copy.db").stat().st_ino

    def refuse(*_: object) -> None:
        raise AssertionError("everything is read")

    monkeypatch.setattr(Transaction, "_pictures", property(refuse))
    for name in ("verify_actions", "verify_pages"):
        monkeypatch.setattr(Transaction, name, refuse)
    decisions.decide([3], "drop")
    decisions.by("anna").tag([3], "dark")
    answers.answer({(1, 3): False})
    decisions.undo()
    assert decisions.now().code.tolist() == [1, 2, 2, 0, 0]
    assert decisions.now().tags.tolist() == ["", "", "dark", "", ""]
    assert answers.now().as_dict() == {(1, 2): True}
    assert path.with_suffix(".copy.db").stat().st_ino == copy, "the copy follows in place"


class TestChecksums:
    """Whatever is altered in the tables is told where it is read, and by `is_whole`; the copy puts it back."""

    @pytest.fixture
    def path(self, path: Path) -> Path:
        decisions = Decisions(path, HERE)
        decisions.tag([1, 2], "dark")
        decisions.name_each({1: "kiwi"})
        Answers(path).answer({(1, 2): True})
        return path

    def test_what_is_decided_and_what_was_done(self, path: Path) -> None:
        for change in (
            "state SET value = 'drop' || value WHERE what = 0",
            "state SET value = replace(value, 'dark', 'bark')",
            "state SET value = replace(value, 'kiwi', 'kiwj')",
            "state SET second = second + 1",
            "state SET value = '0' WHERE what = 1",
            "state SET second = 3 WHERE what = 1",
        ):
            _alter(path, change)
            with pytest.raises(DamageError, match=r"not as they were written.*sets repair FOLDER"):
                Decisions(path, HERE).now()
            _is_put_back(path)
        for change in (
            "did = 'tagged 1 picture'",
            "who = 'bert'",
            "step = 'undone'",
            "changed = 3",
            "number = 3",
            "total = 1",
        ):
            _alter(path, f"action SET {change} WHERE number = 2")
            with pytest.raises(DamageError, match="an action is not as it was written"):
                Decisions(path, HERE).history()
            _is_put_back(path)

    @pytest.mark.parametrize("change", ["old = 'keep'", "new = NULL", "first = 3", "seq = 4, new = 'drop'"])
    def test_what_undo_would_bring_back(self, path: Path, change: str) -> None:
        _alter(path, f"event SET {change} WHERE version = (SELECT version FROM action WHERE number = 2)")
        decisions = Decisions(path, HERE)
        decisions.undo()
        with pytest.raises(DamageError, match="changes of an action are not as they were written"):
            decisions.undo()
        _is_put_back(path)

    def test_a_damaged_copy_is_written_again(self, path: Path) -> None:
        copy = path.with_suffix(".copy.db")
        for change in (
            "event SET new = 'keep' WHERE seq = 1",
            "state SET value = '0' WHERE what = 1",
            "action SET redo = 1",
        ):
            assert not DecisionLog(path).renew_copy()
            _alter(copy, change)
            assert DecisionLog(path).renew_copy()
            assert DecisionLog(copy).is_whole()
        assert not DecisionLog(path).renew_copy()

    @pytest.mark.parametrize("change", ["event SET new = 'keep'", "action SET events = 1"])
    def test_what_is_followed(self, path: Path, change: str) -> None:
        decisions, other = Decisions(path, HERE), Decisions(path, HERE)
        decisions.now()
        other.decide([4], "keep")
        other.decide([5], "drop")
        _alter(path, f"{change} WHERE version = (SELECT max(version) FROM action)")
        with pytest.raises(DamageError, match=r"not as (they were|it was) written"):
            decisions.now()


def test_damage_of_the_file_does_not_reach_the_copy(path: Path) -> None:
    """Not even of an action that the copy lacks yet; once it is put right, the copy follows."""
    decisions = Decisions(path, HERE)
    decisions.decide([1], "keep")
    copy = path.with_suffix(".copy.db")
    behind = copy.read_bytes()
    decisions.decide([2], "drop")
    copy.write_bytes(behind)
    whole = path.read_bytes()
    _alter(path, "event SET new = 'keep' WHERE version = (SELECT max(version) FROM event)")
    DecisionLog(path).note()
    assert copy.read_bytes() == behind
    path.write_bytes(whole)
    DecisionLog(path).note()
    assert Decisions(copy, HERE).version == decisions.version
    assert DecisionLog(copy).is_whole()


def test_events_that_do_not_follow_one_another_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each is as it was written, and all add up to what holds: a faulty program wrote them."""
    Decisions(path, HERE).decide([1], "keep")
    wrong = [(PICTURE, 1, 101, "drop", "look-again")]
    with (
        pytest.raises(DamageError, match="what holds is not what its actions made"),
        DecisionLog(path).writing() as log,
    ):
        log.record("put aside", 1, wrong, who="")
    with monkeypatch.context() as patch, closing(sqlite3.connect(path)) as connection, connection:
        patch.setattr(Transaction, "_apply", lambda *_: None)
        for event in (*wrong, (PICTURE, 1, 101, "keep", "drop")):
            Transaction(connection).record("put aside", 1, [event], who="")
        connection.execute("UPDATE state SET value = 'look-again'")
    assert Decisions(path, HERE).now().decision[0] == "look-again"
    with pytest.raises(DamageError, match="what holds is not what its actions made"):
        DecisionLog(path).verify()


def test_a_log_that_is_lost_with_its_copy_is_told_by_the_record(path: Path) -> None:
    Decisions(path, HERE).decide([1], "keep")
    for each in (path, path.with_suffix(".copy.db")):
        each.unlink()
    with pytest.raises(DamageError, match="is lost: decisions were made"):
        Decisions(path, HERE).now()


def _alter(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {change}")


def _is_put_back(path: Path) -> None:
    assert not DecisionLog(path).is_whole()
    path.unlink()
    assert DecisionLog(path).put_back()
    assert DecisionLog(path).is_whole()
    assert Decisions(path, HERE).now().name.tolist()[:2] == ["kiwi", None]
