"""Files of the workspace that were cut off or lost: a sentence, nothing lost beyond the file, and a way to mend."""

import shutil
from pathlib import Path

import pytest

from tests.hostile.test_stopped import holds_each_once
from tests.imaging.pictures import write_folder
from tests.read_sets import moved, paths_of
from url_viz.base.errors import DamageError, UrlVizError
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder
from url_viz.store.about import about_file
from url_viz.store.sets import repair
from url_viz.store.tables.reader import Store

COUNT = 10
KINDS = ("images", "embeddings", "scores", "whitening", "whitened", "graph", "coordinates")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """A workspace written in two goes, so that its tables have versions to go back to."""
    root = tmp_path_factory.mktemp("whole")
    for count in (COUNT - 4, COUNT):
        folder = write_folder(root / "pictures", count, classes=("cat", "dog"))
        embed_folder(folder, model=model, workspace=root / "workspace")
    return root


@pytest.fixture
def here(whole: Path, tmp_path: Path) -> Path:
    return moved(whole, tmp_path / "here")


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def look(here: Path, model: Model) -> None:
    """All that a page would read of the image set."""
    image_set = open_image_set(here / "pictures", model=model.name, workspace=here / "workspace")
    image_set.table()
    image_set.embeddings()
    image_set.core.store.thumbnails(image_set.table()["id"].tolist())


def mended(here: Path, model: Model, *, ids: list[int]) -> None:
    """The command that the sentence names, then the one that read the folder: everything is there again, once."""
    repair(here / "pictures", workspace=here / "workspace")
    again = embed_folder(here / "pictures", model=model, workspace=here / "workspace")
    holds_each_once(again, COUNT)
    assert again.table()["id"].tolist() == ids
    assert again.table()["uncertainty"].notna().all()
    assert len(again.core.store.thumbnails(ids)) == COUNT
    assert again.core.graph is not None


TORTURE = pytest.mark.torture
CUTS = (
    *(("data/*", share, set(KINDS) if share == 0.5 else set()) for share in (0.0, 0.5, 0.98)),
    *(("_versions/*.manifest", share, {"images", "graph"} if share < 0.9 else set()) for share in (0.0, 0.5, 0.98)),
    *(("_transactions/*", 0.5, set()), ("_versions/latest_version_hint.json", 0.5, set())),
)
"""Parts of a table, what is left of them, and the tables where `make test` cuts them."""


@pytest.mark.parametrize(
    ("kind", "part", "share"),
    [
        pytest.param(kind, part, share, marks=() if kind in often else TORTURE)
        for part, share, often in CUTS
        for kind in KINDS
    ],
)
def test_a_cut_file_of_a_table_is_told_and_mended(here: Path, model: Model, kind: str, part: str, share: float) -> None:
    ids = open_image_set(here / "pictures", model=model.name, workspace=here / "workspace").table()["id"].tolist()
    path = newest(paths_of(here).tables, f"{kind}*.lance/{part}")
    cut(path, share)
    try:
        look(here, model)
    except UrlVizError as error:
        assert "url-viz sets repair" in str(error)  # noqa: PT017 (some cuts do no harm, and are none to tell)
    mended(here, model, ids=ids)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in ("images", "whitening") else TORTURE) for kind in KINDS]
)
def test_a_lost_table_is_made_anew(here: Path, model: Model, kind: str) -> None:
    ids = open_image_set(here / "pictures", model=model.name, workspace=here / "workspace").table()["id"].tolist()
    shutil.rmtree(next(paths_of(here).tables.glob(f"{kind}*.lance")))
    mended(here, model, ids=ids)


def test_what_is_mended_is_laid_aside_not_deleted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = paths_of(here)
    image_set = open_image_set(here / "pictures", model=DEFAULT, workspace=here / "workspace")
    image_set.decisions.decide(image_set.table()["id"], "keep")
    decided = paths.decisions.read_bytes()
    for path in paths.tables.glob("images.lance/data/*"):
        cut(path, 0.5)
    where = ["--workspace", str(here / "workspace")]
    assert main(["rank", str(here / "pictures"), *where]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main(["sets", "repair", str(here / "pictures"), *where]) == 0
    assert "images" in capsys.readouterr().out
    assert list((paths.folder / "damaged").rglob("*.lance")) or list((paths.folder / "damaged").rglob("*.manifest"))
    assert paths.decisions.read_bytes() == decided
    assert main(["sets", "repair", str(here / "pictures"), *where]) == 0
    assert "Everything can be read" in capsys.readouterr().out


def test_whole_tables_are_left_alone(here: Path, model: Model) -> None:
    before = Store(paths_of(here)).version(model.space.key, model.head.digest if model.head else None)
    assert repair(here / "pictures", workspace=here / "workspace") == ()
    assert Store(paths_of(here)).version(model.space.key, model.head.digest if model.head else None) == before


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_cut_label_is_read_from_its_copy_until_it_is_mended(here: Path, share: float) -> None:
    paths = paths_of(here)
    before = Store(paths).about()
    cut(paths.about, share)
    assert Store(paths).about() == before
    assert [one.part for one in repair(here / "pictures", workspace=here / "workspace")] == ["set.json"]
    assert about_file(paths).is_whole()
    assert Store(paths).about() == before


@pytest.mark.parametrize("share", [0.5, pytest.param(0.0, marks=TORTURE)])
def test_a_label_that_is_cut_with_its_copy_is_mended_and_no_decision_lost(
    tmp_path: Path, model: Model, share: float
) -> None:
    folder = write_folder(tmp_path / "pictures", COUNT, classes=("cat", "dog"))
    image_set = embed_folder(folder, model=model, workspace=tmp_path / "workspace")
    ids = image_set.table()["id"].tolist()
    image_set.decisions.decide(ids, "drop")
    paths = paths_of(tmp_path)
    cut(paths.about, share)
    cut(paths.about_copy, share)
    with pytest.raises(DamageError, match="url-viz sets repair FOLDER"):
        open_image_set(folder, model=model.name, workspace=tmp_path / "workspace")
    mended(tmp_path, model, ids=ids)
    again = open_image_set(folder, model=model.name, workspace=tmp_path / "workspace")
    assert again.decisions.counts()["drop"] == COUNT
