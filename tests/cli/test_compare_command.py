"""`compare`, `report` and `share` on the command line."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from url_viz.columns.ranking import with_percentile
from url_viz.image_set import ImageSet
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "zoo", 8, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


def test_two_heads_are_compared_and_a_model_not_with_itself(
    image_set: ImageSet, run: Run, head_file: Path, tmp_path: Path
) -> None:
    other, copied = tmp_path / "other.safetensors", tmp_path / "copied.safetensors"
    save_head(dice_head(7), other)
    printed = run("models compare", other)
    assert "dice (first) and other (second), 8 pictures:" in printed
    assert "By uncertainty, the orders are" in printed
    assert "nearest of every picture are the same under both" in printed
    assert "More ambiguous to the second model by uncertainty:" in printed
    assert "was not read with" in run("models compare", "resnet18", status=1)
    shutil.copy(head_file, copied)
    for same in (head_file, copied):
        told = run("models compare", same, status=1)
        assert f"'dice' and {same.stem!r} are the same model" in told
        assert "Give another model or head to compare" in told


def test_report(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert "8 pictures in" in run("export report", out, "--title", "Our zoo")
    assert "<h1>Our zoo</h1>" in out.read_text("utf-8")
    assert "None of the 8 pictures" in run("export report", out, "--decision", "keep", status=1)
    image_set.decisions.decide(image_set.core.ids[:1].tolist(), "keep")
    assert "1 picture in" in run("export report", out, "--decision", "keep")
    assert "7 pictures in" in run("export report", out, "--decision", "none")


@pytest.mark.parametrize(("kind", "made"), [("fiftyone", "samples.jsonl"), ("huggingface", "train/metadata.jsonl")])
def test_share(image_set: ImageSet, run: Run, tmp_path: Path, kind: str, made: str) -> None:
    out = tmp_path / "shared"
    measure = image_set.order().measure
    assert measure is not None
    below = with_percentile(image_set.table(), measure)["rank_percentile"].lt(50).sum()
    assert 2 <= below <= 6
    printed = run(f"export {kind}", out, "--how", "copy", "--below", "50")
    assert f"{below} pictures in" in printed
    assert "Open it in Python:" in printed
    assert (out / made).is_file()
    assert "not an empty folder" in run(f"export {kind}", out, status=1)
