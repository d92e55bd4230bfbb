"""Decisions: what belongs to which file, actions that can be taken back, and damage that is told."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.conftest import FILES, shown
from url_viz.base.errors import DamageError, DecisionError, WorkspaceError
from url_viz.base.files import unsealed
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import Decided, Decision, FileKeys, match_decisions
from url_viz.store.decisions.decision_transaction import SCHEMA_VERSION
from url_viz.store.decisions.decisions import Decisions, checked_tag


def files_of(*pairs: tuple[int, int]) -> FileKeys:
    """Files by (id, content)."""
    return FileKeys(np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64))


def claimed(present: list[tuple[int, int]], stored: list[tuple[int, int]]) -> list[int]:
    return match_decisions(files_of(*present), Decided.from_rows([(*pair, "") for pair in stored])).tolist()


def naive_claims(present: list[tuple[int, int]], stored: list[tuple[int, int]]) -> list[int]:
    """The rule, one file after the other."""
    result = [stored.index(pair) if pair in stored else -1 for pair in present]
    for at, (_, content) in enumerate(present):
        if result[at] < 0:
            free = [r for r, s in enumerate(stored) if r not in result and s not in present and s[1] == content]
            result[at] = free[0] if free else -1
    for at, (name, _) in enumerate(present):
        if result[at] < 0:
            free = [r for r, s in enumerate(stored) if r not in result and s[0] == name]
            result[at] = free[-1] if free else -1
    return result


class TestClaims:
    """Which stored decision is a file's own."""

    @pytest.mark.parametrize(
        ("present", "stored", "expected"),
        [
            ([(1, 10), (2, 20)], [(2, 20), (1, 10)], [1, 0]),
            ([(3, 10)], [(1, 10)], [0]),  # moved
            ([(1, 10), (3, 10)], [(1, 10)], [0, -1]),  # copied: the copy has no decision of its own
            ([(1, 10), (2, 10)], [(1, 10), (2, 10)], [0, 1]),  # copies, each with its own
            ([(1, 11)], [(1, 10)], [0]),  # edited in place
            ([(1, 20), (2, 10)], [(1, 10), (2, 20)], [1, 0]),  # two files changed places
            ([(1, 99), (3, 10)], [(1, 10)], [-1, 0]),  # moved, and another file put in its place
            ([(8, 10), (9, 10)], [(1, 10)], [0, -1]),  # claimed once
            ([(8, 10), (9, 10)], [(2, 10), (1, 10)], [0, 1]),  # copies that moved: the first takes the oldest
            ([(1, 12)], [(1, 10), (1, 11)], [1]),  # edited twice: the latest
            ([], [(1, 10)], []),
            ([(1, 10)], [], [-1]),
        ],
    )
    def test_by_hand(self, present: list[tuple[int, int]], stored: list[tuple[int, int]], expected: list[int]) -> None:
        assert claimed(present, stored) == expected

    @pytest.mark.slow
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=7, unique_by=lambda pair: pair[0]),
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=9, unique=True),
    )
    def test_is_the_rule_and_nobody_claims_twice(
        self, present: list[tuple[int, int]], stored: list[tuple[int, int]]
    ) -> None:
        rows = claimed(present, stored)
        assert rows == naive_claims(present, stored)
        taken = [row for row in rows if row >= 0]
        assert len(set(taken)) == len(taken)


class TestActions:
    """Deciding, tagging, and taking it back."""

    def test_nothing_decided_leaves_no_file(self, decisions: Decisions, tmp_path: Path) -> None:
        assert shown(decisions) == [None] * 5
        assert (decisions.version, decisions.can_undo, decisions.can_redo) == (0, False, False)
        assert decisions.undo() is None
        assert decisions.redo() is None
        assert list(tmp_path.iterdir()) == []

    def test_each_decision_and_none(self, decisions: Decisions) -> None:
        assert decisions.decide([1, 2, 3], "drop").sentence == "Dropped 3 pictures"
        assert decisions.decide([1], "keep").sentence == "Kept 1 picture"
        assert decisions.decide([2], "look-again").sentence == "Put aside 1 picture"
        assert shown(decisions) == ["keep", "look-again", "drop", None, None]
        assert decisions.counts() == {"keep": 1, "drop": 1, "look-again": 1}
        decisions.decide([1, 2, 3, 4], None)
        assert shown(decisions) == [None] * 5

    def test_what_is_so_already_is_no_action_and_each_by_itself_is_one(self, decisions: Decisions) -> None:
        decisions.decide([1, 2], "drop")
        assert decisions.decide([2, 3, 3], "drop").sentence == "Dropped 1 picture (1 was already)"
        version = decisions.version
        assert decisions.decide([1, 2, 3], "drop").sentence == "Nothing to change: all 3 pictures are so already"
        assert decisions.decide([], "drop").sentence == "No picture was chosen"
        assert decisions.version == version
        decisions.undo()
        assert shown(decisions) == ["drop", "drop", None, None, None]
        decisions.undo()
        assert decisions.decide_each({1: "keep", 2: "drop", 3: "drop"}).sentence == "Kept 1 and dropped 2 pictures"
        assert shown(decisions) == ["keep", "drop", "drop", None, None]
        decisions.undo()
        assert shown(decisions) == [None] * 5

    def test_tags_are_sorted_and_stay_when_a_decision_goes(self, decisions: Decisions) -> None:
        decisions.decide([1], "keep")
        decisions.tag([1, 2], "night")
        assert decisions.tag([1], " {blur} ").sentence == "Tagged 1 picture “{blur}”"
        assert decisions.now().tags.tolist() == ["night; {blur}", "night", "", "", ""]
        assert decisions.tag_counts() == {"night": 2, "{blur}": 1}
        decisions.decide([1], None)
        assert decisions.untag([1, 2], "night").sentence == "Removed the tag “night” from 2 pictures"
        assert decisions.now().tags.tolist() == ["{blur}", "", "", "", ""]
        assert shown(decisions) == [None] * 5

    @pytest.mark.parametrize("who", ["", "  ", "eve\nben agrees", "\udcff", "\ufffe", "x" * 255])
    def test_what_cannot_be_the_name_of_a_person_is_refused(self, decisions: Decisions, who: str) -> None:
        with pytest.raises(DecisionError, match="cannot be a person's name"):
            decisions.by(who)
        assert decisions.by("Anna Müller-Ng <anna@example.org>") is not decisions

    def test_what_cannot_be_a_tag_unknown_words_and_pictures_are_told(self, decisions: Decisions) -> None:
        for tag in ("", "  ", "a,b", "a;b", "a\nb", "x" * 61, "\x00"):
            with pytest.raises(DecisionError, match="cannot be a tag"):
                decisions.tag([1], tag)
        assert checked_tag("x" * 60) == "x" * 60
        with pytest.raises(DecisionError, match="'maybe' is not a decision"):
            decisions.decide([1], "maybe")  # type: ignore[arg-type]
        with pytest.raises(DecisionError, match="no picture with id 77"):
            decisions.decide([1, 77], "keep")
        assert shown(decisions) == [None] * 5

    def test_undo_and_redo_survive_a_restart_until_something_new_is_done(
        self, decisions: Decisions, path: Path
    ) -> None:
        decisions.decide([1], "keep")
        decisions.decide([1, 2], "drop")
        decisions.tag([2], "dark")
        later = Decisions(path, FILES)
        undone = later.undo()
        assert undone is not None
        assert (undone.sentence, undone.ids) == ("Undone: tagged 1 picture “dark”", (2,))
        assert undone.about("b.jpg").sentence == "Undone: tagged b.jpg “dark”"
        later.undo()
        assert shown(later) == ["keep", None, None, None, None]
        again = Decisions(path, FILES)
        redone = again.redo()
        assert redone is not None
        assert (redone.sentence, redone.ids) == ("Redone: dropped 2 pictures", (1, 2))
        assert again.can_redo
        again.decide([5], "keep")
        assert not again.can_redo
        for _ in range(3):
            again.undo()
        assert not again.can_undo
        assert shown(again) == [None] * 5

    def test_a_version_tells_every_change_and_no_two_files_share_one(
        self, decisions: Decisions, tmp_path: Path
    ) -> None:
        decisions.decide([1], "keep")
        seen = [decisions.version]
        decisions.undo()
        seen.append(decisions.version)
        decisions.redo()
        seen.append(decisions.version)
        assert len(set(seen)) == 3
        other = Decisions(tmp_path / "other.db", FILES)
        other.decide([1], "keep")
        assert other.version not in seen


MODEL = st.one_of(
    st.tuples(st.just("decide"), st.sets(st.integers(1, 5)), st.sampled_from(["keep", "drop", "look-again", None])),
    st.tuples(st.sampled_from(["tag", "untag"]), st.sets(st.integers(1, 5)), st.sampled_from(["a", "b"])),
    st.tuples(st.sampled_from(["undo", "redo"])),
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(MODEL, max_size=10))
def test_any_history_is_that_of_a_stack_of_states(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    decisions = Decisions(tmp_path_factory.mktemp("any") / "decisions.db", FILES)
    before: list[tuple[object, object]] = [([None] * 5, [""] * 5)]
    after: list[tuple[object, object]] = []
    for name, *arguments in steps:
        count = getattr(getattr(decisions, str(name))(*arguments), "count", 0)
        now = (shown(decisions), decisions.now().tags.tolist())
        if name == "undo" and len(before) > 1:
            after.append(before.pop())
        elif name == "redo" and after:
            before.append(after.pop())
        elif name not in ("undo", "redo") and count:
            before.append(now)
            after.clear()
        assert now == before[-1]
    assert decisions.can_undo == (len(before) > 1)
    assert decisions.can_redo == bool(after)


class TestMovedFiles:
    """What was decided goes along, and what is then done is done to the file where it is now."""

    def test_a_moved_file_keeps_it_and_can_be_decided_on_anew(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1, 2], "drop")
        decisions.tag([1], "dark")
        decisions.name_each({1: "kiwi"})
        decisions.label({1: "fruit"}, source="folders")
        moved = Decisions(path, files_of((11, 101), (2, 102)))
        assert shown(moved) == ["drop", "drop"]
        assert moved.now().name.tolist() == ["kiwi", None]
        assert moved.now().labels_of("folders").tolist() == ["fruit", None]
        moved.decide([11], "keep")
        assert (shown(moved), moved.now().tags.tolist()) == (["keep", "drop"], ["dark", ""])
        copied_back = Decisions(path, files_of((1, 101), (11, 101), (2, 102)))
        assert shown(copied_back) == [None, "keep", "drop"], "the old place has let go of it"
        moved.undo()
        assert shown(moved) == ["drop", "drop"]

    def test_a_copy_that_stood_beside_takes_nothing_when_the_original_moves(self, path: Path) -> None:
        """Also not one whose own decision was taken back; the moved file finds its decision before an empty row."""
        pair = Decisions(path, files_of((1, 7), (2, 7)))
        pair.decide([2], "drop")
        pair.decide([2], None)
        pair.decide([1], "keep")
        assert shown(Decisions(path, files_of((2, 7), (11, 7)))) == [None, "keep"]
        assert shown(Decisions(path, files_of((11, 7)))) == ["keep"], "the copy was removed"
        assert shown(Decisions(path, files_of((11, 7), (12, 7)))) == ["keep", None], "both moved"
        three = Decisions(path, files_of((1, 7), (2, 7), (3, 7)))
        three.tag([1], "a")
        assert shown(Decisions(path, files_of((2, 7), (3, 7), (11, 7)))) == [None, None, "keep"]

    def test_an_edited_file_keeps_it(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "keep")
        edited = Decisions(path, files_of((1, 999)))
        assert shown(edited) == ["keep"]
        edited.tag([1], "cropped")
        assert (shown(edited), edited.now().tags.tolist()) == (["keep"], ["cropped"])

    def test_files_that_changed_places_take_theirs_along(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "keep")
        decisions.decide([2], "drop")
        swapped = Decisions(path, files_of((1, 102), (2, 101)))
        assert shown(swapped) == ["drop", "keep"]
        swapped.decide([1, 2], "look-again")
        assert shown(swapped) == ["look-again"] * 2
        swapped.undo()
        assert shown(swapped) == ["drop", "keep"]


class TestDamage:
    """Each kind is told with its next step."""

    def test_a_file_that_is_cut_short(self, decisions: Decisions, path: Path) -> None:
        many = files_of(*((i, i) for i in range(1, 3000)))
        Decisions(path, many).decide(many.id, "keep")
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 8])
        with pytest.raises(WorkspaceError, match=r"decisions\.db is damaged"):
            decisions.now()

    @pytest.mark.parametrize("spoil", [b"", None, b"SQLite format 3\0" + b"\0" * 4080, b"not a database" * 400])
    def test_what_is_empty_lost_or_no_database_is_told_and_put_back(
        self, decisions: Decisions, path: Path, spoil: bytes | None
    ) -> None:
        decisions.decide([1, 3], "drop")
        decisions.tag([3], "blurred")
        path.unlink()
        if spoil is not None:
            path.write_bytes(spoil)
        for call in (decisions.now, decisions.undo, lambda: decisions.decide([1], "keep")):
            with pytest.raises(DamageError, match="url-viz sets repair FOLDER"):
                call()
        assert not DecisionLog(path).is_whole()
        path.unlink(missing_ok=True)
        assert DecisionLog(path).put_back()
        assert shown(decisions) == ["drop", None, "drop", None, None]
        assert decisions.tag_counts() == {"blurred": 1}
        decisions.undo()
        assert decisions.tag_counts() == {}

    def test_a_file_of_another_image_set_and_an_older_copy_are_told(
        self, decisions: Decisions, tmp_path: Path, path: Path
    ) -> None:
        decisions.decide([1], "drop")
        before = path.read_bytes()
        decisions.decide([2], "drop")
        path.write_bytes(before)
        with pytest.raises(DamageError, match="is older than what was decided last"):
            Decisions(path, FILES).now()
        (tmp_path / "other").mkdir()
        Decisions(tmp_path / "other" / "decisions.db", FILES).decide([1, 2, 3], "keep")
        shutil.copy(tmp_path / "other" / "decisions.db", path)
        with pytest.raises(DamageError, match="is not the one of this image set"):
            Decisions(path, FILES).now()

    def test_one_without_record_and_copy_is_noted_by_an_action(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "drop")
        for name in ("decisions.json", "decisions.copy.db"):
            path.with_name(name).unlink()
        assert shown(Decisions(path, FILES))[0] == "drop"
        decisions.decide([2], "keep")
        assert unsealed(path.with_suffix(".json").read_bytes())["identity"] > 0
        assert path.with_suffix(".copy.db").read_bytes() == path.read_bytes()

    def test_an_action_that_was_not_noted_is_no_damage(self, decisions: Decisions, path: Path) -> None:
        """Killed between the commit and the note, or read by another process in between."""
        decisions.decide([1], "drop")
        noted = path.with_suffix(".json").read_bytes()
        decisions.decide([2], "keep")
        path.with_suffix(".json").write_bytes(noted)
        assert shown(Decisions(path, FILES))[:2] == ["drop", "keep"]

    @pytest.mark.timeout(20)  # it ran for ever
    @pytest.mark.parametrize(
        "hostile",
        [
            "CREATE VIEW state AS WITH RECURSIVE r(row) AS (SELECT 1 UNION ALL SELECT row + 1 FROM r) "
            "SELECT row, 0 AS what, row AS first, row AS second, 'keep' AS value FROM r",
            "CREATE VIEW event AS WITH RECURSIVE r(version) AS (SELECT 1 UNION ALL SELECT version + 1 FROM r) "
            "SELECT max(version) AS version FROM r",
            "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM state; END",
        ],
    )
    def test_what_is_not_ours_is_refused(self, decisions: Decisions, path: Path, hostile: str) -> None:
        decisions.decide([1], "drop")
        for name in ("decisions.json", "decisions.copy.db"):
            path.with_name(name).unlink()
        with closing(sqlite3.connect(path)) as connection:
            if "VIEW" in hostile:
                connection.execute(f"DROP TABLE {hostile.split()[2]}")
            connection.execute(hostile)
            connection.commit()
        for call in (decisions.now, decisions.undo, lambda: decisions.decide([1], "keep")):
            with pytest.raises(DamageError, match=r"not ours .*sets repair FOLDER"):
                call()

    def test_decisions_of_no_known_kind(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "drop")
        newlines = "char(10, 10, 10, 10)"
        for spoilt in ("value = 'droop'", "value = x'00'", f"value = 'a' || {newlines}", "what = 7", "second = 'x'"):
            path.with_suffix(".json").unlink()
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"UPDATE state SET {spoilt}")
            with pytest.raises(DamageError, match="is damaged: "):
                Decisions(path, FILES).now()
            path.unlink()
            assert DecisionLog(path).put_back()

    def test_another_schema_is_refused_and_the_file_stays(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "keep")
        path.with_suffix(".json").unlink()  # so that nothing but the content tells
        for schema, error, words in (
            (SCHEMA_VERSION + 1, WorkspaceError, r"newer version .* Update URL-Viz"),
            (SCHEMA_VERSION - 1, WorkspaceError, r"has schema 5, .* move all files decisions\.\* .* decide anew"),
            (0, DamageError, "no schema 0"),
        ):
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(f"PRAGMA user_version = {schema}")
            before = path.read_bytes()
            for act in (decisions.now, lambda: decisions.decide([2], "drop")):
                with pytest.raises(error, match=words):
                    act()
            assert path.read_bytes() == before

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        decisions = Decisions(tmp_path / "gone" / "decisions.db", FILES)
        assert shown(decisions) == [None] * 5
        with pytest.raises(WorkspaceError, match="Cannot write to"):
            decisions.decide([1], "keep")

    def test_another_process_that_writes_too_long(
        self, decisions: Decisions, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("url_viz.store.decisions.decision_log.BUSY_S", 0.05)
        with (
            DecisionLog(path).writing(),
            pytest.raises(WorkspaceError, match="Another process has been writing"),
        ):
            decisions.decide([1], "keep")

    def test_an_error_in_the_middle_changes_nothing(self, decisions: Decisions, path: Path) -> None:
        decisions.decide([1], "keep")

        def fail() -> None:
            with DecisionLog(path).writing() as transaction:
                transaction.record("dropped", 0, [], who="")
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        undone = decisions.undo()
        assert undone is not None
        assert undone.did == "kept 1 picture"


class TestTakenBack:
    """One action, whatever followed."""

    def test_what_was_decided_anew_since_stays(self, path: Path) -> None:
        decisions = Decisions(path, files_of((1, 10), (2, 20), (3, 30)))
        decisions.decide([1, 2], "drop")
        decisions.label({1: "cat"}, source="folders")
        decisions.decide([2], "keep")
        decisions.decide([3], "keep")
        numbers = decisions.history()["number"].tolist()
        with pytest.raises(DecisionError, match="other answers followed"):
            decisions.take_back(numbers[-1])  # picture 1 has a label since, 2 another decision
        action = decisions.by("anna").take_back(numbers[1])
        assert (action.sentence, action.count) == ("Took back: kept 1 picture", 1)
        assert decisions.now().decision.tolist() == ["drop", "drop", "keep"]
        assert decisions.history(1)["who"].tolist() == ["anna"]
        decisions.undo()
        assert decisions.now().decision.tolist() == ["drop", "keep", "keep"], "it is an action as any other"
        with pytest.raises(DecisionError, match="not in the log, or was undone"):
            decisions.take_back(numbers[0] + 7)

    @pytest.mark.slow
    @settings(max_examples=40)
    @given(
        st.lists(st.tuples(st.sets(st.integers(1, 4), min_size=1), st.sampled_from(["keep", "drop", None])), max_size=6)
    )
    def test_is_what_the_plain_rule_says(self, steps: list[tuple[set[int], Decision | None]]) -> None:
        """A picture gets back what it had before the action, if it is as the action left it."""
        with tempfile.TemporaryDirectory() as folder:
            decisions = Decisions(Path(folder) / "decisions.db", files_of(*((n, 10 * n) for n in range(1, 5))))
            states = [dict.fromkeys(range(1, 5))]
            done = []
            for ids, decision in steps:
                states.append(states[-1] | dict.fromkeys(ids, decision))
                if decisions.decide(ids, decision).count:
                    done.append(len(states) - 1)
            numbers = decisions.history()["number"].tolist()[::-1]
            for number, at in zip(numbers[:1], done[:1], strict=True):
                before, after, last = states[at - 1], states[at], states[-1]
                wanted = {n: before[n] if before[n] != after[n] == last[n] else last[n] for n in last}
                with suppress(DecisionError):
                    decisions.take_back(number)
                assert dict(zip(range(1, 5), decisions.now().decision.tolist(), strict=True)) == wanted
