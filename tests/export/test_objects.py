"""What leaves of a set of objects: corrected annotation files, boxes for other programs, crops in folders."""

import filecmp
import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from PIL import Image

from tests.annotated_sets import BOXES, KINDS, SIZE, Kind, write_annotated
from tests.given import given_set
from tests.imaging.pictures import encoded
from tests.read_sets import undecided
from url_viz.base.errors import FolderError, ImageSetError, UsageError
from url_viz.export.annotation_files import lost_objects
from url_viz.export.data_sets import SCRIPT, counted_for, program_for
from url_viz.export.folders import sort_into_folders
from url_viz.export.picture_files import Exported
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.places import cut
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.columns.source_columns import BOX_IS_WRONG, CLASS

Made = Callable[[Kind], ImageSet]


@pytest.fixture
def made(tmp_path: Path, workspace: Path, model: Model) -> Made:
    return lambda kind: embed_folder(write_annotated(tmp_path / "set", kind), model=model, workspace=workspace)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, module_workspace: Path, model: Model) -> ImageSet:
    root = write_annotated(tmp_path_factory.mktemp("coco") / "set", "COCO")
    return embed_folder(root, model=model, workspace=module_workspace)


@pytest.fixture
def coco(read_once: ImageSet) -> ImageSet:
    """A set whose files no test changes; nothing is decided of it."""
    return undecided(read_once, labels=CLASS)


def ids(image_set: ImageSet, *rows: int) -> list[int]:
    found: list[int] = image_set.table()["id"].iloc[[*rows]].tolist()
    return found


def shared(image_set: ImageSet, out: Path, program: str) -> Exported:
    done: Exported = program_for(image_set, program).write(image_set, out, how="copy")  # type: ignore[arg-type, assignment]
    return done


def classes_in(folder: Path, kind: Kind, originals: Path) -> list[list[str]]:
    """The classes in each picture, as our reader finds them once the copies lie in place of the originals."""
    for path in folder.rglob("*"):
        if path.is_file():
            (originals / path.relative_to(folder)).write_bytes(path.read_bytes())
    named = {"YOLO": "data.yaml", "COCO": "instances.json"}.get(kind, "")
    return [
        [one.label for one in at.objects.values()] for at in readers.annotations(originals / named).pictures.values()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_annotations_differs_in_what_was_changed(made: Made, tmp_path: Path, kind: Kind) -> None:
    image_set = made(kind)
    before = shared(image_set, tmp_path / "same", "annotations")
    files = [path.relative_to(before.out) for path in before.out.rglob("*") if path.is_file()]
    assert len(files) == {"YOLO": 3, "COCO": 1, "VOC": 2, "LabelMe": 2}[kind]
    assert all(filecmp.cmp(before.out / at, tmp_path / "set" / at, shallow=False) for at in files)
    image_set.labels.give({ids(image_set, 1)[0]: "cat"})
    image_set.decisions.decide(ids(image_set, 3), "drop")
    image_set.decisions.tag(ids(image_set, 2), BOX_IS_WRONG)
    done = shared(image_set, tmp_path / "out", "annotations")
    assert "1 class corrected, 1 object taken out" in done.words[0]
    assert "a detector learns them as background" in done.words[1]
    redraw = pd.read_csv(done.out / "to_redraw.csv")
    assert redraw[["class", "box_width"]].to_numpy().tolist() == [["cat", 30]]
    (done.out / "to_redraw.csv").unlink()
    assert sorted(path.relative_to(done.out) for path in done.out.rglob("*") if path.is_file()) == sorted(files)
    assert classes_in(done.out, kind, tmp_path / "set") == [["cat", "cat", "cat"], ["dog", "cat"]]


def test_an_object_whose_other_box_stays_is_not_lost() -> None:
    """Two boxes on one object, then two on another, then one alone; of the first, one box is dropped."""
    place = {"box_x": [5, 5, 50, 50, 5], "box_y": [5, 5, 50, 50, 90], "box_width": 30.0, "box_height": 30.0}
    table = pd.DataFrame({"picture": "a.jpg", "label": "cat", "decision": ["drop", None, *["drop"] * 3], **place})
    assert lost_objects(table) == 3
    assert lost_objects(table.assign(decision=None)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_classes_with_joiners_and_odd_spaces_leave_as_they_came(
    tmp_path: Path, workspace: Path, model: Model, kind: Kind
) -> None:
    """As the trainer reads them, beside those that nobody corrected."""
    named = {"cat": "traffic\xa0light", "dog": "می\u200cشود"}
    root = write_annotated(tmp_path / "set", kind)
    for path in (tmp_path / "set").rglob("*"):
        if path.suffix in (".yaml", ".json", ".xml"):
            text = path.read_text()
            for old, new in named.items():
                text = re.sub(rf"\b{old}\b", new, text)
            path.write_text(text)
    image_set = embed_folder(root, model=model, workspace=workspace)
    assert set(image_set.table()["label"]) == set(named.values())
    image_set.labels.give({ids(image_set, 1)[0]: named["cat"], ids(image_set, 3)[0]: named["dog"]})
    done = shared(image_set, tmp_path / "out", "annotations")
    changed = [["cat", "cat", "cat"], ["dog", "dog", "cat"]]
    assert classes_in(done.out, kind, tmp_path / "set") == [[named[one] for one in row] for row in changed]
    written = {path.read_text() for path in done.out.rglob("*") if path.suffix in (".yaml", ".json", ".xml")}
    assert not any("\\x" in text or "\\u200c" in text for text in written)


def test_what_cannot_be_written_is_refused(made: Made, tmp_path: Path) -> None:
    coco = made("COCO")
    out = tmp_path / "out"
    with pytest.raises(ImageSetError, match="written whole"):
        program_for(coco, "annotations").write(coco, out, ids=ids(coco, 0))
    with pytest.raises(UsageError, match="which is only read"):
        shared(coco, tmp_path / "set" / "images" / "out", "annotations")
    warned = coco.labels.give({ids(coco, 0)[0]: "cow"}).sentence
    assert warned.startswith("Labelled 1 object “cow”. 'cow' has no number in the annotation files")
    with pytest.raises(ImageSetError, match=r"'cow' has no number.* another class to .*0\.png#0\."):
        shared(coco, out, "annotations")
    coco.labels.give({ids(coco, 0)[0]: "dog"})
    document = json.loads((tmp_path / "set" / "instances.json").read_text())
    document["annotations"][0]["bbox"][0] += 1
    (tmp_path / "set" / "instances.json").write_text(json.dumps(document))
    with pytest.raises(ImageSetError, match=r"stand differently in the files now.*0\.png#0"):
        shared(coco, out, "annotations")
    coco.labels.use(None)
    coco.decisions.decide(ids(coco, 1), "drop")
    with pytest.raises(ImageSetError, match="not the classes of the annotations"):
        shared(coco, out, "annotations")
    with pytest.raises(FolderError, match="Take 'fiftyone' or 'huggingface'"):
        program_for(given_set(tmp_path / "whole pictures", ("kiwi/1.png", "plum/1.png")), "annotations")
    assert not out.exists()


def test_fiftyone_gets_detections(coco: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco.decisions.tag(ids(coco, 1), "night")
    shared(coco, tmp_path / "out", "fiftyone")
    names = ("Sample", "Detection", "Detections", "ImageMetadata", "Classification")
    records = dict.fromkeys(names, SimpleNamespace)
    dataset = SimpleNamespace(save=lambda: None, add_samples=lambda given: setattr(dataset, "samples", [*given]))
    monkeypatch.setitem(sys.modules, "fiftyone", SimpleNamespace(**records, Dataset=lambda: dataset))
    runpy.run_path(str(tmp_path / "out" / SCRIPT))
    first, second = dataset.samples
    assert (first.metadata.width, first.metadata.height) == SIZE
    assert filecmp.cmp(first.filepath, coco.folder / "0.png", shallow=False)
    detections = first.ground_truth.detections
    assert [one.label for one in detections] == ["cat", "dog", "cat"]
    x, y, width, height = BOXES[1]
    assert detections[1].bounding_box == pytest.approx([x / SIZE[0], y / SIZE[1], width / SIZE[0], height / SIZE[1]])
    assert detections[1].tags == ["night"]
    assert detections[1].path == "0.png#1"
    assert len(second.ground_truth.detections) == 3


def test_cvat_and_label_studio_get_boxes_of_what_was_not_dropped(coco: ImageSet, tmp_path: Path) -> None:
    coco.labels.give({ids(coco, 1)[0]: "cat"})
    coco.decisions.decide(ids(coco, 0), "drop")
    shared(coco, tmp_path / "cvat", "cvat")
    first = ET.parse(tmp_path / "cvat" / "annotations.xml").getroot().findall("image")[0]
    assert (tmp_path / "cvat" / "images" / first.attrib["name"]).is_file()
    assert [box.attrib["label"] for box in first] == ["cat", "cat"]
    assert [float(first[0].attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr")] == [72, 24, 136, 90]
    shared(coco, tmp_path / "a b", "labelstudio")
    [result, _] = json.loads((tmp_path / "a b" / "tasks.json").read_text())[0]["predictions"][0]["result"]
    value = result["value"]
    assert [value[name] for name in ("x", "y", "width", "height")] == [45, 20, 40, 55]
    assert value["rectanglelabels"] == ["cat"]
    task = json.loads((tmp_path / "a b" / "tasks.json").read_text())[0]
    assert task["data"]["image"] == "/data/local-files/?d=a%20b/images/0.png"
    labels = ET.parse(tmp_path / "a b" / "interface.xml").getroot().iter("Label")
    assert [label.attrib["value"] for label in labels] == ["cat", "dog"]


def test_a_selected_box_leaves_with_the_others_of_its_picture(coco: ImageSet, tmp_path: Path) -> None:
    """What was not selected would be lost where the file is taken back."""
    chosen = ids(coco, 1)
    coco.decisions.decide(ids(coco, 2), "drop")
    program_for(coco, "cvat").write(coco, tmp_path / "cvat", ids=chosen, how="copy")
    [picture] = ET.parse(tmp_path / "cvat" / "annotations.xml").getroot().findall("image")
    marks = [(box.attrib["label"], box.findtext("attribute[@name='selected']")) for box in picture]
    assert marks == [("cat", "false"), ("dog", "true")]
    labels = json.loads((tmp_path / "cvat" / "labels.json").read_text())
    assert [(label["name"], label["type"]) for label in labels] == [("cat", "rectangle"), ("dog", "rectangle")]
    assert labels[0]["attributes"][0]["name"] == "selected"
    program_for(coco, "labelstudio").write(coco, tmp_path / "studio", ids=ids(coco, 3), how="copy")
    [task] = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    assert [one["meta"]["selected"] for one in task["predictions"][0]["result"]] == [True, False, False]
    program_for(coco, "fiftyone").write(coco, tmp_path / "fiftyone", ids=chosen, how="copy")
    [sample] = map(json.loads, (tmp_path / "fiftyone" / "samples.jsonl").read_text().splitlines())
    found = [(one["label"], one["selected"], one["tags"]) for one in sample["objects"]]
    assert found == [("cat", False, []), ("dog", True, []), ("cat", False, ["drop"])]
    program_for(coco, "cvat").write(coco, tmp_path / "whole", ids=ids(coco, 0, 1), how="copy")
    assert "attribute" not in (tmp_path / "whole" / "annotations.xml").read_text(), "all that is not dropped"


def test_a_wrong_box_is_marked_where_it_is_drawn_again_and_listed_beside_annotations(
    coco: ImageSet, tmp_path: Path
) -> None:
    shared(coco, tmp_path / "none", "cvat")
    assert "attribute" not in (tmp_path / "none" / "annotations.xml").read_text()
    done, goes_on = shared(coco, tmp_path / "plain", "annotations"), program_for(coco, "annotations").opening
    assert "over a copy of your data set" in goes_on(done.out)[0]
    assert "to_redraw.csv" not in goes_on(done.out)[0]
    coco.decisions.tag(ids(coco, 1), BOX_IS_WRONG)
    done = shared(coco, tmp_path / "redraw", "annotations")
    assert goes_on(done.out)[0].endswith("to be drawn again are listed in to_redraw.csv.")
    shared(coco, tmp_path / "cvat", "cvat")
    first = ET.parse(tmp_path / "cvat" / "annotations.xml").getroot().findall("image")[0]
    assert [box.findtext("attribute[@name='box_is_wrong']") for box in first] == ["false", "true", "false"]
    labels = json.loads((tmp_path / "cvat" / "labels.json").read_text())
    assert [one["name"] for one in labels[0]["attributes"]] == ["box_is_wrong"]
    shared(coco, tmp_path / "studio", "labelstudio")
    task = json.loads((tmp_path / "studio" / "tasks.json").read_text())[0]
    meta = [one["meta"] for one in task["predictions"][0]["result"]]
    assert [one["box_is_wrong"] for one in meta] == [False, True, False]
    assert [one.get("text") for one in meta] == [None, [BOX_IS_WRONG], None]


def test_what_a_data_set_has_is_counted_in_pictures_and_objects(coco: ImageSet) -> None:
    assert counted_for(coco, "cvat", None) == "2 pictures with 6 objects"
    assert counted_for(coco, "labelstudio", ids(coco, 1)) == "1 picture with 3 objects"
    assert counted_for(coco, "huggingface", ids(coco, 1)) == "1 object"


@pytest.mark.parametrize("kind", ["YOLO", "COCO"])
def test_a_class_without_an_object_is_one_to_choose(tmp_path: Path, workspace: Path, model: Model, kind: Kind) -> None:
    root = write_annotated(tmp_path / "set", kind)
    added = {
        "YOLO": ("1: dog", "1: dog, 2: toaster"),
        "COCO": ('"categories": [', '"categories": [{"id": 9, "name": "toaster"},'),
    }
    root.write_text(root.read_text().replace(*added[kind]))
    image_set = embed_folder(root, model=model, workspace=workspace)
    assert image_set.labels.classes() == ["cat", "dog", "toaster"]
    assert image_set.reviews.open("tiny").classes == ["cat", "dog", "toaster"]
    shared(image_set, tmp_path / "studio", "labelstudio")
    labels = ET.parse(tmp_path / "studio" / "interface.xml").getroot().iter("Label")
    assert [label.attrib["value"] for label in labels] == ["cat", "dog", "toaster"]
    image_set.labels.use("picture")
    assert "toaster" not in image_set.labels.classes(), "another column names other classes"


def test_crops_lie_in_folders_of_their_class(coco: ImageSet, tmp_path: Path) -> None:
    coco.labels.give({ids(coco, 1)[0]: "cat"})
    done = shared(coco, tmp_path / "out", "huggingface")
    lines = [json.loads(line) for line in (done.out / "train" / "metadata.jsonl").read_text().splitlines()]
    assert [line["file_name"] for line in lines[:3]] == ["cat/0.png-0.png", "cat/0.png-1.png", "cat/0.png-2.png"]
    for line, row in zip(lines, coco.table().to_dict("records"), strict=True):
        with Image.open(coco.folder / str(row["picture"])) as picture:
            box = (row["box_x"], row["box_y"], row["box_width"], row["box_height"])
            crop = cut(picture.convert("RGB"), box, row["box_margin"])
        assert (done.out / "train" / line["file_name"]).read_bytes() == encoded(crop, "PNG")


def test_crops_are_sorted_once_and_stay(coco: ImageSet, tmp_path: Path) -> None:
    coco.decisions.decide(ids(coco, 0, 1), "drop")
    first = sort_into_folders(coco, tmp_path / "out")
    assert first.created == {"drop": 2}
    file = tmp_path / "out" / "drop" / "0.png-1.png"
    assert not file.is_symlink()
    assert file.read_bytes() == coco.files.data(ids(coco, 1)[0])
    assert sort_into_folders(coco, tmp_path / "out").present == 2
    coco.decisions.decide(ids(coco, 1), "keep")
    again = sort_into_folders(coco, tmp_path / "out")
    assert (again.created["keep"], again.elsewhere) == (1, ["drop/0.png-1.png"])
    by_label = sort_into_folders(coco, tmp_path / "classes", by="label")
    assert by_label.created == {"cat": 3, "dog": 2}
    assert (tmp_path / "classes" / "dog" / "1.png-11.png").is_file()


def test_a_report_shows_objects_in_their_pictures(made: Made, tmp_path: Path) -> None:
    coco = made("COCO")
    coco.labels.give({ids(coco, 0)[0]: "<b>bold</b>"})
    (tmp_path / "set" / "images" / "1.png").unlink()
    page = report_html(coco)
    assert "<b>6</b><span>objects</span>" in page
    shown = page.split('<div class="wholes">')[1].split("</div>")[0]
    assert shown.count("<svg") == shown.count("data:image/jpeg") == 3
    x, y, *_ = BOXES[1]
    assert f'<rect x="{x:.2f}" y="{y:.2f}"' in shown
    assert "<b>bold" not in page
