"""Tables as `ImageSet.table()` has them, of pictures that are numbers."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from tests.twin_groups import twin_column
from url_viz.columns.engine import Column, ColumnSource, Derived
from url_viz.columns.twin_groups import COPIES, TWINS
from url_viz.columns.undecided import undropped
from url_viz.findings.findings import Finding, check_columns, findings
from url_viz.labels.apart import Apart


def set_table(count: int, base: Mapping[str, object], columns: Mapping[str, object]) -> pd.DataFrame:
    """Ids from 100 on, no twins, nothing decided; lists become columns of objects. Twins are copies by default."""
    nothing = [None] * count
    values: dict[str, object] = {
        "id": np.arange(count) + 100,
        "path": [f"{number}.jpg" for number in range(count)],
        "label_checked": nothing,
        "decision": nothing,
        "twin_group": np.arange(count),
        "width": 10,
        "height": 10,
        **base,
        **columns,
    }
    table = pd.DataFrame({name: pd.Series(v, dtype=object) if isinstance(v, list) else v for name, v in values.items()})
    table = table.assign(copy_group=table.get("copy_group", table["twin_group"]), path=table["path"].astype("str"))
    return table.assign(**{name: twin_column(table[name].to_numpy(int)) for name in (COPIES, TWINS)})


def columns_given(*made: Column[..., Any], **values: Any) -> Derived:
    """Columns that have these values, as if they were made, and those that are made of them."""
    sources = [ColumnSource(name, lambda context, name=name: context[name], lambda _: "") for name in values]
    return Derived(made, sources, values)


def findings_of(table: pd.DataFrame, *, failed: int = 0, **values: Any) -> tuple[Finding, ...]:
    """The findings on a table, with what is given of other columns; None of the rest."""
    others = ("label_check", "doubtful", "leaks", "wrong_together", "shortcuts")
    rest = {"apart": Apart(), "rows": SimpleNamespace(failed=failed), "failures": None, "without_objects": 0}
    given = {**dict.fromkeys(others), **rest, "table": table, **values}
    return findings(columns_given(undropped, *check_columns(), **given))
