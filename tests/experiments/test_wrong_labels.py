"""The study of planted label errors plants what it says, and finds what nobody could miss."""

from pathlib import Path

import numpy as np
import pytest

from experiments import label_errors
from experiments.wrong_labels import (
    BLEND,
    DEGRADED,
    ERROR,
    FINE,
    OURS,
    SCORES,
    VOTES,
    EmbeddedSet,
    Noise,
    Planted,
    lead_of_votes,
    our_rows,
    plant,
    tables,
    what_became,
)
from training.holdout import find_space
from url_viz.evidence.order_metrics import auroc

CLASSES, EACH, SIZE = 5, 40, 32


@pytest.fixture(scope="module")
def pictures() -> EmbeddedSet:
    """Five far groups in six numbers; the second is near the first, blends lie between two, degraded ones aside."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(CLASSES, SIZE)) * 2
    middles[1] = middles[0] + rng.normal(size=SIZE)
    label = np.repeat(np.arange(CLASSES, dtype=np.int32), EACH)
    noise = rng.normal(size=(3, len(label), SIZE))
    whole = middles[label] + noise[0]
    return EmbeddedSet(
        "made",
        whole.astype(np.float32),
        ((whole + middles[(label + 1) % CLASSES]) / 2 + noise[1]).astype(np.float32),
        (rng.normal(size=SIZE) * 2 + noise[2]).astype(np.float32),
        label,
    )


@pytest.mark.parametrize("noise", [("any class", 0.1), ("similar class", 0.2)])
def test_what_is_planted(pictures: EmbeddedSet, noise: Noise) -> None:
    one, again, other = plant(pictures, noise, 1), plant(pictures, noise, 1), plant(pictures, noise, 2)
    count = CLASSES * EACH
    counts = np.bincount(one.truth, minlength=4)
    assert counts[[ERROR, BLEND, DEGRADED]].tolist() == [int(noise[1] * count), count // 10, count // 10]
    assert np.array_equal(one.label != pictures.label, one.truth == ERROR)
    for kind, source in ((FINE, pictures.embedding), (BLEND, pictures.blend), (DEGRADED, pictures.degraded)):
        assert np.array_equal(one.embedding[one.truth == kind], source[one.truth == kind])
    if noise[0] == "similar class":
        of_first = (one.truth == ERROR) & (pictures.label == 0)
        assert (one.label[of_first] == 1).all()
    assert np.array_equal(one.truth, again.truth)
    assert not np.array_equal(one.truth, other.truth)


def test_errors_between_far_groups_are_found_and_the_table_says_so(pictures: EmbeddedSet) -> None:
    cases = [plant(pictures, ("any class", 0.1), seed) for seed in range(2)]
    rows, judgements = our_rows(cases)
    for row in rows:
        if row["method"] == OURS:
            assert float(str(row["average precision"])) > 0.4, "by dice .1"
    became = what_became(cases, judgements)
    assert {row["truth"] for row in became} == {"fine", "label error", "blend", "degraded"}
    called = {str(row["truth"]): float(str(row["label error"])) for row in became}
    assert called["label error"] > called["fine"]
    scores = [
        {name: value for name, value in row.items() if name in ("set", "noise", "method", *SCORES)} for row in rows
    ]
    told = tables({"report": {"scores": scores, "became": became}})
    assert f"**{OURS}**" in told
    assert VOTES in told
    assert "Development" not in told


def test_the_figures_of_label_errors_by_dice(pictures: EmbeddedSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "CLEANLAB_PYTHON", Path("not there"))
    doubt, is_error = np.array([0.9, 0.1, 0.8, 0.5]), np.array([True, True, False, False])
    assert label_errors.false_negatives(doubt, is_error) == 0.5, "of the two most doubted one is an error"
    space = find_space(pictures.embedding)
    case = label_errors.planted(pictures, space, 0.3, 0)
    assert (case.label != pictures.label).sum() == round(0.3 * CLASSES * EACH) == case.is_error.sum()
    found = label_errors.compared([case], space.group)
    lead = evidence_auroc(case) - auroc(lead_of_votes(case), case.is_error)
    assert found[VOTES]["lead"][0] == pytest.approx(lead)
    assert found[OURS]["lead"] == [0, 0, 0]
    assert found[OURS]["auroc"][0] > 0.9, "by dice .5"
    told = label_errors.table({"report": {"made": {"0.3": found}}})
    assert "| made, 30% " in told
    assert f"| **{OURS}** " in told


def evidence_auroc(case: Planted) -> float:
    return auroc(case.classified().evidence.doubt, case.is_error)
