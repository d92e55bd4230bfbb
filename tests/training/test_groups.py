"""Groups of pictures: twins, copies and folders are on one side of every split."""

from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.whitened_examples import with_burst
from tests.training.caches import written
from training.config import Group
from training.store import Cache
from training.training_rows import SPLIT_PARTS, Sources, are_held_out, find_groups
from url_viz.base.errors import CacheError

RIGHT_ANGLES = np.eye(6, 8)


def grouped(*caches: Cache, by: Group = "twins", **limits: int) -> list[set[int]]:
    """The groups of more than one picture, by their positions among all pictures."""
    found = find_groups(Sources(caches), by, **limits)
    return [set(np.flatnonzero(found == group).tolist()) for group in np.unique(found) if (found == group).sum() > 1]


def test_views_are_one_group_named_by_the_smallest_id(tmp_path: Path) -> None:
    embeddings, ids = with_burst(80, 4), np.random.default_rng(0).permutation(83)
    cache = written(tmp_path / "a", embeddings, ids=ids)
    assert grouped(cache) == [{0, 80, 81, 82}]
    expected = ids.copy()
    expected[[0, 80, 81, 82]] = ids[[0, 80, 81, 82]].min()
    assert find_groups(Sources.from_caches(cache), "twins").tolist() == expected.tolist()


def test_views_of_two_sources_are_one_group(tmp_path: Path) -> None:
    embeddings = with_burst(80, 2)
    one = written(tmp_path / "a", embeddings[:60], ids=range(60))
    other = written(tmp_path / "b", embeddings[60:], ids=range(60, 81))
    assert grouped(one, other) == [{0, 80}]
    assert grouped(one, written(tmp_path / "c", embeddings[60:62], ids=[7, 99])) == [{7, 60}], "of equal ids"


def test_of_very_many_pictures_equal_embeddings_are_one_group(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).normal(size=(60, 8))
    clean[[17, 41]] = clean[3]
    clean[5] = clean[6] * 1.01
    cache = written(tmp_path / "a", clean, ids=range(60))
    assert grouped(cache, most_exact=5, rows_at_once=4) == [{3, 17, 41}]


def test_folders_are_groups_where_asked_and_those_of_two_sources_are_not_one(tmp_path: Path) -> None:
    one = written(tmp_path / "a", RIGHT_ANGLES[:4], ids=range(4), folders=[8, 9, 8, 9])
    other = written(tmp_path / "b", -RIGHT_ANGLES[:4], ids=range(4, 8), folders=[8, 8, 3, 4])
    assert grouped(one, other) == []
    assert grouped(one, other, by="folder") == [{0, 2}, {1, 3}, {4, 5}]
    with pytest.raises(CacheError, match="--group folder"):
        grouped(written(tmp_path / "c", RIGHT_ANGLES, ids=range(6)), by="folder")


class TestHeldOut:
    def test_single_pictures_are_held_out_by_their_id_alone(self) -> None:
        ids = np.random.default_rng(0).integers(1 << 62, size=2000)
        found = are_held_out(ids, 0.1, most=2000)
        assert np.array_equal(found, ids % SPLIT_PARTS < 0.1 * SPLIT_PARTS)

    def test_groups_are_whole_and_about_the_share_is_held_out(self) -> None:
        generator = np.random.default_rng(1)
        names = generator.integers(1 << 62, size=900)
        found = are_held_out(named := names[generator.integers(900, size=3000)], 0.1, most=3000)
        assert all(len(set(found[named == name])) == 1 for name in np.unique(named))
        assert 0.07 < found.mean() < 0.13

    def test_no_more_than_most_never_half_a_group_nor_that_of_most_pictures(self) -> None:
        many = np.zeros(60, np.int64)  # 0 is below any share
        assert not are_held_out(np.concatenate([many, np.arange(1, 41)]), 0.1, most=100)[:60].any()
        found = are_held_out(np.repeat(np.arange(100), 3), 0.9, most=10)
        assert found.sum() == 9
        assert found[:9].all(), "the first by name"
