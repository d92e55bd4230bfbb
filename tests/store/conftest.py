"""What the tests of the store share: the paths of an image set, its writer, and decisions on five files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from url_viz.base.workspace import SetPaths, Workspace
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions
from url_viz.store.tables.writer import Writer

FILES = FileKeys(np.arange(1, 6), np.arange(101, 106))


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    return Workspace.at(tmp_path / "workspace").set_paths("0" * 16)


@pytest.fixture
def writer(paths: SetPaths, tmp_path: Path) -> Iterator[Writer]:
    with Writer(paths, tmp_path) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where decisions and answers are kept."""
    return tmp_path / "decisions.db"


@pytest.fixture
def decisions(path: Path) -> Decisions:
    """None yet, on `FILES`."""
    return Decisions(path, FILES)


def shown(decisions: Decisions) -> list[str | None]:
    """What is decided of each file."""
    return decisions.now().decision.tolist()
