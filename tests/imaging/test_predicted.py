"""Predictions of a detector: COCO results and YOLO labels of all three kinds of sets, and what cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.annotated_sets import Kind, write_annotated
from url_viz.base.errors import FolderError
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.annotations.predicted import Predicted, read_predictions
from url_viz.imaging.annotations.yolo import read_names
from url_viz.imaging.limited_readers import readers


def annotations(root: Path, kind: Kind) -> Annotations:
    return readers.annotations(write_annotated(root / "set", kind))


def results(root: Path, entries: Any) -> Path:
    path = root / "results.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def labels(root: Path, **files: str) -> Path:
    (root / "predict" / "labels").mkdir(parents=True)
    for name, text in files.items():
        (root / "predict" / "labels" / f"{name.removeprefix('_')}.txt").write_text(text)
    return root / "predict"


def rows(found: Predicted) -> list[tuple[bytes, str, float, bool]]:
    return [(one.picture, one.label, one.score, one.is_relative) for one in found.predictions]


ENTRY = {"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}


@pytest.mark.parametrize(
    ("kind", "picture", "category"),
    [("COCO", 1, 2), ("COCO", "1.png", "dog"), ("YOLO", 1, 1), ("YOLO", "images/1.png", "1"), ("VOC", "1", "dog")],
)
def test_results_know_pictures_and_classes_by_number_or_name(
    tmp_path: Path, kind: Kind, picture: object, category: object
) -> None:
    path = results(tmp_path, [{**ENTRY, "image_id": picture, "category_id": category}])
    found = read_predictions(path, annotations(tmp_path, kind))
    images = {"COCO": b"", "YOLO": b"images/", "VOC": b"JPEGImages/"}[kind]
    assert rows(found) == [(images + b"1.png", "dog", 0.5, False)]
    assert found.predictions[0].box == (1, 2, 3, 4)


def test_labels_have_scores_boxes_and_polygons(tmp_path: Path) -> None:
    text = "1 .5 .5 .2 .2 .9\n\n0 .1 .1 .5 .1 .5 .5 .25\n1 .5 .5 .2 .2\n0 .1 .1 .5 .1 .5 .5 .1 .5 .75\n"
    found = read_predictions(labels(tmp_path, _1=text), annotations(tmp_path, "YOLO"))
    assert [one.score for one in found.predictions] == [0.9, 0.25, 1, 0.75]
    assert [one.label for one in found.predictions] == ["dog", "cat", "dog", "cat"]
    assert found.predictions[0].box == pytest.approx((0.4, 0.4, 0.2, 0.2))
    assert found.predictions[1].box == found.predictions[3].box == pytest.approx((0.1, 0.1, 0.4, 0.4))
    assert found.unscored == 1


@pytest.mark.parametrize("names", ["names.txt", "data.yaml", "instances.json"])
def test_numbers_of_labels_need_names_where_the_annotations_have_others(tmp_path: Path, names: str) -> None:
    folder, of_set = labels(tmp_path, _1="0 .5 .5 .2 .2 .9\n"), annotations(tmp_path, "COCO")
    with pytest.raises(FolderError, match="--names"):
        read_predictions(folder, of_set)
    file = tmp_path / names
    categories = json.dumps({"categories": [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}]})
    file.write_text({"names.txt": "dog\ncat\n", "data.yaml": "names: [dog, cat]"}.get(names, categories))
    assert rows(read_predictions(folder, of_set, names=read_names(file))) == [(b"1.png", "dog", 0.9, True)]


def test_what_names_no_classes_or_pictures_says_what_does(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text("[]")
    with pytest.raises(FolderError, match=r"has no `categories` .* the COCO file that it was trained on"):
        read_names(file)
    path = results(tmp_path, [{**ENTRY, "image_id": 900}])
    with pytest.raises(FolderError, match="VOC annotations number no picture: `image_id` is its name there"):
        read_predictions(path, annotations(tmp_path, "VOC"))


def test_an_entry_that_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"image_id": 7}, "does not have"),
        ({"image_id": [[]]}, "does not have"),
        ({"bbox": [1, 2, 3]}, "no box"),
        ({"bbox": [1, 2, "x", 4]}, "no box"),
        ({"bbox": [1, 2, 0, 4]}, "without area"),
        ({"bbox": [1, 2, 1e999, 4]}, "not finite"),
        ({"score": 3}, "not from 0 to 1"),
        ({"score": "high"}, "not from 0 to 1"),
        ({"score": float("nan")}, "not from 0 to 1"),
    ]
    entries = [ENTRY, *({**ENTRY, **change} for change, _ in changes), 5]
    found = read_predictions(results(tmp_path, entries), annotations(tmp_path, "COCO"))
    assert len(found.predictions) == 1
    assert [at for at, _ in found.failures] == [f"entry {number}" for number in range(1, 2 + len(changes))]
    for (_, reason), why in zip(found.failures, [*(why for _, why in changes), "is no prediction"], strict=True):
        assert why in reason


@pytest.mark.parametrize("text", ["[", "{}", "[]", "[" * 100_000, '[{"image_id": 99}]'])
def test_a_file_without_predictions_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(FolderError, match=r"COCO results|no list"):
        read_predictions(results(tmp_path, text), annotations(tmp_path, "COCO"))


def test_classes_that_the_set_does_not_have_are_counted(tmp_path: Path) -> None:
    of_set = annotations(tmp_path, "VOC")
    path = results(tmp_path, [{**ENTRY, "category_id": name} for name in ("dog", "tv", "tv")])
    assert read_predictions(path, of_set).unnamed == {"tv": 2}
    with pytest.raises(FolderError, match="None of the classes"):
        read_predictions(results(tmp_path, [ENTRY]), of_set)


def test_a_name_that_two_pictures_have_is_told(tmp_path: Path) -> None:
    of_set = annotations(tmp_path, "YOLO")
    for split in ("images/a", "images/b"):
        (tmp_path / "set" / split).mkdir()
        (tmp_path / "set" / split / "9.png").write_bytes((tmp_path / "set" / "images" / "0.png").read_bytes())
    of_set = readers.annotations(tmp_path / "set" / "data.yaml")
    found = read_predictions(labels(tmp_path, _0="1 .5 .5 .2 .2", _9="1 .5 .5 .2 .2"), of_set)
    assert [one.picture for one in found.predictions] == [b"images/0.png"]
    assert "twice by that name" in found.failures[0][1]
