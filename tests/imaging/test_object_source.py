"""Objects as a source: boxes lie on what they mark, in pictures that EXIF turns too; other sizes are failures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from url_viz.base.errors import ImageError
from url_viz.imaging.decode import decode
from url_viz.imaging.places import cut, picture_path
from url_viz.imaging.source import Objects

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
