"""The commands about the map print what Python gives, and refuse what are no ids."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 6, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


def test_representatives(image_set: ImageSet, tmp_path: Path, run: Run) -> None:
    table = image_set.subsets.regions(count=2)
    shown = run("subsets regions", "--count", 2)
    assert all(path in shown for path in table["path"])
    assert "share" in shown
    out = tmp_path / "them.csv"
    run("subsets regions", "--out", out)
    assert pd.read_csv(out)["size"].sum() <= 6


def test_project_and_refit(image_set: ImageSet, tmp_path: Path, run: Run) -> None:
    ids = image_set.table()["id"].tolist()[:4]
    (tmp_path / "ids.txt").write_text("\n".join(map(str, ids)))
    assert "4 pictures by PCA" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv")
    written = pd.read_csv(tmp_path / "map.csv")
    own = image_set.maps.project(ids)
    assert written["id"].tolist() == own.ids.tolist()
    assert written[["x", "y"]].to_numpy() == pytest.approx(own.xy, abs=1e-4)
    assert "The map of 6 pictures" in run("sets refit")


def test_what_are_no_ids_is_told(tmp_path: Path, run: Run) -> None:
    assert "Cannot read ids" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv", status=1)
    for text in ("cat.jpg", "9" * 30):
        (tmp_path / "ids.txt").write_text(text)
        assert "more than ids" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv", status=1)
