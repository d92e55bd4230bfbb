"""The commands `labels list`, `use` and `keep-apart`: what folders offer, and levels, tags, columns or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.given import by_turns, given_set
from url_viz.cli.main import main

Labels = Callable[..., list[str]]


@pytest.fixture
def labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Labels:
    """`labels("use", "level:2")` runs a command on a folder of six, expects `status`, and gives what it printed."""
    folder = given_set(tmp_path, by_turns(6, ("train/cat", "train/dog", "test/cat"))).root

    def ran(command: str = "list", *arguments: str, status: int = 0) -> list[str]:
        capsys.readouterr()
        assert main(["labels", command, str(folder), *arguments, "--workspace", str(tmp_path / "home")]) == status
        shown = capsys.readouterr()
        return (shown.err if status else shown.out).splitlines()

    return ran


@pytest.mark.slow
def test_what_the_folders_offer_is_told_and_each_choice_is_kept(labels: Labels) -> None:
    assert labels() == [
        "2 classes; test and train as split.",
        "level:1: 2 folders (test, train)",
        "level:2: 2 folders (cat, dog), the class folder, the label",
    ]
    assert labels("use", "level:1") == ["The label is level 1 of the folders from now on: 2 classes."]
    assert labels()[0] == "2 classes from level 1 of the folders."
    assert labels()[1] == "level:1: 2 folders (test, train), the label"
    assert labels("use", "tags") == ["The label is the first tag from now on: 0 classes."]
    assert labels("use", "none") == ["The label is nothing from now on: 0 classes."]
    assert labels("use", "folders") == ["The label is the class folder from now on: 2 classes."]
    [line] = labels("use", "level:3", status=1)
    assert "no level 3" in line
    assert "level:2 (cat, dog)" in line

    assert labels("keep-apart", "level:1")[0] == "Pictures are apart by level 1 of the folders (2 groups) from now on."
    assert labels()[0] == "2 classes; test and train as split; apart by level 1 of the folders (2 groups)."
    assert labels("keep-apart", "none")[0] == "Pictures are apart as near copies only from now on."
    [line] = labels("keep-apart", "patient", status=1)
    assert "no 'patient'" in line
    assert "name:1" in line
