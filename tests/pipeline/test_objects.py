"""Objects of an annotation file: each is its crop, its file is decoded once, and it knows its class and picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise
from tests.pipeline.reader import Reader
from url_viz.base.errors import ImageError
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging import workers
from url_viz.imaging.places import Place, cut
from url_viz.models.model import Model
from url_viz.models.runtime import CPU_BATCH
from url_viz.pipeline import embedded
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer

SIZE = 160, 120
BOXES = [(10, 10, 50, 40), (70.5, 20.25, 60, 70), (0, 0, 30, 30), (120, 90, 60, 60)]


def write_document(folder: Path) -> Path:
    """Four pictures with four objects each, of two classes; the last box of each is cut by the frame."""
    images = folder / "set" / "images"
    images.mkdir(parents=True)
    for number in range(4):
        noise(number, width=SIZE[0], height=SIZE[1]).save(images / f"{number}.png")
    path = folder / "set" / "annotations" / "instances.json"
    path.parent.mkdir()
    path.write_text(json.dumps(as_coco(BOXES)))
    return path


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory, module_workspace: Path, model: Model) -> ImageSet:
    """They, read once for the tests that only look."""
    return embed_folder(write_document(tmp_path_factory.mktemp("objects")), model=model, workspace=module_workspace)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return write_document(tmp_path)


def as_coco(boxes: Sequence[tuple[float, ...]]) -> dict[str, object]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": SIZE[0], "height": SIZE[1]} for n in range(4)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 10 * n + k, "image_id": n, "category_id": 1 + k % 2, "bbox": box}
            for n in range(4)
            for k, box in enumerate(boxes)
        ],
    }


@pytest.fixture
def read(document: Path, workspace: Path, model: Model) -> Reader:
    return Reader(document, workspace, model)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What decoding processes were asked for, and for how many places: "places 4"."""
    asked: list[str] = []
    real = workers.Decoders.ask

    def ask(self: workers.Decoders, what: str, data: bytes, **options: Any) -> object:
        asked.append(f"places {len(options['places'])}" if what == "places" else what)
        return real(self, what, data, **options)

    monkeypatch.setattr(workers.Decoders, "ask", ask)
    return asked


def crop_of(objects: ImageSet, row: pd.Series) -> Image.Image:
    with Image.open(objects.folder / str(row["picture"])) as image:
        box = (row["box_x"], row["box_y"], row["box_width"], row["box_height"])
        return cut(image.convert("RGB"), box, row["box_margin"])


def test_an_object_is_its_crop_saved_as_a_file(
    objects: ImageSet, tmp_path: Path, model: Model, workspace: Path
) -> None:
    crops = tmp_path / "crops"
    for path, row in objects.table().set_index("path").iterrows():
        crop = crop_of(objects, row)
        assert crop.size == (row["width"], row["height"])
        at = crops / f"{path}.png"
        at.parent.mkdir(parents=True, exist_ok=True)
        crop.save(at)
    saved = embed_folder(crops, model=model, workspace=workspace)
    assert [f"{path}.png" for path in objects.table()["path"]] == saved.table()["path"].tolist()
    np.testing.assert_array_equal(objects.embeddings(), saved.embeddings())
    thumbnails = [each.core.store.thumbnails(ids) for each in (objects, saved) if len(ids := each.table()["id"])]
    pairs = zip(objects.table()["id"], saved.table()["id"], strict=True)
    assert all(thumbnails[0][one] == thumbnails[1][other] for one, other in pairs)


def test_its_class_picture_and_box_are_columns_and_its_picture_is_no_witness(objects: ImageSet) -> None:
    table = objects.table()
    assert len(table) == 16
    assert table["path"].tolist()[:2] == ["0.png#0", "0.png#1"]
    assert table["label"].tolist()[:4] == ["cat", "dog", "cat", "dog"]
    assert table["picture"].tolist()[:4] == ["0.png"] * 4
    assert table[["box_x", "box_y", "box_width", "box_height"]].iloc[1].tolist() == [70.5, 20.25, 60, 70]
    assert table["box"].tolist()[1] == (70.5, 20.25, 60, 70)
    assert table["cut_by_frame"].tolist()[:4] == ["no", "no", "yes", "yes"]
    assert objects.labels.apart.choice == "picture"


def test_its_data_is_the_crop_and_its_path_that_of_its_picture(objects: ImageSet) -> None:
    row = objects.table().iloc[1]
    assert objects.files.data(int(row["id"])) == encoded(crop_of(objects, row), "PNG")
    assert objects.files.path(int(row["id"])) == objects.folder / "0.png"


def test_frame_and_facts_are_columns_and_what_makes_no_sense_is_a_row_of_failures(read: Reader, document: Path) -> None:
    """Of a file that does not say how large pictures are."""
    changed = as_coco([*BOXES, (10, 118, 20, 1.5), (158.5, 50, 1, 2), (157, 50, 1, 2)])
    changed["images"] = [{"id": n, "file_name": f"{n}.png"} for n in range(4)]
    for number, entry in enumerate(changed["annotations"]):  # type: ignore[arg-type, var-annotated]
        entry["score"] = number / 100
    changed["annotations"] += [{"id": 90, "image_id": 77, "category_id": 1, "bbox": [1, 1, 5, 5]}]  # type: ignore[operator]
    document.write_text(json.dumps(changed))
    (document.parent.parent / "images" / "3.png").unlink()
    objects = read()
    table = objects.table().iloc[:7]
    covered = [50 * 40, 60 * 70, 30 * 30, 40 * 30, 20 * 1.5, 2, 2]  # the fourth ends at the frame
    np.testing.assert_allclose(table["box_area"], np.array(covered) / (SIZE[0] * SIZE[1]))
    np.testing.assert_allclose(table["box_aspect"], [50 / 40, 60 / 70, 1, 1, 20 / 1.5, 0.5, 0.5])
    assert table["cut_by_frame"].tolist() == ["no", "no", "yes", "yes", "yes", "yes", "no"]
    assert set(table["label"]) == {"cat", "dog"}
    assert table["score"].tolist()[:3] == [0, 0.01, 0.02]
    failures = objects.failures().set_index("path")["reason"]
    assert "not listed" in failures["annotations[28], id 90"]
    assert sorted(path for path in failures.index if path.startswith("3.png#")) == [f"3.png#{30 + k}" for k in range(7)]


def test_what_is_known_is_not_decoded_again_and_choices_stay(read: Reader, document: Path, decoded: list[str]) -> None:
    objects = read()
    assert sorted(decoded) == ["header"] * 4 + ["places 4"] * 4
    first = int(objects.table()["id"].iloc[0])
    objects.columns.remove("objects")
    with pytest.raises(ImageError, match="no box any more"):
        objects.files.data(first)
    decoded.clear()
    assert (len(read()), read.embedded, set(decoded)) == (16, 0, {"header"})
    objects.files.data(first)

    changed = as_coco(BOXES)
    changed["annotations"][5]["bbox"] = [5, 5, 40, 40]  # type: ignore[index]
    changed["annotations"][6]["category_id"] = 2  # type: ignore[index]
    document.write_text(json.dumps(changed))
    again = read()
    assert (len(again), read.opened, read.embedded) == (16, 1, 1)
    assert again.table()["label"].tolist()[4:8] == ["cat", "dog", "dog", "dog"]

    again.labels.use(None)
    again.labels.set_apart(None)
    without = read()
    assert without.table()["label"].isna().all()
    assert without.labels.apart.choice is None


def test_two_boxes_on_one_object_are_found_and_one_of_them_dropped(read: Reader, document: Path) -> None:
    changed = as_coco([*BOXES, (10, 10, 50, 41)])
    changed["images"] += [{"id": 9, "file_name": "empty.png"}]  # type: ignore[operator]
    document.write_text(json.dumps(changed))
    objects = read()
    found = {one.kind: one for one in objects.findings()}
    assert found["double-boxes"].count == 4
    assert (found["without-objects"].count, objects.files.without_objects()) == (1, ["empty.png"])
    assert found["double-boxes"].opens is not None
    review = objects.reviews.open(found["double-boxes"].opens)
    card = review.card(int(review.ids[0]))
    assert card.near[0]["path"].tolist() == ["0.png#4", "0.png#0"]
    review.store(card.id, CardAnswer(keep=(card.id,)))
    decisions = objects.table().set_index("path")["decision"]
    assert (decisions["0.png#4"], decisions["0.png#0"]) == ("keep", "drop")
    assert {one.kind: one.count for one in objects.findings()}["double-boxes"] == 3


def test_many_boxes_in_one_picture_are_cut_in_bounded_parts(
    read: Reader, document: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a process nor the reader holds more crops than are read ahead, whatever a picture has."""
    monkeypatch.setattr(embedded, "PLACES_AT_ONCE", 10)
    monkeypatch.setattr(embedded, "READ_AHEAD", 1)
    held, most = [0], [0]
    reader, started = embedded._reader, embedded._begun

    def counted_reader(*given: Any, **options: Any) -> Any:
        read = reader(*given, **options)

        def counted(group: Any) -> Any:
            done = read(group)
            held[0] += len(done)
            most[0] = max(most[0], held[0])
            return done

        return counted

    def counted_start(batch: Any, models: Any) -> Any:
        held[0] -= len(batch)
        return started(batch, models)

    monkeypatch.setattr(embedded, "_reader", counted_reader)
    monkeypatch.setattr(embedded, "_begun", counted_start)
    changed = as_coco([(n % 100, n % 70, 20 + n % 7, 20 + n % 11) for n in range(160)])
    changed["annotations"] = changed["annotations"][:160]  # type: ignore[index]
    for number, entry in enumerate(changed["annotations"]):  # type: ignore[arg-type, var-annotated]
        entry["id"] = number
    document.write_text(json.dumps(changed))
    assert len(read()) == 160
    assert decoded.count("places 10") == 16
    assert most[0] <= 4 * (CPU_BATCH + 10)


def test_contents_differ_by_picture_box_and_margin() -> None:
    place = Place(b"a.png", "1", (1, 2, 3, 4), 0.1)
    contents = [place.content(5), place.content(6)]
    contents += [Place(b"a.png", "1", (1, 2, 3, 5), 0.1).content(5), Place(b"a.png", "1", (1, 2, 3, 4)).content(5)]
    assert len(set(contents)) == 4
    assert Place(b"b.png", "2", (1, 2, 3, 4), 0.1).content(5) == contents[0]


def test_a_folder_that_was_read_as_pictures_stays_so_where_it_becomes_voc(
    tmp_path: Path, workspace: Path, model: Model
) -> None:
    folder = tmp_path / "voc"
    (folder / "JPEGImages").mkdir(parents=True)
    noise(1, width=SIZE[0], height=SIZE[1]).save(folder / "JPEGImages" / "a.png")
    assert len(embed_folder(folder, model=model, workspace=workspace)) == 1
    (folder / "Annotations").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>40</xmax><ymax>40</ymax></bndbox>"
    (folder / "Annotations" / "a.xml").write_text(f"<annotation><object><name>cat</name>{box}</object></annotation>")
    again = embed_folder(folder, model=model, workspace=workspace)
    assert again.table()["path"].tolist() == ["JPEGImages/a.png"]
    assert not again.is_of_objects


def test_no_annotation_opens_folders_that_may_not_be_read(
    read: Reader, document: Path, workspace: Path, model: Model
) -> None:
    base = document.parent.parent
    (base / "in").mkdir()
    label = base / "labels" / "0.txt"
    label.parent.mkdir()
    label.write_text("0 .5 .5 .4 .4")
    data = base / "in" / "data.yaml"
    data.write_text(json.dumps({"path": "/", "train": str(base / "images"), "names": ["cat"]}))
    objects = embed_folder(data, model=model, workspace=workspace)
    allowed = open_image_set(data, model=model.source.name, workspace=workspace, within=[base / "in"])
    assert len(objects) == 1
    with pytest.raises(ImageError, match="leads out"):
        allowed.files.data(int(objects.table()["id"].iloc[0]))
