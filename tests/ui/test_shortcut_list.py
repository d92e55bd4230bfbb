"""Shortcuts on Explore: a part of the sentence, a dialog, and the pictures of a class that one tells."""

from pathlib import Path

import pytest

from tests.findings.test_shortcuts import write_planted
from tests.given import given_set
from tests.ui.pages import opened, words
from url_viz.columns.filters import OneOf, Scope
from url_viz.ui.explore.view import VIEW
from url_viz.ui.session import DIALOG


@pytest.mark.slow
def test_what_tells_classes_is_listed_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_set = given_set(tmp_path, write_planted(tmp_path / "photos"))
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    at = opened(image_set)
    assert at.button(key="findings.shortcuts").label == "2 classes told by a shortcut"
    at.button(key="findings.shortcuts").click().run()
    shown = words(at)
    assert "JPEG quality alone tells 2 of 2 classes (cat and dog): 100 % right" in shown
    assert "cat: 40; others: 90 (100 % right" in shown
    at.button(key="shortcuts.JPEG quality").click().run()
    assert at.session_state[VIEW].scope == Scope(filters=(OneOf("label", ("cat", "dog")),))
    assert DIALOG not in at.session_state, "it is closed"
