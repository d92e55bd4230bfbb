"""The columns of an image set, gathered: each is declared in the file of its subject, with `column`.

A measure is a column that `gives` a column of the table, and an entry in `url_viz.analysis.measures`.
"""

from collections.abc import Mapping
from typing import Any

from url_viz.analysis import (
    column_sources,
    imported,
    measured_table,
    order,
    second_model,
    stored_graph,
    table,
)
from url_viz.analysis.column_sources import SetContext
from url_viz.analysis.derived import Column, ColumnSource, Derived, DiskCache, declared_in
from url_viz.analysis.findings import findings, leaks, object_findings, reasons
from url_viz.analysis.labels import agreement, apart, class_columns, doubtful_labels, label_choice, label_issues
from url_viz.analysis.outside import new_pictures
from url_viz.analysis.review import naming, pair_measures, tuned
from url_viz.analysis.runs import run_on_set, two_by_two
from url_viz.rows import CACHED_FROM

MODULES = (
    *(table, stored_graph, second_model, imported, measured_table, order),
    *(label_choice, class_columns, apart, agreement, label_issues, doubtful_labels),
    *(findings, leaks, object_findings, reasons),
    *(naming, pair_measures, tuned),
    *(run_on_set, two_by_two, new_pictures),
)
"""The files that declare columns."""
SOURCES = tuple(declared_in([column_sources], ColumnSource))
_DECLARED = tuple(declared_in(MODULES, Column))


def _measures(**given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What columns give the table, by its columns."""
    return {name: values for columns in given.values() for name, values in columns.items()}


MEASURES = Column("measures", _measures, renamed={each.name: each.name for each in _DECLARED if each.gives})
"""All columns that give the table a measure, as one."""
COLUMNS = (*_DECLARED, MEASURES)


def derived_columns(context: SetContext) -> Derived:
    """All columns of a snapshot, of which none is made yet."""
    store = context.store
    disk = DiskCache(store.paths.derived, context.key, size=lambda: store.count("images"), large_from=CACHED_FROM)
    return Derived(COLUMNS, SOURCES, context, disk=disk)
