"""A first look into a folder counts what a scan finds; boxes of objects lie on what they mark, turned by EXIF too."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.imaging.pictures import write_folder
from url_viz.base.errors import FolderError, ImageError, NoImagesError
from url_viz.imaging.decode import decode
from url_viz.imaging.places import cut, picture_path
from url_viz.imaging.scan import scan
from url_viz.imaging.source import FolderPreview, Objects, preview_folder


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


STORED = 60, 40
BOX = 5, 10, 20, 8


def source(folder: Path, turned: dict[int, tuple[int, int]], box: tuple[int, ...] = BOX) -> Objects:
    """A picture for each EXIF orientation, red where BOX lies as it is stored, with the size that is said of it."""
    entries = []
    for orientation, (width, height) in turned.items():
        image = Image.new("RGB", STORED, "blue")
        image.paste((255, 0, 0), (BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3]))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        image.save(folder / f"{orientation}.png", exif=exif)
        entries.append({"id": orientation, "file_name": f"{orientation}.png", "width": width, "height": height})
    annotations = [{"id": one, "image_id": one, "category_id": 1, "bbox": box} for one in turned]
    path = folder / "instances.json"
    categories = [{"id": 1, "name": "red"}]
    path.write_text(json.dumps({"images": entries, "categories": categories, "annotations": annotations}))
    return Objects(path, margin=0)


def is_red(objects: Objects) -> dict[int, bool]:
    """Of each object, whether its crop is all of the red and nothing else."""
    found = {}
    for picture, one, place in objects.facts.values():
        image = decode((objects.base / picture.path.decode()).read_bytes())[0]
        pixels = np.asarray(cut(image, place.box, 0))
        found[int(one.key)] = bool((pixels == (255, 0, 0)).all() and pixels.shape[0] * pixels.shape[1] == 160)
    return found


def test_boxes_of_pictures_as_stored_are_turned_with_them(tmp_path: Path) -> None:
    """Turned by 180° or mirrored, a size says nothing: the other pictures of the file do."""
    objects = source(tmp_path, dict.fromkeys(range(1, 9), STORED))
    assert is_red(objects) == dict.fromkeys(range(1, 9), True)


def test_boxes_of_upright_pictures_stay(tmp_path: Path) -> None:
    """By hand: orientation 6 is turned by 90° to the right, so that x, y of the stored picture are 40 − y − h, x."""
    objects = source(tmp_path, {6: STORED[::-1]}, (22, 5, 8, 20))
    assert is_red(objects) == {6: True}
    upside_down = source(tmp_path, {3: STORED}, (60 - 5 - 20, 40 - 10 - 8, 20, 8))
    assert is_red(upside_down) == {3: True}


def test_turned_pictures_whose_size_tells_nothing_are_said(tmp_path: Path) -> None:
    [remark] = source(tmp_path, dict.fromkeys((1, 2, 3, 4), STORED)).list().remarks
    assert remark.startswith("3 pictures are turned or mirrored by EXIF, and no size tells ")
    assert "they are taken as they are shown upright (2.png, 3.png, 4.png)" in remark
    [remark] = source(tmp_path, dict.fromkeys((1, 2, 6), STORED)).list().remarks
    assert "they are taken as stored, as those of another are (2.png)" in remark
    assert source(tmp_path, {1: STORED, 6: STORED[::-1]}).list().remarks == ()


def test_numbers_of_objects_may_have_any_signs(tmp_path: Path) -> None:
    source(tmp_path, {1: STORED})
    keys = ["a#1", "1#2", "#", "%23", "%2523", "a%231", "50%", "a/b", "1"]
    document = json.loads((tmp_path / "instances.json").read_text())
    [entry] = document["annotations"]
    document["annotations"] = [{**entry, "id": key} for key in keys]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    objects = Objects(tmp_path / "instances.json", margin=0)
    files = objects.list().files
    assert len({file.path for file in files}) == len(keys)
    assert {picture_path(file.path) for file in files} == {b"1.png"}
    assert {file.path for file in files} >= {b"1.png#1", b"1.png#50%", b"1.png#a/b"}, "as before"
    assert sorted(one.key for _, one, _ in objects.facts.values()) == sorted(keys)


def test_a_picture_of_another_size_than_its_annotation_says_is_a_failure(tmp_path: Path) -> None:
    objects = source(tmp_path, {1: (120, 80), 2: STORED})
    first, second = objects.list().files
    assert (len(objects.facts), second.place is not None) == (1, True)
    with pytest.raises(ImageError, match=r"of a picture of 120 × 80 pixels, and the file there has 60 × 40"):
        objects.read(first)


@pytest.mark.parametrize("size", [(0, 0), ("a", None), (float("inf"), 1), (10**400, 10**400)])
def test_a_size_that_can_be_none_says_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    assert is_red(source(tmp_path, {1: size})) == {1: True}
