"""The review of leaks: groups of twins that lie in two splits, led by a picture of the smaller one."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.label_choice import in_words
from url_viz.analysis.leaks import Splits
from url_viz.analysis.review import MEMBERS, MOST, Question, Review, ReviewSpec, is_settled
from url_viz.analysis.twins import group_codes
from url_viz.analysis.votes import NONE
from url_viz.pipeline.unit_rows import UnitRows


class LeakReview(Review):
    """Asks of groups of twins which to keep; beside each picture stands its split."""

    def __init__(
        self,
        spec: ReviewSpec,
        table: pd.DataFrame,
        unit: UnitRows,
        *,
        splits: Splits,
        leaks: Callable[[], pd.DataFrame],
        **others: Any,
    ) -> None:
        """`splits` are those of the rows of `table`, `leaks` what `ImageSet.leaks` gives; others as of `Review`."""
        self._splits, self._leaks = splits, leaks
        super().__init__(spec, table, unit, **others)

    def _queue(self) -> NDArray[np.int64]:
        ids = np.array(open_leaks(self._leaks(), self.table).drop_duplicates("group")["id"], np.int64)
        ids = ids[np.isin(ids, self._ids[self._in_scope()])]
        return ids[: min(self.spec.most or MOST, MOST)]

    def _members(self, lead: int) -> NDArray[np.int64] | None:
        """The picture itself, then its twins in other splits, then those in its own; None where all are in one."""
        at = self._row(lead)
        rows = np.flatnonzero(self._is_twin(at))
        codes = self._splits.codes[rows]
        own = self._splits.codes[at]
        if own == NONE or not ((codes != own) & (codes != NONE)).any():
            return None
        place = np.where(rows == at, 0, np.where(codes == NONE, 3, np.where(codes != own, 1, 2)))
        ordered: NDArray[np.int64] = rows[np.argsort(place, kind="stable")]
        return ordered

    def _question(self, image_id: int, row: Mapping[str, Any]) -> Question:
        members = self._group(image_id)
        names = dict.fromkeys(self._splits.name_of(int(one)) for one in members)
        return Question(f"in {in_words([name for name in names if name is not None])}: keep which?")

    def _near(self, at: int, question: Question) -> list[pd.DataFrame]:
        """The group, with the split of each as `mark`."""
        marks = [self._splits.name_of(int(one)) for one in self._group(int(self._ids[at]))[:MEMBERS]]
        [near] = super()._near(at, question)
        return [near.assign(mark=pd.Series(marks, index=near.index, dtype=object))]


def open_leaks(leaks: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The leaks whose group of twins is not settled yet, with their `group`.

    A group is settled once all of its pictures are decided, be it that all are kept.
    """
    group = group_codes(table)
    is_open = np.bincount(group, weights=~is_settled(table), minlength=1) > 0
    of_leak = pd.Series(group, index=table["id"]).loc[leaks["id"]].to_numpy(np.int64)
    found: pd.DataFrame = leaks.assign(group=of_leak)[is_open[of_leak]]
    return found
