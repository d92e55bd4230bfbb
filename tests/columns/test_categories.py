"""Any column becomes categories: sorted names, numbers among them, none for what is missing."""

import numpy as np
import pandas as pd
import pytest

from url_viz.columns.filters import (
    DECISION_COLOURS,
    DECISIONS,
    categories_of,
    category_colours,
    category_names,
    class_columns,
)


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
