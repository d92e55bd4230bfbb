"""Whether classes are known: by hand, against chance, and not by luck."""

import numpy as np
import pandas as pd
import pytest

from url_viz.labels.calibration import LabelAgreement, agreement_in


def of(label: list[str | None], first_class: list[str | None], twin_group: list[int] | None = None) -> LabelAgreement:
    group = pd.array([None] * len(label) if twin_group is None else twin_group, dtype="Int64")
    return agreement_in(pd.DataFrame({"label": label, "first_class": first_class, "twin_group": group}))


def test_agreement_and_chance_by_hand_twins_once_and_what_is_not_judged_left_out() -> None:
    found = of(["a", "a", "a", "b", "b", None], ["a", "a", "b", "b", None, "a"], [1, 1, 2, 3, 4, 5])
    assert (found.count, found.share) == (3, pytest.approx(2 / 3))
    assert found.by_chance == pytest.approx(2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)
    assert of([], []).count == 0
    assert not of([], []).is_known
    assert not of([None], ["a"]).is_known


@pytest.mark.parametrize(
    ("share", "by_chance", "count", "is_known"),
    [
        (0.5, 0.0, 300, True),
        (0.49, 0.0, 300, False),
        (0.75, 0.5, 300, True),
        (0.74, 0.5, 300, False),
        (0.95, 0.94, 300, False),  # one class is nearly all
        (0.75, 0.5, 12, False),  # luck
        (1.0, 0.5, 6, True),
    ],
)
def test_half_of_the_way_from_chance_to_always(share: float, by_chance: float, count: int, *, is_known: bool) -> None:
    assert LabelAgreement(share, by_chance, count).is_known == is_known


@pytest.mark.slow
def test_labels_by_dice_are_hardly_ever_known() -> None:
    dice = np.random.default_rng(0)
    for count, classes in ((12, 2), (40, 2), (300, 10)):
        lucky = [of(*dice.integers(0, classes, (2, count)).astype(str).tolist()).is_known for _ in range(200)]
        assert np.mean(lucky) <= 0.02
    assert LabelAgreement(0.12, 0.1, 300).words == (
        "The model agrees with 12 % of the labels: they are wrong as a whole (a shifted column?), or it does not know "
        "these classes"
    )
    assert "(shifted class numbers?)" in LabelAgreement(0.12, 0.1, 300, is_of_objects=True).words
