"""One image set for all tests of exports that only read it."""

from pathlib import Path

import pytest

from tests.export.sets import hostile_set
from url_viz.image_set import ImageSet
from url_viz.models.model import Model


@pytest.fixture(scope="package")
def shared_set(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model) -> ImageSet:
    return hostile_set(tmp_path_factory.mktemp("shared"), model, prepared)
