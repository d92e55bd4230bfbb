"""Commands on objects in pictures: the corrected annotation files."""

from pathlib import Path

import pytest

from tests.annotated_sets import write_annotated
from tests.cli.conftest import Run
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import Model


@pytest.fixture
def image_set(tmp_path: Path, workspace: Path, model: Model) -> ImageSet:
    return embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=workspace)


def test_annotation_files_are_shared(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    image_set.decisions.decide([int(image_set.table()["id"].iloc[0])], "drop")
    printed = run("share", tmp_path / "out", "--as", "annotations")
    assert "0 classes corrected, 1 object taken out" in printed
    lines = (tmp_path / "set" / "labels" / "0.txt").read_bytes().splitlines(keepends=True)
    assert (tmp_path / "out" / "labels" / "0.txt").read_bytes() == b"".join(lines[1:])
    assert "written whole" in run("share", tmp_path / "o", "--as", "annotations", "--decision", "drop", status=1)
