"""The list of measures: each once, with a title and a colour of its own, and what a table has of them."""

import numpy as np
import pandas as pd

from url_viz.columns.measures import (
    MEASURES,
    TRAINING_MEASURES,
    available_measures,
    is_measure,
    measure_named,
    measure_title,
    table_measures,
)


def test_each_is_listed_once_with_words_and_a_colour_of_its_own() -> None:
    for part in ("name", "title", "colour", "meaning"):
        assert len({getattr(measure, part) for measure in MEASURES}) == len(MEASURES)
    of_a_run = ("model_doubt", *(measure.name for measure in TRAINING_MEASURES))
    shown = ("ambiguity", "confusability", "tuned", "uncertainty", *of_a_run, "entropy", "inverse_norm")
    assert shown == table_measures()
    assert [m.name for m in MEASURES if m.is_baseline] == [
        "entropy",
        "inverse_norm",
        "nearest_similarity",
        "nearest_gap",
        "logistic_regression",
    ]


def test_what_is_said_of_one_and_of_a_users_column() -> None:
    assert (is_measure("entropy"), is_measure("risk")) == (True, False)
    assert (measure_title("inverse_norm"), measure_title("risk")) == ("1 / norm", "risk")
    assert (measure_title("ambiguity"), measure_title("risk")) == ("Torn between classes", "risk")
    assert (measure_named("ambiguity").colour, measure_named("risk").colour) == ("#d55e00", None)
    assert measure_title("tuned") == "By your answers"
    columns = [measure_named(name).percentile for name in ("ambiguity", "confusability", "uncertainty", "risk")]
    assert columns == ["ambiguity_percentile", "confusability_percentile", "percentile", None]
    assert "you added" in measure_named("risk").meaning
    assert measure_named("confusability").meaning.endswith("Needs no classes.")


def test_a_table_has_those_it_has_values_of() -> None:
    table = pd.DataFrame(
        {
            "entropy": [1.0, np.nan],
            "confusability": [0.5, 0.2],
            "ambiguity": [np.nan, np.nan],
            "nearest_similarity": [0.1, 0.2],
            "risk": [1, 2],
            "empty": [np.inf, np.nan],
        }
    )
    assert available_measures(table, ["risk", "empty", "gone"]) == ("confusability", "entropy", "risk")
    assert available_measures(table) == ("confusability", "entropy")
    assert available_measures(table.iloc[:0]) == ()
