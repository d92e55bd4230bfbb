"""Two commands at once on one workspace, as real processes beside this one: sets of their own, and decisions."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from url_viz.image_set import open_image_set
from url_viz.pipeline.projection import FEWEST_FOR_UMAP
from url_viz.reading import embed_folder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COUNT = FEWEST_FOR_UMAP - 1
"""The map has no part in this."""


def begun(workspace: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "url_viz", *arguments, "--workspace", str(workspace)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended_well(process: subprocess.Popen[str]) -> None:
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said


def test_two_folders_are_read_and_decided_on_at_once(tmp_path: Path, workspace: Path) -> None:
    known = write_folder(tmp_path / "known", 8)
    embed_folder(known, workspace=workspace)
    first, second = write_folder(tmp_path / "first", COUNT), write_folder(tmp_path / "second", COUNT, start=100)
    running = [
        begun(workspace, "embed", str(first)),
        begun(workspace, "decide", str(known), "drop", "--above", "50"),
    ]
    embed_folder(second, workspace=workspace)
    for process in running:
        ended_well(process)
    for folder, count in ((first, COUNT), (second, COUNT), (known, 8)):
        table = open_image_set(folder, workspace=workspace).table()
        assert len(table) == count
        assert table["id"].is_unique
    assert open_image_set(known, workspace=workspace).table()["decision"].eq("drop").sum() == 4
