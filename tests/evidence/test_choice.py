"""What covers a set first and a choice of n pictures, against a naive greedy search; quotas; what a choice is worth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tests.pipeline.whitened_examples import classes, graph_of, with_burst
from url_viz.base.errors import ImageSetError
from url_viz.evidence.choice import (
    NEIGHBOURS,
    choice_in_words,
    choice_worth,
    chosen_rows,
    cover_first,
    equal_quota,
)
from url_viz.evidence.probe import PROBE_PENALTY, PROBE_SCALE, probe_folds
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.tables.tables import Graph


def choose(
    graph: Graph,
    count: int,
    *,
    value: NDArray[np.object_] | None = None,
    pinned: list[int] | None = None,
    shut: list[int] | None = None,
    most: dict[str, int] | None = None,
) -> list[int]:
    every = np.arange(len(graph))
    values = None if value is None else pd.Series(value, dtype=object)
    is_open, is_pinned = ~np.isin(every, shut or []), np.isin(every, pinned or [])
    rows = chosen_rows(graph, graph.content, count, is_open=is_open, is_pinned=is_pinned, value=values, most=most)
    return rows.tolist()


def test_a_quota_is_filled_evenly_and_what_a_small_group_lacks_goes_to_the_others() -> None:
    group = np.repeat([0, 1, 2], [2, 10, 10])
    none, every = np.zeros(22, bool), np.ones(22, bool)
    quota = equal_quota(group, count=11, is_open=every, is_chosen=none, most=np.array([-1, -1, -1]))
    assert (quota.room.tolist(), quota.takes_more.tolist(), quota.extra) == ([2, 4, 4], [False, True, True], 1)
    quota = equal_quota(group, count=11, is_open=every, is_chosen=none, most=np.array([-1, 3, -1]))
    assert (quota.room.tolist(), quota.takes_more.tolist(), quota.extra) == ([2, 3, 6], [False, False, True], 0)
    pinned = np.isin(np.arange(22), [2, 3, 4, 5, 6, 7])
    quota = equal_quota(group, count=11, is_open=~pinned, is_chosen=pinned, most=np.array([-1, -1, -1]))
    assert (quota.room.tolist(), quota.takes_more.tolist(), quota.extra) == ([2, 0, 3], [False, False, True], 0)


def naive(
    graph: Graph,
    count: int,
    *,
    covered: list[int] | None = None,
    group: list[str] | None = None,
    room: dict[str, int] | None = None,
    extra: int = 0,
) -> list[int]:
    """Every gain worked out anew before each choice; groups that are full are passed over, and all twins but one."""
    size, representative = len(graph), of(graph)
    group, left, covered = group or [""] * size, dict(room or {"": size}), covered or []
    covers = np.zeros((size, size))
    for row in np.flatnonzero(representative == np.arange(size)):
        covers[row, row] = 1
        for near, similarity in zip(graph.position[row, :NEIGHBOURS], graph.similarity[row, :NEIGHBOURS], strict=True):
            if near >= 0 and group[row] == group[near]:
                covers[row, near] = covers[near, row] = max(covers[row, near], float(similarity))
    best, chosen = covers[:, covered].max(axis=1, initial=0), list[int]()
    while len(chosen) < count:
        can = [
            one
            for one in range(size)
            if representative[one] == one and one not in (*chosen, *covered)
            if left[group[one]] > 0 or (left[group[one]] == 0 < extra)
        ]
        gains = {one: round(np.maximum(covers[:, one] - best, 0).sum(), 9) for one in can}
        chosen.append(max(can, key=lambda one: (gains[one], -one)))
        extra -= left[group[chosen[-1]]] == 0
        left[group[chosen[-1]]] -= 1
        best = np.maximum(best, covers[:, chosen[-1]])
    return chosen


def of(graph: Graph) -> NDArray[np.int64]:
    return twin_representatives(graph.twins).astype(np.int64)


@pytest.mark.parametrize("named", [[], [3, 40, 41]])
def test_what_covers_first_is_the_greedy_cover(named: list[int]) -> None:
    graph, _ = graph_of(classes(90, of=7)[0])
    is_named = np.isin(np.arange(90), named)
    found = cover_first(graph, representative=of(graph), is_covered=is_named, count=25)
    assert found.tolist() == naive(graph, 25, covered=named)


def test_the_beginning_of_a_cover_is_as_good_whatever_the_count_and_all_come_in_the_end() -> None:
    graph, _ = graph_of(classes(120)[0])
    none = np.zeros(120, bool)
    every = cover_first(graph, representative=of(graph), is_covered=none, count=1000)
    assert sorted(every.tolist()) == list(range(120))
    assert cover_first(graph, representative=of(graph), is_covered=none, count=9).tolist() == every[:9].tolist()
    first = np.isin(np.arange(120), every[:9])
    assert cover_first(graph, representative=of(graph), is_covered=first, count=5).tolist() == every[9:14].tolist()


def test_what_covers_first_finds_more_classes_than_chance() -> None:
    embeddings, kind = classes(600, of=60, spread=1.2)
    graph, _ = graph_of(embeddings)
    found = cover_first(graph, representative=of(graph), is_covered=np.zeros(600, bool), count=60)
    drawn = [len(set(kind[np.random.default_rng(seed).choice(600, 60, replace=False)])) for seed in range(20)]
    assert len(set(kind[found])) > max(drawn)


def test_of_twins_one_covers_first_and_none_once_another_has_a_name() -> None:
    graph, _ = graph_of(with_burst(60, 12))
    burst = {0, *range(60, 71)}
    every = cover_first(graph, representative=of(graph), is_covered=np.zeros(71, bool), count=71)
    assert len(every) == 60
    assert len(burst & set(every.tolist())) == 1
    named = np.isin(np.arange(71), [65])
    assert not burst & set(cover_first(graph, representative=of(graph), is_covered=named, count=71).tolist())
    among = np.isin(np.arange(71), [5, 9, 65])
    asked = cover_first(graph, representative=of(graph), is_covered=np.zeros(71, bool), count=71, among=among)
    assert {int(of(graph)[one]) for one in (5, 9, 65)} == set(asked.tolist())


def test_within_a_quota_it_is_the_greedy_cover() -> None:
    rows, kind = classes(90, of=4)
    graph, _ = graph_of(rows)
    dice = np.random.default_rng(0).permutation(kind)  # near ones of another group cover nothing
    value = np.array([f"kind {number}" for number in dice], object)
    assert min(pd.Series(value).value_counts()) > 6
    expected = naive(graph, 22, group=value.tolist(), room=dict.fromkeys(value.tolist(), 5), extra=2)
    assert choose(graph, 22, value=value) == expected


@given(seed=st.integers(0, 999), count=st.integers(1, 70), pins=st.integers(0, 12), shut=st.integers(0, 20))
def test_however_it_is_asked_it_is_as_even_as_can_be(seed: int, count: int, pins: int, shut: int) -> None:
    dice = np.random.default_rng(seed)
    value = dice.choice(np.array(["a", "b", "c", None], object), 60, p=[0.6, 0.2, 0.1, 0.1])
    order = dice.permutation(60).tolist()
    pinned, closed = order[: min(pins, count)], order[pins : pins + shut]
    found = choose(SMALL, count, value=value, pinned=pinned, shut=closed, most={"a": 9} if "a" in value else {})
    assert found[: len(pinned)] == sorted(pinned)
    assert len(set(found)) == len(found)
    more = found[len(pinned) :]
    assert not set(more) & set(closed)
    assert all(value[one] is not None for one in more)
    left = pd.Series([value[one] for one in range(60) if one not in {*pinned, *closed}]).value_counts().to_dict()
    has = pd.Series([value[one] for one in found]).value_counts().to_dict()
    mine = pd.Series([value[one] for one in pinned], dtype=object).value_counts().to_dict()
    bound = {name: mine.get(name, 0) + left.get(name, 0) for name in "abc"}
    bound["a"] = max(min(bound["a"], 9), mine.get("a", 0))
    assert len(found) == min(count, len(pinned) + sum(bound[name] - mine.get(name, 0) for name in "abc"))
    for one in "abc":
        for other in "abc":  # nobody got one more while another, that could have had it, has two fewer
            assert has.get(one, 0) <= max(has.get(other, 0) + 1, mine.get(one, 0)) or has.get(other, 0) == bound[other]


SMALL, _ = graph_of(classes(60, of=3)[0])


def test_of_twins_one_is_chosen_that_may_be_and_none_beside_a_pinned_one() -> None:
    graph, _ = graph_of(with_burst(60, 12))
    burst = {0, *range(60, 71)}
    assert len(burst & set(choose(graph, 71))) == 1
    only = [one for one in range(71) if one in burst and one != 65]
    assert burst & set(choose(graph, 71, shut=only)) == {65}, "the twin that comes first may not be chosen"
    assert burst & set(choose(graph, 71, pinned=[66, 67])) == {66, 67}


def test_a_graph_of_another_moment_chooses_what_both_know() -> None:
    contents = np.append(SMALL.content[1:], -5)
    every, none = np.ones(60, bool), np.zeros(60, bool)
    found = chosen_rows(SMALL, contents, 70, is_open=every, is_pinned=none, value=pd.Series(["a", "b"] * 30))
    assert sorted(found.tolist()) == list(range(59))


def test_what_cannot_be_chosen_is_said() -> None:
    with pytest.raises(ImageSetError, match="3 pictures are pinned, more than the 2"):
        choose(SMALL, 2, pinned=[1, 2, 3])
    with pytest.raises(ImageSetError, match="No picture has the value 'z'"):
        choose(SMALL, 2, value=np.full(60, "a", object), most={"z": 1})
    few = pd.DataFrame({"label": ["a", "a", "b"], "pinned": [True, False, False]})
    assert choice_in_words(few, 4, per="label") == (
        "3 pictures chosen, 1 of them pinned, 1 to 2 of each of 2 classes. 4 were asked for; no more are left, "
        "since near copies count once."
    )


ROWS, KIND = classes(200, of=5, spread=0.9)
LABEL = KIND.astype(np.int32)


def test_accuracy_is_that_of_pictures_and_twins_that_were_not_seen() -> None:
    """Against fits of scikit-learn's own, one for what has no twin in the choice, and one a fold."""
    group = np.arange(200) // 2
    is_chosen = np.arange(200) % 4 == 0
    chosen, fold = np.flatnonzero(is_chosen), probe_folds(group, seed=0)
    inputs, right = PROBE_SCALE * ROWS.astype(float), 0
    left_out = np.where(np.isin(group, group[chosen]), fold, -1)
    for number in np.unique(left_out):
        learns, asked = chosen[fold[chosen] != number], left_out == number
        fitted = LogisticRegression(C=1 / (2 * PROBE_PENALTY * len(learns)), max_iter=500, tol=1e-6)
        right += (fitted.fit(inputs[learns], LABEL[learns]).predict(inputs[asked]) == LABEL[asked]).sum()
    found = choice_worth(ROWS, LABEL, is_chosen, group=group, draws=2)
    assert found.chosen == pytest.approx(right / 200, abs=0.006)
    assert (found.pictures, found.tested, found.draws) == (50, 200, 2)
    assert "200 pictures right, by folds: never one that it was trained on" in found.words


@pytest.mark.parametrize(("keeps", "says"), [(2, "is worth less than chance: −"), (5, "no measurable difference: ")])
def test_a_choice_that_is_worth_nothing_or_less_is_said_to_be(keeps: int, says: str) -> None:
    at_random = np.random.default_rng(5).permutation(np.flatnonzero(np.less(KIND, keeps)))[:60]
    found = choice_worth(ROWS, LABEL, np.isin(np.arange(200), at_random), group=np.arange(200))
    assert says in found.words
    assert found.gain.value == pytest.approx(found.chosen - found.random.value)


def test_what_cannot_be_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    none = np.zeros(200, bool)
    with pytest.raises(ImageSetError, match="labelled pictures of two classes"):
        choice_worth(ROWS, LABEL, none, group=np.arange(200))
    monkeypatch.setattr("url_viz.evidence.choice.MOST_CELLS", 500)
    with pytest.raises(ImageSetError, match="up to 100 pictures of 5 classes"):
        choice_worth(ROWS, LABEL, ~none, group=np.arange(200))
