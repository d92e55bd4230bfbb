"""Kept reviews: come back as written, the oldest go, damaged ones count as none."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from url_viz.base.errors import WorkspaceError
from url_viz.base.workspace import SetPaths
from url_viz.store.decisions.answers import (
    MOST_STORED,
    StoredReview,
    change_review,
    list_reviews,
    read_review,
    review_key,
)


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    (tmp_path / "set" / "reviews").mkdir(parents=True)
    return SetPaths(tmp_path / "set")


def review(number: int = 0) -> StoredReview:
    ids = np.array([-(2**63), 2**63 - 1, number], np.int64)
    return StoredReview({"review": ["ambiguity"], "most": [str(number)]}, ids, "2026-11-25T10:00:00+00:00")


def write_review(paths: SetPaths, kept: StoredReview) -> None:
    change_review(paths, kept, lambda _: replace(kept))


def test_comes_back(paths: SetPaths) -> None:
    kept = StoredReview(review().query, review().ids, review().begun, frozenset({-(2**63), 5}), frozenset({7}))
    write_review(paths, kept)
    found = read_review(paths, review_key(kept.query))
    assert found is not None
    np.testing.assert_array_equal(found.ids, kept.ids)
    assert (found.query, found.begun, found.skipped, found.answered) == (
        kept.query,
        kept.begun,
        kept.skipped,
        kept.answered,
    )
    assert len(found) == 3
    assert read_review(paths, "none") is None


def test_the_key_is_of_the_address_whatever_its_order() -> None:
    assert review_key({"a": ["1"], "b": ["2"]}) == review_key({"b": ("2",), "a": ("1",)})
    assert review_key({"a": ["1"]}) != review_key({"a": ["1", "2"]})


def test_those_not_touched_for_longest_go(paths: SetPaths) -> None:
    for number in range(MOST_STORED + 3):
        write_review(paths, review(number))
        os.utime(paths.reviews / f"{review_key(review(number).query)}.json", ns=(number, number * 10**9))
    numbers = [int(one.query["most"][0]) for one in list_reviews(paths)]
    assert len(numbers) == MOST_STORED
    assert 0 not in numbers
    write_review(paths, review(5))
    assert next(list_reviews(paths)).query["most"] == ["5"]


def test_damaged_ones_count_as_none(paths: SetPaths) -> None:
    write_review(paths, review(41))
    file = paths.reviews / f"{review_key(review(41).query)}.json"
    flipped = file.read_bytes().replace(b" 41]", b" 42]")
    spoilt = (b"", b"[]", b'{"ids": [1]}', b'{"ids": ["x"], "query": {}}', b'{"query": 3}', b"[" * 200_000)
    for spoil in (flipped, *spoilt):
        file.write_bytes(spoil)
        assert read_review(paths, file.stem) is None
        assert list(list_reviews(paths)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(paths: SetPaths) -> None:
    paths.reviews.chmod(0o500)
    with pytest.raises(WorkspaceError, match="may not be written"):
        write_review(paths, review())


def test_a_set_that_was_forgotten_meanwhile(paths: SetPaths) -> None:
    shutil.rmtree(paths.folder)
    with pytest.raises(WorkspaceError, match=r"was forgotten meanwhile.*Read its folder again"):
        write_review(paths, review())
    assert not paths.folder.exists()
