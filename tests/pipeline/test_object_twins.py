"""Objects are twins by what surrounds them: what looks alike in another place is another object."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.twin_groups import twins_of
from url_viz.pipeline.twins import FEWEST_AROUND, twins_of_objects
from url_viz.store.columns.source_columns import Boxes
from url_viz.store.tables.tables import Twins, no_twins

Box = tuple[float, float, float, float]


def around(count: int, seed: int) -> NDArray[np.float64]:
    """So many boxes (count, 4) of 20 to 40 pixels, spread over a picture of 600 × 400."""
    draw = np.random.default_rng(seed)
    return np.hstack([draw.uniform(0, 400, (count, 2)) * [1.5, 1], draw.uniform(20, 40, (count, 2))])


def kept(one: NDArray[np.float64], other: NDArray[np.float64], pair: tuple[int, int] = (0, 0)) -> bool:
    """Whether a pair of an object of one picture and one of another stays."""
    boxes = Boxes(np.repeat([0, 1], [len(one), len(other)]).astype(np.int32), np.concatenate([one, other]))
    rows = np.array([[pair[0], len(one) + pair[1]]], np.int32)
    twins = Twins(len(boxes.box), rows, np.array([0.97], np.float32), np.ones(1, bool))
    return len(twins_of_objects(twins, boxes)) == 1


@pytest.mark.parametrize("shift", [(0, 0), (37.5, -12), (-180, 90)])
def test_where_pictures_overlap_an_object_is_its_twin(shift: tuple[float, float]) -> None:
    scene = around(14, seed=1)
    moved = scene + np.array([*shift, 0, 0])
    assert kept(scene, moved, (3, 3))
    assert kept(scene, moved[:9], (3, 3)), "the other picture shows a part of it"
    jittered = moved + np.random.default_rng(2).uniform(-2, 2, moved.shape)
    assert kept(scene, jittered, (3, 3)), "boxes are drawn again in each picture"
    assert not kept(scene, moved, (3, 4)), "of two that look alike, one is elsewhere"


@pytest.mark.parametrize("scale", [0.5, 1, 1.7])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_of_a_copy_that_is_resized_or_mirrored(scale: float, is_mirrored: bool) -> None:
    scene = around(6, seed=3)
    copy = scene.copy()
    copy[:, 0] = 640 - scene[:, 0] - scene[:, 2] if is_mirrored else scene[:, 0]
    assert kept(scene, copy * scale, (2, 2))
    assert not kept(scene, copy * scale, (2, 3))


def test_what_looks_alike_amid_others_is_no_twin() -> None:
    assert not any(kept(around(14, seed=2 * seed), around(14, seed=2 * seed + 1)) for seed in range(50))


@pytest.mark.parametrize("count", range(1, FEWEST_AROUND + 3))
def test_of_few_objects_all_must_be_there(count: int) -> None:
    scene = around(count, seed=4)
    assert kept(scene, scene)
    others = scene.copy()
    others[1:, :2] += [90, 45]
    assert kept(scene, others) == (count == 1), "an object that is alone has nothing to tell by"


def test_in_one_picture_only_boxes_on_one_object() -> None:
    boxes = Boxes(np.zeros(3, np.int32), np.array([(0, 0, 40, 40), (1, 1, 40, 40), (200, 0, 40, 40)], float))
    every = twins_of(3, (0, 1, 0.99), (0, 2, 0.98), (1, 2, 0.97), views=1)
    found = twins_of_objects(every, boxes)
    assert found.pair.tolist() == [[0, 1]]
    assert found.cosine.tolist() == pytest.approx([0.99])
    assert found.is_copy.tolist() == [True]


@pytest.mark.parametrize(
    ("name", "other", "is_one"),
    [
        ("a head, 4,000 of the 40,000 pixels", (30, 0, 40, 100), False),
        ("a person on a couch, 30,000 of 50,000 pixels", (50, 0, 200, 200), False),
        ("a pizza that fills its table but for 15 %", (0, 0, 200, 170), False),
        ("a box drawn again, 5 % smaller", (0, 10, 200, 190), True),
        ("a box drawn again, moved by 4 %: 36,864 of 43,136", (8, 8, 200, 200), False),
        ("a box drawn again, moved by 2 %: 38,416 of 41,584", (4, 4, 200, 200), True),
    ],
)
def test_a_box_within_another_is_another_object(name: str, other: Box, *, is_one: bool) -> None:
    boxes = Boxes(np.zeros(2, np.int32), np.array([(0, 0, 200, 200), other], float))
    assert (len(twins_of_objects(twins_of(2, (0, 1, 0.99)), boxes)) == 1) == is_one, name


def test_objects_that_are_not_known_and_no_pairs_stay_as_they_are() -> None:
    boxes = Boxes(np.array([-1, 0, 0], np.int32), np.array([(np.nan,) * 4, (0, 0, 9, 9), (50, 50, 9, 9)]))
    pair = twins_of(3, (0, 1, 0.99), is_thinned=True)
    found = twins_of_objects(pair, boxes)
    assert (found.pair.tolist(), found.is_thinned) == ([[0, 1]], True)
    none = no_twins(3)
    assert len(twins_of_objects(none, boxes)) == 0
