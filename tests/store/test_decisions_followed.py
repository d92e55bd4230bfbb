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
from url_viz.store.decisions.decision_transaction import Transaction
from url_viz.store.decisions.decisions import Decisions

HERE = FileKeys(np.arange(1, 6), np.array([101, 102, 103, 104, 104]))
MOVED = FileKeys(np.array([1, 2, 9, 4, 5]), np.array([101, 199, 103, 104, 104]))


def shown(decisions: Decisions) -> list[list[object]]:
    now = decisions.now()
    return [column.tolist() for column in (now.code, now.tags, now.labels, now.names)]


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "decisions.db"
    decisions, other, answers = Decisions(path, HERE), Decisions(path, HERE), Answers(path)
    for one in (decisions, other):
        one.decide([1], "keep")
    answers.answer({(1, 2): True})
    whole = [Decisions(path, HERE).now().code.tolist(), answers.now().as_dict()]
    assert whole == [[1, 0, 0, 0, 0], {(1, 2): True}]
    decisions.decide([2], "drop")
    copy = path.with_suffix(".copy.db").stat().st_ino

    def refuse(_: Transaction) -> None:
        raise AssertionError("everything is read")

    for name in ("stored", "data", "verify_pages"):
        monkeypatch.setattr(Transaction, name, property(refuse) if name != "data" else refuse)
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
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "decisions.db"
        decisions = Decisions(path, HERE)
        decisions.tag([1, 2], "dark")
        decisions.name_each({1: "kiwi"})
        Answers(path).answer({(1, 2): True})
        return path

    def test_what_is_decided_and_what_was_done(self, path: Path) -> None:
        for change in (
            "decision SET code = 2",
            "decision SET tags = 'bark'",
            "decision SET name = 'kiwj'",
            "decision SET content = content + 1",
            "answer SET same = 0",
            "answer SET second = 3",
            "version SET total = total + 1",
        ):
            _alter(path, change)
            with pytest.raises(DamageError, match=r"not as they were written.*sets repair FOLDER"):
                Decisions(path, HERE).now()
            _is_put_back(path)
        for change in ("did = 'tagged 1 picture'", "who = 'bert'", "state = 'undone'", "count = 3"):
            _alter(path, f"batch SET {change} WHERE number = 2")
            with pytest.raises(DamageError, match="an action is not as it was written"):
                Decisions(path, HERE).history()
            _is_put_back(path)

    @pytest.mark.parametrize("change", ["name_before = 'a'", "code_before = 1", "id = 3", "tags_after = 'x'"])
    def test_what_undo_would_bring_back(self, path: Path, change: str) -> None:
        _alter(path, f"change SET {change} WHERE batch = 2")
        decisions = Decisions(path, HERE)
        decisions.undo()
        with pytest.raises(DamageError, match="changes of an action are not as they were written"):
            decisions.undo()
        _is_put_back(path)

    def test_a_damaged_copy_is_written_again(self, path: Path) -> None:
        copy = path.with_suffix(".copy.db")
        for change in ("change SET tags_after = 'x'", "answer SET same = 0"):
            assert not DecisionLog(path).renew_copy()
            _alter(copy, change)
            assert DecisionLog(path).renew_copy()
            assert DecisionLog(copy).is_whole()
        assert not DecisionLog(path).renew_copy()

    def test_a_step_that_is_followed(self, path: Path) -> None:
        decisions, other = Decisions(path, HERE), Decisions(path, HERE)
        decisions.now()
        other.decide([4], "keep")
        other.decide([5], "drop")
        _alter(path, "step SET batch = 1 WHERE version = (SELECT max(version) FROM step)")
        with pytest.raises(DamageError, match="not as they were written"):
            decisions.now()


def _alter(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute(f"UPDATE {change}")


def _is_put_back(path: Path) -> None:
    assert not DecisionLog(path).is_whole()
    path.unlink()
    assert DecisionLog(path).put_back()
    assert DecisionLog(path).is_whole()
    assert Decisions(path, HERE).now().name.tolist()[:2] == ["kiwi", None]
