"""The two ends of an order: the most ambiguous pictures and the clearest."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.columns.ranking import ends, with_percentile
from url_viz.labels.ambiguity import between


@dataclass(frozen=True)
class Ranked:
    """Rows of `ImageSet.table()` by the measure `by`, each of the two ends first; `why` that measure leads.

    Without a measure the `ambiguous` ones are the first by name, and `clear` has no rows.
    """

    by: str | None
    ambiguous: pd.DataFrame
    clear: pd.DataFrame
    why: str = ""

    def printout(self) -> Printout:
        """The two tables, with the classes that each picture lies between; why that order, as a note."""
        notes = [self.why] if self.why else []
        if self.by is None:
            return Printout(tables=[Table(self.ambiguous, ("path", "label"))], notes=notes)
        columns = (self.by, "path", "label", "between", "twins")
        both = {"Most": self.ambiguous, "Least": self.clear}
        tables = [Table(rows, columns, f"{end} ambiguous by {self.by}:", "{:.4f}") for end, rows in both.items()]
        return Printout(tables=tables, notes=notes)


def rank(
    table: pd.DataFrame, by: str | None, *, top: int, twins: bool, within_class: bool, model: str, labels: str
) -> Ranked:
    """The `top` pictures of each end of a table, as `ImageSet.rank`; `labels` is the command that lists labels.

    Raises ImageSetError for what is no column of numbers, or has no value under the `model`.
    """
    if by is None:
        return Ranked(None, table.head(top), table.head(0))
    numeric = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    if by not in numeric:
        raise ImageSetError(f"There is no column of numbers {by!r}. There are: {', '.join(numeric)}.")
    if not np.isfinite(table[by].to_numpy(dtype=float)).any():
        raise ImageSetError(f"No picture has a value of {by!r} under the model {model!r}. Choose another with --by.")
    if within_class and table["label"].isna().all():
        raise ImageSetError(f"There are no classes to rank within. Choose some with `{labels}`.")
    ranked = with_percentile(table, by, within_class=within_class)
    both = ends(ranked, by="rank_percentile" if within_class else by, collapse_twins=not twins, most=top)
    return Ranked(by, with_between(both.ambiguous), with_between(both.clear))


def with_between(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the two classes between which each picture lies as `between`, "cucumber and banana" or None."""
    pairs = zip(table["first_class"], table["second_class"], strict=True)
    words = [(between(first, second) or "").removeprefix("between ") or None for first, second in pairs]
    return table.assign(between=pd.Series(words, index=table.index, dtype=object))
