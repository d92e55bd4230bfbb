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
from tests.documented import words_of
from tests.imaging.pictures import noise
from url_viz.findings.reasons import find_reasons


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
    assert all(spoiled.values[name] < fine.values[name] for name in MEASURES)
    named = find_reasons(table_of([fine.quality, spoiled.quality], [fine.size, spoiled.size])).texts().tolist()
    assert named == ["", SPOILINGS[how].reason]
