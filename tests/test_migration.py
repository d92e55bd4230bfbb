"""A workspace of an older schema is brought up to date once, with a copy of what changes, and killed runs go on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from url_viz.errors import WorkspaceError
from url_viz.files import replaced
from url_viz.image_set import embed_folder, open_image_set
from url_viz.migration import STEPS, Step, migrate, version_of
from url_viz.models.model import Model
from url_viz.store.writer import Writer
from url_viz.workspace import SCHEMA_VERSION, Workspace

ROOT = Path(__file__).parents[1]


def labels(root: Path) -> list[Path]:
    return sorted((root / "sets").glob("*/set.json"))


def shout(root: Path, *, killed_after: int | None = None) -> None:
    """A step for tests: every image set's name in capitals, with an exclamation mark that tells a second time."""
    for number, path in enumerate(labels(root)):
        if number == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)
        record = json.loads(path.read_text())
        record["name"] = f"{record['name'].upper()}!"
        with replaced(path) as temporary:
            temporary.write_text(json.dumps(record))


STEP = Step(SCHEMA_VERSION + 1, labels, shout)


@pytest.fixture
def read(tmp_path: Path, workspace: Path, bare_model: Model) -> Path:
    """A real workspace with three image sets that have names."""
    for name in ("a", "b", "c"):
        image_set = embed_folder(write_folder(tmp_path / name, 2), model=bare_model, workspace=workspace)
        about = Workspace.at(workspace).set_paths(image_set.set_id).about
        about.write_text(json.dumps(json.loads(about.read_text()) | {"name": name}))
    return workspace


def names(root: Path) -> list[str]:
    return sorted(json.loads(path.read_text())["name"] for path in labels(root))


def test_the_steps_of_this_version_lead_to_its_schema() -> None:
    assert [step.to for step in STEPS] == list(range(2, SCHEMA_VERSION + 1))


def test_a_step_is_taken_once_and_what_it_changed_is_kept(read: Path, tmp_path: Path) -> None:
    assert migrate(read, steps=(STEP,)) == migrate(read, steps=(STEP,)) == SCHEMA_VERSION + 1 == version_of(read)
    assert names(read) == ["A!", "B!", "C!"]
    backups = sorted((read / "backups" / f"schema-{SCHEMA_VERSION}" / "sets").glob("*/set.json"))
    assert sorted(json.loads(path.read_text())["name"] for path in backups) == ["a", "b", "c"]
    with pytest.raises(WorkspaceError, match="Update URL-Viz"):
        open_image_set(tmp_path / "a", workspace=read)


def test_steps_are_taken_in_order(read: Path) -> None:
    second = Step(SCHEMA_VERSION + 2, labels, shout)
    assert migrate(read, steps=(STEP, second)) == SCHEMA_VERSION + 2
    assert names(read) == ["A!!", "B!!", "C!!"]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, *(pytest.param(n, marks=pytest.mark.torture) for n in (0, 2))])
def test_killed_halfway_it_is_taken_from_the_start_and_once(read: Path, after: int) -> None:
    script = f"""
from pathlib import Path
from functools import partial
from tests.test_migration import STEP, labels, shout
from url_viz.migration import Step, migrate
migrate(Path({str(read)!r}), steps=(Step(STEP.to, labels, partial(shout, killed_after={after})),))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert version_of(read) == SCHEMA_VERSION
    assert migrate(read, steps=(STEP,)) == SCHEMA_VERSION + 1
    assert names(read) == ["A!", "B!", "C!"]


def test_not_while_a_folder_is_read_into_it(read: Path, tmp_path: Path) -> None:
    home = Workspace.at(read)
    paths = home.set_paths(labels(read)[0].parent.name)
    with Writer(paths, tmp_path / "a"), pytest.raises(WorkspaceError, match="another process reads a folder"):
        migrate(read, steps=(STEP,))
    assert names(read) == ["a", "b", "c"]


def test_a_step_that_cannot_write_says_so_and_loses_nothing(read: Path) -> None:
    def full(root: Path) -> None:
        shout(root)
        raise OSError(28, "No space left on device")

    with pytest.raises(WorkspaceError, match="No space left on device"):
        migrate(read, steps=(Step(STEP.to, labels, full),))
    assert version_of(read) == SCHEMA_VERSION
    assert migrate(read, steps=(STEP,)) == STEP.to
    assert names(read) == ["A!", "B!", "C!"]
