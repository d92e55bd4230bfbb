"""A measure that is one declaration and one entry in the list: it is in the table, and can order, gate and colour."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from url_viz.analysis.baselines import squareness
from url_viz.image_set import embed_folder
from url_viz.models.model import Model


def test_it_is_in_the_table_and_orders(tmp_path: Path, model: Model) -> None:
    for number, size in enumerate([(80, 80), (80, 40), (20, 80), (60, 80)]):
        colour = Image.fromarray(np.random.default_rng(number).integers(0, 255, (*size[::-1], 3), np.uint8))
        (tmp_path / "zoo").mkdir(exist_ok=True)
        colour.save(tmp_path / "zoo" / f"{number}.png")
    image_set = embed_folder(tmp_path / "zoo", model=model, workspace=tmp_path / "home")
    table = image_set.table()
    assert table["squareness"].tolist() == pytest.approx([1, 0.5, 0.25, 0.75])
    assert "squareness" in image_set.measures()
    hits = image_set.search(int(table["id"][0]), by="squareness", max_percentile=50)
    assert set(hits["path"]) <= {"1.png", "2.png"}


def test_by_hand() -> None:
    assert squareness(np.array([3.0, 4]), np.array([6.0, 4])).tolist() == [0.5, 1.0]
