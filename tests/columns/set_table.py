"""Tables as `ImageSet.table()` has them, of pictures that are numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tests.twin_groups import twin_column
from url_viz.columns.engine import ColumnSource, Derived
from url_viz.columns.twin_groups import COPIES, TWINS


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


def columns_given(**values: Any) -> Derived:
    """Columns that have these values, as if they were made."""
    return Derived([], [ColumnSource(name, lambda context, name=name: context[name], repr) for name in values], values)
