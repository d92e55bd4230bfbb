"""Spoiled photographs: worse the more, the stronger; what measures and reasons say of them; the tables in the docs."""

import io
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import sharpness
from experiments.deterioration import MEASURES, TABLED, drawing, pooled, sample_of, table, values_of, wins
from experiments.sharpness import (
    FIGURES,
    JUDGED,
    KINDS,
    PictureSharpness,
    as_file,
    compare,
    judged_kinds,
    seen,
    table_of,
)
from experiments.spoiling import SPOILINGS, disc, line, out_of_focus
from tests.documented import words_of
from tests.imaging.pictures import noise, write_folder
from url_viz.findings.reasons import find_reasons
from url_viz.imaging.workers import picture_of
from url_viz.models.model import load_model
from url_viz.reading import embed_folder


def test_a_line_along_the_rows_spreads_a_point_over_its_length() -> None:
    kernel = line(5, 0.0)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert np.delete(kernel, middle, axis=0).max() < 1e-12
    assert kernel[middle, middle - 2 : middle + 3] == pytest.approx([0.2] * 5, abs=0.03)
    assert line(5, math.pi / 2) == pytest.approx(kernel.T, abs=1e-12)


def test_a_disc_is_round_and_even() -> None:
    kernel = disc(6)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert kernel == pytest.approx(kernel.T)
    assert kernel[middle, middle] == pytest.approx(1 / (math.pi * 36), rel=0.01)
    assert kernel[middle, middle + 7] == kernel[0, 0] == 0


def test_a_point_becomes_the_kernel() -> None:
    black = np.zeros((60, 100, 3), np.uint8)
    black[30, 50] = 255
    spread = np.asarray(out_of_focus(Image.fromarray(black), 0.03, np.random.default_rng()))[..., 0]
    reach = len(disc(3)) // 2
    around = spread[30 - reach : 31 + reach, 50 - reach : 51 + reach]
    assert around == pytest.approx(255 * disc(3), abs=0.51)
    assert spread.sum() == around.sum()


@pytest.mark.parametrize("how", SPOILINGS)
def test_the_stronger_the_worse_and_the_same_again(how: str) -> None:
    spoiling, whole = SPOILINGS[how], noise(3, width=160, height=120)
    made = [spoiling.made(whole, strength, np.random.default_rng(1)) for strength in spoiling.strengths]
    again = [spoiling.made(whole, strength, np.random.default_rng(1)) for strength in spoiling.strengths]
    assert [one.tobytes() for one in made] == [one.tobytes() for one in again]
    if how == "crop":
        lost = [-one.width * one.height for one in made]
    else:
        lost = [float(np.abs(np.asarray(one, float) - np.asarray(whole, float)).mean()) for one in made]
    assert lost == sorted(lost)
    assert len(set(lost)) == 5
    file = io.BytesIO()
    made[-1].save(file, "JPEG")
    assert file.getvalue()


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


def test_the_docs_say_what_the_kept_figures_say() -> None:
    found = json.loads(FIGURES.read_text())
    rows = [row.strip("|").split("|") for row in sharpness.table_of_reasons(found).splitlines()[2:]]
    pictures, called = (
        {name.strip(): count(*(int(cell.replace(",", "")) for cell in cells)) for name, *cells in rows}
        for count in (lambda pictures, *_: pictures, lambda _, *by_reason: sum(by_reason))
    )
    judged, others = ([name for name in called if name.startswith("grocery") == ours] for ours in (True, False))
    plain = ("grocery: motion", "grocery: focus")
    right, sharp, everything = (sum(called[name] for name in names) for names in (plain, ("grocery: sharp",), judged))
    words = words_of("look.md")
    assert f"judged {sum(pictures[name] for name in judged)} photographs of Grocery" in words
    assert (
        f"Of {everything} pictures called *motion blur* or *blurred* {right} are plainly blurred and {sharp}" in words
    )
    assert f"{right} of {sum(pictures[name] for name in plain)} plainly blurred ones are found." in words
    elsewhere = (sum(of[name] for name in others) for of in (pictures, called))
    assert "Of {:,} others {} are called so".format(*elsewhere) in words
    assert "**in each direction, of edges that rise along it**" in sharpness.table_of_measures(found)


def test_the_kept_figures_are_of_the_pictures_that_were_judged() -> None:
    counts = Counter(judged_kinds(JUDGED).values())
    assert set(counts) == set(KINDS)
    assert json.loads(FIGURES.read_text())["judged"] == counts


def of_values(values: list[float]) -> list[PictureSharpness]:
    whole = seen(as_file(noise(1)))
    return [PictureSharpness({"made up": value}, whole.quality, whole.size) for value in values]


def test_a_measure_is_compared_by_auc_and_at_half_of_the_blurred() -> None:
    """Of 6 pairs of blurred and sharp one is reversed; half of the blurred lie at .3 and below."""
    kinds = {"motion": of_values([0.1, 0.3]), "focus": of_values([0.6]), "slight": of_values([0.4])}
    found = compare(
        "made up", kinds | {"sharp": of_values([0.5, 0.7])}, of_values([0.2, 0.9, 0.9, np.nan]), of_values([0.3, 0.31])
    )
    assert found.blurred.value == pytest.approx(5 / 6)
    assert (found.slight, found.sharp, found.others, found.spoiled) == (1, 0, 0.25, 0.5)


@pytest.mark.parametrize("how", ["motion", "out of focus"])
def test_a_spoiled_picture_is_less_sharp_by_every_measure_and_named(how: str) -> None:
    whole = Image.effect_mandelbrot((240, 180), (-0.8, 0.05, -0.7, 0.15), 90).convert("RGB")
    fine = seen(as_file(whole))
    spoiled = seen(as_file(SPOILINGS[how].made(whole, SPOILINGS[how].strengths[2], np.random.default_rng(0))))
    assert all(spoiled.values[name] < fine.values[name] for name in sharpness.MEASURES)
    named = find_reasons(table_of([fine.quality, spoiled.quality], [fine.size, spoiled.size])).texts().tolist()
    assert named == ["", SPOILINGS[how].reason]
