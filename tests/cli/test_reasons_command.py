"""`explain` on the command line: counts, lists, one picture, its heat map, and errors that help."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.imaging.pictures import noise
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    """Three sharp pictures and a dark one."""
    root = module_workspace.parent / "zoo"
    root.mkdir()
    for number in range(3):
        noise(number, width=32, height=24).resize((128, 96), 0).save(root / f"{number}.png")
    noise(3, width=32, height=24).resize((128, 96), 0).point(lambda v: v // 12).save(root / "dark.png")
    return embed_folder(root, model=model, workspace=module_workspace)


def test_counts_and_a_list(run: Run) -> None:
    lines = run("explain").splitlines()
    assert lines[0].split() == ["pictures", "reason"]
    assert lines[1].split() == ["1", "dark"]
    assert lines[-1].endswith("none of these")
    printed = run("explain", "--reason", "dark")
    assert "1 of 4 pictures: dark" in printed
    assert re.search("dark.png +nine tenths of it is darker than", printed)
    assert "no reason 'ugly'. There are: motion blur, blurred, dark," in run("explain", "--reason", "ugly", status=1)


def test_why_one_picture_and_where(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "heat.png"
    printed = run("explain", "dark.png", "--heat", out)
    assert printed.startswith("dark.png: confusability "), "the leading order"
    assert "dark: nine tenths" in printed
    assert "Confusability: likeness to the nearest picture" in printed
    with Image.open(out) as image:
        assert image.size == (128, 96)
    printed = run("explain", "0.png")
    assert printed.startswith("0.png: confusability ")
    assert "dark" not in printed
    assert "'nowhere.png'" in run("explain", "nowhere.png", status=1)
    assert "ends in .png" in run("explain", "dark.png", "--heat", tmp_path / "heat.jpg", status=1)
