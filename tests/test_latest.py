"""The latest result: made once for a cause, again for another, by identity or by what counts as the same."""

import pandas as pd

from url_viz.latest import Latest, LatestByKey


def test_by_identity() -> None:
    made: list[int] = []
    latest: Latest[int] = Latest()
    one, equal = [1], [1]

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [latest.of(cause, make) for cause in (one, one, equal, equal, one)] == [0, 0, 1, 1, 2]


def test_by_what_counts_as_the_same() -> None:
    latest: Latest[str] = Latest(same=pd.Series.equals)
    assert latest.of(pd.Series(["a"]), lambda: "first") == "first"
    assert latest.of(pd.Series(["a"]), lambda: "second") == "first"
    assert latest.of(pd.Series(["b"]), lambda: "third") == "third"


def test_a_result_may_be_none() -> None:
    latest: Latest[None] = Latest()
    cause = object()
    calls: list[None] = []
    for _ in range(2):
        latest.of(cause, lambda: calls.append(None))
    assert len(calls) == 1


def test_results_by_key_are_made_once_for_a_cause_and_anew_for_another() -> None:
    latest, made = LatestByKey(most=8), []
    one, other = object(), object()

    def of(cause: object, key: str) -> int:
        def make() -> int:
            made.append(key)
            return len(made)

        return latest.of(cause, key, make)

    assert [of(one, "a"), of(one, "b"), of(one, "a"), of(one, "b")] == [1, 2, 1, 2]
    assert [of(other, "a"), of(other, "b"), of(one, "a")] == [3, 4, 5]
    assert latest.of(one, "none", lambda: None) is None
    assert latest.of(one, "none", lambda: 1) is None


def test_of_too_many_results_the_one_made_first_is_dropped() -> None:
    latest, cause = LatestByKey(most=2), object()
    assert [latest.of(cause, key, lambda key=key: key) for key in "abc"] == ["a", "b", "c"]
    assert [latest.of(cause, key, lambda: "anew") for key in "cba"] == ["c", "b", "anew"]
