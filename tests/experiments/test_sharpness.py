"""The study of sharpness: measures compared by hand, what is named of spoiled pictures, and the tables in the docs."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from experiments import sharpness
from experiments.sharpness import (
    FIGURES,
    JUDGED,
    KINDS,
    MEASURES,
    PictureSharpness,
    as_file,
    compare,
    judged_kinds,
    seen,
    table_of,
)
from experiments.spoiling import SPOILINGS
from tests.documented import between_marks
from tests.imaging.pictures import noise
from url_viz.findings.reasons import find_reasons


def test_the_docs_have_the_table_of_the_kept_figures() -> None:
    found = json.loads(FIGURES.read_text())
    assert between_marks("look.md", "experiments.sharpness, reasons") == sharpness.table_of_reasons(found)
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
    assert all(spoiled.values[name] < fine.values[name] for name in MEASURES)
    named = find_reasons(table_of([fine.quality, spoiled.quality], [fine.size, spoiled.size])).texts().tolist()
    assert named == ["", SPOILINGS[how].reason]
