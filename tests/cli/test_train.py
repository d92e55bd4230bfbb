"""The commands `train adapt` and `train pretrain`: jobs as of the app's pages, waited for, left alone, cancelled.

tests/ui/test_adapt.py waits for one of `pretrain`.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ending_jobs
from tests.imaging.pictures import write_folder
from tests.jobs.conftest import processes_of, until
from tests.read_sets import copied
from url_viz.base.errors import JobError
from url_viz.base.progress import silent
from url_viz.base.workspace import HOME_VARIABLE, Workspace
from url_viz.cli.main import main
from url_viz.evidence.holdout_report import as_text, figures_from
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import Job, JobState, kinds, list_jobs, start_job
from url_viz.jobs.job import alive_processes
from url_viz.jobs.kinds import ADAPT, PRETRAIN, head_of, report_of
from url_viz.jobs.training_jobs import refuse_failed, watched
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

ROOT = Path(__file__).parents[2]
COUNT = 24
PATIENCE_S = 120


@pytest.fixture(scope="module")
def read(module_workspace: Path, bare_model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", COUNT, classes=("cat", "dog"))
    return embed_folder(folder, model=bare_model, workspace=module_workspace)


@pytest.fixture
def home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose jobs end with the test."""
    monkeypatch.setenv(HOME_VARIABLE, str(workspace))
    with ending_jobs(Workspace.at(workspace)):
        yield Workspace.at(workspace)


@pytest.fixture
def image_set(read: ImageSet, tmp_path: Path, home: Workspace) -> ImageSet:
    """Pictures in two class folders."""
    return copied(read, tmp_path / "zoo", home=home.root)


def the_job(image_set: ImageSet) -> Job:
    (job,) = list_jobs(image_set.workspace, kind=ADAPT.name, about={"set_id": image_set.set_id})
    return job


@pytest.mark.slow
def test_it_waits_tells_what_the_head_is_worth_and_what_to_do_with_it(
    image_set: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = image_set.workspace.jobs
    nap = f"import os, time\nwhile sum(name[0] != '.' for name in os.listdir({str(jobs)!r})) < 2: time.sleep(.1)"
    before = start_job(["-c", f"{nap}\ntime.sleep(2)"], kind="nap", title="A nap", workspace=image_set.workspace)
    assert main(["train", "adapt", str(image_set.root), "--limit", "20", "--seed", "3", "--device", "cpu"]) == 0
    shown = capsys.readouterr()
    job = the_job(image_set)
    assert before.state is JobState.SUCCEEDED
    assert "waiting for 'A nap' to end" in shown.err
    assert "train " in shown.err
    report, head = report_of(job), head_of(job)
    assert report is not None
    assert report["pictures"] == 20
    assert head.is_file()
    lines = shown.out.splitlines()
    assert lines[0].startswith("What you have without training is hard to beat with 24 pictures. ")
    assert lines[1] == f"{head}: {report['advice']}"
    assert as_text(figures_from(report)) in shown.out
    commands = [line.split() for line in lines if line.startswith("    url-viz ")]
    assert [words[1] for words in commands] == ["embed", "rank"]
    for words in commands:
        assert main(words[1:]) == 0
    assert "Most ambiguous by uncertainty:" in capsys.readouterr().out
    assert open_image_set(image_set.root, model=str(head)).table()["uncertainty"].notna().all()
    config = json.loads((head.parent / "config.json").read_text())
    assert (config["mode"], config["seed"], config["precision"], config["model"]) == (
        "instance",
        3,
        image_set.space.precision,
        DEFAULT,
    )


@pytest.fixture
def napping(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Jobs sleep in place of their command, which is noted here."""
    commands: list[list[str]] = []

    def start(command: list[str], **options: Any) -> Job:
        commands.append(command)
        return start_job(["-c", "import time; time.sleep(600)"], **options)

    monkeypatch.setattr("url_viz.jobs.kinds.start_job", start)
    return commands


def test_adapt_in_the_background_returns_at_once(
    image_set: ImageSet, napping: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "adapt", str(image_set.root), "--background", "--mode", "labels"]) == 0
    job, [command] = the_job(image_set), napping
    assert job.status().is_live
    assert job.title == "Adapt to zoo"
    assert command[command.index("--mode") + 1] == "labels"
    told = capsys.readouterr().out
    assert job.id in told
    assert str(job.paths.log) in told
    assert str(head_of(job)) in told


def test_a_run_that_fails_says_what_its_command_said(image_set: ImageSet) -> None:
    out = {"out": str(image_set.workspace.heads / "zoo-1")}
    code = "print('error: no luck'); raise SystemExit(1)"
    job = start_job(["-c", code], kind=ADAPT.name, title="Adapt", workspace=image_set.workspace, about=out)
    with pytest.raises(JobError, match=r"'Adapt' has failed\. no luck All of its log: .*log\.txt"):
        refuse_failed(job, watched(job, silent))


def test_classes_are_needed_where_they_teach(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    image_set.labels.use(None)
    assert main(["train", "adapt", str(image_set.root), "--mode", "labels"]) == 1
    assert "not the class folders as found, which --mode labels needs." in capsys.readouterr().err
    assert list_jobs(image_set.workspace) == []


@pytest.mark.slow
def test_ctrl_c_cancels_it_and_leaves_nothing_running(image_set: ImageSet, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "url_viz", "train", "adapt", str(image_set.root)]
    with (tmp_path / "told").open("w+") as told:
        ours = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=told)
        until(lambda: bool(list_jobs(image_set.workspace)) and the_job(image_set).state is JobState.RUNNING, PATIENCE_S)
        ours.send_signal(signal.SIGINT)
        assert ours.wait(PATIENCE_S) == 130
    job = the_job(image_set)
    assert job.state is JobState.CANCELLED
    assert "Cancelled; no head was made." in (tmp_path / "told").read_text()
    assert "Traceback" not in (tmp_path / "told").read_text()
    assert not head_of(job).exists()
    assert alive_processes(processes_of(job)) == []


def test_ctrl_c_before_its_start_is_known_cancels_it_too(
    image_set: ImageSet,
    napping: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = kinds.start_job

    def interrupted(*arguments: Any, **options: Any) -> Job:
        signal.raise_signal(signal.SIGINT)
        job = start(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        return job

    monkeypatch.setattr(kinds, "start_job", interrupted)
    assert main(["train", "adapt", str(image_set.root)]) == 130
    assert the_job(image_set).state is JobState.CANCELLED
    assert "Cancelled; no head was made." in capsys.readouterr().err


def test_pretrain_in_the_background_returns_at_once(
    home: Workspace, tmp_path: Path, head_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo, farm = (str(write_folder(tmp_path / name, 20, classes=("cat", "dog"))) for name in ("zoo", "farm"))
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


def test_a_folder_that_is_not_there_or_teaches_and_measures_starts_nothing(
    home: Workspace, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "pretrain", str(folder), "--report", "/no/such"]) == 1
    assert "'/no/such' does not exist. Give the folder" in capsys.readouterr().err
    assert main(["train", "pretrain", str(folder), "--report", str(folder)]) == 1
    assert "both teaches the head and measures it" in capsys.readouterr().err
    assert list_jobs(home) == []
