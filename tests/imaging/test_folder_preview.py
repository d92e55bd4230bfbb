"""A first look into a folder counts what a scan finds, ends in time, and says what a scan would refuse."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.pictures import write_folder
from url_viz.base.errors import FolderError, NoImagesError
from url_viz.imaging.scan import scan
from url_viz.imaging.source import FolderPreview, preview_folder


def last(root: Path, **limits: Any) -> FolderPreview:
    return list(preview_folder(root, **limits))[-1]


def test_it_tells_pictures_folders_and_classes_as_a_scan_finds_them(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", 6, classes=("cat", "dog", "cow"))
    (tmp_path / "train" / "notes.txt").write_text("words")
    (tmp_path / "labels" / "cat").mkdir(parents=True)
    (tmp_path / "labels" / "cat" / "0.txt").write_text("0 .5 .5 1 1")
    seen = last(tmp_path)
    assert seen == FolderPreview(len(scan(tmp_path).files), 3, ("cat", "cow", "dog"), is_done=True, is_complete=True)
    assert seen.text == "6 pictures in 3 folders: 3 classes (cat, cow, dog)"


def test_a_flat_folder_of_one_picture_is_told_in_words(tmp_path: Path) -> None:
    write_folder(tmp_path, 1)
    assert last(tmp_path).text == "1 picture, no class folders"


def test_counting_ends_at_a_bound_and_says_so(tmp_path: Path) -> None:
    write_folder(tmp_path, 6, classes=("cat", "dog", "cow"))
    seen = last(tmp_path, most_pictures=4)
    assert (seen.pictures, seen.is_done, seen.is_complete) == (4, True, False)
    assert seen.text.startswith("Over 4 pictures in over ")
    assert last(tmp_path, most_pictures=6).is_complete


def test_counting_ends_after_its_time_even_where_there_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    seen = list(preview_folder(tmp_path, most_s=-1.0))
    assert seen == [FolderPreview(0, 0, is_done=True)]


def test_counts_only_grow(tmp_path: Path) -> None:
    write_folder(tmp_path, 6, classes=("cat", "dog"))
    previews = list(preview_folder(tmp_path, every_s=-1.0))
    assert len(previews) > 6
    assert all(before.pictures <= after.pictures for before, after in pairwise(previews))
    assert [preview.is_done for preview in previews] == [False] * (len(previews) - 1) + [True]


@pytest.mark.parametrize(
    ("name", "why"), [("gone", "does not exist"), ("a.jpg", "is a file, not a folder"), ("empty", "no pictures in")]
)
def test_what_a_reading_would_refuse_is_refused(tmp_path: Path, name: str, why: str) -> None:
    write_folder(tmp_path / "x", 1)
    (tmp_path / "x" / "0000.jpg").rename(tmp_path / "a.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("words")
    with pytest.raises(NoImagesError if name == "empty" else FolderError, match=why) as refused:
        last(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_dataset_that_is_not_open_says_who_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "birds.dataset").write_text("")
    with pytest.raises(FolderError, match=r"'birds' is a Dataset of Python, .*embed_dataset"):
        last(tmp_path / "birds.dataset")


def test_nothing_outside_the_allowed_folders_is_counted(tmp_path: Path) -> None:
    write_folder(tmp_path / "in" / "own", 2)
    write_folder(tmp_path / "out", 3)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    assert list(preview_folder(tmp_path / "in", within=[tmp_path / "in"]))[-1].pictures == 2
    with pytest.raises(FolderError, match="outside the folders"):
        list(preview_folder(tmp_path / "out", within=[tmp_path / "in"]))
