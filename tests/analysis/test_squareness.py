"""A measure that is one declaration and one entry is a column of the table, an order, and a figure of an evaluation."""

from pathlib import Path

import numpy as np

from tests.imaging.pictures import write_folder
from url_viz.analysis.table import Frame, squareness
from url_viz.image_set import embed_folder
from url_viz.models.model import Model


def test_it_is_there_wherever_measures_are(tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "zoo", 24, classes=("cat", "dog"))
    image_set = embed_folder(folder, model=model, workspace=tmp_path / "home")
    table, evaluated = image_set.table(), image_set.evaluate()
    sides = table[["width", "height"]].to_numpy(float)
    np.testing.assert_allclose(table["squareness"], 1 - sides.min(axis=1) / sides.max(axis=1), rtol=1e-6)
    assert "squareness" in image_set.measures()
    assert len(image_set.search(int(image_set.ids[0]), by="squareness", max_percentile=50)) > 0
    assert evaluated is not None
    assert "squareness" in [figures.name for figures in evaluated.measures]
    assert image_set.reviews.open("squareness").ids.tolist()


def test_by_hand(tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "zoo", 3)
    base: Frame = embed_folder(folder, model=model, workspace=tmp_path / "home").base
    assert len(squareness(base)["squareness"]) == 3
