"""The losses by hand, by a naive loop, and by what must not change them."""

import pytest
import torch

from training.config import Pairing, Recipe
from training.targets import Pairs, draw_pairs, ranking_loss, recipe_loss


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
