"""What each arm of the study of soft labels teaches, by hand."""

import numpy as np
import pytest

from benchmarks.soft_labels import soft_probe, targets
from url_viz.evidence.probe import fit_probe, probe_inputs


def test_answers_go_to_the_first_of_those_that_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soft_labels.COUNTS", (1,))
    hard = np.eye(3)[[0, 1, 2]]
    votes = np.array([[0.5, 0.4, 0.1], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    arms = {name: make(np.array([0, 2])) for name, make in targets(hard, votes, votes[::-1]).items()}
    assert arms["labels as given"].tolist() == hard.tolist()
    assert arms["dropped, 1"].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert arms["relabelled, 1"].tolist() == hard.tolist()
    assert arms["either, 1"][0].tolist() == [0.5, 0.5, 0]
    assert arms["votes, 1"][0].tolist() == votes[0].tolist()
    assert arms["our shares, 1"][0].tolist() == [0.5, 0, 0.5]
    assert arms["ours for all"][1].tolist() == [0.45, 0.55, 0]


def test_hard_targets_make_the_probe_of_the_package() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4)) / 2
    label = (np.arange(60) % 3).astype(np.int32)
    inputs = probe_inputs(rows)
    found = soft_probe(inputs, np.eye(3)[label], inputs)
    np.testing.assert_allclose(found, fit_probe(inputs, label).shares(inputs), atol=2e-3)
