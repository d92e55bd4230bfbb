"""The command `sort-new`: what the page New pictures says of each, sorted, and what cannot be sorted."""

import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.imaging.pictures import noise, write_folder
from url_viz.base.errors import ImageError, ImageSetError, UsageError
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "zoo", 12, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def new(image_set: ImageSet, tmp_path: Path) -> Path:
    """A folder with three new pictures, one of the set, and one that is none."""
    folder = tmp_path / "new"
    folder.mkdir()
    for number in range(3):
        noise(40 + number, width=64, height=48).save(folder / f"{number}.png")
    shutil.copy(image_set.files.path(int(image_set.core.ids[0])), folder / "again.jpg")
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


def test_all_are_sorted_by_what_the_page_says(image_set: ImageSet, run: Run, new: Path, tmp_path: Path) -> None:
    rows = image_set.sort_new((new,), by="confusability", above=50)
    assert len(rows) == 5
    assert rows["side"].iloc[-1] == "not read"
    assert rows["path"].iloc[-1].endswith("bad.jpg")
    [again] = rows[rows["path"].str.endswith("again.jpg")].to_dict("records")
    assert again["mark"] == "in the set"
    assert again["value"] == image_set.row(int(image_set.core.ids[0]))["confusability"]
    ambiguous = rows[rows["side"] == "ambiguous"]
    assert (ambiguous["percentile"] >= 50).all()
    assert rows.loc[rows["side"] == "clear", "percentile"].lt(50).all()
    read = rows[rows["side"].isin(["ambiguous", "clear"])]
    assert read["value"].is_monotonic_decreasing
    told = run("sort-new", new, "--by", "confusability", "--above", 50)
    assert told.startswith("5 new pictures: ")
    assert "1 not read" in told
    assert "in the set" in told
    assert "5 pictures in " in run("sort-new", new, "--out", tmp_path / "new.csv")
    assert pd.read_csv(tmp_path / "new.csv")["side"].tolist()[-1] == "not read"
    assert [*(tmp_path / "new").iterdir()] == [*new.iterdir()], "nothing is written there"


def test_files_and_zips_are_taken(image_set: ImageSet, new: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("0.png", "1.png"):
            archive.write(new / name, name)
    rows = image_set.sort_new((new / "2.png", tmp_path / "two.zip"))
    assert sorted(path.rpartition("/")[2] for path in rows["path"]) == ["0.png", "1.png", "2.png"]
    assert image_set.sort_new((new / "bad.jpg",))["side"].tolist() == ["not read"]


def test_what_cannot_be_sorted_is_said(image_set: ImageSet, run: Run, new: Path, tmp_path: Path) -> None:
    assert "There is no file 'none.jpg'" in run("sort-new", "none.jpg", status=1)
    assert "New pictures have no 'width'. Give one of ambiguity, " in run("sort-new", new, "--by", "width", status=1)
    assert "give a number from 0 to 100" in run("sort-new", new, "--above", 101, status=2)
    assert "Write it elsewhere" in run("sort-new", new, "--out", new / "a.csv", status=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="There is no picture among these"):
        image_set.sort_new((tmp_path / "empty",))
    with pytest.raises(ImageSetError, match="New pictures have no 'path'"):
        image_set.sort_new((new,), by="path")
    with pytest.raises(UsageError, match="above is 101; give a number from 0 to 100"):
        image_set.sort_new((new,), above=101)
