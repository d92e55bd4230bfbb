"""WebDataset shards and Parquet files: bytes as they were, labels as corrected, nothing dropped."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Subset
from torchvision.datasets import ImageFolder

import url_viz
from tests.annotated_sets import write_annotated
from tests.given import dice, given_set
from tests.imaging.pictures import noise
from tests.read_sets import copied
from url_viz.base.errors import ImageSetError
from url_viz.export import packed
from url_viz.export.data_sets import DATA_SETS, DataSet
from url_viz.export.packed import Content, Packed, write_parquet, write_tar
from url_viz.image_set import ImageSet
from url_viz.imaging.source import source_of
from url_viz.models.model import Model
from url_viz.reading import embed_folder

PATHS = [f"{split}/{name}/{number}" for split in ("train", "test") for name in ("cat", "dog") for number in range(4)]
ENDINGS = (".jpg", ".PNG", ".webp", ".jpeg")
"""Of every four files; the last are PNG whatever their names say."""


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Sixteen pictures of two splits and classes, several formats; one relabelled, one dropped, two columns brought."""
    tmp_path = tmp_path_factory.mktemp("packed")
    paths = [path + ENDINGS[number % 4] for number, path in enumerate(PATHS)]
    for number, path in enumerate(paths):
        file = tmp_path / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(number).save(file, "WEBP" if path.endswith("webp") else "JPEG" if path.endswith("jpg") else "PNG")
    found = given_set(tmp_path, paths, dice(len(paths)))
    table = found.table()
    (tmp_path / "scores.csv").write_text("path,risk,site\n" + "\n".join(f"{p},.5,north" for p in paths[:3]))
    found.columns.add(tmp_path / "scores.csv")
    found.labels.give({int(table["id"].iloc[0]): "lynx"})
    found.decisions.decide([int(table["id"].iloc[9])], "drop")
    return found


def write(image_set: ImageSet, kind: str, out: Path) -> DataSet:
    way = DATA_SETS[kind]  # type: ignore[index]
    way.write(image_set, out)
    return way


@pytest.mark.slow
def test_a_picture_in_two_splits_is_in_a_file_of_each(image_set: ImageSet) -> None:
    content = packed.content_of(image_set, None)
    cells = ["train + val", None, *["train"] * (len(content.table) - 2)]
    files = dict(replace(content, table=content.table.assign(split=cells)).files())  # type: ignore[arg-type]
    assert files == {"pictures-000000": [1], "train-000000": [0, *range(2, 15)], "val-000000": [0]}


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_what_is_read_again_is_what_was_written(image_set: ImageSet, tmp_path: Path, kind: str) -> None:
    """By the way on which URL-Viz reads such files itself."""
    write(image_set, kind, tmp_path / "out")
    ending = {"webdataset": "tar", "parquet": "parquet"}[kind]
    assert sorted(path.name for path in (tmp_path / "out").glob("*0*")) == [
        f"test-000000.{ending}",
        f"train-000000.{ending}",
    ]
    source = source_of(tmp_path / "out")
    found = source.list()
    table = image_set.table()
    kept = table[table["decision"] != "drop"].set_index("path")
    assert sorted(map(str, found.columns["path"])) == sorted(kept.index)
    assert len(found.files) == 15
    for row, file in enumerate(found.files):
        said = kept.loc[str(found.columns["path"][row])]
        assert source.read(file) == (image_set.root / str(said.name)).read_bytes()
        assert (found.columns["class"][row], found.columns["split"][row]) == (said["label"], said["split"])
        risk = found.columns["risk"][row]
        assert (risk is None and np.isnan(said["risk"])) or risk == said["risk"]
    assert "lynx" in found.columns["class"]
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_shards_have_numbers_of_classes_and_the_same_pictures_make_the_same_bytes(
    image_set: ImageSet, tmp_path: Path
) -> None:
    write(image_set, "webdataset", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    key = sorted(members)[0].partition(".")[0]
    assert {name.partition(".")[2] for name in members} == {"jpg", "png", "webp", "cls", "json"}
    classes = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert classes[int(members[f"{key}.cls"])] == json.loads(members[f"{key}.json"])["class"]
    write(image_set, "webdataset", tmp_path / "again")
    for name in ("train-000000.tar", "test-000000.tar"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@given(data=st.lists(st.binary(max_size=300), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_bytes_and_facts_stay_whatever_they_are(tmp_path: Path, data: list[bytes], seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = [None if one % 3 == 0 else f"ü {one}\n/'\"" for one in rng.integers(0, 9, len(data))]
    facts = pd.DataFrame({"place": pd.Series(text, dtype=object), "risk": rng.normal(size=len(data))})
    codes = rng.integers(-1, 2, len(data)).tolist()
    content = Content(None, facts, [], ["a", "b"], codes, facts)  # type: ignore[arg-type]
    pictures = [
        Packed(one, f"{row:08d}.img", codes[row], {"place": text[row], "risk": float(facts["risk"][row])})
        for row, one in enumerate(data)
    ]
    write_parquet(tmp_path / "a.parquet", pictures, content)
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["image"] for row in rows] == [{"bytes": one.data, "path": one.name} for one in pictures]
    assert [row["label"] for row in rows] == [None if code < 0 else code for code in codes]
    assert [(row["place"], row["risk"]) for row in rows] == [tuple(one.facts.values()) for one in pictures]
    write_tar(tmp_path / "a.tar", pictures, content)
    with tarfile.open(tmp_path / "a.tar") as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    for one in pictures:
        key = one.name[:8]
        assert members[one.name] == one.data
        named = {"class": content.classes[one.code]} if one.code >= 0 else {}
        assert json.loads(members[f"{key}.json"]) == {**one.facts, **named}
        assert (f"{key}.cls" in members) == (one.code >= 0)


def test_parquet_says_to_hugging_face_what_its_columns_are(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "ROWS_PER_GROUP", 3)
    monkeypatch.setattr(packed, "ROWS_PER_FILE", 5)
    write(image_set, "parquet", tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert [file.name for file in files] == [
        f"{split}-00000{number}.parquet" for split in ("test", "train") for number in (0, 1)
    ]
    first = pq.ParquetFile(files[0])
    assert [first.metadata.row_group(group).num_rows for group in range(first.num_row_groups)] == [3, 2]
    features = json.loads(first.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": ["cat", "dog", "lynx"], "_type": "ClassLabel"}
    assert features["risk"] == {"dtype": "float64", "_type": "Value"}
    assert features["site"] == {"dtype": "string", "_type": "Value"}


def test_what_cannot_be_read_is_left_out_and_said(image_set: ImageSet, tmp_path: Path) -> None:
    image_set = copied(image_set, tmp_path / "photos", home=tmp_path / "home")
    gone = image_set.table()["path"].iloc[-1]
    (image_set.root / gone).unlink()
    done = DATA_SETS["parquet"].write(image_set, tmp_path / "out")
    assert (done.pictures, [path for path, _ in done.left_out]) == (14, [gone])
    assert gone in (tmp_path / "out" / "left-out.txt").read_text()
    image_set.decisions.decide(image_set.core.ids.tolist(), "drop")
    with pytest.raises(ImageSetError, match="all of them are dropped"):
        write(image_set, "webdataset", tmp_path / "none")


def test_objects_leave_as_crops(tmp_path: Path, workspace: Path, model: Model) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=workspace)
    write(objects, "parquet", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "train-000000.parquet").to_pylist()
    by_path = {row["path"]: row["image"] for row in rows}
    one = objects.table()[objects.table()["split"] == "train"].iloc[0]
    assert by_path[one["path"]]["bytes"] == objects.files.data(int(one["id"]))
    with Image.open(io.BytesIO(by_path[one["path"]]["bytes"])) as crop:
        assert crop.format == "PNG"


def test_what_is_kept_is_found_in_a_data_set_of_ones_own(image_set: ImageSet) -> None:
    mask = image_set.core.keep_mask()
    assert mask.tolist() == (image_set.table()["decision"] != "drop").tolist()
    assert image_set.kept().tolist() == np.flatnonzero(mask).tolist()
    folder = ImageFolder(str(image_set.root / "train"))
    part = Subset(folder, image_set.kept(path for path, _ in folder.samples).tolist())
    dropped = image_set.table()["path"][~mask].iloc[0]
    left = {Path(folder.samples[at][0]).relative_to(image_set.root).as_posix() for at in part.indices}
    assert left == {path for path in image_set.table()["path"] if path.startswith("train/")} - {dropped}
    assert len(left) == 7
    assert image_set.kept(["test/dog/2.webp", "none.jpg", dropped, "test/dog/1.PNG"]).tolist() == [0, 3]
    with pytest.raises(ImageSetError, match="None of these paths"):
        image_set.kept(["x.jpg"])


def test_of_a_dataset_that_was_read_the_items_are_told(tmp_path: Path, model: Model) -> None:
    items = [(noise(0), 0), ("no picture", 1), (noise(2), 0), (noise(3), 1)]
    found = url_viz.embed_dataset(items, model=model, workspace=tmp_path / "home", name="four")
    assert found.kept().tolist() == [0, 2, 3], "the second could not be read"
    found.decisions.decide([int(found.core.ids[1])], "drop")
    assert found.kept().tolist() == [0, 3]
    assert [items[at] for at in found.kept()] == [items[0], items[3]]
