"""What people read in place of the names of columns, reasons and decisions, which addresses and tables keep."""

from collections.abc import Mapping

from url_viz.analysis.measures import is_measure, measure_title

_COLUMNS: Mapping[str, str] = {
    "label": "Class",
    "label_given": "Label in the files",
    "label_checked": "Label you checked",
    "label_check": "Label check",
    "first_class": "Most likely class",
    "second_class": "Second most likely class",
    "first_share": "Share of the most likely class",
    "second_share": "Share of the second most likely class",
    "twins": "Near copies",
}
_REASONS: Mapping[str, str] = {
    "between classes": "two classes fit",
    "easily confused": "easily mistaken",
    "out on its own": "unlike the rest",
    "twin": "near copies",
}
_DECISIONS: Mapping[str, str] = {"look-again": "put aside for later"}
_CHECKS: Mapping[str, str] = {"between classes": "torn between classes", "out on its own": "unlike the rest"}
_VALUES: Mapping[str, Mapping[str, str]] = {"reasons": _REASONS, "decision": _DECISIONS, "label_check": _CHECKS}


def title_of_column(column: str) -> str:
    """What pages call a column; a measure by its title."""
    return measure_title(column) if is_measure(column) else _COLUMNS.get(column, column.replace("_", " ").capitalize())


def shown_value(column: str, value: str) -> str:
    """What pages call a value of a column of names."""
    return _VALUES.get(column, {}).get(value, value)


def shown_reason(name: str) -> str:
    """What pages and commands call a reason."""
    return shown_value("reasons", name)


def value_called(column: str, words: str) -> str:
    """The value of a column that is called so, or is this."""
    return next((value for value, shown in _VALUES.get(column, {}).items() if shown == words), words)
