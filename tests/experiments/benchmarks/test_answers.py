"""The benchmark of answers: its ways draw what they say, and its table and figure hold what was measured."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.answers import COUNTS, SHIPPED, WAYS, Asked, drawn, figures_of, frame_of, table_by_set, table_by_way
from benchmarks.answers_figure import figure
from experiments.figure_files import read_figures, write_figures
from tests.experiments.benchmarks.test_naming import cells
from tests.pipeline.whitened_examples import classes
from tests.review.test_tuned import made
from url_viz.review.tuned import fitted_weights
from url_viz.store.decisions.answers import NO_ANSWERS, Answered


@pytest.fixture(scope="module")
def asked() -> Asked:
    embeddings, kind = classes(400, of=40, spread=1.6)
    measures, graph, _ = made(embeddings)
    content = np.random.default_rng(1).permutation(10_000)[: len(graph)].astype(np.int64)
    return Asked("dice", measures, content, kind.astype(np.int64), np.linspace(0, 1, len(graph)))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_asks_of_pairs_that_nobody_answered(asked: Asked, way: str) -> None:
    rng, answered = np.random.default_rng(0), NO_ANSWERS
    seen: set[tuple[int, ...]] = set()
    nearest = dict(zip(asked.measures.rows.tolist(), asked.measures.nearest.tolist(), strict=True))
    for _ in range(6):
        pairs = WAYS[way](asked, answered, 5, rng)
        assert len(pairs) == 5
        assert all(nearest[first] == second for first, second in pairs.tolist())
        keys = np.sort(asked.content[pairs], axis=1)
        assert not seen & set(map(tuple, keys.tolist()))
        seen |= set(map(tuple, keys.tolist()))
        same = asked.kind[pairs[:, 0]] == asked.kind[pairs[:, 1]]
        answered = Answered(np.vstack([answered.pairs, keys]), np.r_[answered.is_same, same])


def test_the_ways_draw_what_they_say(asked: Asked) -> None:
    spread = asked.measures.ranks.std(axis=1)
    odds = np.abs(fitted_weights(asked.measures, asked.content, NO_ANSWERS)(asked.measures.ranks))
    rng = np.random.default_rng(0)
    drawn = {way: WAYS[way](asked, NO_ANSWERS, 20, rng)[:, 0] for way in WAYS}
    place = {way: np.searchsorted(asked.measures.rows, rows) for way, rows in drawn.items()}
    assert spread[place["where measures disagree"]].mean() > 1.1 * spread.mean()
    assert odds[place["least sure"]].mean() < odds.mean() / 2


def test_the_tables_and_the_figure(tmp_path: Path) -> None:
    rows = [
        {"set": name, "way": way, "noise": noise, "seed": seed, "count": count, "base": 0.5, "told": 0.01}
        | {"gain": count / 1000 + seed / 100 + (name == "places") / 100, "gain_unasked": -0.002}
        for name in ("b <", "scenes", "places", "flowers102")
        for way in WAYS
        for noise in (0.0, 0.1)
        for seed in (0, 1)
        for count in COUNTS
    ]
    write_figures(figures_of(pd.DataFrame(rows)), tmp_path / "figures.json", digits=4)
    found = frame_of(read_figures(tmp_path / "figures.json"))
    pd.testing.assert_frame_equal(found, pd.DataFrame(rows)[list(found)], check_exact=False)
    told = cells(table_by_set(found))
    gains = ["+.015 (-.002)", "+.025 (-.002)", "+.055 (-.002)", "+.105 (-.002)"]
    assert told[2] == ["b <", ".500", *gains, "+.010"]
    means = ["+.020 (-.002)", "+.030 (-.002)", "+.060 (-.002)", "+.110 (-.002)"]
    assert told[5] == ["**mean**, development", ".500", *means, "+.010"]
    assert told[6][2] == ".064 (.000)"  # two sets .01 apart: 12.706 of Student's for one degree, times .005
    assert told[7] == ["flowers102 (report)", ".500", *gains, "+.010"]
    assert table_by_way(found).count(f"**{SHIPPED}**") == 2
    svg = ET.fromstring(figure(found))
    space = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f"{space}polyline")) == 4 * 4
    assert "b <" in [one.text for one in svg.findall(f"{space}text")]
    assert drawn(found)["set"].unique().tolist() == ["places", "scenes", "flowers102"]
