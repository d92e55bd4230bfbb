"""Labels of small sets made wrong in each way, and what is counted of what is said."""

import numpy as np

from experiments.label_queues import ANY, NONE, SIMILAR
from experiments.small_sets import CASES, SHIFTED, TWO, changed, intervals_table, rows_of, ten_table
from tests.given import dice

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
