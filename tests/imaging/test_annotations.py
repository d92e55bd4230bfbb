"""Annotation files: every format gives the same objects; what makes no sense is a failure with its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import booleans, integers, tuples
from numpy.typing import NDArray
from PIL import Image

from url_viz.base.errors import FolderError
from url_viz.imaging.annotations.annotated import Annotations, as_label
from url_viz.imaging.annotations.coco import box_of_mask
from url_viz.imaging.annotations.formats import annotations_in, format_at
from url_viz.imaging.limited_readers import readers

WIDTH, HEIGHT = 80, 40
OBJECT = "<object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>"


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (200, 30, 30)).save(path)
    return path


def yolo(root: Path, lines: list[str], names: object = ("cat", "dog"), *, split: str = "train") -> Path:
    picture(root / "images" / split / "a.png")
    labels = root / "labels" / split / "a.txt"
    labels.parent.mkdir(parents=True, exist_ok=True)
    labels.write_text("\n".join(lines))
    data = {"path": ".", split: f"images/{split}", "names": list(names) if isinstance(names, tuple) else names}
    (root / "data.yaml").write_text(json.dumps(data, ensure_ascii=False))  # JSON is YAML
    return root / "data.yaml"


def coco(root: Path, annotations: list[Any], **more: Any) -> Path:
    picture(root / "images" / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": annotations,
        **more,
    }
    path = root / "annotations" / "instances_val.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def voc(root: Path, objects: str) -> Path:
    picture(root / "JPEGImages" / "a.png")
    (root / "Annotations").mkdir(exist_ok=True)
    (root / "Annotations" / "a.xml").write_text(f"<annotation><filename>a.png</filename>{objects}</annotation>")
    return root


def boxes(found: Annotations) -> list[tuple[str, str, tuple[float, ...]]]:
    return [(one.key, one.label, one.box) for at in found.pictures.values() for one in at.objects.values()]


def labelme(root: Path, shapes: list[Any], *, name: str = "a.json", **more: Any) -> Path:
    picture(root / "a.png")
    size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
    document = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "a.png", **size, **more}
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(document))
    return root


def test_the_formats_say_the_same(tmp_path: Path) -> None:
    by_yolo = readers.annotations(yolo(tmp_path / "y", ["1 0.5 0.5 0.25 0.5"]))
    entry = {"id": 3, "image_id": 1, "category_id": 9, "bbox": [30, 10, 20, 20], "iscrowd": 0, "area": 400}
    by_coco = readers.annotations(coco(tmp_path / "c", [entry]))
    ends = "<xmin>31</xmin><ymin>11</ymin><xmax>50</xmax><ymax>30</ymax>"
    by_voc = readers.annotations(voc(tmp_path / "v", f"<object><name>dog</name><bndbox>{ends}</bndbox></object>"))
    by_labelme = readers.annotations(
        labelme(tmp_path / "l", [{"label": "dog", "points": [[30, 10], [50, 10], [40, 30]]}])
    )
    assert boxes(by_labelme) == [("1", "dog", (30, 10, 20, 20))]
    assert boxes(by_yolo) == [("1", "dog", (0.375, 0.25, 0.25, 0.5))]
    assert [(x * WIDTH, y * HEIGHT) for _, _, (x, y, _, _) in boxes(by_yolo)] == [(30, 10)]
    assert boxes(by_coco) == [("3", "dog", (30, 10, 20, 20))]
    assert boxes(by_voc) == [("1", "dog", (30, 10, 20, 20))]
    assert next(iter(next(iter(by_coco.pictures.values())).objects.values())).facts == (("area", 400),)
    assert [found.summary for found in (by_yolo, by_coco, by_voc, by_labelme)] == [
        f"1 object of 1 class in 1 picture, as {kind}" for kind in ("YOLO", "COCO", "VOC", "LabelMe")
    ]
    assert [next(iter(found.pictures.values())).split for found in (by_yolo, by_coco)] == ["train", "val"]


def test_polygons_and_rotated_boxes_count_by_the_box_around_them(tmp_path: Path) -> None:
    found = readers.annotations(yolo(tmp_path / "y", ["0 0.1 0.2 0.5 0.2 0.5 0.6", "0 .2 .2 .4 .1 .6 .3 .4 .4"]))
    assert boxes(found) == [
        ("1", "cat", pytest.approx((0.1, 0.2, 0.4, 0.4))),
        ("2", "cat", pytest.approx((0.2, 0.1, 0.4, 0.3))),
    ]
    polygon = {"id": 1, "image_id": 1, "category_id": 7, "segmentation": [[10, 10, 30, 10, 30, 20]]}
    assert boxes(readers.annotations(coco(tmp_path / "c", [polygon]))) == [("1", "cat", (10, 10, 20, 10))]


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths down the columns, pixel by pixel, of background first."""
    lengths, is_object = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != is_object:
            lengths.append(0)
            is_object = pixel
        lengths[-1] += 1
    return lengths


def as_text(lengths: list[int]) -> str:
    """As pycocotools writes them (rleToString of its maskApi.c)."""
    text = ""
    for at, length in enumerate(lengths):
        left, more = length - (lengths[at - 2] if at > 2 else 0), True
        while more:
            part, left = left & 31, left >> 5
            more = left != (-1 if part & 16 else 0)
            text += chr(48 + (part | 32 if more else part))
    return text


def test_the_box_of_a_mask_by_hand() -> None:
    """The example of pycocotools: M = [0 0 1 1 1 0 1] is [2 3 1 1], the last as 1 − 3; 100 takes two characters."""
    assert box_of_mask({"size": [7, 1], "counts": [2, 3, 1, 1]}) == (0, 2, 1, 5)
    assert box_of_mask({"size": [7, 1], "counts": "231N"}) == (0, 2, 1, 5)
    assert box_of_mask({"size": [120, 1], "counts": "T3d0"}) == (0, 100, 1, 20)
    assert box_of_mask({"size": [4, 3], "counts": [5, 4, 3]}) == (1, 0, 2, 4)  # on into the next column
    assert box_of_mask({"size": [4, 3], "counts": [12]}) is None


@given(arrays(bool, tuples(integers(1, 40), integers(1, 12)), elements=booleans()))
def test_the_box_of_a_mask_is_that_of_its_pixels(mask: NDArray[np.bool_]) -> None:
    y, x = np.nonzero(mask)
    box = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1) if len(x) else None
    lengths = runs(mask)
    assert box_of_mask({"size": list(mask.shape), "counts": lengths}) == box
    assert box_of_mask({"size": list(mask.shape), "counts": as_text(lengths)}) == box


def test_a_hostile_mask_is_a_failure(tmp_path: Path) -> None:
    good = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 10 + 5, 20, HEIGHT * (WIDTH - 10) - 25]}
    hostile: list[dict[str, Any]] = [
        {"size": [4, 3], "counts": [5, 4, 4]},
        {"size": [4, 3], "counts": [-1, 10, 3]},
        {"size": [4, 3], "counts": [5.0, 4, 3]},
        {"size": [4, 3], "counts": "o" * 3_000_000},
        {"size": [4, 3], "counts": "\ud800é"},
        {"size": [4, 3], "counts": "5t"},
        {"size": [1 << 34, 1 << 34], "counts": [0, 1 << 68]},
        {"size": [10**400, 10**400], "counts": [0, 10**800]},
        {"size": [4, 3, 1], "counts": [0, 12]},
        {"size": "4", "counts": {}},
        {},
    ]
    masks = [
        {"id": at, "image_id": 1, "category_id": 7, "segmentation": one} for at, one in enumerate([good, *hostile])
    ]
    found = readers.annotations(coco(tmp_path, masks))
    assert boxes(found) == [("0", "cat", (10, 5, 1, 20))]
    why = "has neither a box of four numbers, nor a polygon or mask with area"
    assert found.failures == [(f"annotations[{at}], id {at}", why) for at in range(1, len(masks))]


def test_a_crowd_is_left_out_and_counted(tmp_path: Path) -> None:
    crowd = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 9, 9], "iscrowd": 1}
    found = readers.annotations(coco(tmp_path, [crowd]))
    assert (boxes(found), found.crowds) == ([], 1)
    assert found.summary.endswith("; 1 crowd left out")


def test_a_line_of_yolo_that_makes_no_sense_is_a_failure(tmp_path: Path) -> None:
    why = {
        "5 .5 .5 .1 .1": "class that is not named: '5'",
        "0 .5 .5 nan .1": "not finite",
        "0 .5 .5 0 .1": "without area",
        "0 1.9 .5 .1 .1": "outside its picture",
        "0 .5 .5 .1": "3 numbers",
        "0 one two three four": "not a class and numbers",
        "\x1b[31m0 1 1 1 1": "not named",
    }
    found = readers.annotations(yolo(tmp_path, ["0 .5 .5 .2 .2", *why]))
    assert len(boxes(found)) == 1
    assert [at for at, _ in found.failures] == [f"labels/train/a.txt:{number}" for number in range(2, 2 + len(why))]
    for (_, reason), expected in zip(found.failures, why.values(), strict=True):
        assert expected in reason
        assert reason.isprintable()


def test_an_entry_of_coco_that_makes_no_sense_is_a_failure(tmp_path: Path) -> None:
    good = {"id": 0, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"image_id": 4}, "not listed"),
        ({"category_id": 8}, "not named"),
        ({"bbox": [1, 2, "x", 4]}, "neither a box"),
        ({"bbox": [1, 2, 3]}, "neither a box"),
        ({"bbox": [1, 2, -3, 4]}, "without area"),
        ({"bbox": [90, 2, 3, 4]}, "outside its picture"),
        ({"bbox": [1e400, 2, 3, 4]}, "not finite"),
        ({"bbox": [10**400, 2, 3, 4]}, "neither a box"),
        ({"image_id": [[1]]}, "not listed"),
        ({"id": 0}, "same number"),
    ]
    entries = [good, *({**good, "id": at, **change} for at, (change, _) in enumerate(changes, 1))]
    found = readers.annotations(coco(tmp_path, entries))
    assert len(boxes(found)) == 1
    for at, ((place, reason), (change, why)) in enumerate(zip(found.failures, changes, strict=True), 1):
        assert place == f"annotations[{at}], id {as_label(change.get('id', at))}"
        assert why in reason


def test_a_file_name_that_leads_out_or_can_be_none_is_a_failure(tmp_path: Path) -> None:
    names = ["a.png", "../../etc/passwd", "/etc/passwd", "a\0.png", "\ud800.png"]
    images = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    entry = {"id": 1, "image_id": 2, "category_id": 7, "bbox": [1, 2, 3, 4]}
    found = readers.annotations(coco(tmp_path, [entry], images=images))
    assert [*found.pictures] == [b"a.png"]
    assert ["leads out" in why for _, why in found.failures] == [True] * 4 + [False], "the object's picture is none"


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"images": 1, "annotations": [], "categories": []}', "[" * 100_000])
def test_json_that_is_no_coco_file_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(FolderError, match="no COCO file"):
        readers.annotations(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "YAML"),
        ("names: 3", "no `names` of classes"),
        ("[1, 2]", "no `names` of classes"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        *(
            (json.dumps({"path": path, "train": "images/train", "names": ["cat"]}), "path|YAML")
            for path in ("\0", "a\0b")
        ),
    ],
)
def test_yaml_that_is_no_data_set_says_so(tmp_path: Path, text: str, why: str) -> None:
    path = yolo(tmp_path, [])
    path.write_text(text)
    with pytest.raises(FolderError, match=why):
        readers.annotations(path)


def test_names_of_yaml_that_would_be_huge_as_text_stay_short(tmp_path: Path) -> None:
    path = yolo(tmp_path, ["0 .5 .5 .2 .2"])
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    path.write_text(f"l0: &l0 [cat]\n{levels}path: .\ntrain: [images/train, *l29]\nnames: [*l29]\n")
    found = readers.annotations(path)
    assert [label for _, label, _ in boxes(found)] == ["(list)"]
    assert found.failures[0][0] == "(list)"


def test_nested_merges_of_yaml_unfold_to_nothing(tmp_path: Path) -> None:
    """Each doubles the one before; PyYAML before 6.0.4 works on these 700 bytes for hours."""
    path = yolo(tmp_path, ["0 .5 .5 .2 .2"])
    levels = "".join(f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}\n" for n in range(1, 30))
    path.write_text(f"l0: &l0 {{x: 1}}\n{levels}train: images/train\nnames: [cat]\n")
    assert len(boxes(readers.annotations(path))) == 1


ODD = ["traffic\xa0light", "می\u200cشود", "👨\u200d👩\u200d👧", "soft\xadhyphen", "ക്\u200d", "x" * 3_000]
"""Names that are not printable, or longer than a line: a no-break space, joiners, a soft hyphen."""


def test_names_of_classes_are_as_the_file_has_them(tmp_path: Path) -> None:
    by_yolo = yolo(tmp_path / "y", [f"{at} .5 .5 .2 .2" for at in range(len(ODD))], ODD)
    categories = [{"id": at, "name": name} for at, name in enumerate(ODD)]
    entries = [{"id": at, "image_id": 1, "category_id": at, "bbox": [1, 2, 3, 4]} for at in range(len(ODD))]
    by_coco = coco(tmp_path / "c", entries, categories=categories)
    by_voc = voc(tmp_path / "v", "".join(OBJECT.replace("dog", f"\n {name}\t") for name in ODD))
    for path in (by_yolo, by_coco, by_voc):
        assert [label for _, label, _ in boxes(readers.annotations(path))] == ODD


def test_what_no_name_has_is_shown_and_kept_as_escapes(tmp_path: Path) -> None:
    names = ["a\nb", "\x1b[2J", "\u202eevil", "\u2028", "\ud800", "\u200b"]
    shown = [r"a\nb", r"\x1b[2J", r"\u202eevil", r"\u2028", r"\ud800", "\u200b"]
    assert list(map(as_label, names)) == shown
    assert as_label(0xF << 20_000) == "(int)", "too long to be written as text"


FAR = [1.7e308, 1e300, 2e6]


@pytest.mark.parametrize("far", FAR)
def test_a_box_beyond_any_measure_costs_one_object(tmp_path: Path, far: float) -> None:
    good = {"id": 0, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}
    by_coco = coco(tmp_path / "c", [good, {**good, "id": 1, "bbox": [0, 0, far, 10]}])
    by_yolo = yolo(tmp_path / "y", ["0 .5 .5 .2 .2", f"0 .5 .5 {far} .2", f"0 {-far} .5 .2 .2"])
    ends = OBJECT.replace("<xmax>5</xmax>", f"<xmax>{far}</xmax>")
    for path in (by_coco, by_yolo, voc(tmp_path / "v", OBJECT + ends)):
        found = readers.annotations(path)
        assert len(boxes(found)) == 1
        assert {why.partition(":")[0] for _, why in found.failures} == {"has a box that lies far beyond any picture"}


def test_coco_without_ids_has_every_object_and_every_failure(tmp_path: Path) -> None:
    entry = {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}
    bad = {**entry, "category_id": 8}
    found = readers.annotations(coco(tmp_path, [entry, bad, entry, bad, "nothing", entry]))
    assert [key for key, _, _ in boxes(found)] == ["entry 0", "entry 2", "entry 5"]
    places = ["annotations[1], id entry 1", "annotations[3], id entry 3", "annotations[4]"]
    assert [at for at, _ in found.failures] == places


def test_equal_ids_of_pictures_and_classes_are_said(tmp_path: Path) -> None:
    pictures = [{"id": 1, "file_name": "b.png"}, {"id": 1, "file_name": "a.png"}, 5]
    categories = [{"id": 7, "name": "cat"}, {"id": 7, "name": "dog"}]
    found = readers.annotations(coco(tmp_path, [], images=pictures, categories=categories))
    assert found.remarks == (
        "In 'images' several entries have the same of 1 id (1): only the last of each counts.",
        "In 'images' 1 entry can be none.",
        "In 'categories' several entries have the same of 1 id (7): only the last of each counts.",
    )


def test_pictures_of_voc_with_one_stem_are_failures_but_the_first(tmp_path: Path) -> None:
    folder = voc(tmp_path, OBJECT)
    picture(folder / "JPEGImages" / "b" / "a.png")
    picture(folder / "JPEGImages" / "a.jpg")
    found = readers.annotations(folder)
    assert len(boxes(found)) == 1
    assert [*found.pictures] == [b"JPEGImages/a.jpg"]
    assert [at for at, _ in found.failures] == ["JPEGImages/a.png", "JPEGImages/b/a.png"]
    assert all("has the same name before its ending as JPEGImages/a.jpg" in why for _, why in found.failures)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-16-le"])
def test_a_document_type_is_refused_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    folder = voc(tmp_path, OBJECT)
    text = f'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><annotation>{OBJECT}</annotation>'
    (folder / "Annotations" / "b.xml").write_bytes(text.encode(encoding))
    found = readers.annotations(folder)
    assert len(boxes(found)) == 1
    assert "document type" in found.failures[0][1]
    (folder / "Annotations" / "b.xml").rename(folder / "Annotations" / "a.xml")
    with pytest.raises(FolderError, match="has no objects"):
        readers.annotations(folder)
    (folder / "Annotations" / "a.xml").write_bytes(text.partition(">]>")[2].encode(encoding))
    assert len(boxes(readers.annotations(folder))) == 1


def test_an_empty_list_of_a_voc_split_is_none_and_a_broken_one_a_failure(tmp_path: Path) -> None:
    folder = voc(tmp_path, OBJECT)
    lists = folder / "ImageSets" / "Main"
    (lists / "val.txt").mkdir(parents=True)
    (lists / "train.txt").touch()
    found = readers.annotations(folder)
    assert [at for at, _ in found.failures] == ["ImageSets/Main/val.txt"]
    assert {one.split for one in found.pictures.values()} == {None}


@pytest.mark.parametrize("there", ["/etc", "/no-such-folder-at-all"])
def test_a_data_set_learns_nothing_of_what_lies_outside(tmp_path: Path, there: str) -> None:
    (tmp_path / "data.yaml").write_text(json.dumps({"path": there, "train": "ssl", "names": ["cat"]}))
    with pytest.raises(FolderError) as told:
        readers.annotations(tmp_path / "data.yaml", within=(tmp_path,))
    why = "names no folder with pictures below '…'. Correct `path`, `train` and `val` in it."
    assert str(told.value).replace(there, "…") == f"{str(tmp_path / 'data.yaml')!r} {why}"


def test_labels_behind_a_link_that_leads_out_are_a_failure_whether_they_are_there(tmp_path: Path) -> None:
    path = yolo(tmp_path / "in", [])
    label, said = tmp_path / "in" / "labels" / "train" / "a.txt", set()
    (tmp_path / "there.txt").write_text("0 .5 .5 .2 .2")
    for name in ("there.txt", "missing.txt"):
        label.unlink()
        label.symlink_to(tmp_path / name)
        said.add(tuple(readers.annotations(path, within=(tmp_path / "in",)).failures))
    assert said == {(("labels/train/a.txt", "leads out of the folders that may be read"),)}


def test_a_split_may_be_a_list_of_pictures(tmp_path: Path) -> None:
    path = yolo(tmp_path, ["0 .5 .5 .2 .2"])
    (tmp_path / "train.txt").write_text("./images/train/a.png\n/etc/passwd\n")
    path.write_text(json.dumps({"train": "train.txt", "val": "none\0", "names": ["cat"]}))
    found = readers.annotations(path)
    assert [*found.pictures] == [b"images/train/a.png"]
    assert len(boxes(found)) == 1
    assert len(found.failures) == 1


def test_a_picture_in_two_splits_is_in_both_and_said_to_be(tmp_path: Path) -> None:
    by_list = yolo(tmp_path / "y", ["0 .5 .5 .2 .2"])
    (tmp_path / "y" / "val.txt").write_text("images/train/a.png\n")
    document = json.loads(by_list.read_text())
    by_list.write_text(json.dumps(document | {"val": "val.txt"}))
    folder = voc(tmp_path / "v", OBJECT)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for name in ("train", "val"):
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("a\n")
    for found in map(readers.annotations, (by_list, folder)):
        assert {one.split for one in found.pictures.values()} == {"train + val"}
        assert len(found.remarks) == 1
        assert "(train + val)" in found.remarks[0]


def test_what_is_annotated(tmp_path: Path) -> None:
    given = yolo(tmp_path / "y", []), coco(tmp_path / "c", []), voc(tmp_path / "v", ""), labelme(tmp_path / "l", [{}])
    assert [found.name for path in given if (found := format_at(path))] == ["YOLO", "COCO", "VOC", "LabelMe"]
    assert format_at(tmp_path) is None, "what is annotated lies further down"
    assert format_at(tmp_path / "y") is None
    assert format_at(tmp_path / "nothing") is None
    for name, text in (("list", '["shapes"]'), ("other", '{"boxes": []}'), ("empty", ""), ("flags", '{"shapes": []}')):
        picture(tmp_path / name / "a.png")
        (tmp_path / name / "a.json").write_text(text)
        assert format_at(tmp_path / name) is None
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a.json").symlink_to(tmp_path / "l" / "a.json")
    assert format_at(tmp_path / "linked") is None, "what lies elsewhere is not looked at"


def test_annotation_files_in_a_folder_of_pictures_have_usual_names(tmp_path: Path) -> None:
    usual = {yolo(tmp_path, []), coco(tmp_path, []), tmp_path / "instances.json", tmp_path / "_annotations.coco.json"}
    for name in ("instances.json", "_annotations.coco.json", "config.yaml", "package.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "data.yml").mkdir()
    assert set(annotations_in(tmp_path)) == usual
    assert annotations_in(tmp_path / "nothing") == ()


def test_shapes_of_labelme_count_by_the_box_around_them_or_say_why_not(tmp_path: Path) -> None:
    shapes: list[Any] = [
        {"label": "a", "points": [[40, 20], [40, 25]], "shape_type": "circle", "group_id": 3},
        {"label": "b", "points": [[20, 30], [10, 5]], "shape_type": "rectangle"},
        {"label": "c", "points": [[0, 0], [9, 9]], "shape_type": "mask", "mask": "iVBOR"},
        {"label": "d", "points": [[5, 5]], "shape_type": "point"},
        {"label": "e", "points": [[1, 2, 3], [4, 5, 6]]},
        {"label": "f", "points": [[90, 5], [99, 9]], "shape_type": "rectangle"},
        {"label": None, "points": [[0, 0], [9, 9]]},
        "none",
    ]
    found = readers.annotations(labelme(tmp_path, shapes))
    assert boxes(found) == [("1", "a", (35, 15, 10, 10)), ("2", "b", (10, 5, 10, 25)), ("3", "c", (0, 0, 9, 9))]
    first = next(iter(next(iter(found.pictures.values())).objects.values()))
    assert first.facts == (("shape", "circle"), ("group_id", 3))
    assert [(place.rsplit(" ", 1)[1], why.split(":")[0]) for place, why in found.failures] == [
        ("4", "is a point, which has no box"),
        ("5", "has points that make no polygon"),
        ("6", "has a box outside its picture"),
        ("7", "has no label"),
        ("8", "is no shape"),
    ]


def test_labelme_files_are_found_by_name_or_by_the_path_that_they_name(tmp_path: Path) -> None:
    one = [{"label": "cat", "points": [[0, 0], [9, 9]], "shape_type": "rectangle"}]
    picture(tmp_path / "train" / "b.jpg")
    picture(tmp_path / "c.jpg")
    labelme(tmp_path, one, name="a.json", imagePath="C:\\elsewhere\\a.png")
    labelme(tmp_path, one, name="json/other.json", imagePath="..\\train\\b.jpg")
    labelme(tmp_path, one, name="second.json", imagePath="train/b.jpg")
    labelme(tmp_path, one, name="lost.json", imagePath="../../etc/passwd")
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "cut.json").write_text('{"shapes": [')
    found = readers.annotations(tmp_path)
    assert {path: (one.split, one.file, len(one.objects)) for path, one in found.pictures.items()} == {
        b"a.png": (None, b"a.json", 1),
        b"c.jpg": (None, b"", 0),
        b"train/b.jpg": ("train", b"second.json", 1),
    }
    assert sorted(found.files) == [b"a.json", b"second.json"]
    assert {place: why.split(":")[0] for place, why in found.failures} == {
        "cut.json": "cannot be read",
        "lost.json": "is of a picture that is not in this folder",
        "json/other.json": "is of the same picture as second.json",
    }
    (tmp_path / "second.json").unlink()
    assert [*readers.annotations(tmp_path).files] == [b"a.json", b"json/other.json"]
    (tmp_path / "json" / "other.json").unlink()
    labelme(tmp_path, [], name="a.json")
    with pytest.raises(FolderError, match="no objects in its JSON files"):
        readers.annotations(tmp_path)


def test_one_file_of_labelme_names_its_folder(tmp_path: Path) -> None:
    file = labelme(tmp_path, [{"label": "cat", "points": [[0, 0], [9, 9]]}]) / "a.json"
    with pytest.raises(FolderError, match=r"is a file of LabelMe\. Give its folder"):
        readers.annotations(file)
