"""Votes are counted as they were cast; pictures that nobody labelled take no part."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.named_sets import layouts
from training.data.spec import list_pictures
from training.named_sets.soft_labels import entropy_nats, read_soft_labels
from url_viz.base.errors import FolderError

VOTES: dict[str, list[str | None]] = {
    "fold1/a_00.png": ["cat", "dog", "dog"],
    "fold2/b_00.png": ["cat", "dog", "cat", "cat"],
    "fold2/c_00.png": ["dog"],
    "fold2/d_00.png": [None, None],
    "fold3/e_00.png": ["emu", None],
    "fold4/f_00.png": ["cat"],
    "fold5/fold1_00.png": ["cat", "dog"],
}


class TestCollection:
    """val is fold 1, test fold 2, train folds 3 to 5."""

    def test_votes_majority_and_entropy(self, tmp_path: Path) -> None:
        layouts.collection(tmp_path, VOTES)
        found = read_soft_labels(f"cifar10h:{tmp_path}")
        assert found.classes == ("cat", "dog", "emu")
        assert [path.name for path in found.paths] == ["b_00.png", "c_00.png"]
        assert found.votes.tolist() == [[3, 1, 0], [0, 1, 0]]
        assert found.majority.tolist() == [0, 1]
        assert found.entropy_nats == pytest.approx([-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), 0])

    def test_folds_and_the_pictures_of_the_commands_in_the_order_of_the_votes(self, tmp_path: Path) -> None:
        layouts.collection(tmp_path, VOTES)
        splits = {"val": ["a_00"], "test": ["b_00", "c_00"], "train": ["e_00", "f_00", "fold1_00"]}
        for split, expected in (*splits.items(), ("all", [name for names in splits.values() for name in names])):
            assert [path.stem for path in read_soft_labels(f"pig/{split}:{tmp_path}").paths] == expected
        found = read_soft_labels(f"turkey/all:{tmp_path}")
        pictures = list_pictures(f"turkey/all:{tmp_path}")
        assert pictures.paths == found.pictures.paths
        assert [pictures.classes[label] for label in pictures.labels] == [found.classes[m] for m in found.majority]

    def test_a_tie_goes_to_the_first_class(self, tmp_path: Path) -> None:
        layouts.collection(tmp_path, {"fold2/a.png": ["b", "a"]})
        assert read_soft_labels(f"benthic:{tmp_path}").labelled[0].label == "a"
        with pytest.raises(FolderError, match="no human votes"):
            read_soft_labels(f"cub:{tmp_path}")

    @pytest.mark.parametrize("text", ["{", '{"annotations": 3}', '[{"annotations": [{"image_path": "S/fold1/a"}]}]'])
    def test_a_file_of_another_kind(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "annotations.json").write_text(text)
        with pytest.raises(FolderError, match="a list of annotators"):
            read_soft_labels(f"pig:{tmp_path}")

    @pytest.mark.parametrize("path", ["Set/fold9/a.png", "a.png", "Set/fold1/../../a.png"])
    def test_a_picture_outside_the_folds(self, tmp_path: Path, path: str) -> None:
        record = [{"annotations": [{"image_path": path, "class_label": "a"}]}]
        (tmp_path / "annotations.json").write_text(json.dumps(record))
        with pytest.raises(FolderError, match="Expected is SET/fold1/NAME"):
            read_soft_labels(f"pig:{tmp_path}")


class TestImageNet:
    """Raters' yes votes, else ReaL's labels, else the picture is left out."""

    def test_votes_and_their_fallbacks(self, tmp_path: Path) -> None:
        yes = {(1, 7): 4, (1, 9): 1, (2, 3): 0, (4, 5): 2}
        layouts.imagenet(tmp_path, yes=yes, real=[[7], [3, 4], [], [8]])
        found = read_soft_labels(f"imagenet-real-h:{tmp_path}")
        assert [path.name[-6] for path in found.paths] == ["1", "2", "4"]
        assert found.votes[0, [7, 9]].tolist() == [4, 1]
        assert np.flatnonzero(found.votes[1]).tolist() == [3, 4]
        assert np.flatnonzero(found.votes[2]).tolist() == [5]
        assert found.entropy_nats == pytest.approx([0.500402, math.log(2), 0], abs=1e-6)
        assert [entry.label for entry in found.labelled] == ["007", "003", "005"]
        assert len(list_pictures(f"imagenet-real-h:{tmp_path}")) == 3

    def test_a_list_of_another_length_and_votes_on_a_stranger(self, tmp_path: Path) -> None:
        layouts.imagenet(tmp_path, yes={(9, 1): 1}, real=[[1], [2]])
        with pytest.raises(FolderError, match="has votes on 'ILSVRC2012_val_00000009"):
            read_soft_labels(f"imagenet-real-h:{tmp_path}")
        (tmp_path / "real.json").write_text("[[1]]")
        with pytest.raises(FolderError, match="has 2 pictures"):
            read_soft_labels(f"imagenet-real-h:{tmp_path}")

    def test_counts_of_the_real_set(self) -> None:
        root = os.environ.get("URL_VIZ_IMAGENET_REAL_H")
        if root is None:
            pytest.skip("$URL_VIZ_IMAGENET_REAL_H does not say where the real set is")
        found = read_soft_labels(f"imagenet-real-h:{root}")
        assert len(found.paths) == 50_000 - 750
        assert ((found.entropy_nats == 0).sum(), (found.entropy_nats > 0).sum()) == (35_050, 14_200)


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=8))
def test_entropy_is_that_of_a_plain_loop(votes: list[list[int]]) -> None:
    found = entropy_nats(np.array(votes))
    for row, entropy in zip(votes, found, strict=True):
        if sum(row) == 0:
            assert np.isnan(entropy)
        else:
            expected = -sum(v / sum(row) * math.log(v / sum(row)) for v in row if v)
            assert entropy == pytest.approx(expected, abs=1e-12)
