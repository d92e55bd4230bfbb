"""`forget` asks on a terminal, says what goes and what stays, and refuses where nobody can answer."""

import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import ending_jobs
from tests.given import given_set
from tests.jobs.conftest import LONG, running
from url_viz.cli.main import main
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, start_job
from url_viz.jobs.kinds import ADAPT, PRETRAIN, forget_plan, head_of
from url_viz.store.sets import list_sets, stored_data

pytestmark = pytest.mark.slow

Answer = Callable[[str], int]


@pytest.fixture
def image_set(tmp_path: Path) -> Iterator[ImageSet]:
    read = given_set(tmp_path, ("cat/a.png", "cat/b.png", "dog/c.png"))
    with ending_jobs(read.workspace):
        yield read


def test_a_head_that_is_being_made_from_it_goes_on(image_set: ImageSet) -> None:
    making = job_on(image_set, PRETRAIN.name, "Make a head from zoo")
    found = forget_plan(image_set.root, workspace=image_set.workspace.root)
    assert (found.stopped, [job.id for job in found.going_on]) == ((), [making.id])


@pytest.fixture
def answer(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """Runs `forget` on a terminal on which somebody types, and gives its status."""
    ours, theirs = pty.openpty()

    def asked(typed: str) -> int:
        os.write(ours, typed.encode())
        return forget(image_set)

    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield asked
    os.close(ours)


def forget(image_set: ImageSet, *options: str) -> int:
    return main(["sets", "forget", str(image_set.root), "--workspace", str(image_set.workspace.root), *options])


def is_there(image_set: ImageSet) -> bool:
    return len(list_sets(image_set.workspace.root)) == 1


def job_on(image_set: ImageSet, kind: str, title: str) -> Job:
    about = {"set_id": image_set.set_id, "out": str(image_set.workspace.heads / "zoo-1")}
    return running(start_job(LONG, kind=kind, title=title, workspace=image_set.workspace, about=about, queue=None))


def test_only_a_yes_is_one(answer: Answer, image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    for typed in ("\n", "n\n", "no\n", "what\n", "\x04"):
        assert answer(typed) == 1
        assert is_there(image_set)
        told = capsys.readouterr().out
        assert told.startswith(str(image_set.root))
        assert "Forget it? [y/N]" in told
        assert told.endswith("Nothing was removed.\n")
    assert answer("YES\n") == 0
    assert not is_there(image_set)
    assert f"Forgot {image_set.root}." in capsys.readouterr().out
    assert len(list(image_set.root.rglob("*.png"))) == 3


def test_without_a_terminal_it_is_refused_unless_one_is_sure(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert forget(image_set) == 2
        assert capsys.readouterr().err.endswith("If you are sure, give --yes.\n")
        assert is_there(image_set)
        assert forget(image_set, "--yes") == 0
    assert not is_there(image_set)


def test_what_goes_is_counted(image_set: ImageSet) -> None:
    folder, home = image_set.root, image_set.workspace.root
    first, second, third = image_set.core.ids.tolist()
    assert "an empty log of decisions" in forget_plan(folder, workspace=home).words[0]
    image_set.decisions.decide([first], "drop")
    assert "decided, tagged or corrected of 1 picture. " in forget_plan(folder, workspace=home).words[0]
    image_set.decisions.tag([second], "night")
    image_set.labels.give({third: "cat"})
    assert stored_data(folder, workspace=home).judged == 3
    image_set.decisions.undo()
    assert stored_data(folder, workspace=home).judged == 2
    files = [path for path in image_set.workspace.set_paths(image_set.set_id).folder.rglob("*") if path.is_file()]
    assert stored_data(folder, workspace=home).megabytes == pytest.approx(
        sum(file.stat().st_size for file in files) / 2**20
    )
    image_set.workspace.set_paths(image_set.set_id).decisions.write_bytes(b"no database")
    assert stored_data(folder, workspace=home).judged is None
    assert "and what was decided, tagged or corrected. " in forget_plan(folder, workspace=home).words[0]


def test_jobs_on_it_are_stopped_and_heads_are_kept(
    answer: Answer, image_set: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, adapting = job_on(image_set, "embed", "Read zoo"), job_on(image_set, ADAPT.name, "Adapt to zoo")
    elsewhere = running(start_job(LONG, kind="embed", title="Read else", workspace=image_set.workspace, queue=None))
    head_of(adapting).parent.mkdir(parents=True)
    head_of(adapting).touch()
    assert answer("y\n") == 0
    told = capsys.readouterr().out
    assert "The head that was adapted to it stays, and can be used on any set." in told
    assert "The job 'Read zoo' (running) works on it and will be stopped." in told
    assert "The job 'Adapt to zoo' goes on: it only reads the pictures, and its head is kept." in told
    assert "Read else" not in told
    assert (reading.state, adapting.state, elsewhere.state) == ("cancelled", "running", "running")
    assert head_of(adapting).exists()
    assert not is_there(image_set)
