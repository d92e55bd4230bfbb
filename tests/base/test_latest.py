"""The latest result: made once for a cause, again for another object."""

from url_viz.base.processes import Latest


def test_by_identity() -> None:
    made: list[int] = []
    latest: Latest[int] = Latest()
    one, equal = [1], [1]

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [latest.get(cause, make) for cause in (one, one, equal, equal, one)] == [0, 0, 1, 1, 2]


def test_a_result_may_be_none() -> None:
    nothing: Latest[None] = Latest()
    calls: list[None] = []
    for _ in range(2):
        nothing.get(calls, lambda: calls.append(None))
    assert len(calls) == 1
