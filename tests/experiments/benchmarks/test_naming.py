"""The benchmark of names: its tables hold the figures and their means, as by hand, and a small folder is measured."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import naming
from benchmarks.naming import WAYS, accepted_table, suggestions_table, ways_table
from tests.imaging.pictures import write_folder
from url_viz.reading import embed_folder


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_the_tables() -> None:
    ways = {way: [[0.2, 0.3], [1.0]] for way in WAYS}
    suggested = [{"classes": 4, "right": 0.5, "from": [[1200, 600], [0, 0]], "others": 2000, "accepted": 300}]
    one = {"classes": 5, "ways": ways, "suggestions": suggested}
    other = one | {"classes": 7, "ways": {way: [[0.4, 0.5], [0.5]] for way in WAYS}}
    config = {"multiples": [1, 3], "counts": [100], "shares": [0.5, 0.7]}
    before = {"trash": [suggested[0] | {"accepted": 100}], "flowers102": [suggested[0] | {"from": [[0, 0], [10, 9]]}]}
    found = {"config": config, "sets": {"trash": one, "flowers102": other}, "before": before}
    header, _, *rows = cells(ways_table(found))
    assert header[2:] == ["at random", "medoids of k-means", "**as the app asks**", "then the least certain"]
    assert rows[0] == ["trash", "5 / 15", *[".250 / 1.000"] * 4]
    assert rows[1] == ["flowers102 (report)", "7 / 21", *[".450 / .500"] * 4]
    assert [row[:3] for row in rows[2:]] == [
        ["**mean**, development", "", ".250 / 1.000"],
        ["**mean**, report", "", ".450 / .500"],
        ["**mean**, all", "", ".350 / .750"],
        ["lead over the medoids", "", ""],
    ]
    assert rows[-1][4] == "+.000 ± .000 / +.000 ± .000"
    assert cells(suggestions_table(found))[2] == ["trash", "100", "4 of 5", "50.0%", "1,200, 50.0%", "none"]
    accepted = cells(accepted_table(found))[2:]
    assert accepted[0] == ["development", "100", "2,000", "100", "300", "–", "none", "none"]
    assert accepted[2] == ["**all**", "100", "4,000", "400", "600", "–", "10, 90.0%", "none"]


def test_as_many_are_accepted_as_leave_enough_right() -> None:
    assert naming._accepted(np.array([True] * 20 + [False])) == 21, "20 of 21 are .952"
    assert naming._accepted(np.array([False] + [True] * 18)) == 0
    assert naming._accepted(np.array([True, False] + [True] * 18 + [False])) == 20


def test_a_small_folder_is_measured(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "COUNTS", (4,))
    folder = write_folder(tmp_path / "photos", 40, classes=("cat", "dog"))
    found = naming.figures_of(embed_folder(folder, workspace=workspace))
    assert {name: [len(draws) for draws in budgets] for name, budgets in found["ways"].items()} == {
        "at random": [5, 5],
        "medoids of k-means": [5, 5],
        "as the app asks": [1, 1],
        "then the least certain": [1, 1],
    }
    assert found["suggestions"][0]["classes"] <= 2
    assert all(right <= many <= 36 for many, right in found["suggestions"][0]["from"])
