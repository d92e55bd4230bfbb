"""The study of copies and views: what is changed, which pairs the rule before called, what both are asked alike."""

import random

import numpy as np
import pytest
from PIL import Image

from benchmarks.near_copies import KINDS
from experiments.changed_pictures import CHANGES, LEAST_SHARE, MOST_SHARE, changed, changed_share
from experiments.copies import COPIES, Plant, nearest_without, planted_table, size_of


def noise(side: int = 90) -> Image.Image:
    cells = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((side, side + 10), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_small_and_seen_and_the_same_again(kind: str) -> None:
    image = noise()
    for seed in range(5):
        other = changed(image, kind, seed=seed)
        assert other is not None
        assert LEAST_SHARE <= changed_share(image, other) <= MOST_SHARE
        again = changed(image, kind, seed=seed)
        assert again is not None
        assert changed_share(other, again) == 0


def test_copies_that_are_planted_differ_from_their_original() -> None:
    image = noise()
    sizes = {kind: KINDS[kind][0](image, random.Random(0)).size for kind in COPIES}
    assert sizes["half the size"] == (45, 50)
    assert sizes["5 % off at a corner"] == sizes["5 % off all round"] == (86, 95)
    assert sizes["5 % off each side"] == (81, 90)
    assert sizes["warm tone"] == image.size


def test_the_nearest_leaves_out_pairs_and_itself() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    out = np.array([[0, 1], [2, 0], [5, 7]])
    product = rows @ rows.T
    product[[0, 1, 0, 2, 5, 7], [1, 0, 2, 0, 7, 5]] = -np.inf
    np.fill_diagonal(product, -np.inf)
    assert nearest_without(rows, out).tolist() == product.argmax(axis=1).tolist()


def test_plants_are_counted_by_the_side_of_their_original() -> None:
    assert [size_of(Plant("", 0, False, side, b"")) for side in (29, 30, 60, 100)] == [
        None,
        "30 to 60 px",
        "60 to 100 px",
        "from 100 px",
    ]
    row = {"size": "from 100 px", "kind": "JPEG 40", "planted": 4, "called": 3}
    line = next(
        line for line in planted_table([("report", "some", {"planted": [row, row]})]).split("\n") if "JPEG" in line
    )
    assert line.split("|")[5].strip().startswith(".75 [")
