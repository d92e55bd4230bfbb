"""One app on one workspace and its model, for tests of pages with image sets of their own; one of our parts alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.fixtures import HARNESS, Serve, new_home, serve_app
from tests.imaging.pictures import write_folder
from tests.read_sets import copied
from url_viz.image_set import ImageSet
from url_viz.models.model import Model, load_model
from url_viz.reading import embed_folder
from url_viz.store.sets import forget


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    return new_home(tmp_path_factory.mktemp("browser"), prepared)


@pytest.fixture(scope="session")
def app(serve: Serve, home: Path) -> str:
    """It takes files of a megabyte."""
    return serve_app(serve, home, STREAMLIT_SERVER_MAX_UPLOAD_SIZE="1")


@pytest.fixture(scope="session")
def decisions_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the harness keeps decisions: a file for each `run` that a page is opened with."""
    return tmp_path_factory.mktemp("decisions")


@pytest.fixture(scope="session")
def harness(serve: Serve, decisions_folder: Path) -> str:
    return serve(HARNESS, str(decisions_folder))


@pytest.fixture(scope="session")
def shipped(home: Path) -> Model:
    """The default model under the head that is shipped for it, as the app takes it."""
    return load_model(workspace=home / "workspace")


@pytest.fixture(scope="session")
def zoo(home: Path, shipped: Model) -> ImageSet:
    """Forty pictures of two classes by dice, for tests that change nothing of them."""
    folder = write_folder(home / "zoo", 40, classes=("cat", "dog"))
    return embed_folder(folder, model=shipped, workspace=home / "workspace")


@pytest.fixture(scope="session")
def read_once(tmp_path_factory: pytest.TempPathFactory, shipped: Model) -> ImageSet:
    here = tmp_path_factory.mktemp("read")
    return embed_folder(write_folder(here / "zoo", 24, classes=("cat", "dog")), model=shipped, workspace=here / "home")


@pytest.fixture
def own_set(read_once: ImageSet, home: Path, tmp_path: Path) -> Iterator[ImageSet]:
    """A copy of two dozen pictures, two classes by dice, for a test alone."""
    folder = home / tmp_path.name
    yield copied(read_once, folder, home=home / "workspace")
    forget(folder, workspace=home / "workspace")
