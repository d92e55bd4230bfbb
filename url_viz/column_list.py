"""The columns of an image set, gathered: each is declared in the file of its subject, with `column`.

A measure is a column that `gives` a column of the table, and an entry in `url_viz.columns.measures`; one of another
package brings its own function.
"""

from collections.abc import Mapping
from functools import cache, partial, wraps
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import PluginError
from url_viz.base.plugins import guarded, plugged_in_packages
from url_viz.base.rows import CACHED_FROM
from url_viz.columns import second_model, sources, table, undecided
from url_viz.columns.engine import GIVEN, Column, ColumnSource, Derived, DiskCache, declared_in
from url_viz.columns.measures import Measure, added_measures
from url_viz.columns.sources import SetContext
from url_viz.columns.table import Frame
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


def _column_of(measure: Measure) -> Column[..., Any]:
    """The column of a measure of another package."""
    assert measure.make is not None  # `added_measures` refuses others
    wanted = signature(measure.make).parameters

    @partial(guarded, name=measure.name)
    @wraps(measure.make)
    def numbers(**given: Any) -> NDArray[np.float32]:
        values = np.asarray(measure.make(**given))  # type: ignore[misc]
        if values.dtype.kind not in "biufO":
            raise TypeError(f"it gives {values.dtype}, no numbers")
        return values.astype(np.float32)

    def give(base: Frame, **given: Any) -> Mapping[str, Any]:
        values = numbers(**(given | {"base": base} if "base" in wanted else given))
        if values.shape != (len(base.table),):
            raise PluginError(
                f"The measure {measure.name!r} gives values of shape {values.shape} for {len(base.table):,} pictures: "
                "it has to give one a picture. Update its package, or uninstall it."
            )
        return {measure.name: values}

    GIVEN.add(measure.name)
    others = {name: name for name in wanted if name != "base"}
    return Column(f"the measure {measure.name}", give, gives=(measure.name,), renamed=others)


@cache
def every_column() -> tuple[Column[..., Any], ...]:
    """The declared columns, those of measures of other packages, and as the last all that give the table one."""
    columns = (*_DECLARED, *map(_column_of, added_measures()))
    return (*columns, Column("measures", _measures, renamed={each.name: each.name for each in columns if each.gives}))


def derived_columns(context: SetContext) -> Derived:
    """All columns of a snapshot, none made yet. Raises PluginError where one of another package asks for no column."""
    store = context.store
    disk = DiskCache(store.paths.derived, context.key, size=lambda: store.count("images"), large_from=CACHED_FROM)
    columns = *every_column(), *check_columns()
    try:
        return Derived(columns, SOURCES, context, disk=disk)
    except ValueError as error:
        if not plugged_in_packages():
            raise
        raise PluginError(
            f"A measure or check of another package does not fit: {error}. Update what adds it, or uninstall that "
            f"({', '.join(plugged_in_packages())})."
        ) from error
