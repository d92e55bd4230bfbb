"""Filters: which rows they keep, and their way into an address and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.columns.filters import (
    Between,
    Filter,
    NameContains,
    OneOf,
    as_query,
    counted_values,
    filter_in_words,
    filter_kind,
    filterable,
    from_query,
    is_filter_key,
    passes_all,
    replaced_in,
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
        ((NameContains("cat"), OneOf("label", ("dog",))), [2]),
        ((OneOf("left.the.table", ("x",)),), [0, 1, 2, 3]),
    ],
)
def test_rows_that_pass(filters: tuple[Filter, ...], rows: list[int]) -> None:
    assert np.flatnonzero(passes_all(TABLE, filters)).tolist() == rows


def test_names_are_no_patterns() -> None:
    assert not passes_all(TABLE, [NameContains(".*")]).any()


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
