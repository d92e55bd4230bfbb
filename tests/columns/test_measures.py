"""The list of measures, what a table has of them, and what people read in place of names leads back to these."""

import numpy as np
import pandas as pd
import pytest

from url_viz.columns.measures import (
    MEASURES,
    TRAINING_MEASURES,
    available_measures,
    is_measure,
    measure_named,
    measure_title,
    shown_reason,
    shown_value,
    table_measures,
    title_of_column,
    value_called,
)
from url_viz.findings.reasons import NAMES


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


def test_columns_have_titles_and_measures_are_called_as_their_buttons() -> None:
    assert [title_of_column(name) for name in ("label", "first_class", "ambiguity", "my_column")] == [
        "Class",
        "Most likely class",
        "Torn between classes",
        "My column",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_reason_is_found_by_what_it_is_called_and_by_its_name(name: str) -> None:
    assert value_called("reasons", shown_reason(name)) == value_called("reasons", name) == name


def test_values_of_other_columns_are_as_they_are() -> None:
    assert (shown_value("decision", "look-again"), shown_value("label", "twin")) == ("put aside for later", "twin")
    assert value_called("decision", "put aside for later") == "look-again"
