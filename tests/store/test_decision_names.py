"""Names are a kind of their own beside tags; in older logs, where they were the first tags, the log tells which."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.conftest import FILES
from url_viz.errors import DecisionError, WorkspaceError
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_tables import TABLES_OF
from url_viz.store.decisions.decisions import Decisions, Judgement


def shown(decisions: Decisions) -> list[tuple[str | None, str]]:
    now = decisions.now()
    return list(zip(now.name.tolist(), now.tags.tolist(), strict=True))


class TestNames:
    """Given, replaced, taken away and undone; tags and decisions stay."""

    def test_naming_leaves_tags_and_tagging_leaves_names(self, decisions: Decisions) -> None:
        for tag in ("blurry", "outdoor"):
            decisions.tag([1], tag)
        assert decisions.name({1: Judgement(label="kiwi")}).sentence == "Named 1 picture “kiwi”"
        decisions.tag([1, 2], "check")
        assert shown(decisions)[:2] == [("kiwi", "blurry; check; outdoor"), (None, "check")]
        decisions.untag([1], "kiwi")
        assert shown(decisions)[0][0] == "kiwi", "that is no tag"
        assert decisions.tag_counts() == {"blurry": 1, "check": 2, "outdoor": 1}
        for _ in range(2):
            decisions.undo()
        assert shown(decisions)[:2] == [(None, "blurry; outdoor"), (None, "")]
        decisions.redo()
        assert shown(decisions)[0] == ("kiwi", "blurry; outdoor")

    def test_names_alone_leave_decisions(self, decisions: Decisions) -> None:
        decisions.decide([1], "keep")
        assert decisions.name_each({1: "kiwi", 2: "kiwi"}).sentence == "Named 2 pictures “kiwi”"
        assert decisions.name_each({1: None, 2: "plum"}).did == "named 1 picture “plum” and took the name of 1 picture"
        assert (decisions.now().decision[0], shown(decisions)[:2]) == ("keep", [(None, ""), ("plum", "")])
        with pytest.raises(DecisionError, match="cannot be a name"):
            decisions.name_each({1: "a; b"})

    def test_the_first_tag_counts_the_name_as_it_did_when_names_were_tags(self, decisions: Decisions) -> None:
        decisions.name_each({1: "kiwi", 2: "kiwi"})
        decisions.tag([1, 3], "check")
        decisions.tag([2], "small")
        assert decisions.now().first_tags.tolist() == ["check", "kiwi", "check", None, None]


def log_of_schema_3(path: Path, actions: list[tuple[str, str, Mapping[int, tuple[str, str]]]]) -> None:
    """A log as older versions wrote it: what each action did, its state, and the tags of pictures before and after."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES_OF[3]:
            connection.execute(table)
        now: dict[int, str] = {}
        for number, (did, state, changes) in enumerate(actions, start=1):
            connection.execute("INSERT INTO batch VALUES (?, '2026-01-01', '', ?, 1, ?)", (number, did, state))
            for one, (before, after) in changes.items():
                code = 0 if one in now or before else -1
                row = (number, one, 100 + one, code, before, "", 0, after, "")
                connection.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                if state == "done":
                    now[one] = after
        for one, tags in now.items():
            connection.execute("INSERT INTO decision VALUES (?, ?, ?, 0, ?, '')", (one, one, 100 + one, tags))
        connection.execute("INSERT INTO version VALUES (1000, 0)")
        connection.execute("PRAGMA user_version = 3")


class TestOlderLogs:
    """What actions gave as names are names, what was tagged are tags; the file as it was is kept aside."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "decisions.db"
        log_of_schema_3(
            path,
            [
                ("tagged 2 pictures “outdoor”", "done", {1: ("", "outdoor"), 2: ("", "outdoor")}),
                # the first tag gave way to a name: that is what naming did then
                ("tagged 1 picture “blurry”", "done", {1: ("outdoor", "blurry; outdoor")}),
                (
                    "named 3 pictures “kiwi”",
                    "done",
                    {1: ("blurry; outdoor", "kiwi; outdoor"), 3: ("", "kiwi"), 4: ("", "kiwi")},
                ),
                ("tagged 1 picture “check”", "done", {3: ("kiwi", "check; kiwi")}),
                ("kept 1 picture, and took the name of 1 picture", "dropped", {4: ("kiwi", "")}),
                ("named 1 picture “plum”", "done", {4: ("kiwi", "plum")}),
                ("removed the tag “kiwi” from 1 picture", "undone", {1: ("kiwi; outdoor", "outdoor")}),
            ],
        )
        return path

    WAS = (("kiwi", "outdoor"), (None, "outdoor"), ("kiwi", "check"), ("plum", ""), (None, ""))

    def test_are_raised_when_they_are_read_and_undone_to_the_beginning(self, path: Path) -> None:
        before = path.read_bytes()
        decisions = Decisions(path, FILES)
        assert tuple(shown(decisions)) == self.WAS
        assert decisions.now().first_tags.tolist() == ["kiwi", "outdoor", "check", "plum", None], "labels as they were"
        aside = path.with_name("decisions.schema-3.db").read_bytes()
        assert aside[96:] == before[96:]  # SQLite notes its version before
        assert Answers(path).answer({(1, 2): True}).count == 1
        decisions.undo()
        assert Decisions(path, FILES).now().names.tolist() == decisions.now().names.tolist()
        said = []
        while decisions.undo() is not None:
            said.append(shown(decisions)[:4])
        assert said[0][3] == ("kiwi", "")
        assert said[1][2] == ("kiwi", "")
        assert said[2] == [(None, "blurry; outdoor"), (None, "outdoor"), (None, ""), (None, "")]
        assert shown(decisions) == [(None, "")] * 5
        for _ in range(5):
            decisions.redo()
        assert tuple(shown(decisions)) == self.WAS
        assert DecisionLog(path).is_whole()

    def test_one_of_early_development_is_told(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 2")
        with pytest.raises(WorkspaceError, match="early development"):
            Decisions(path, FILES).now()
