"""Published sets are split exactly as the metric-learning protocol says, and say what is missing."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.training.named_sets import layouts
from training.data.pictures import PictureList
from training.data.spec import list_labelled, list_pictures
from training.named_sets.zero_shot import SETS
from url_viz.base.errors import FolderError, NoImagesError


def names(found: PictureList) -> list[str]:
    return [os.fsdecode(path).rpartition("/")[2] for path in found.paths]


class TestMetricLearning:
    """CUB and Cars: the first half of the classes is for development, the second half for test."""

    def test_cub_splits_classes_by_number_and_development_by_places(self, tmp_path: Path) -> None:
        layouts.cub(tmp_path, [5, 6, 1, 2, 3, 4, 2, 2, 2, 2, 3, 1])
        assert list_pictures(f"cub:{tmp_path}").classes == tuple(sorted(f"{n}.Bird_{n}" for n in range(7, 13)))
        training = list_pictures(f"cub/train:{tmp_path}")
        # Of 5 pictures, round(linspace(0, 4, 2)) = 0, 4 are train; of 6, round(linspace(0, 5, 3)) = 0, 2, 5.
        assert names(training)[:5] == [
            "Bird_0000.jpg",
            "Bird_0004.jpg",
            "Bird_0000.jpg",
            "Bird_0002.jpg",
            "Bird_0005.jpg",
        ]
        assert Counter(training.labels.tolist()) == {0: 2, 1: 3, 2: 1, 3: 1, 4: 2}
        val = list_pictures(f"cub/val:{tmp_path}")
        assert set(val.classes) == set(training.classes) | {"3.Bird_3"}  # one picture alone is val
        assert not set(val.paths) & set(training.paths)
        assert len(val) + len(training) == 5 + 6 + 1 + 2 + 3 + 4

    def test_even_and_odd_pictures_of_each_test_class(self, tmp_path: Path) -> None:
        layouts.cub(tmp_path, [1, 1, 3, 4])
        even, odd = (list_pictures(f"cub/{split}:{tmp_path}") for split in ("train-on-test", "test-on-test"))
        assert names(even) == ["Bird_0000.jpg", "Bird_0002.jpg", "Bird_0000.jpg", "Bird_0002.jpg"]
        assert names(odd) == ["Bird_0001.jpg", "Bird_0001.jpg", "Bird_0003.jpg"]
        assert set(even.paths) | set(odd.paths) == set(list_pictures(f"cub:{tmp_path}").paths)

    def test_ids_are_the_apps_and_files_of_archives_are_passed_over(self, tmp_path: Path) -> None:
        layouts.cub(tmp_path, [1, 2])
        junk = tmp_path / "CUB_200_2011" / "images" / "2.Bird_2" / "._Bird_0000.jpg"
        junk.write_bytes(b"resource fork")
        found = list_labelled(f"cub:{tmp_path}")
        app = list_pictures(f"folder:{tmp_path}")
        assert len(found) == 2
        assert set(found.ids.tolist()) < set(app.ids.tolist())

    @pytest.mark.parametrize("layout", ["folders", "annotations"])
    def test_cars_in_both_layouts(self, tmp_path: Path, layout: str) -> None:
        classes = ["AM General Hummer SUV 2000", "Ram C/V Cargo Van 2012", "smart fortwo 2012", "Acura TL 2012"]
        rows = []
        for number in range(12):
            kind, path = number % 4, f"car_ims/{number + 1:06d}.jpg"
            if layout == "folders":
                layouts.picture(tmp_path / "images" / classes[kind].replace("/", "-") / f"{number + 1:06d}.jpg")
            else:
                layouts.picture(tmp_path / path)
                rows.append((path, kind + 1, number % 2))
        if layout == "annotations":
            kinds = np.array(rows, [("relative_im_path", "O"), ("class", "O"), ("test", "O")])
            savemat(tmp_path / "cars_annos.mat", {"annotations": kinds, "class_names": np.array(classes, object)})
        found = list_pictures(f"cars:{tmp_path}")
        assert found.classes == ("Ram C-V Cargo Van 2012", "smart fortwo 2012")
        assert names(found) == [f"{n:06d}.jpg" for n in (2, 6, 10, 3, 7, 11)]
        assert names(list_pictures(f"cars/train:{tmp_path}")) == ["000001.jpg", "000004.jpg"]


class TestProducts:
    """Stanford Online Products: the official lists; development is halved by class within each super-class."""

    def root(self, tmp_path: Path) -> Path:
        return layouts.sop(
            tmp_path,
            products={"train": {1: {1: 2, 2: 3, 3: 1}, 2: {7: 2, 5: 4}}, "test": {1: {11: 3, 12: 2}, 2: {13: 1}}},
        )

    def test_splits(self, tmp_path: Path) -> None:
        root = self.root(tmp_path)
        training, val, test = (list_pictures(f"sop/{split}:{root}") for split in ("train", "val", "test"))
        assert training.classes == ("00001", "00005")
        assert val.classes == ("00002", "00003", "00007")
        assert test.classes == ("00011", "00012", "00013")
        assert (len(training), len(val), len(test)) == (6, 6, 6)
        assert names(list_pictures(f"sop/test-on-test:{root}")) == ["11_1.JPG", "12_1.JPG"]

    def test_the_layout_with_folders_of_lists_and_images(self, tmp_path: Path) -> None:
        root = self.root(tmp_path / "products")
        moved = tmp_path / "moved"
        (moved / "images").mkdir(parents=True)
        (moved / "Info_Files").mkdir()
        for path in root.iterdir():
            path.rename(moved / ("Info_Files" if path.suffix else "images") / path.name)
        assert len(list_pictures(f"sop:{moved}")) == 6


class TestErrors:
    @pytest.mark.parametrize("kind", sorted(SETS))
    def test_an_empty_folder(self, kind: str, tmp_path: Path) -> None:
        with pytest.raises(FolderError, match="Expected is"):
            list_pictures(f"{kind}:{tmp_path}")
        assert not list(tmp_path.iterdir())  # and nothing was downloaded or made

    def test_no_folder_no_split_no_such_set_and_no_pictures(self, tmp_path: Path) -> None:
        layouts.cub(tmp_path, [1, 1])
        with pytest.raises(NoImagesError, match="'train' of 'cub'"):
            list_pictures(f"cub/train:{tmp_path}")
        with pytest.raises(FolderError, match=r"'birds'.*folder, tar, cub, cars, sop, cifar10h"):
            list_pictures("birds:somewhere")
        with pytest.raises(FolderError, match=r"not a folder.*'cub' was unpacked"):
            list_pictures(f"cub:{tmp_path}/none")
        with pytest.raises(FolderError, match=r"no split 'dev'.*train, val, test, train-on-test"):
            list_pictures(f"cub/dev:{tmp_path}")

    def test_a_picture_of_the_list_that_is_gone_and_a_list_of_another_kind(self, tmp_path: Path) -> None:
        root = layouts.sop(tmp_path, products={"test": {1: {1: 3}}})
        (root / "thing1_final" / "1_1.JPG").unlink()
        with pytest.raises(FolderError, match=r"1 of 3 pictures.*1_1\.JPG"):
            list_pictures(f"sop:{root}")
        (root / "Ebay_test.txt").write_text("path,label\n")
        with pytest.raises(FolderError, match="begins with 'path,label'"):
            list_pictures(f"sop:{root}")

    def test_a_class_folder_without_a_number(self, tmp_path: Path) -> None:
        layouts.picture(tmp_path / "images" / "Albatross" / "a.jpg")
        with pytest.raises(FolderError, match="'Albatross' has no number"):
            list_pictures(f"cub:{tmp_path}")
