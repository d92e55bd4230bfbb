"""Official test splits stay as they are; validation is the told share of train, drawn the same everywhere."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image
from scipy.io import savemat

from tests.training.named_sets import layouts
from training.data.pictures import PictureList
from training.data.spec import list_pictures
from url_viz.base.errors import FolderError


def splits_of(kind: str, root: Path) -> list[PictureList]:
    found = [list_pictures(f"{kind}/{split}:{root}") for split in ("train", "val", "test")]
    assert len({path for split in found for path in split.paths}) == sum(len(split) for split in found)
    return found


def labels_of(found: PictureList) -> list[str]:
    return [found.classes[label] for label in found.labels]


def test_caltech101(tmp_path: Path) -> None:
    for name, count in (("BACKGROUND_Google", 31), ("ant", 34)):
        for place in range(count):
            layouts.picture(tmp_path / "caltech101" / "101_ObjectCategories" / name / f"image_{place:04d}.jpg")
    training, val, test = splits_of("caltech101", tmp_path)
    assert (len(training), len(val), len(test)) == (54, 6, 5)
    assert sorted(labels_of(training) + labels_of(val)) == ["BACKGROUND_Google"] * 30 + ["ant"] * 30
    assert list_pictures(f"caltech101:{tmp_path}").paths == test.paths


def test_dtd(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        table = tmp_path / "dtd" / "dtd" / "labels" / f"{split}1.txt"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"banded/{split}_1.jpg\nwoven/{split}_2.jpg\n")
        for name in ("banded/{}_1.jpg", "woven/{}_2.jpg"):
            layouts.picture(tmp_path / "dtd" / "dtd" / "images" / name.format(split))
    _, val, test = splits_of("dtd", tmp_path)
    assert labels_of(test) == ["banded", "woven"]
    assert [os.fsdecode(path) for path in val.paths] == [
        "dtd/dtd/images/banded/val_1.jpg",
        "dtd/dtd/images/woven/val_2.jpg",
    ]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "flowers-102"
    for number in range(1, 7):
        layouts.picture(folder / "jpg" / f"image_{number:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 1, 2, 2, 3, 102]])})
    savemat(folder / "setid.mat", {"trnid": [[1, 3]], "valid": [[2, 4]], "tstid": [[5, 6]]})
    with pytest.raises(FolderError, match=r"download=True"):  # torchvision holds these files to the published digests
        list_pictures(f"flowers102:{tmp_path}")
    digests = {
        kind: (name, md5(folder / name)) for kind, name in (("label", "imagelabels.mat"), ("setid", "setid.mat"))
    }
    monkeypatch.setattr(torchvision.datasets.Flowers102, "_file_dict", digests)
    _, val, test = splits_of("flowers102", tmp_path)
    assert labels_of(val) == ["pink primrose", "hard-leaved pocket orchid"]
    assert labels_of(test) == ["canterbury bells", "blackberry lily"]


def test_pets(tmp_path: Path) -> None:
    folder = tmp_path / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for split, numbers in (("trainval", range(1, 11)), ("test", range(11, 14))):
        lines = [f"{breed}_{n} {k} 1 1" for n in numbers for k, breed in enumerate(("Great_Pyrenees", "pug"), 1)]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(["#Image CLASS-ID SPECIES BREED ID", *lines]))
        for line in lines:
            layouts.picture(folder / "images" / f"{line.split()[0]}.jpg")
    training, val, test = splits_of("pets", tmp_path)
    assert (len(training), len(val), len(test)) == (16, 4, 6)
    assert test.classes == ("Great_Pyrenees", "pug")


def test_resisc45(tmp_path: Path) -> None:
    for name in ("airplane", "sea_ice"):
        for place in range(10):
            layouts.picture(tmp_path / "NWPU-RESISC45" / name / f"{name}_{place:03d}.jpg")
    assert [len(split) for split in splits_of("resisc45", tmp_path)] == [12, 4, 4]


def test_sun397(tmp_path: Path) -> None:
    paths = {"tr": "a/abbey/sun_a.jpg", "va": "b/bar/sun_b.jpg", "te": "a/apse/indoor/sun_c.jpg"}
    for split, path in paths.items():
        layouts.picture(tmp_path / "SUN397" / path)
        (tmp_path / f"sun397_tfds_{split}.txt").write_text(f"/{path}\n")
    assert [labels_of(split) for split in splits_of("sun397", tmp_path)] == [["abbey"], ["bar"], ["apse/indoor"]]
    (tmp_path / "sun397_tfds_te.txt").unlink()
    with pytest.raises(FolderError, match=r"sun397_tfds_te\.txt of tensorflow_datasets|sun397_tfds_te\.txt"):
        list_pictures(f"sun397:{tmp_path}")


def digits(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_svhn_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = {"train": digits(20, 0), "test": digits(4, 1)}
    listed: dict[str, list[str]] = {}
    for split, pictures in pixels.items():
        labels = np.arange(1, len(pictures) + 1) % 10 + 1  # 10 stands for the digit 0
        path = tmp_path / f"{split}_32x32.mat"
        savemat(path, {"X": pictures.transpose(1, 2, 3, 0), "y": labels[:, None]})
        listed[split] = ["", path.name, md5(path)]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", listed)
    training, val, test = splits_of("svhn", tmp_path)
    assert (len(training), len(val), len(test)) == (18, 2, 4)
    assert labels_of(test) == ["2", "3", "4", "5"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / os.fsdecode(test.paths[2]))), pixels["test"][2])
    assert "0" in set(labels_of(training) + labels_of(val))
    before = (tmp_path / os.fsdecode(test.paths[0])).stat().st_mtime_ns
    assert list_pictures(f"svhn:{tmp_path}").paths == test.paths
    assert (tmp_path / os.fsdecode(test.paths[0])).stat().st_mtime_ns == before
    assert not list(tmp_path.glob(".svhn*"))


def test_cifar100_and_a_damaged_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    records: dict[str, dict[str, Any]] = {"meta": {"fine_label_names": ["apple", "bear"]}}
    pixels = {"train": digits(10, 0), "test": digits(3, 1)}
    for split, pictures in pixels.items():
        flat = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
        records[split] = {"data": flat, "fine_labels": [place % 2 for place in range(len(pictures))]}
    for name, record in records.items():
        (folder / name).write_bytes(pickle.dumps(record, protocol=2))
    with pytest.raises(FolderError, match=r"CIFAR100.*download=True"):  # these are not the published bytes
        list_pictures(f"cifar100:{tmp_path}")
    kind = torchvision.datasets.CIFAR100
    monkeypatch.setattr(kind, "meta", {"filename": "meta", "key": "fine_label_names", "md5": md5(folder / "meta")})
    for split in pixels:
        monkeypatch.setattr(kind, f"{split}_list", [[split, md5(folder / split)]])
    training, val, test = splits_of("cifar100", tmp_path)
    assert (len(training), len(val), len(test)) == (9, 1, 3)
    assert labels_of(test) == ["apple", "apple", "bear"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / os.fsdecode(test.paths[2]))), pixels["test"][1])


@pytest.mark.parametrize(
    ("variable", "kind", "counts"),
    [
        ("URL_VIZ_CALTECH101", "caltech101", (2754, 306, 6084)),
        ("URL_VIZ_CARS", "cars", (4002, 4052, 8131, 98)),
        ("URL_VIZ_CIFAR100", "cifar100", (45_000, 5_000, 10_000)),
        ("URL_VIZ_CUB", "cub", (2922, 2942, 5924, 100)),
        ("URL_VIZ_FLOWERS102", "flowers102", (1020, 1020, 6149)),
        ("URL_VIZ_PETS", "pets", (2944, 736, 3669)),
        ("URL_VIZ_RESISC45", "resisc45", (18_900, 6_300, 6_300)),
        ("URL_VIZ_SOP", "sop", (29_136, 30_415, 60_502, 11_316)),
        ("URL_VIZ_SVHN", "svhn", (65_931, 7_326, 26_032)),
    ],
)
def test_counts_of_the_real_sets_and_the_test_classes_of_some(
    variable: str, kind: str, counts: tuple[int, ...]
) -> None:
    root = os.environ.get(variable)
    if root is None:
        pytest.skip(f"${variable} does not say where the real set is")
    splits = splits_of(kind, Path(root))
    assert (*map(len, splits), len(splits[2].classes))[: len(counts)] == counts
