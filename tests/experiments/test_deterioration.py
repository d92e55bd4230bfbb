"""Spoiled pictures against themselves: wins by hand, nothing told of what was left as it is, and the tables' shares."""

from pathlib import Path

import numpy as np
import pytest

from experiments.deterioration import MEASURES, TABLED, drawing, pooled, sample_of, table, values_of, wins
from experiments.spoiling import SPOILINGS
from tests.imaging.pictures import write_folder
from url_viz.imaging.workers import picture_of
from url_viz.models.model import load_model
from url_viz.reading import embed_folder


def test_wins_count_ties_half_and_leave_out_what_has_no_value() -> None:
    spoiled, itself = np.array([2.0, 1, 0, 5, np.nan, 3]), np.array([1.0, 1, 1, np.nan, 0, 1])
    assert wins(spoiled, itself) == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert np.isnan(wins(np.array([np.nan]), np.array([1.0])))


def test_wins_are_those_of_a_loop_and_turn_round() -> None:
    rng = np.random.default_rng(0)
    spoiled, itself = rng.integers(0, 5, (2, 200)).astype(float)
    by_loop = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(spoiled, itself, strict=True)) / 200
    assert wins(spoiled, itself) == pytest.approx(by_loop)
    assert wins(itself, spoiled) == pytest.approx(1 - by_loop)
    assert wins(itself, itself) == 0.5


@pytest.mark.slow
def test_a_picture_that_is_left_as_it_is_stands_where_it_stood(
    tmp_path: Path, head_file: Path, prepared_as_shipped: Path
) -> None:
    model = load_model(head_file, device="cpu", workspace=prepared_as_shipped)
    folder = write_folder(tmp_path / "pictures", 60, classes=("a", "b"))
    image_set = embed_folder(folder, model=model, workspace=tmp_path / "workspace")
    sample = sample_of(image_set, pictures=12)
    assert len(sample.files) == len(set(sample.files)) == 12
    crops = [picture_of(file.read_bytes(), model.space.preprocessing, content=0).crop for file in sample.files]
    found, among = values_of(np.stack(crops), sample, model), sample.reference.table.iloc[sample.row]
    two_ranks = 2 / 60 + 0.001  # in bf16 another batch gives other last digits
    for name in MEASURES:
        assert found[name] == pytest.approx(among[name].to_numpy(float), rel=0.03, abs=two_ranks), name
        assert wins(found[name], found[name]) == 0.5


def of_set(pictures: int, share: float) -> dict[str, object]:
    return {"pictures": pictures, "wins": {way: {name: [share] * 5 for name in MEASURES} for way in SPOILINGS}}


def test_sets_are_pooled_by_their_pictures_with_wilsons_interval() -> None:
    found = pooled([of_set(100, 0.9), of_set(300, 0.5)], "noise", "entropy", 2)
    assert found.value == pytest.approx(0.6)
    z, n = 1.959964, 400
    middle = (0.6 + z * z / 800) / (1 + z * z / n)
    assert found.interval.low + found.interval.high == pytest.approx(2 * middle)
    certain = pooled([of_set(300, 1.0)], "crop", "entropy", 0)
    assert certain.value == 1 == pytest.approx(certain.interval.high)
    assert 0.98 < certain.interval.low < 0.99


def test_every_way_has_its_rows_and_its_panel() -> None:
    figures = {"development": {"one": of_set(100, 0.9)}, "report": {"two": of_set(100, 0.7)}}
    told, drawn = table(figures), drawing(figures)
    assert told.count(".80 [.74, .85]") == len(TABLED) * len(SPOILINGS) * len(MEASURES)
    assert drawn.count("<polyline") == len(SPOILINGS) * len(MEASURES)
    assert all(f">{way}</text>" in drawn for way in SPOILINGS)
