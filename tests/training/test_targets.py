"""The task losses and the losses of heads by hand, by naive loops, and by what they must never look at."""

import math

import numpy as np
import pytest
import torch

from training.config import InstanceTarget, Pairing, Recipe
from training.targets import (
    FOLDS,
    Pairs,
    _folds,
    classifier_loss,
    draw_pairs,
    fitted_classifier_loss,
    instance_loss,
    ranking_loss,
    recipe_loss,
)
from url_viz.base.errors import CacheError


def unit(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def loss_of(
    views: np.ndarray, picture: list[int], clean: np.ndarray, target: InstanceTarget | None = None, **options: int
) -> np.ndarray:
    """The instance loss of views of the pictures at these rows of `clean`."""
    rows, given = np.arange(len(views)), {"seed": 0} | options
    return instance_loss(views, rows, np.asarray(picture), clean, target=target or InstanceTarget(), **given)


def test_instance_loss_by_hand() -> None:
    # The view at 30° of the picture at 0°; the other picture is at 90°. τ = ½.
    # −log( e^{2 cos 30} / (e^{2 cos 30} + e^{2 cos 60}) )
    found = loss_of(3 * unit(30), [0], unit(0, 90), InstanceTarget(temperature=0.5))
    own, other = math.exp(2 * math.cos(math.pi / 6)), math.exp(2 * math.cos(math.pi / 3))
    assert found[0] == pytest.approx(-math.log(own / (own + other)), abs=1e-6)
    # A view that is nearer to another picture has more loss.
    found = loss_of(unit(5, 45, 80), [0, 0, 0], unit(0, 90))
    assert found[0] < found[1] < found[2]
    assert found[1] == pytest.approx(math.log(2), abs=1e-5)


def test_twins_do_not_compete() -> None:
    # The picture at 1° is a twin of the one at 0° (cosine .9998): it must not make the view look ambiguous.
    with_twin = loss_of(unit(2), [0], unit(0, 1, 90))
    without = loss_of(unit(2), [0], unit(0, 90))
    assert with_twin == pytest.approx(without)
    none_are_twins = InstanceTarget(twin_similarity=1.1)
    assert loss_of(unit(2), [0], unit(0, 1, 90), none_are_twins)[0] > 0.5


def test_instance_loss_equals_the_naive_loop() -> None:
    generator = np.random.default_rng(0)
    clean, own = generator.normal(size=(12, 5)), generator.integers(12, size=30)
    views = clean[own] + 0.5 * generator.normal(size=(30, 5))
    target = InstanceTarget(temperature=0.2, twin_similarity=0.8)
    found = loss_of(views, own.tolist(), clean, target, rows_at_once=7)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for row, (view, i) in enumerate(zip(views, own, strict=True)):
        competes = [j for j in range(12) if j != i and cosine(clean[i], clean[j]) < 0.8]
        scores = [cosine(view, clean[j]) / 0.2 for j in [i, *competes]]
        assert found[row] == pytest.approx(math.log(sum(map(math.exp, scores))) - scores[0], abs=1e-4)


def test_most_others_are_the_same_for_all_rows() -> None:
    generator = np.random.default_rng(1)
    clean = generator.normal(size=(50, 6))
    target = InstanceTarget(most_others=1, twin_similarity=1.1)
    found = loss_of(clean, list(range(50)), clean, target, seed=3)
    drawn = int(np.flatnonzero(found == 0)[0])  # the one picture that competes has nobody against it itself
    assert (np.delete(found, drawn) > 0).all()


def test_classifier_loss_by_hand() -> None:
    # Softmax of (ln 3, 0) is (¾, ¼).
    found = classifier_loss(np.array([[math.log(3), 0.0], [math.log(3), 0.0]]), np.array([0, 1]))
    assert found == pytest.approx([-math.log(0.75), -math.log(0.25)])


def two_classes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 20).astype(np.int32)
    clean = generator.normal(size=(40, 8))
    clean[:, 0] += 12 * (labels - 0.5)
    return clean, labels


def fitted_loss(clean: np.ndarray, labels: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """The loss of each picture's one view, which is the clean one; each is a group of its own if none are given."""
    alone = np.random.default_rng(0).permutation(len(clean)) if group is None else group
    return fitted_classifier_loss(clean, np.arange(len(clean)), clean, labels, alone)


def test_fitted_classifier_gives_mislabelled_pictures_the_most_loss() -> None:
    clean, labels = two_classes(0)
    wrong = labels.copy()
    wrong[[3, 30]] = 1 - wrong[[3, 30]]
    assert set(np.argsort(fitted_loss(clean, wrong))[-2:]) == {3, 30}


def test_fitted_classifier_never_sees_the_rows_own_picture_nor_its_group() -> None:
    # Pure noise: a classifier that had seen its rows would be sure of them; held-out folds are at chance or worse.
    generator = np.random.default_rng(2)
    clean, labels = generator.normal(size=(60, 100)), np.tile([0, 1], 30).astype(np.int32)
    assert fitted_loss(clean, labels).mean() > math.log(2)
    # Noise in threes of nearly the same: one that had seen two of a burst would be sure of the third.
    generator = np.random.default_rng(3)
    burst = np.repeat(np.arange(40), 3)
    clean = generator.normal(size=(40, 100))[burst] + 0.05 * generator.normal(size=(120, 100))
    labels = (burst % 2).astype(np.int32)
    assert fitted_loss(clean, labels).mean() < 0.5 * math.log(2), "bursts straddle the folds"
    assert fitted_loss(clean, labels, burst).mean() > math.log(2)


def test_pictures_without_a_class_mate_have_no_loss() -> None:
    clean, labels = two_classes(1)
    labels[0], labels[1] = -1, 2
    found = fitted_loss(clean, labels)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2:]).all()
    with pytest.raises(CacheError, match="two pictures"):
        fitted_loss(clean[:3], np.array([0, 1, 2]))
    with pytest.raises(CacheError, match="two pictures"):
        fitted_loss(clean[:4], np.array([0, 0, 1, 1]), np.array([5, 5, 9, 9]))


class TestFolds:
    def test_every_class_is_spread_over_the_folds(self) -> None:
        generator = np.random.default_rng(0)
        labels = np.repeat(np.arange(6), 50)
        fold = _folds(labels, generator.permutation(10_000)[:300])
        counts = np.array([np.bincount(fold[labels == label], minlength=FOLDS) for label in range(6)])
        assert (counts == 10).all()

    def test_whole_groups_also_of_several_classes(self) -> None:
        generator = np.random.default_rng(1)
        group, labels = generator.integers(60, size=200), generator.integers(-1, 4, size=200)
        fold = _folds(labels, group)
        assert ((fold == -1) == (labels == -1)).all()
        for name in range(60):
            assert len(set(fold[(group == name) & (labels >= 0)])) <= 1

    def test_a_class_of_which_all_are_in_one_fold_has_none(self) -> None:
        # Class 1 is in the groups 3 and 8, whose other pictures are of class 0: dealt in the order 0, 3, 4, 5, 6, 8.
        labels, group = np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.array([0, 3, 4, 5, 6, 8, 3, 8])
        assert _folds(labels, group).tolist() == [0, 1, 2, 3, 4, 0, 1, 0]
        assert _folds(labels, np.where(group == 8, 3, group))[-2:].tolist() == [-1, -1]


def pairs(*both: tuple[int, int]) -> Pairs:
    return torch.tensor([a for a, _ in both]), torch.tensor([b for _, b in both])


def test_ties_are_no_pair() -> None:
    # METHOD 2.2: the authors' code trains a tie as "the second is larger"; here it leaves the mean.
    u = torch.tensor([0.5, 0.2, 0.3, 0.9], requires_grad=True)
    task_loss = torch.tensor([1.0, 1.0, 5.0, 4.0])
    loss = ranking_loss(u, task_loss, pairs((0, 1), (2, 3)))
    assert loss.item() == pytest.approx(0.7)
    loss.backward()
    assert u.grad is not None
    assert u.grad.tolist() == pytest.approx([0, 0, -1, 1])


def test_inside_the_margin_costs_the_rest_of_it_and_inside_the_leeway_leaves_the_mean() -> None:
    u, task_loss = torch.tensor([0.35, 0.3]), torch.tensor([2.0, 1.0])
    assert ranking_loss(u, task_loss, pairs((0, 1)), margin=0.2).item() == pytest.approx(0.15)
    # Differences 1 and .5: with leeway .6 only the first counts, with .5 both (closer than the leeway is no pair).
    u, task_loss = torch.tensor([0.0, 0.5, 0.0, 0.3]), torch.tensor([2.0, 1.0, 3.5, 3.0])
    both = pairs((0, 1), (2, 3))
    assert ranking_loss(u, task_loss, both, leeway=0.6).item() == pytest.approx(0.6)
    assert ranking_loss(u, task_loss, both, leeway=0.5).item() == pytest.approx((0.6 + 0.4) / 2)


def test_no_pair_left_is_zero_and_trains_nothing() -> None:
    u = torch.tensor([0.5, 0.2], requires_grad=True)
    loss = ranking_loss(u, torch.ones(2), pairs((0, 1)))
    loss.backward()
    assert loss.item() == 0
    assert u.grad is not None
    assert u.grad.tolist() == [0, 0]


def test_ranking_loss_equals_the_naive_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    u, task_loss = torch.rand(13, generator=generator), torch.randint(6, (13,), generator=generator).float()
    terms = []
    for a in range(13):
        for b in range(a + 1, 13):
            if task_loss[a] != task_loss[b]:
                s = 1 if task_loss[a] > task_loss[b] else -1
                terms.append(max(0.0, 0.1 - s * float(u[a] - u[b])))
    found = ranking_loss(u, task_loss, draw_pairs(13, "all", pairings=1, generator=generator))
    assert found.item() == pytest.approx(sum(terms) / len(terms), abs=1e-6)
    every = draw_pairs(13, "all", pairings=1, generator=generator)
    assert ranking_loss(u, task_loss.exp() * 100, every) == found, "the order of task losses alone counts"


def test_l2_by_hand_and_its_target_is_detached() -> None:
    u = torch.tensor([1.0, 2.0], requires_grad=True)
    task_loss = torch.tensor([3.0, 2.0], requires_grad=True)
    loss = recipe_loss(u, task_loss, Recipe(loss="l2"), torch.Generator())
    loss.backward()
    assert loss.item() == 2.0
    assert task_loss.grad is None


def test_adjacent_pairs_are_the_papers_and_random_pairings_use_each_row_once_and_all_pairs_are_each_once() -> None:
    found = draw_pairs(7, "adjacent", pairings=5, generator=torch.Generator())
    assert (found[0].tolist(), found[1].tolist()) == ([0, 2, 4], [1, 3, 5])
    found = draw_pairs(10, "random", pairings=3, generator=torch.Generator().manual_seed(2))
    assert len(found[0]) == 3 * 5
    for start in range(0, 15, 5):
        used = torch.cat([found[0][start : start + 5], found[1][start : start + 5]])
        assert sorted(used.tolist()) == list(range(10))
    found = draw_pairs(5, "all", pairings=1, generator=torch.Generator())
    both = set(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert both == {(a, b) for a in range(5) for b in range(a + 1, 5)}


GROUPS = torch.tensor([2, 0, 2, 1, 0, 2, 0, 2, 2])


def test_adjacent_pairs_of_groups_by_hand() -> None:
    # Group 0 is rows 1, 4, 6; group 1 is row 3 alone; group 2 is rows 0, 2, 5, 7, 8. Odd ones out: 6, 3, 8.
    found = draw_pairs(9, "adjacent", pairings=1, generator=torch.Generator(), group=GROUPS)
    assert (found[0].tolist(), found[1].tolist()) == ([1, 0, 5], [4, 2, 7])


def test_random_pairings_of_groups_use_each_row_at_most_once_and_reach_every_pair() -> None:
    found = draw_pairs(9, "random", pairings=400, generator=torch.Generator().manual_seed(4), group=GROUPS)
    first, second = found[0].reshape(400, 3), found[1].reshape(400, 3)
    assert all(len(set(row)) == 6 for row in torch.cat([first, second], dim=1).tolist())
    every = draw_pairs(9, "all", pairings=1, generator=torch.Generator(), group=GROUPS)
    sorted_pairs = {tuple(sorted(pair)) for pair in zip(found[0].tolist(), found[1].tolist(), strict=True)}
    assert sorted_pairs == set(zip(*(side.tolist() for side in every), strict=True))
    assert len(sorted_pairs) == 3 + 10


@pytest.mark.parametrize("pairing", ["adjacent", "random", "all"])
def test_one_group_is_no_group(pairing: Pairing) -> None:
    alone, grouped = (
        draw_pairs(11, pairing, pairings=3, generator=torch.Generator().manual_seed(5), group=group)
        for group in (None, torch.full((11,), 7))
    )
    assert torch.equal(torch.stack(alone), torch.stack(grouped))
