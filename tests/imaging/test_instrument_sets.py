"""Sets as instruments make them: one range, kept as they grow and seen at every door; pages, patients kept apart."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import url_viz
from tests.imaging.instruments import dicom, tiff
from tests.imaging.pictures import noise
from url_viz.base.workspace import Workspace
from url_viz.export.data_sets import DATA_SETS
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import scan
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.model import Model, load_as
from url_viz.outside.uploads import score
from url_viz.pipeline.embedded import given_embeddings
from url_viz.reading import embed_folder


def grey_folder(root: Path, count: int, *, scale: float = 1.0, offset: int = 0, first: int = 0) -> Path:
    """Pictures of noise; with another scale of 16 bits."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        grey = np.asarray(noise(number).convert("L")).astype(np.float64)
        grey[0, :2] = 0, 255
        stored = (offset + grey * scale).round().astype(np.uint8 if scale == 1 else np.uint16)
        Image.fromarray(stored).save(root / f"{number}.png")
    return root


def cosines(one: ImageSet, other: ImageSet) -> np.ndarray:
    rows = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one.embeddings(), other.embeddings())]
    return (rows[0] * rows[1]).sum(axis=1)


@pytest.mark.parametrize(
    ("scale", "offset", "words"),
    [
        (4095 / 255, 0, r"^12-bit pictures, shown from 0 to 4,095\.$"),
        (6, 7000, r"^Pictures of more than 8 bits, shown from 7,0\d\d to 8,4\d\d\.$"),
    ],
)
def test_more_than_eight_bits_are_seen_as_eight_bits_are(
    tmp_path: Path, workspace: Path, model: Model, scale: float, offset: int, words: str
) -> None:
    plain = embed_folder(grey_folder(tmp_path / "plain", 6), model=model, workspace=workspace)
    deep = embed_folder(grey_folder(tmp_path / "deep", 6, scale=scale, offset=offset), model=model, workspace=workspace)
    assert plain.core.rendering is None
    assert plain.space.key == model.space.key
    assert deep.space.key != model.space.key
    [remark] = deep.core.store.about().remarks
    assert re.search(words, remark)
    assert cosines(plain, deep).min() > 0.95, "bfloat16, where the processor has it, moves noise by some .03"
    assert not deep.reasons().query("reason == 'dark'").size


def test_a_range_is_kept_as_a_set_grows_and_what_lies_outside_is_said(
    tmp_path: Path, workspace: Path, model: Model
) -> None:
    root = grey_folder(tmp_path / "deep", 6, scale=4)
    first = embed_folder(root, model=model, workspace=workspace)
    assert first.core.rendering == Rendering(0, 1023)
    grey_folder(root, 6, scale=16, first=6)
    grown = embed_folder(root, model=model, workspace=workspace)
    assert len(grown) == 12
    assert grown.core.rendering == Rendering(0, 1023)
    assert grown.core.store.about().remarks[1].endswith("To read the set anew: `embed FOLDER --range 0:4095`.")
    assert open_image_set(root, workspace=workspace, model=model.name).space.key == grown.space.key


def test_another_range_reads_the_set_anew(tmp_path: Path, workspace: Path, model: Model) -> None:
    root = grey_folder(tmp_path / "deep", 6, scale=4)
    first = embed_folder(root, model=model, workspace=workspace)
    first.decisions.decide(first.core.ids[:1].tolist(), "drop")
    before = first.core.store.thumbnails(first.core.ids)
    anew = embed_folder(root, model=model, workspace=workspace, rendering=Rendering(0, 65535))
    assert anew.core.rendering == Rendering(0, 65535)
    assert (anew.table()["decision"] == "drop").sum() == 1
    assert all(anew.core.store.thumbnails(anew.core.ids)[one] != before[one] for one in anew.core.ids.tolist())
    brightness = [each.core.store.quality(["content", "brightness"]).to_pandas() for each in (first, anew)]
    assert brightness[1]["brightness"].max() < brightness[0]["brightness"].min()
    assert embed_folder(root, model=model, workspace=workspace).core.rendering == Rendering(0, 65535), "chosen for good"


def test_pictures_from_outside_are_seen_in_the_range_of_the_set(tmp_path: Path, workspace: Path, model: Model) -> None:
    image_set = embed_folder(grey_folder(tmp_path / "deep", 8, scale=16), model=model, workspace=workspace)
    path = sorted((tmp_path / "deep").iterdir())[0]
    found = image_set.search(path, k=2)
    assert found["path"].iloc[0] == path.name
    assert found["similarity"].iloc[0] > 0.999
    running = load_as(image_set.source.name, image_set.space, workspace=workspace)
    assert running.space == image_set.space

    class Opened:
        def __enter__(self) -> Model:
            return running

        def __exit__(self, *error: object) -> None:
            pass

    [scored] = score([IncomingFile(path.name, path.read_bytes())], Opened)  # type: ignore[arg-type]
    row = int(np.flatnonzero(image_set.table()["path"] == path.name)[0])
    assert np.abs(scored.embedding.astype(np.float32) - image_set.embeddings()[row]).max() < 0.02  # type: ignore[union-attr]
    assert (
        image_set.files.read(int(image_set.core.ids[row])).thumbnail
        == image_set.core.store.thumbnails([int(image_set.core.ids[row])])[int(image_set.core.ids[row])]
    )


def test_objects_are_cut_from_what_is_seen(tmp_path: Path, workspace: Path, model: Model) -> None:
    root = grey_folder(tmp_path / "set" / "images", 4, scale=16)
    (tmp_path / "set" / "labels").mkdir()
    for number in range(4):
        (tmp_path / "set" / "labels" / f"{number}.txt").write_text("0 .5 .5 .8 .8\n0 .3 .3 .4 .4\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images\nnames: [cat]\n")
    objects = embed_folder(tmp_path / "set" / "data.yaml", model=model, workspace=workspace)
    assert root.is_dir()
    assert objects.core.rendering == Rendering(0, 4095)
    with Image.open(BytesIO(objects.files.data(int(objects.core.ids[0])))) as crop:
        assert np.asarray(crop).max() > 200


def test_a_second_model_sees_the_same(tmp_path: Path, workspace: Path, model: Model) -> None:
    root = grey_folder(tmp_path / "deep", 6, scale=16)
    first = embed_folder(root, model=model, workspace=workspace)
    home = Workspace.at(workspace)
    assert first.core.rendering == Rendering(0, 4095)
    again = open_image_set(root, model=model.name, workspace=home.root)
    assert again.core.model.space.preprocessing.rendering == Rendering(0, 4095)


def test_pages_are_pictures_kept_apart_by_their_file(tmp_path: Path, workspace: Path, model: Model) -> None:
    (tmp_path / "set").mkdir()
    for stack in range(3):
        pages = [np.asarray(noise(3 * stack + page).convert("L")).astype(np.uint16) * 16 for page in range(3)]
        (tmp_path / "set" / f"{stack}.tif").write_bytes(tiff(np.stack(pages), photometric="minisblack"))
    noise(20).save(tmp_path / "set" / "plain.jpg")
    image_set = embed_folder(tmp_path / "set", model=model, workspace=workspace)
    table = image_set.table().set_index("path")
    assert sorted(table.index) == [*(f"{n}.tif#{page}" for n in range(3) for page in (1, 2, 3)), "plain.jpg"]
    assert table["stack"].dropna().to_dict() == {path: path[:5] for path in table.index if "#" in path}
    assert image_set.labels.apart.choice == "stack"
    one = int(table["id"]["1.tif#2"])
    assert image_set.files.path(one).name == "1.tif"
    with Image.open(BytesIO(image_set.files.data(one))) as page:
        assert np.array_equal(np.asarray(page), np.asarray(noise(4).convert("L")).astype(np.uint16) * 16)
    done = DATA_SETS["huggingface"].write(image_set, tmp_path / "out")
    assert (done.pictures, list(done.left_out)) == (10, [])
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert (
        embed_folder(tmp_path / "set", model=model, workspace=workspace).core.ids.tolist()
        == image_set.core.ids.tolist()
    )


def test_patients_are_kept_apart_and_one_in_two_splits_is_a_leak(tmp_path: Path, workspace: Path, model: Model) -> None:
    for number in range(12):
        split = "test" if number % 3 == 0 else "train"
        (tmp_path / "set" / split).mkdir(parents=True, exist_ok=True)
        grey = np.asarray(noise(number).convert("L")).astype(np.uint16) * 16
        tags: dict[str, Any] = {"PatientID": f"00{number // 4}", "PatientName": "Doe^Jane", "BitsStored": 12}
        (tmp_path / "set" / split / f"IM{number}").write_bytes(dicom(grey, HighBit=11, **tags))
    image_set = embed_folder(tmp_path / "set", model=model, workspace=workspace)
    assert image_set.core.rendering == Rendering(0, 4095)
    table = image_set.table()
    assert set(table["patient"]) == {"000", "001", "002"}
    assert "Doe" not in table.to_csv()
    assert image_set.labels.apart.choice == "patient"
    leaks = image_set.splits.leaks()
    assert leaks is not None
    assert set(leaks["kind"]) == {"kept apart"}
    [finding] = [one for one in image_set.findings() if one.kind == "apart-in-two-splits"]
    assert finding.count == len(leaks)
    assert finding.words.endswith("others in train of what is kept apart, such as a patient")
    image_set.labels.set_apart(None)
    again = embed_folder(tmp_path / "set", model=model, workspace=workspace)
    assert again.labels.apart.choice is None, "what somebody chose stays"


def test_a_dataset_of_arrays_is_seen_in_one_range(workspace: Path, model: Model) -> None:
    items = [{"image": np.asarray(noise(number).convert("L")).astype(np.uint16) * 4} for number in range(4)]
    image_set = url_viz.embed_dataset(items, model=model, workspace=workspace, name="deep", label=None)
    assert image_set.core.rendering == Rendering(0, 1023)


def test_one_page_stands_for_a_stack_where_that_is_chosen(tmp_path: Path, workspace: Path, model: Model) -> None:
    (tmp_path / "set").mkdir()
    for stack in range(4):
        pages = [np.asarray(noise(3 * stack + page).convert("L")).astype(np.uint16) * 16 for page in range(3)]
        (tmp_path / "set" / f"{stack}.tif").write_bytes(tiff(np.stack(pages), photometric="minisblack"))
    middle = embed_folder(tmp_path / "set", model=model, workspace=workspace, rendering=Rendering(page="middle"))
    assert middle.table()["path"].tolist() == [f"{stack}.tif" for stack in range(4)]
    assert middle.table()["pages"].tolist() == [3] * 4
    assert middle.core.rendering == Rendering(0, 4095, page="middle")
    again = embed_folder(tmp_path / "set", model=model, workspace=workspace)
    assert again.core.ids.tolist() == middle.core.ids.tolist(), "chosen for good"
    assert "of files with several pages the middle is shown" in again.core.store.about().remarks[0]


def test_thumbnails_of_given_embeddings_are_seen_in_the_range_too(tmp_path: Path, workspace: Path) -> None:
    root = grey_folder(tmp_path / "deep", 6, scale=4)
    np.save(tmp_path / "own.npy", np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32))
    (tmp_path / "paths.txt").write_text("".join(f"{number}.png\n" for number in range(6)))
    given = given_embeddings(tmp_path / "own.npy", scan(root), paths=tmp_path / "paths.txt")
    image_set = embed_folder(root, embeddings=given, workspace=workspace)
    assert image_set.core.rendering == Rendering(0, 1023)
    for thumbnail in image_set.core.store.thumbnails(image_set.core.ids).values():
        with Image.open(BytesIO(thumbnail)) as image:
            assert np.asarray(image).max() > 200
    again = embed_folder(root, embeddings=given, workspace=workspace)
    assert len(again) == 6
