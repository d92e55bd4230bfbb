"""Names are a kind of their own beside tags."""

import pytest

from url_viz.base.errors import DecisionError
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

    def test_a_name_is_no_first_tag(self, decisions: Decisions) -> None:
        decisions.name_each({1: "kiwi", 2: "kiwi"})
        decisions.tag([1, 3], "check")
        decisions.tag([2], "small")
        assert decisions.now().first_tags.tolist() == ["check", "small", "check", None, None]
