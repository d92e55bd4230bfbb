"""Tiles of a table, as plain functions."""

from collections.abc import Hashable
from typing import Any

import pandas as pd

from url_viz.columns.ranking import with_percentile
from url_viz.drawing.tiles import tile_of, tiles, value_text


def test_rows_and_their_tiles() -> None:
    values = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    table = pd.DataFrame({"id": range(100, 108), "path": "a.jpg", "label": "cat", "confusability": values})
    table["confusability_percentile"] = table["confusability"] * 100 / 7
    rows = with_percentile(table, "confusability").iloc[3:6]
    made = tiles(rows, set_id="f" * 16, measure="confusability", ringed_id=104)
    assert [t.is_ringed for t in made] == [False, True, False]
    assert (made[0].value, made[0].detail) == ("above 57 %", "Easily mistaken 4 · above 57 % of the others")
    assert made[0].thumbnail == f"/url-viz/thumbnail/{'f' * 16}/103.jpg"


def test_a_missing_value_is_a_dash() -> None:
    assert value_text(float("nan"), 3.0) == "–"


def test_a_picture_that_is_rightly_both_says_both() -> None:
    row: dict[Hashable, Any] = {"id": 1, "path": "a.jpg", "label": "cat", "either": "dog"}
    assert tile_of(row, set_id="s", value="").label == "cat and dog"
    assert tile_of(row | {"either": None}, set_id="s", value="").label == "cat"
