"""Shards, lists and Datasets read into an image set: rows as from a folder, with classes and columns."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader
from url_viz.base.errors import FolderError, ImageError
from url_viz.export.data_sets import DATA_SETS
from url_viz.export.folders import sort_into_folders
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.reading import embed_dataset, embed_folder

CLASSES = "cat", "dog"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("shards") / "photos", 10, classes=CLASSES)


@pytest.fixture(scope="module")
def by_folder(folder: Path, module_workspace: Path, model: Model) -> ImageSet:
    """What the folder itself is read into."""
    return embed_folder(folder, model=model, workspace=module_workspace)


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def as_parquet(folder: Path, out: Path) -> Path:
    rows = [{"bytes": path.read_bytes(), "path": None} for path in pictures(folder)]
    features = {"image": {"_type": "Image"}, "kind": {"_type": "ClassLabel", "names": CLASSES}}
    made = pa.table(
        {
            "image": rows,
            "kind": [CLASSES.index(path.parent.name) for path in pictures(folder)],
            "metres": 2.0 * np.arange(10),
        }
    )
    pq.write_table(
        made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}),
        out,
        row_group_size=4,
    )
    return out


def as_zip(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in pictures(folder):
            archive.write(path, path.relative_to(folder))
    return out


def as_list(folder: Path, out: Path) -> Path:
    lines = [f"{path},{path.parent.name},{2 * n}" for n, path in enumerate(pictures(folder))]
    out.write_text("\n".join(["path,label,metres", *lines]))
    return out


MADE = {"p.parquet": as_parquet, "p.zip": as_zip, "p.csv": as_list}


EXACT = "label", "width", "height", "entropy", "nearest_similarity", "brightness"


def same_rows(one: ImageSet, other: ImageSet) -> None:
    """All is equal to the bit but the head's scores, whose last bit depends on the rows of a batch."""
    order = [np.argsort(each.core.contents) for each in (one, other)]
    ours, theirs = (each.table().iloc[rows] for each, rows in zip((one, other), order, strict=True))
    for name in EXACT:
        np.testing.assert_array_equal(ours[name].to_numpy(), theirs[name].to_numpy())
    np.testing.assert_array_equal(one.embeddings()[order[0]], other.embeddings()[order[1]])
    np.testing.assert_allclose(ours["uncertainty"], theirs["uncertainty"], rtol=1e-5)
    thumbnails = [each.core.store.thumbnails(table["id"]) for each, table in ((one, ours), (other, theirs))]
    assert [thumbnails[0][i] for i in ours["id"]] == [thumbnails[1][i] for i in theirs["id"]]


@pytest.mark.parametrize("name", MADE)
def test_rows_are_those_of_the_folder(
    folder: Path, by_folder: ImageSet, tmp_path: Path, workspace: Path, model: Model, name: str
) -> None:
    root = MADE[name](folder, tmp_path / name)
    read = Reader(root, workspace, model)
    image_set = read()
    same_rows(image_set, by_folder)
    first = image_set.table().iloc[3]
    assert image_set.files.data(int(first["id"])) == pictures(folder)[3].read_bytes()
    assert "metres" not in image_set.table() or first["metres"] == 6
    read()
    assert read.opened == 0


def test_a_shard_is_shared_and_read_anew_where_it_changed_and_told_where_it_is_gone(
    folder: Path, tmp_path: Path, workspace: Path, model: Model
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    root = as_zip(photos, tmp_path / "p.zip")
    read = Reader(root, workspace, model)
    image_set = read()
    DATA_SETS["huggingface"].write(image_set, tmp_path / "out")
    left = {path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")}
    assert left == {path.read_bytes() for path in pictures(folder)}
    with pytest.raises(FolderError, match=r"no files of one folder.* export folders .* OUT --by label"):
        image_set.files.path(int(image_set.core.ids[0]))
    sort_into_folders(image_set, tmp_path / "sorted", by="label")
    in_classes = {
        path.read_bytes(): path.relative_to(tmp_path / "sorted").parts[0] for path in pictures(tmp_path / "sorted")
    }
    assert in_classes == {path.read_bytes(): path.parent.name for path in pictures(folder)}

    ids = image_set.table()["id"].tolist()
    image_set.labels.give({ids[0]: "dog"})
    pictures(photos)[-1].unlink()
    write_folder(photos, 3, classes=CLASSES, start=10)
    as_zip(photos, root)
    again = read()
    assert (len(again), read.embedded) == (12, 3)
    assert again.table().set_index("id").loc[ids[0], "label"] == "dog"

    root.unlink()
    with pytest.raises(ImageError, match="no longer exists"):
        open_image_set(root, model=model.name, workspace=workspace).files.data(ids[0])


class Tuples:
    """A Dataset of arrays and codes, whose third item is broken."""

    def __init__(self, folder: Path) -> None:
        self.classes = list(CLASSES)
        self.paths = pictures(folder)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        if index == 2:
            raise ValueError("no such item")
        with Image.open(self.paths[index]) as image:
            return np.asarray(image), CLASSES.index(self.paths[index].parent.name)


class Files:
    """A Dataset that knows its files, as torchvision's ImageFolder does."""

    def __init__(self, folder: Path) -> None:
        self.classes = list(CLASSES)
        self.samples = [(str(path), CLASSES.index(path.parent.name)) for path in pictures(folder)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> object:
        raise AssertionError("is decoded for nothing")


def test_a_dataset_is_read_by_index_with_its_classes(folder: Path, workspace: Path, model: Model) -> None:
    image_set = embed_dataset(Tuples(folder), model=model, workspace=workspace)
    table = image_set.table()
    assert image_set.root == workspace.resolve() / "datasets" / "Tuples.dataset"
    assert table["path"].tolist() == [f"{index:07d}" for index in range(10) if index != 2]
    assert table["label"].tolist() == [path.parent.name for n, path in enumerate(pictures(folder)) if n != 2]
    assert "ValueError: no such item" in image_set.failures()["reason"].item()


def test_a_dataset_of_files_has_their_rows_and_says_how_to_open_it_elsewhere(
    folder: Path, by_folder: ImageSet, workspace: Path, model: Model
) -> None:
    by_file = embed_dataset(Files(folder), name="files", model=model, workspace=workspace)
    same_rows(by_file, by_folder)
    assert by_file.files.data(int(by_file.core.ids[0])) == pictures(folder)[0].read_bytes()
    assert by_file.core.store.about().title == "files"
    moved = by_file.root.with_name("other.dataset")
    shutil.copy(by_file.root, moved)
    with pytest.raises(FolderError, match="embed_dataset"):
        embed_folder(moved, model=model, workspace=workspace)
