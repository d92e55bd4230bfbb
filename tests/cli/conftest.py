"""What tests of commands share: a command run on the image set of the test's own module."""

from collections.abc import Callable

import pytest

from url_viz.cli.main import main
from url_viz.image_set import ImageSet

Run = Callable[..., str]


@pytest.fixture
def run(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("relabel", …)` runs a command on the folder, expects `status`, and gives what it printed."""

    def ran(command: str, *arguments: object, status: int = 0) -> str:
        capsys.readouterr()
        options = ["--workspace", str(image_set.workspace.root), "--model", image_set.source.name]
        assert main([command, str(image_set.root), *map(str, arguments), *options]) == status
        shown = capsys.readouterr()
        return shown.err if status else shown.out

    return ran
