"""`reasons` and `why` on the command line: counts, lists, one picture, its heat map, and errors that help."""

from pathlib import Path

import pytest
from PIL import Image

from tests.imaging.pictures import noise
from url_viz.cli.main import main
from url_viz.image_set import embed_folder
from url_viz.models.model import Model


@pytest.fixture
def pictures(tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder of three sharp pictures and a dark one, read; the options that name it and its model."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    root = tmp_path / "zoo"
    root.mkdir()
    for number in range(3):
        noise(number, width=32, height=24).resize((128, 96), 0).save(root / f"{number}.png")
    noise(3, width=32, height=24).resize((128, 96), 0).point(lambda v: v // 12).save(root / "dark.png")
    embed_folder(root, model=model, workspace=workspace)
    return [str(root), "--model", model.name]


def test_counts_and_a_list(pictures: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reasons", *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["1", "dark"]
    assert lines[-1].endswith("none of these")
    assert main(["reasons", *pictures, "--reason", "dark"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 4 pictures: dark" in printed
    assert "dark.png  nine tenths of it are darker than" in printed


def test_what_nearly_all_pictures_share_is_told_below(
    tmp_path: Path, workspace: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "small"
    root.mkdir()
    for number in range(20):
        noise(number, width=40, height=30).save(root / f"{number}.png")
    embed_folder(root, model=model, workspace=workspace)
    assert main(["reasons", str(root), "--model", model.name, "--workspace", str(workspace)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "All 20 pictures are tiny (30 px)." in lines
    assert not any(line.split()[1:] == ["tiny"] for line in lines)


def test_an_unknown_reason_is_told_with_those_there_are(
    pictures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reasons", *pictures, "--reason", "ugly"]) == 1
    assert "no reason 'ugly'. There are: motion blur, blurred, dark," in capsys.readouterr().err


def test_why_one_picture_and_where(pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "heat.png"
    assert main(["why", pictures[0], "dark.png", "--heat", str(out), *pictures[1:]]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("dark.png: confusability "), "the leading order"
    assert "dark: nine tenths" in printed
    with Image.open(out) as image:
        assert image.size == (128, 96)
    assert main(["why", pictures[0], "0.png", *pictures[1:]]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("0.png: confusability ")
    assert "dark" not in printed


def test_why_says_what_to_do_about_a_wrong_path(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", pictures[0], "nowhere.png", *pictures[1:]]) == 1
    assert "'nowhere.png'" in capsys.readouterr().err
    assert main(["why", pictures[0], "dark.png", "--heat", str(tmp_path / "heat.jpg"), *pictures[1:]]) == 1
    assert "ends in .png" in capsys.readouterr().err
