"""The command `names`: which first, what is suggested, and taking it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.test_image_set_answers import kind_of, made
from url_viz.image_set import ImageSet


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return made(tmp_path_factory.mktemp("names"))


@pytest.mark.slow
def test_first_suggest_accept(run: Run, image_set: ImageSet) -> None:
    first = run("names", "--top", "40").splitlines()
    assert len(first) == 40
    assert all((Path(image_set.root) / path).exists() for path in first)
    assert run("names", "suggest") == "0 suggestions from share 0.90 on, about 0 of them wrong.\n"
    ids = image_set.table().set_index("path")["id"]
    image_set.names.give({int(ids[path]): f"kind {kind_of(path):02d}" for path in first})
    said = run("names", "suggest", "--share", "0", "--top", "3").splitlines()
    assert said[0].startswith(f"{len(image_set) - 40} suggestions from share 0.00 on, about ")
    assert len(said) == 5
    assert run("names", "accept", "--share", "0").startswith(f"Named {len(image_set) - 40} pictures")
    assert run("names") == "Every picture has a name.\n"
