"""The report of a diff: what it says, with thumbnails inside, and that names from files are text in it."""

import shutil
from pathlib import Path

import pytest

import url_viz
from tests.imaging.pictures import noise, write_folder
from url_viz.errors import FolderError
from url_viz.export.report import diff_html, write_diff_report
from url_viz.image_set import embed_folder
from url_viz.models.model import Model

HOSTILE = "<img src=x onerror=alert(1)>.jpg"


def test_it_says_what_changed_shows_it_and_escapes_names(tmp_path: Path, workspace: Path, model: Model) -> None:
    first = embed_folder(write_folder(tmp_path / "a", 12, classes=("cat", "dog")), model=model, workspace=workspace)
    folder = shutil.copytree(first.root, tmp_path / "b")
    noise(50).save(folder / "cat" / HOSTILE, "JPEG")
    (folder / "dog" / "0001.jpg").unlink()
    (folder / "cat" / "0002.jpg").rename(folder / "dog" / "0002.jpg")
    found = url_viz.diff(first, embed_folder(folder, model=model, workspace=workspace))
    page = diff_html(found)
    assert "<h1>a → b</h1>" in page
    assert "12 pictures before, 12 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in page
    assert page.count("data:image/jpeg") == 4  # the removed one's is the earlier set's
    assert "cat → dog" in page
    assert ">nan<" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.jpg" in page
    assert "<img src=x" not in page
    assert str(tmp_path) not in page
    assert write_diff_report(found, tmp_path / "d.html").read_text("utf-8")
    with pytest.raises(FolderError, match="does not end in"):
        write_diff_report(found, tmp_path / "d.txt")
