"""What became of the pictures of a set: each counts once, in the order of what is told."""

from itertools import product

import pandas as pd

from url_viz.review.queues import PARTS, became, progress_counts


def test_every_picture_counts_once() -> None:
    both = [*product((None, "keep", "drop", "look-again"), (None, "corrected", "confirmed", "either"))]
    table = pd.DataFrame(both, columns=["decision", "label_checked"], dtype=object)
    table = table.assign(label="kiwi", label_given="kiwi")
    counts = progress_counts(table)
    assert sum(counts.values()) == len(table)
    assert tuple(counts) == PARTS
    wanted = {(None, None): "to go", ("keep", None): "kept", ("keep", "corrected"): "relabelled"}
    wanted |= {("drop", "corrected"): "dropped", ("look-again", "confirmed"): "put aside"}
    wanted |= {("drop", "either"): "dropped", ("keep", "either"): "rightly both"}
    wanted |= {(None, "corrected"): "relabelled", ("keep", "confirmed"): "confirmed"}
    found = dict(zip(both, became(table), strict=True))
    assert {case: found[case] for case in wanted} == wanted


def test_before_the_first_answer_nothing_is_counted() -> None:
    assert progress_counts(pd.DataFrame({"decision": [None] * 3, "label_checked": [None] * 3}, dtype=object)) == {}
    assert progress_counts(pd.DataFrame({"decision": [], "label_checked": []}, dtype=object)) == {}
