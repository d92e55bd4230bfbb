"""Ambiguity by class and the probe's accuracy before and after: by hand, by naive loops, and where nothing changed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from url_viz.analysis.changes import FEWEST, SEEDS, ambiguity_by_class, content_codes_of, probe_change
from url_viz.analysis.probe import PROBE_PENALTY, PROBE_SCALE, probe_folds


def rows(label: list[str | None], ambiguity: list[float], group: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"label": pd.Series(label, dtype=object), "ambiguity": ambiguity, "group": group})


class TestAmbiguity:
    """Means, and intervals over groups that vary in both versions together."""

    def test_by_hand(self) -> None:
        """Each of ten pictures became .1 more ambiguous: whatever is drawn, the mean differs by .1."""
        values = np.linspace(0, 0.9, 10)
        before = rows(["a"] * 10 + ["b"], [*values, 0.5], list(range(11)))
        after = rows(["a"] * 10 + ["b", None], [*(values + 0.1), 0.5, 1.0], [*range(11), 11])
        table = ambiguity_by_class(before, after)
        assert table["label"].tolist() == ["a"]  # b has too few
        found = table.iloc[0]
        assert found[["pictures_before", "pictures"]].tolist() == [10, 10]
        assert found[["before", "after"]].tolist() == pytest.approx([0.45, 0.55])
        assert found[["difference", "low", "high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])

    def test_intervals_are_those_of_a_naive_bootstrap_of_groups(self) -> None:
        dice = np.random.default_rng(0)
        group, is_new = np.repeat(np.arange(40), 2), np.arange(80) >= 60
        value = dice.random(80)
        before, after = rows(["a"] * 60, list(value[:60]), list(group[:60])), rows(["a"] * 80, list(value), list(group))

        def difference(values: np.ndarray, added: np.ndarray) -> float:
            return float(values.mean() - values[~added].mean())

        draws = (2 * dice.integers(40, size=40)[:, None] + np.arange(2) for _ in range(4000))
        wanted = np.quantile([difference(value[two.ravel()], is_new[two.ravel()]) for two in draws], [0.025, 0.975])
        found = ambiguity_by_class(before, after).iloc[0]
        assert found[["low", "high"]].tolist() == pytest.approx(wanted.tolist(), abs=0.01)


CLASSES, EACH = 4, 30


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Whitened rows about a centre for each class, and the classes."""
    dice, label = np.random.default_rng(1), np.repeat(np.arange(CLASSES, dtype=np.int32), EACH)
    raw = dice.normal(size=(CLASSES, 8))[label] + 0.9 * dice.normal(size=(len(label), 8))
    return raw / np.linalg.norm(raw, axis=1, keepdims=True), label


def naive(white: np.ndarray, label: np.ndarray, right: np.ndarray, group: np.ndarray, seed: int) -> np.ndarray:
    """Whether each picture is called right by a probe that learnt from the labels (−1: not there) of other folds."""
    fold, inputs, found = probe_folds(group, seed=seed), PROBE_SCALE * white, np.zeros(len(label), bool)
    for left_out in np.unique(fold):
        learns = (fold != left_out) & (label >= 0)
        model = LogisticRegression(C=1 / (2 * PROBE_PENALTY * learns.sum()), max_iter=500, tol=1e-6)
        model.fit(inputs[learns], label[learns])
        found[fold == left_out] = model.predict(inputs[fold == left_out]) == right[fold == left_out]
    return found


class TestProbe:
    """Both versions' probes on the same pictures, with their twins out of training."""

    def test_it_is_a_naive_loop(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        """A quarter of the labels was wrong before, and ten pictures are new."""
        white, after = clusters
        before = np.where(np.arange(len(after)) % 4 == 0, (after + 1) % CLASSES, after).astype(np.int32)
        before[-10:] = -1
        group, is_test = np.arange(len(after)) // 2, before == after
        found = probe_change(white, before, after, is_test, group)
        assert found is not None
        both = [
            np.mean([naive(white, each, after, group, seed)[is_test].mean() for seed in range(SEEDS)])
            for each in (before, after)
        ]
        assert [found.before.value, found.after.value] == pytest.approx(both, abs=0.01)
        assert found.difference.value == pytest.approx(both[1] - both[0], abs=0.015)
        assert found.pictures == is_test.sum()
        assert found.difference.interval.low < found.difference.value < found.difference.interval.high

    def test_the_same_labels_make_no_difference(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        white, label = clusters
        found = probe_change(white, label, label, label >= 0, np.arange(len(label)))
        assert found is not None
        assert (found.difference.value, found.difference.interval.low, found.difference.interval.high) == (0, 0, 0)
        assert "no measurable difference" in found.words

    def test_nothing_is_said_of_few_pictures_or_one_class(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        white, label = clusters
        few, one = np.arange(len(label)) < FEWEST - 1, np.zeros_like(label)
        group = np.arange(len(label))
        assert probe_change(white, label, label, few, group) is None
        assert probe_change(white, one, label, label >= 0, group) is None


def test_copies_with_different_labels_have_none() -> None:
    one = pd.DataFrame({"content": [5, 5, 7], "label": ["a", "b", "b"]})
    other = pd.DataFrame({"content": [7, 9], "label": ["b", None]})
    codes = content_codes_of([one, other], np.array([5, 7, 9]))
    assert [each.tolist() for each in codes] == [[-1, 1, -1], [-1, 1, -1]]
