"""The commands about the map print what Python gives, and refuse what are no ids."""

from pathlib import Path

import pandas as pd
import pytest

from tests.imaging.pictures import write_folder
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import Model


@pytest.fixture
def image_set(tmp_path: Path, workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(tmp_path / "pictures", 6, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=workspace)


def options(image_set: ImageSet) -> list[str]:
    return ["--model", image_set.source.name, "--workspace", str(image_set.workspace.root)]


def test_representatives(image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = image_set.representatives(2)
    assert main(["representatives", str(image_set.root), "--count", "2", *options(image_set)]) == 0
    shown = capsys.readouterr().out
    assert all(path in shown for path in table["path"])
    assert "share" in shown
    out = tmp_path / "them.csv"
    assert main(["representatives", str(image_set.root), "--out", str(out), *options(image_set)]) == 0
    assert pd.read_csv(out)["size"].sum() <= 6


def test_project_and_refit(image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = image_set.table()["id"].tolist()[:4]
    (tmp_path / "ids.txt").write_text("\n".join(map(str, ids)))
    command = ["project", str(image_set.root), str(tmp_path / "ids.txt"), str(tmp_path / "map.csv")]
    assert main([*command, *options(image_set)]) == 0
    assert "4 pictures by PCA" in capsys.readouterr().out
    written = pd.read_csv(tmp_path / "map.csv")
    own = image_set.project(ids)
    assert written["id"].tolist() == own.ids.tolist()
    assert written[["x", "y"]].to_numpy() == pytest.approx(own.xy, abs=1e-4)
    assert main(["refit", str(image_set.root), *options(image_set)]) == 0
    assert "The map of 6 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"), [("cat.jpg", "more than ids"), ("9" * 30, "more than ids"), (None, "Cannot read ids")]
)
def test_what_are_no_ids_is_told(
    image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "ids.txt").write_text(text)
    command = ["project", str(image_set.root), str(tmp_path / "ids.txt"), str(tmp_path / "map.csv")]
    assert main([*command, *options(image_set)]) == 1
    assert told in capsys.readouterr().err
