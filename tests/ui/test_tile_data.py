"""What Explore shows of a table, as plain functions."""

import numpy as np
import pandas as pd

from tests.twin_groups import twin_column
from url_viz.analysis.ranking import with_percentile
from url_viz.ui.tile_data import tiles, value_text
from url_viz.ui.widgets.tiles import page_of, sides


def table(count: int = 8) -> pd.DataFrame:
    steps = np.arange(count, dtype=float)
    return pd.DataFrame(
        {
            "id": np.arange(count) + 100,
            "path": [f"{i}.jpg" for i in range(count)],
            "label": ["cat", "dog"] * (count // 2),
            "uncertainty": steps,
            "percentile": 100 * steps / (count - 1),
            "confusability": steps[::-1],
            "confusability_percentile": 100 * steps[::-1] / (count - 1),
            "entropy": steps,
            "inverse_norm": steps,
            "twin_group": twin_column([0, 0, 2, 3, 4, 5, 6, 6]),
            "x": steps,
            "y": np.zeros(count),
        }
    )


def test_a_threshold_leaves_each_picture_on_one_side() -> None:
    rows = with_percentile(table(), "uncertainty")
    both = sides(rows, measure="uncertainty", threshold_percentile=50, collapse_twins=False)
    assert both.ambiguous["id"].tolist() == [107, 106, 105, 104]
    assert both.clear["id"].tolist() == [100, 101, 102, 103]


def test_twins_are_shown_once_by_the_most_telling_of_them() -> None:
    rows = with_percentile(table(), "uncertainty")
    both = sides(rows, measure="uncertainty", threshold_percentile=None, collapse_twins=True)
    assert both.ambiguous["id"].tolist() == [107, 105, 104, 103, 102, 101]
    assert both.ambiguous["twins"].tolist() == [1, 0, 0, 0, 0, 1]
    assert both.clear["id"].tolist()[0] == 100


def test_a_page_and_its_tiles() -> None:
    rows = with_percentile(table(), "confusability")
    page = page_of(rows, page=2, size=3)
    assert page["id"].tolist() == [103, 104, 105]
    made = tiles(page, set_id="f" * 16, measure="confusability", ringed_id=104)
    assert [t.is_ringed for t in made] == [False, True, False]
    assert (made[0].value, made[0].detail) == ("above 57 %", "Confusability 4 · above 57 % of the others")
    assert made[0].thumbnail == f"/url-viz/thumbnail/{'f' * 16}/103.jpg"


def test_a_missing_value_is_a_dash() -> None:
    assert value_text(float("nan"), 3.0) == "–"
