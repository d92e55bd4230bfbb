"""The scope: the lasso agrees with a naive test, and a scope comes back from its address."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from url_viz.columns.filters import (
    MOST_CORNERS,
    MOST_IDS,
    Between,
    OneOf,
    Scope,
    inside_polygon,
    scope_as_query,
    scope_from_query,
    scoped,
    thinned,
)


def table() -> pd.DataFrame:
    steps = np.arange(8, dtype=float)
    labels = ["cat", "dog"] * 4
    return pd.DataFrame({"id": np.arange(8) + 100, "label": labels, "x": steps, "y": np.zeros(8)})


def test_a_scope_is_a_lasso_and_filters() -> None:
    square = ((1.5, -1.0), (5.5, -1.0), (5.5, 1.0), (1.5, 1.0))
    assert scoped(table(), Scope()).shape[0] == 8
    assert scoped(table(), Scope(polygon=square))["id"].tolist() == [102, 103, 104, 105]
    assert scoped(table(), Scope(polygon=square, filters=(OneOf("label", ("cat",)),)))["id"].tolist() == [102, 104]


def test_pictures_without_a_place_are_in_no_lasso() -> None:
    rows = table()
    rows.loc[3, ["x", "y"]] = np.nan
    everywhere = ((-9.0, -9.0), (99.0, -9.0), (99.0, 9.0), (-9.0, 9.0))
    assert 103 not in scoped(rows, Scope(polygon=everywhere))["id"].tolist()


def test_a_scope_comes_back_from_its_address() -> None:
    square = ((1.5, -1.0), (5.5, -1.0), (5.5, 1.0), (1.5, 1.0))
    scope = Scope(square, (OneOf("label", ("cat", "a; b")), Between("width", 3, None)))
    query = scope_as_query(scope)
    assert query["lasso"] == ["1.5,-1 5.5,-1 5.5,1 1.5,1"]
    assert scope_from_query(query) == scope
    assert scope_as_query(Scope()) == {}
    many, others = (scope_as_query(Scope(corners * MOST_CORNERS)) for corners in (square, square[1:]))
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
