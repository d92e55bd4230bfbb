"""The benchmark of a second model: its tables hold the figures, means over sets and half widths as by hand."""

from benchmarks.second_model import (
    OUTCOMES,
    SPACES,
    VIEWS,
    table_of_costs,
    table_of_leads,
    table_of_orders,
    table_of_spaces,
)
from tests.experiments.benchmarks.test_naming import cells


def figures(shift: float) -> dict[str, float]:
    orders = {f"{measure}, {out}, one": 0.7 for measure in ("confusability", "ambiguity") for out in OUTCOMES}
    by_both = {name.removesuffix("one") + "two": 0.71 + shift for name in orders}
    by_both |= {name.removesuffix("one") + "second": 0.69 for name in orders}
    spaces = dict.fromkeys((*SPACES, *VIEWS), 0.6 + shift) | {"views: N, two, gain": -0.01}
    return {"pictures": 50, **orders, **by_both, **spaces, "recall@1, first": 0.6}


def test_the_tables() -> None:
    found = {
        "config": {"limit": 50, "views": 5},
        "sets": {"trash": figures(0.0), "flowers102": {**figures(0.02), "pictures": 40}},
    }
    header, _, first, second, mean, half = cells(table_of_orders(found))
    assert header[:3] == ["set", "confusability, N, one", "two"]
    assert first == ["trash, 50", *[".700", ".710"] * 4]
    assert second == ["flowers102 (report)", *[".700", ".730"] * 4]
    assert mean == ["**mean**", *[".700", ".720"] * 4]
    assert half == ["± of the gain", *["", ".127"] * 4]  # 12.706 of Student's for one degree, times .01
    rows = cells(table_of_spaces(found))
    assert rows[-2][1:4] == [".600", ".610", ".610"]
    assert rows[-1][1:3] == ["", ".127"]
    assert rows[-1][4] == ".000"  # what it is over gains as much
    assert rows[2][-2:] == ["-.010", "+.600"]
    assert len(cells(table_of_spaces(found | {"config": {"limit": None, "views": 0}}))[0]) == 1 + len(SPACES)


def test_leads_are_over_each_model_alone_but_not_over_another_outcome() -> None:
    found = {"sets": {"trash": figures(0.0), "flowers102": figures(0.02)}}
    _, _, by_nearest, by_probe, *_ = cells(table_of_leads(found))
    over_first = "+.020 [−.107, +.147]"  # 12.706 of Student's for one degree, times .01
    assert by_nearest == ["confusability", "N", ".700", ".690", ".720", over_first, "–"]
    assert by_probe == ["confusability", "P", ".700", ".690", ".720", over_first, "+.030 [−.097, +.157]"]


def test_costs_stand_beside_what_is_gained_in_the_same_run() -> None:
    seconds = {"first": 40.0, "then second": 50.0, "second alone": 60.0, "at once": 80.0}
    _, _, row = cells(table_of_costs({"sets": {"trash": figures(0.0) | seconds}}))
    assert row == ["trash", "50", "40", "90", "2.25", "0.80", ".700 → .710", ".700 → .710"]
