"""Filters, scopes and categories: which rows they keep, their words, and their way into an address and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from url_viz.columns.filters import (
    DECISION_COLOURS,
    DECISIONS,
    MOST_CORNERS,
    MOST_IDS,
    Between,
    Filter,
    NameContains,
    OneOf,
    Scope,
    as_query,
    categories_of,
    category_colours,
    category_names,
    class_columns,
    counted_values,
    filter_in_words,
    filter_kind,
    filterable,
    from_query,
    inside_polygon,
    is_filter_key,
    passes_all,
    replaced_in,
    scope_as_query,
    scope_from_query,
    scoped,
    thinned,
)

TABLE = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "path": ["Cat/a.jpg", "dog/b.jpg", "dog/CATALOGUE.png", "c.jpg"],
        "label": ["cat", "dog", "dog", None],
        "width": [10, 20, 30, 40],
        "uncertainty": [0.1, np.nan, 0.3, 0.4],
        "tags": ["", "blue", "blue; night", "night"],
        "is_night": [False, False, True, True],
        "constant": ["same"] * 4,
    }
)


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ((), [0, 1, 2, 3]),
        ((OneOf("label", ("dog",)),), [1, 2]),
        ((OneOf("label", ("cat", "")),), [0, 3]),
        ((OneOf("tags", ("night",)),), [2, 3]),
        ((OneOf("tags", ("",)),), [0]),
        ((OneOf("is_night", ("True",)),), [2, 3]),
        ((Between("width", 20, 30),), [1, 2]),
        ((Between("uncertainty", None, 0.3),), [0, 2]),
        ((Between("uncertainty"),), [0, 2, 3]),
        ((NameContains("cat"),), [0, 2]),
        ((NameContains(".*"),), []),
        ((NameContains("cat"), OneOf("label", ("dog",))), [2]),
        ((OneOf("left.the.table", ("x",)),), [0, 1, 2, 3]),
    ],
)
def test_rows_that_pass(filters: tuple[Filter, ...], rows: list[int]) -> None:
    assert np.flatnonzero(passes_all(TABLE, filters)).tolist() == rows


def test_what_can_be_filtered_by() -> None:
    assert filterable(TABLE) == {
        "label": "category",
        "width": "numeric",
        "uncertainty": "numeric",
        "tags": "several",
        "is_night": "category",
    }
    assert filter_kind(TABLE["width"]) == "numeric"


def test_values_with_counts() -> None:
    assert counted_values(TABLE["label"]) == {"dog": 2, "cat": 1, "": 1}
    assert counted_values(TABLE["tags"]) == {"blue": 2, "night": 2, "": 1}


def test_one_filter_a_column() -> None:
    first, second = OneOf("label", ("cat",)), Between("width", 1, 2)
    assert replaced_in((first, second), "label", OneOf("label", ("dog",))) == (OneOf("label", ("dog",)), second)
    assert replaced_in((first,), "width", second) == (first, second)
    assert replaced_in((first, second), "label", None) == (second,)


def test_chips_are_in_words() -> None:
    assert filter_in_words(OneOf("decision", ("keep", ""))) == "Decision: keep or none"
    assert filter_in_words(Between("nearest_similarity", None, 0.5)) == "Nearest similarity ≤ 0.5"
    assert filter_in_words(Between("width", 100, 300)) == "Width 100 – 300"
    assert filter_in_words(NameContains("beach")) == "Name: beach"


def test_nonsense_in_an_address_is_passed_over() -> None:
    query = {"set": ["0f"], "min.width": ["wide"], "max.width": [], "in.": ["x"], "name": [""], "max.height": ["nan"]}
    assert from_query(query) == ()
    assert not any(map(is_filter_key, ("set", "in", "inside.x", "name.x", "names", "by")))


words = st.text(min_size=1, max_size=8).filter(lambda text: "." not in text)
bounds = st.none() | st.integers(-999, 999).map(float)
one_filter = st.one_of(
    st.builds(OneOf, words, st.lists(words, min_size=1, max_size=3).map(tuple)),
    st.builds(Between, words, st.integers(-9, 9).map(float), bounds),
)


@given(st.lists(one_filter, max_size=4, unique_by=lambda one: one.column))
def test_an_address_brings_the_filters_back(filters: list[Filter]) -> None:
    assert from_query(as_query(filters)) == tuple(filters)
    assert all(map(is_filter_key, as_query(filters)))


SQUARE = ((1.5, -1.0), (5.5, -1.0), (5.5, 1.0), (1.5, 1.0))


def table() -> pd.DataFrame:
    steps = np.arange(8, dtype=float)
    labels = ["cat", "dog"] * 4
    return pd.DataFrame({"id": np.arange(8) + 100, "label": labels, "x": steps, "y": np.zeros(8)})


def test_a_scope_is_a_lasso_and_filters() -> None:
    rows = table()
    assert scoped(rows, Scope()).shape[0] == 8
    assert scoped(rows, Scope(polygon=SQUARE))["id"].tolist() == [102, 103, 104, 105]
    assert scoped(rows, Scope(polygon=SQUARE, filters=(OneOf("label", ("cat",)),)))["id"].tolist() == [102, 104]
    rows.loc[3, ["x", "y"]] = np.nan  # without a place a picture is in no lasso
    assert scoped(rows, Scope(polygon=SQUARE))["id"].tolist() == [102, 104, 105]


def test_a_scope_comes_back_from_its_address() -> None:
    scope = Scope(SQUARE, (OneOf("label", ("cat", "a; b")), Between("width", 3, None)))
    query = scope_as_query(scope)
    assert query["lasso"] == ["1.5,-1 5.5,-1 5.5,1 1.5,1"]
    assert scope_from_query(query) == scope
    assert scope_as_query(Scope()) == {}
    many, others = (scope_as_query(Scope(corners * MOST_CORNERS)) for corners in (SQUARE, SQUARE[1:]))
    assert many != others
    assert len(many["lasso"][0]) < 50
    assert scope_from_query(many).polygon is None


def test_chosen_pictures_are_a_scope_and_come_back_from_an_address_if_they_are_few() -> None:
    table = pd.DataFrame({"id": [3, 5, 2**62 + 1], "x": np.zeros(3), "y": np.zeros(3), "width": [1, 2, 3]})
    scope = Scope(ids=(2**62 + 1, 3, 99), filters=(Between("width", 2, None),))
    assert scoped(table, scope)["id"].tolist() == [2**62 + 1]
    assert scope_from_query(scope_as_query(scope)) == scope
    assert scoped(table, Scope(ids=())).empty
    many, others = (scope_as_query(Scope(ids=tuple(range(first, first + MOST_IDS + 1)))) for first in (0, 1))
    assert scope_from_query(many).ids is None
    assert many != others
    for nonsense in ("", "x", "1 -2", "1  2", "9" * 30, " ".join(["7"] * (MOST_IDS + 1))):
        assert scope_from_query({"chosen": [nonsense]}).ids is None


def test_a_lasso_of_many_corners_is_thinned_to_what_fits_into_an_address() -> None:
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = tuple((float(np.cos(a)), float(np.sin(a))) for a in angles)
    few = thinned(circle)
    assert few is not None
    assert len(few) == MOST_CORNERS
    assert set(few) <= set(circle)
    x, y = np.random.default_rng(0).uniform(-1.2, 1.2, (2, 2000)).astype(np.float32)
    assert (inside_polygon(np.array(few), x, y) == inside_polygon(np.array(circle), x, y)).mean() > 0.999
    assert thinned(few) is few
    assert thinned(None) is None


@pytest.mark.parametrize("text", ["", "1,2 3,4", "1,2 3,4 x,5", "1,2 3,4 nan,5", "1,2,3 4,5,6 7,8,9"])
def test_a_lasso_that_is_none_is_passed_over(text: str) -> None:
    assert scope_from_query({"lasso": [text]}) == Scope()


def naive_inside(polygon: NDArray[np.float64], x: float, y: float) -> bool:
    is_in = False
    for i in range(len(polygon)):
        (x0, y0), (x1, y1) = polygon[i], polygon[i - 1]
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            is_in = not is_in
    return is_in


@pytest.mark.parametrize("corners", [3, 60])
def test_the_lasso_agrees_with_the_naive_test_even_where_it_crosses_itself(corners: int) -> None:
    random = np.random.default_rng(corners)
    polygon = random.normal(size=(corners, 2))
    x, y = random.normal(size=(2, 2000)).astype(np.float32)
    expected = [naive_inside(polygon, float(a), float(b)) for a, b in zip(x, y, strict=True)]
    assert inside_polygon(polygon, x, y).tolist() == expected
    assert any(expected)
    assert not inside_polygon(polygon[:2], x, y).any()


@pytest.mark.parametrize(
    ("values", "names", "numbers"),
    [
        (["b", None, "a", "b"], ("a", "b"), [1, -1, 0, 1]),
        (["10", "9", "", "x"], ("9", "10", "x"), [1, 0, -1, 2]),
        ([True, False, True], ("no", "yes"), [1, 0, 1]),
        ([2.0, np.nan, 10.0, 0.5], ("0.5", "2", "10"), [1, -1, 2, 0]),
        ([3, 1, 3], ("1", "3"), [1, 0, 1]),
        ([None, None], (), [-1, -1]),
        ([], (), []),
        (["nan", "inf", "1"], ("1", "inf", "nan"), [2, 1, 0]),
    ],
)
def test_values_become_names_and_numbers(values: list[object], names: tuple[str, ...], numbers: list[int]) -> None:
    found = categories_of(pd.DataFrame({"label": values}))
    assert found.names == names == category_names(pd.DataFrame({"label": values}))
    assert found.numbers.tolist() == numbers
    assert found.numbers.dtype == np.int32


def test_decisions_have_their_order_and_their_colours_whatever_is_decided() -> None:
    table = pd.DataFrame({"decision": ["look-again", None, "keep"]})
    found = categories_of(table, "decision")
    assert (found.names, found.numbers.tolist()) == (DECISIONS, [2, -1, 0])
    assert category_colours(found.names, "decision") == tuple(DECISION_COLOURS[name] for name in DECISIONS)
    assert category_colours(("a", "b"), "label") == ()


def test_of_several_reasons_the_first_counts() -> None:
    table = pd.DataFrame({"reasons": ["blurred; dark", "dark", "", "blurred"], "label": ["a; b", "a", "a", "a"]})
    assert categories_of(table, "reasons").names == ("blurred", "dark")
    assert categories_of(table, "reasons").numbers.tolist() == [0, 1, -1, 0]
    assert categories_of(table).names == ("a", "a; b")


def test_columns_of_few_values_can_hold_classes_and_measurements_cannot() -> None:
    table = pd.DataFrame(
        {
            "room": ["a", "b"] * 50,
            "level": [1, 2, 3, 4] * 25,
            "width": range(100),
            "box_y": [number // 2 for number in range(100)],
            "path": [f"{number}.jpg" for number in range(100)],
            "same": ["x"] * 100,
            "species": [f"s{number // 2}" for number in range(100)],
        }
    )
    assert class_columns(table, tuple(table.columns)) == {"room", "level", "species"}
    assert class_columns(table, ("gone",)) == frozenset()
