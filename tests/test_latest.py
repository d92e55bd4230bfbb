"""The latest result: made once for a cause, again for another, by identity or by what counts as the same."""

import pandas as pd

from url_viz.store.about import Latest


def test_by_identity() -> None:
    made: list[int] = []
    latest: Latest[int] = Latest()
    one, equal = [1], [1]

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [latest.get(cause, make) for cause in (one, one, equal, equal, one)] == [0, 0, 1, 1, 2]


def test_by_what_counts_as_the_same_and_a_result_may_be_none() -> None:
    latest: Latest[str] = Latest(same=pd.Series.equals)
    assert latest.get(pd.Series(["a"]), lambda: "first") == "first"
    assert latest.get(pd.Series(["a"]), lambda: "second") == "first"
    assert latest.get(pd.Series(["b"]), lambda: "third") == "third"
    nothing: Latest[None] = Latest()
    calls: list[None] = []
    for _ in range(2):
        nothing.get(latest, lambda: calls.append(None))
    assert len(calls) == 1
