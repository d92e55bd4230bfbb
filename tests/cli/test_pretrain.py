"""The command `pretrain`: the job of the app's page, left alone; tests/ui/test_adapt.py waits for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ending_jobs
from tests.imaging.pictures import write_folder
from url_viz.base.workspace import HOME_VARIABLE, Workspace
from url_viz.cli.main import main
from url_viz.jobs import list_jobs
from url_viz.jobs.kinds import PRETRAIN, head_of
from url_viz.models.model_names import DEFAULT


@pytest.fixture
def home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose jobs end with the test."""
    monkeypatch.setenv(HOME_VARIABLE, str(workspace))
    home = Workspace.at(workspace)
    with ending_jobs(home):
        yield home


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return [str(write_folder(tmp_path / name, 20, classes=("cat", "dog"))) for name in ("zoo", "farm")]


def test_in_the_background_it_returns_at_once(
    home: Workspace, folders: list[str], head_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo, farm = folders
    options = ["--report", farm, "--seeds", "1", "--limit", "9", "--background"]
    assert main(["train", "pretrain", zoo, *options, "--model", str(head_file)]) == 0
    (job,) = list_jobs(home, kind=PRETRAIN.name, about={"backbone": DEFAULT})
    assert job.title == f"Make a head for {DEFAULT} from zoo"
    words = list(job.command)
    assert words[words.index("--data") + 1] == f"folder:{zoo}"
    assert words[words.index("--report") + 1] == f"folder:{farm}"
    assert words[words.index("--model") + 1] == DEFAULT
    assert (words[words.index("--seeds") + 1], words[words.index("--limit") + 1]) == ("1", "9")
    told = capsys.readouterr().out
    assert job.id in told
    assert str(head_of(job)) in told


def test_a_folder_that_is_not_there_starts_nothing(
    home: Workspace, folders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "pretrain", folders[0], "--report", "/no/such"]) == 1
    assert "'/no/such' does not exist. Give the folder" in capsys.readouterr().err
    assert main(["train", "pretrain", folders[0], "--report", folders[0]]) == 1
    assert "both teaches the head and measures it" in capsys.readouterr().err
    assert list_jobs(home) == []
