"""The columns of an image set: each parameter names a column or a source, and has the type that this one gives."""

from dataclasses import replace
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from url_viz.column_list import SOURCES, every_column
from url_viz.columns.engine import Column, Derived, Lazy
from url_viz.columns.engine import column as declared
from url_viz.columns.table import Frame
from url_viz.findings.findings import check_columns
from url_viz.store.tables.tables import Graph

COLUMNS = every_column()
GIVEN: dict[str, Any] = {
    **{source.name: get_type_hints(source.read)["return"] for source in SOURCES},
    **{column.name: get_type_hints(column.make)["return"] for column in COLUMNS},
}
"""The type that each source and column gives, by its annotation."""


def type_of(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Lazy else annotation


def wrong_types(column: Column[..., Any]) -> dict[str, tuple[Any, Any]]:
    """The parameters of another type than what they are given."""
    hints = get_type_hints(column.make)
    made = {(each.name, each.input): type_of(hints[each.name]) for each in column.parameters if each.name in hints}
    if column.on_disk:
        hints = get_type_hints(column.on_disk.read)
        made |= {(each.name, each.input): hints[each.name] for each in column.parameters_of_read}
    return {name: (wanted, GIVEN[given]) for (name, given), wanted in made.items() if wanted != GIVEN[given]}


def test_every_input_is_declared_and_there_is_no_circle() -> None:
    Derived((*COLUMNS, *check_columns()), [replace(source, is_live=True) for source in SOURCES])
    used = {name for column in (*COLUMNS, *check_columns()) for name in column.inputs}
    assert not [source.name for source in SOURCES if source.name not in used], "sources that nothing is made of"


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_inputs_have_the_types_of_what_they_are_given(column: Column[..., Any]) -> None:
    assert not wrong_types(column)


def test_an_input_of_another_type_is_noticed() -> None:
    @declared()
    def careless(graph: Graph, base: Frame) -> int:
        return len(graph) + len(base.table)

    assert wrong_types(careless) == {"graph": (Graph, Graph | None)}


def test_every_column_of_the_table_is_given_by_a_measure() -> None:
    giving = [column for column in COLUMNS if column.gives]
    assert COLUMNS[-1].inputs == tuple(column.name for column in giving)
    assert {GIVEN[column.name] for column in giving} == {GIVEN["measures"]}
