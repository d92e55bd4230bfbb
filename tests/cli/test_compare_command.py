"""`compare`, `report` and `share` on the command line."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from url_viz.analysis.ranking import with_percentile
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.models.head import save_head
from url_viz.models.model import Model


@pytest.fixture
def folder_read_twice(
    tmp_path: Path, workspace: Path, head_file: Path, monkeypatch: pytest.MonkeyPatch, model: Model
) -> tuple[Path, Path, Path]:
    """A folder, and the two heads that it was read under."""
    from url_viz.image_set import embed_folder

    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    folder = write_folder(tmp_path / "zoo", 8, classes=("cat", "dog"))
    embed_folder(folder, model=model, workspace=workspace)
    other = tmp_path / "other.safetensors"
    save_head(dice_head(7), other)
    return folder, head_file, other


def run(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == status
    shown = capsys.readouterr()
    return shown.err if status else shown.out


def test_compare(folder_read_twice: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder, one, other = folder_read_twice
    printed = run(capsys, "compare", folder, "--model", one, "--with", other)
    assert "dice (first) and other (second), 8 pictures:" in printed
    assert "on the order by pretrained head: Spearman" in printed
    assert "nearest of every picture are the same under both" in printed
    assert "More ambiguous to the second model by uncertainty:" in printed
    assert "was not read with" in run(capsys, "compare", folder, "--model", one, "--with", "resnet18", status=1)


def test_a_model_is_not_compared_with_itself(
    folder_read_twice: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, one, _ = folder_read_twice
    copied = tmp_path / "copied.safetensors"
    shutil.copy(one, copied)
    for same in (one, copied):
        told = run(capsys, "compare", folder, "--model", one, "--with", same, status=1)
        assert f"'dice' and {same.stem!r} are the same model" in told
        assert "Give another model or head to compare" in told


def test_report(folder_read_twice: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, one, _ = folder_read_twice
    out = tmp_path / "report.html"
    assert "8 pictures in" in run(capsys, "report", folder, out, "--model", one, "--title", "Our zoo")
    assert "<h1>Our zoo</h1>" in out.read_text("utf-8")
    assert "None of the 8 pictures" in run(
        capsys, "report", folder, out, "--model", one, "--decision", "keep", status=1
    )
    run(capsys, "decide", folder, "keep", "cat/0000.jpg", "--model", one)
    assert "1 picture in" in run(capsys, "report", folder, out, "--model", one, "--decision", "keep")
    assert "7 pictures in" in run(capsys, "report", folder, out, "--model", one, "--decision", "none")


@pytest.mark.parametrize(("kind", "made"), [("fiftyone", "samples.jsonl"), ("huggingface", "train/metadata.jsonl")])
def test_share(
    folder_read_twice: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, made: str
) -> None:
    folder, one, _ = folder_read_twice
    out = tmp_path / "shared"
    image_set = open_image_set(folder, model=one)
    below = with_percentile(image_set.table(), image_set.order().measure)["rank_percentile"].lt(50).sum()
    assert 2 <= below <= 6
    printed = run(capsys, "share", folder, out, "--as", kind, "--how", "copy", "--below", "50", "--model", one)
    assert f"{below} pictures in" in printed
    assert "Open it in Python:" in printed
    assert (out / made).is_file()
    assert "not an empty folder" in run(capsys, "share", folder, out, "--as", kind, "--model", one, status=1)
