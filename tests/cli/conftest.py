"""What tests of commands share: a command run on the image set of the test's own module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.image_set import ImageSet
from url_viz.jobs import cancel_job, live_jobs

Run = Callable[..., str]


@pytest.fixture
def run(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("labels doubtful", …)` runs a command on the folder, expects `status`, and gives what it printed."""

    def ran(command: str, *arguments: object, status: int = 0) -> str:
        capsys.readouterr()
        options = ["--workspace", str(image_set.workspace.root), "--model", image_set.source.name]
        assert main([*command.split(), str(image_set.root), *map(str, arguments), *options]) == status
        shown = capsys.readouterr()
        return shown.err if status else shown.out

    return ran


@contextmanager
def ending_jobs(workspace: Workspace) -> Iterator[None]:
    """The jobs of a workspace end with the block."""
    yield
    for job in live_jobs(workspace):
        cancel_job(job, grace_s=0.1)
