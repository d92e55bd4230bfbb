"""What the tests of the store share: the place of an image set, and its writer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from url_viz.store.writer import Writer
from url_viz.workspace import SetPaths, Workspace


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    return Workspace.at(tmp_path / "workspace").set_paths("0" * 16)


@pytest.fixture
def writer(paths: SetPaths, tmp_path: Path) -> Iterator[Writer]:
    with Writer(paths, tmp_path) as opened:
        yield opened
