"""The table of an image set with its labels, the user's columns and every measure, as a column."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from url_viz.analysis.derived import column
from url_viz.analysis.imported import Imported, with_user_columns
from url_viz.analysis.labels.label_choice import Labels
from url_viz.analysis.ranking import percentile
from url_viz.analysis.table import Frame


@column()
def measured(
    base: Frame, imported: Imported, labels: Labels, measures: Mapping[str, Any], *, is_external: bool
) -> pd.DataFrame:
    """The table before reasons and decisions are joined to it; `measures` are all columns that give it one."""
    columns: dict[str, Any] = dict(labels.columns)
    if is_external and imported.uncertainty is not None:
        columns |= {"uncertainty": imported.uncertainty, "percentile": percentile(imported.uncertainty)}
    return with_user_columns(base.table.assign(**columns), imported).assign(**measures)
