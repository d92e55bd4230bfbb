"""The command `names`: which first, what is suggested, and taking it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_image_set_answers import kind_of, made
from url_viz.cli.main import main
from url_viz.image_set import ImageSet

Run = Callable[..., str]


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return made(tmp_path_factory.mktemp("names"))


@pytest.fixture
def run(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: object, status: int = 0) -> str:
        capsys.readouterr()
        options = ["--workspace", str(image_set.workspace.root), "--model", image_set.source.name]
        assert main(["names", str(image_set.root), *map(str, arguments), *options]) == status
        shown = capsys.readouterr()
        return shown.err if status else shown.out

    return ran


def test_first_suggest_accept(run: Run, image_set: ImageSet) -> None:
    first = run("--top", "40").splitlines()
    assert len(first) == 40
    assert all((Path(image_set.root) / path).exists() for path in first)
    assert run("suggest") == "0 suggestions from share 0.90 on.\n"
    ids = image_set.table().set_index("path")["id"]
    image_set.name({int(ids[path]): f"kind {kind_of(path):02d}" for path in first})
    said = run("suggest", "--share", "0", "--top", "3").splitlines()
    assert said[0] == f"{len(image_set) - 40} suggestions from share 0.00 on."
    assert len(said) == 5
    assert run("accept", "--share", "0").startswith(f"Named {len(image_set) - 40} pictures")
    assert run() == "Every picture has a name.\n"
    assert "--share from 0 to 1" in run("suggest", "--share", "2", status=1)
