"""Temperatures and stacks are chosen on other sets alone, and find what tells errors there."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.benchmark.made import small_case
from training.benchmark.__main__ import _fit_others
from training.benchmark.labelled import TEMPERATURES, Case
from training.benchmark.orders import fit_baselines
from url_viz.evidence.baselines import softmax_entropy
from url_viz.evidence.order_metrics import auroc


def told_by_norm(seed: int) -> Case:
    """A case in which short embeddings are wrong, and long ones right."""
    case = small_case(seed)
    length = np.linalg.norm(case.labelled.embedding.astype(float), axis=1)
    return replace(case, outcomes=replace(case.outcomes, is_wrong=length < np.median(length)))


def test_the_temperature_is_the_best_of_the_mean() -> None:
    cases = [small_case(seed) for seed in (1, 2, 3)]
    baselines = fit_baselines(cases)
    assert baselines is not None
    means = [
        np.mean(
            [auroc(softmax_entropy(case.labelled.logits, temperature=one), case.outcomes.is_wrong) for case in cases]
        )
        for one in TEMPERATURES
    ]
    assert baselines.temperature == TEMPERATURES[int(np.argmax(means))]
    assert baselines.on == ("made 1", "made 2", "made 3")


def test_a_stack_finds_what_tells_errors_elsewhere() -> None:
    baselines = fit_baselines([told_by_norm(seed) for seed in (1, 2)])
    assert baselines is not None
    case = told_by_norm(3)
    for by_ranks in (False, True):
        assert auroc(baselines.stack(case.labelled, by_ranks=by_ranks), case.outcomes.is_wrong) > 0.9
    for weights in (baselines.record.stack, baselines.record.rank_stack):
        assert max(weights, key=lambda one: abs(one.weight)).name == "inverse_norm"


def test_a_stack_of_values_knows_the_picture_alone() -> None:
    baselines = fit_baselines([small_case(1), small_case(2)])
    assert baselines is not None
    labelled = small_case(3).labelled
    half = replace(labelled, embedding=labelled.embedding[:30], logits=labelled.logits[:30])
    values, ranks = (baselines.stack(labelled, by_ranks=one)[:30] for one in (False, True))
    assert baselines.stack(half, by_ranks=False) == pytest.approx(values)
    assert not np.allclose(baselines.stack(half, by_ranks=True), ranks)


def test_sets_without_both_outcomes_choose_nothing() -> None:
    case = small_case(0)
    right = replace(case, outcomes=replace(case.outcomes, is_wrong=np.zeros(72, bool)))
    assert fit_baselines([right]) is None
    baselines = fit_baselines([right, small_case(1)])
    assert baselines is not None
    assert baselines.on == ("made 1",)


def test_nothing_is_chosen_on_the_set_itself(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [small_case(seed) for seed in (0, 1, 2)]
    found = _fit_others(cases, [])
    assert [None if one is None else one.on for one in found] == [
        ("made 1", "made 2"),
        ("made 0", "made 2"),
        ("made 0", "made 1"),
    ]
    given = _fit_others(cases[:1], cases[1:])
    assert given[0] is not None
    assert given[0].on == ("made 1", "made 2")
    assert "Without other sets" not in capsys.readouterr().out
    again = small_case(0)  # the same files, read once more
    assert _fit_others([cases[0]], [again]) == [None]
    assert "Without other sets" in capsys.readouterr().out
