"""Labels made wrong in each way: what is planted, what nobody could miss is found, and what is said is counted."""

from pathlib import Path

import numpy as np
import pytest

from experiments import label_errors
from experiments.label_queues import ANY, NONE, SIMILAR
from experiments.small_sets import CASES, SHIFTED, TWO, changed, intervals_table, rows_of, ten_table
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
    lead_of_votes,
    our_rows,
    plant,
    tables,
    what_became,
)
from tests.given import dice
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
    lead = auroc(case.classified().evidence.doubt, case.is_error) - auroc(lead_of_votes(case), case.is_error)
    assert found[VOTES]["lead"][0] == pytest.approx(lead)
    assert found[OURS]["lead"] == [0, 0, 0]
    assert found[OURS]["auroc"][0] > 0.9, "by dice .5"
    told = label_errors.table({"report": {"made": {"0.3": found}}})
    assert "| made, 30% " in told
    assert f"| **{OURS}** " in told


LABEL = np.repeat(np.arange(4, dtype=np.int32), 10)
SIMILAR_TO = np.array([1, 0, 3, 2], np.int32)


def made_wrong(kind: str, fraction: float) -> np.ndarray:
    return changed(LABEL, SIMILAR_TO, kind, fraction, np.random.default_rng(0))


def test_each_kind_of_errors() -> None:
    assert (made_wrong(NONE, 0.0) == LABEL).all()
    assert (made_wrong(ANY, 0.2) != LABEL).sum() == 8
    similar = made_wrong(SIMILAR, 0.1)
    is_wrong = similar != LABEL
    assert is_wrong.sum() == 4
    assert (similar[is_wrong] == SIMILAR_TO[LABEL[is_wrong]]).all()
    for shifted in (made_wrong(SHIFTED, 0.5), made_wrong(SHIFTED, 1.0)):
        assert (shifted != LABEL).any()
        assert (np.bincount(shifted) == np.bincount(LABEL)).all(), "a column keeps its values"
    two = made_wrong(TWO, 1.0)
    assert set(LABEL[two != LABEL]) in ({0, 1}, {2, 3})
    assert (np.bincount(two) == np.bincount(LABEL)).all()


def test_clear_classes_are_spoken_of_until_labels_are_wrong_as_a_whole() -> None:
    classes = np.repeat(np.array([b"a", b"b", b"c", b"d"]), 40)
    embedding = 0.5 * dice(160, 12)
    embedding[np.arange(160), np.repeat(np.arange(4), 40)] += 3
    rows = list(rows_of("clear", embedding.astype(np.float32), classes, 1))
    assert len(rows) == len(CASES)
    by_kind = {row["planted"]: row for row in rows}
    assert by_kind[NONE]["is said"]
    assert by_kind[NONE]["held"]
    assert by_kind[NONE]["ten wrong"] == 0
    assert by_kind["similar class, 4%"]["ten wrong"] == 6
    assert by_kind["any class, 10%"]["listed held"]
    assert not by_kind["any class, 100%"]["is said"]
    assert "held" not in by_kind["any class, 100%"]
    lines = intervals_table({"report": rows}).splitlines()
    assert lines[2].startswith("| no error ")
    assert "| 0 of 1" in lines[-2]
    assert ten_table({"report": rows}).splitlines()[3].startswith("| similar class, 2% ")
