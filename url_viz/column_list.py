"""The columns of an image set, gathered: each is declared in the file of its subject, with `column`.

A measure is a column that `gives` a column of the table, and an entry in `url_viz.columns.measures`.
"""

from collections.abc import Mapping
from typing import Any

from url_viz.base.rows import CACHED_FROM
from url_viz.columns import second_model, sources, table, undecided
from url_viz.columns.engine import Column, ColumnSource, Derived, DiskCache, declared_in
from url_viz.columns.sources import SetContext
from url_viz.evidence import order
from url_viz.findings import findings, leaks, object_findings, reasons, shortcuts
from url_viz.findings.findings import check_columns
from url_viz.labels import apart, calibration, classes, doubtful_labels, label_choice, label_issues, people
from url_viz.outside import new_pictures
from url_viz.pictures import named_groups
from url_viz.review import naming, tuned
from url_viz.runs import model_accuracy, run_on_set

MODULES = (
    *(table, undecided, second_model, order),
    *(label_choice, classes, apart, calibration, label_issues, doubtful_labels, people),
    *(findings, leaks, object_findings, reasons, shortcuts, named_groups),
    *(naming, tuned, run_on_set, model_accuracy, new_pictures),
)
"""The files that declare columns."""
SOURCES = tuple(declared_in([sources], ColumnSource))
_DECLARED = tuple(declared_in(MODULES, Column))


def _measures(**given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What columns give the table, by its columns."""
    return {name: values for columns in given.values() for name, values in columns.items()}


MEASURES = Column("measures", _measures, renamed={each.name: each.name for each in _DECLARED if each.gives})
"""All columns that give the table a measure, as one."""
COLUMNS = (*_DECLARED, MEASURES)


def derived_columns(context: SetContext) -> Derived:
    """All columns of a snapshot, none made yet."""
    store = context.store
    disk = DiskCache(store.paths.derived, context.key, size=lambda: store.count("images"), large_from=CACHED_FROM)
    return Derived((*COLUMNS, *check_columns()), SOURCES, context, disk=disk)
