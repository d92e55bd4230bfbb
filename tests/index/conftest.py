"""The reader that tests of reading a folder begin with."""

from pathlib import Path

import pytest

from tests.index.reader import Reader
from url_viz.models.model import Model


@pytest.fixture
def read(tmp_path: Path, workspace: Path, model: Model) -> Reader:
    (tmp_path / "pictures").mkdir()
    return Reader(tmp_path / "pictures", workspace, model)
