"""Labels and names that somebody gave: kept with the decisions, labels by what they are taken from, with undo."""

import getpass
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.conftest import FILES
from url_viz.base.errors import DamageError, DecisionError
from url_viz.store.decisions.decision_rows import NOTHING, Value
from url_viz.store.decisions.decisions import Decisions, Judgement, checked_label


def labels(decisions: Decisions, source: str = "folders") -> list[str | None]:
    return decisions.now().labels_of(source).tolist()


def test_by_hand(decisions: Decisions) -> None:
    assert labels(decisions) == [None] * 5
    assert decisions.label({1: "kiwi", 2: "kiwi"}, source="folders").sentence == "Labelled 2 pictures “kiwi”"
    assert decisions.label({2: "plum", 3: "fig"}, source="folders").sentence == "Labelled 2 pictures"
    assert labels(decisions) == ["kiwi", "plum", "fig", None, None]
    taken = decisions.label({1: None, 2: "fig", 4: None}, source="folders")
    assert taken.sentence == ("Labelled 1 picture “fig” and took back the label of 1 picture (1 was already)")
    assert labels(decisions) == [None, "fig", "fig", None, None]
    decisions.label({2: "fruit"}, source="level:1")
    decisions.label({2: None}, source="folders")
    assert (labels(decisions)[1], labels(decisions, "level:1")[1]) == (None, "fruit"), "each source has its own"


def test_undo_and_redo_and_the_version_of_labels(decisions: Decisions) -> None:
    assert decisions.labels_version == 0
    decisions.decide([1], "keep")
    decisions.tag([1], "dark")
    assert decisions.labels_version == 0
    decisions.label({1: "kiwi"}, source="folders")
    assert decisions.labels_version == 1
    decisions.undo()
    assert (labels(decisions)[0], decisions.labels_version) == (None, 2)
    assert decisions.now().decision[0] == "keep"
    decisions.redo()
    assert (labels(decisions)[0], decisions.labels_version) == ("kiwi", 3)
    decisions.decide([1], "drop")
    assert decisions.labels_version == 3


def test_judging_is_one_action_and_replaces_both(decisions: Decisions) -> None:
    decisions.decide([1], "look-again")
    done = decisions.judge({1: Judgement(label="kiwi"), 2: Judgement("drop"), 3: Judgement()}, source="folders")
    assert done.sentence == (
        "Removed the decision on 1 and dropped 1 picture, and labelled 1 picture “kiwi” (1 was already)"
    )
    assert decisions.now().decision.tolist()[:3] == [None, "drop", None]
    assert labels(decisions)[:2] == ["kiwi", None]
    decisions.judge({1: Judgement("keep")}, source="folders")
    assert (decisions.now().decision[0], labels(decisions)[0]) == ("keep", None)
    decisions.undo()
    assert (decisions.now().decision[0], labels(decisions)[0]) == (None, "kiwi")


def test_the_log_says_who_and_when(decisions: Decisions) -> None:
    assert decisions.history().empty
    decisions.decide([1], "keep")
    decisions.by("anna@example.org").label({2: "kiwi"}, source="folders")
    decisions.undo()
    told = decisions.history()
    assert told["did"].tolist() == ["labelled 1 picture “kiwi”", "kept 1 picture"]
    assert told["who"].tolist() == ["anna@example.org", getpass.getuser()]
    assert told["state"].tolist() == ["undone", "done"]
    assert told["at"].str.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00").all()
    assert len(decisions.history(1)) == 1


def test_what_can_be_a_label_and_what_cannot(decisions: Decisions) -> None:
    for label in ("", "  ", "a\nb", "x" * 1_001, "\x1b[31m", "\u202ekiwi"):
        with pytest.raises(DecisionError, match="cannot be a label"):
            decisions.label({1: label}, source="folders")
        with pytest.raises(DecisionError, match="cannot be a label"):
            decisions.judge({1: Judgement(label=label)}, source="folders")
    for label in ("می\u200cشود", "traffic\xa0light", "x" * 300):
        decisions.label({1: label}, source="folders")
        assert labels(decisions)[0] == label


def test_the_text_of_a_label() -> None:
    value = Value("drop", name="kiwi").with_answer("folders", "Käse; rot", who="a")
    value = value.with_answer("level:2", 'a "b"', who="")
    assert Value.read(value.text) == value
    assert (value.label("folders"), value.label("level:2"), value.label("tags")) == ("Käse; rot", 'a "b"', None)
    assert value.people("folders") == {"a": "Käse; rot"}
    assert value.with_answer("folders", None, who="b").with_answer("level:2", None, who="").text == "drop\n\nkiwi"
    assert Value.read("") == NOTHING
    assert checked_label("Käse ") == "Käse ", "the class of a folder of that name"
    assert checked_label("x" * 255) == "x" * 255


def test_rightly_both_of_two_classes(decisions: Decisions) -> None:
    said = decisions.label({1: ("plum", "kiwi"), 2: ("kiwi", "plum")}, source="folders")
    assert said.sentence == "Said that 2 pictures are rightly both “kiwi” and “plum”"
    now = decisions.now()
    assert labels(decisions)[:3] == ["plum", "kiwi", None]
    assert now.eithers_of("folders").tolist()[:3] == ["kiwi", "plum", None]
    assert now.eithers_of("level:1").tolist()[:3] == [None] * 3
    decisions.label({1: "kiwi"}, source="folders")
    assert decisions.now().eithers_of("folders").tolist()[:2] == [None, "plum"]
    decisions.undo()
    assert decisions.now().eithers_of("folders")[0] == "kiwi"
    assert decisions.history()["did"][1] == "said that 2 pictures are rightly both “kiwi” and “plum”"
    again = Decisions(decisions._log.path, decisions.files)
    assert again.now().eithers_of("folders").tolist()[:2] == ["kiwi", "plum"], "read anew from the file"
    for both in (("kiwi", "kiwi"), ("", "kiwi"), ("kiwi", "a\nb")):
        with pytest.raises(DecisionError, match=r"given twice|cannot be a label"):
            decisions.label({1: both}, source="folders")


def test_what_each_person_said_is_kept(decisions: Decisions) -> None:
    anna, ben = decisions.by("anna"), decisions.by("ben")
    anna.label({1: "kiwi", 2: "kiwi"}, source="folders")
    assert ben.label({1: "kiwi", 2: ("kiwi", "plum")}, source="folders").count == 2, "to agree is an answer, too"
    assert ben.label({1: "kiwi"}, source="folders").count == 0
    said = decisions.now().people_of("folders").tolist()
    assert said[:3] == [{"anna": "kiwi", "ben": "kiwi"}, {"anna": "kiwi", "ben": ("kiwi", "plum")}, None]
    ben.undo()
    assert decisions.now().people_of("folders")[0] == {"anna": "kiwi"}
    ben.redo()
    ben.judge({1: Judgement("keep", "kiwi", is_own=False)}, source="folders")
    ben.judge({2: Judgement(label="kiwi", is_own=False)}, source="folders")
    said = decisions.now().people_of("folders").tolist()
    assert said[:2] == [{"anna": "kiwi", "ben": "kiwi"}, {"anna": "kiwi"}], "what stood before is nobody's new word"
    anna.label({1: None}, source="folders")
    assert decisions.now().people_of("folders")[0] is None


@pytest.mark.parametrize("text", ["kiwi", "[1]", '{"folders": 3}', '"a"', '{"a": ["b"]}', '{}\n{"a": "b"}'])
def test_labels_that_cannot_be_read_are_damage(decisions: Decisions, path: Path, text: str) -> None:
    decisions.decide([1], "keep")
    path.with_suffix(".json").unlink()  # so that nothing but the content tells
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE state SET value = ?", (f"keep\n\n\n{text}",))
    with pytest.raises(DamageError, match="labels that cannot be read"):
        Decisions(path, FILES).now()


def test_one_class_is_merged_into_another(decisions: Decisions) -> None:
    """Picture 1 is a lime as given, 2 by Anna's word, 3 rightly both, 4 by Ben's word alone, which Anna overruled."""
    anna, ben = decisions.by("anna"), decisions.by("ben")
    anna.label({2: "lime", 3: ("lime", "lemon"), 5: ("lime", "kiwi")}, source="folders")
    ben.label({4: "lime"}, source="folders")
    anna.label({4: "kiwi"}, source="folders")
    done = ben.merge([1, 2, 3, 4, 5], "lime", "lemon", source="folders")
    assert done.sentence == "Merged “lime” into “lemon”: 5 pictures"
    now = decisions.now()
    assert labels(decisions) == ["lemon", "lemon", "lemon", "kiwi", "lemon"]
    assert now.eithers_of("folders").tolist() == [None, None, None, None, "kiwi"]
    said = now.people_of("folders").tolist()
    assert said == [
        *(None, {"anna": "lemon"}, {"anna": "lemon"}),
        *({"anna": "kiwi", "ben": "lemon"}, {"anna": ("lemon", "kiwi")}),
    ]
    decisions.undo()
    assert labels(decisions) == [None, "lime", "lime", "kiwi", "lime"]
    with pytest.raises(DecisionError, match="given twice"):
        decisions.merge([1], "lime", "lime", source="folders")


def named(decisions: Decisions) -> list[tuple[str | None, str]]:
    now = decisions.now()
    return list(zip(now.name.tolist(), now.tags.tolist(), strict=True))


class TestNames:
    """A kind of their own beside tags: given, replaced, taken away and undone; tags and decisions stay."""

    def test_naming_leaves_tags_and_tagging_leaves_names(self, decisions: Decisions) -> None:
        for tag in ("blurry", "outdoor"):
            decisions.tag([1], tag)
        assert decisions.name({1: Judgement(label="kiwi")}).sentence == "Named 1 picture “kiwi”"
        decisions.tag([1, 2], "check")
        assert named(decisions)[:2] == [("kiwi", "blurry; check; outdoor"), (None, "check")]
        decisions.untag([1], "kiwi")
        assert named(decisions)[0][0] == "kiwi", "that is no tag"
        assert decisions.tag_counts() == {"blurry": 1, "check": 2, "outdoor": 1}
        for _ in range(2):
            decisions.undo()
        assert named(decisions)[:2] == [(None, "blurry; outdoor"), (None, "")]
        decisions.redo()
        assert named(decisions)[0] == ("kiwi", "blurry; outdoor")

    def test_names_alone_leave_decisions(self, decisions: Decisions) -> None:
        decisions.decide([1], "keep")
        assert decisions.name_each({1: "kiwi", 2: "kiwi"}).sentence == "Named 2 pictures “kiwi”"
        assert decisions.name_each({1: None, 2: "plum"}).did == "named 1 picture “plum” and took the name of 1 picture"
        assert (decisions.now().decision[0], named(decisions)[:2]) == ("keep", [(None, ""), ("plum", "")])
        with pytest.raises(DecisionError, match="cannot be a name"):
            decisions.name_each({1: "a; b"})
        assert decisions.now().first_tags[1] is None
        decisions.tag([2], "small")
        assert decisions.now().first_tags[1] == "small"
