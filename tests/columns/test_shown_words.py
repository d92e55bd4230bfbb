"""What people read in place of names leads back to these."""

import pytest

from url_viz.columns.measures import shown_reason, shown_value, title_of_column, value_called
from url_viz.findings.reasons import NAMES


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
