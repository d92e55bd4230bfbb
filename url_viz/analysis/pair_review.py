"""The review of pairs: a picture beside its nearest, and whether both are the same kind of thing."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.review import Card, Question, Review, ReviewSpec, as_query
from url_viz.analysis.scope import scoped
from url_viz.analysis.tuned import ASKED, TunedTable
from url_viz.store.answers import Answers, ordered
from url_viz.store.decisions import Action
from url_viz.store.reviews import KeptReview
from url_viz.store.tables import positions_of

SAME_KIND = Question("the same kind of thing?")


class PairReview(Review):
    """Asks of pictures and their nearest. The queue stays as drawn; of each picture the nearest of now is shown.

    What is answered changes the column `tuned` of the table at once, and the queue not at all.
    """

    def __init__(
        self,
        spec: ReviewSpec,
        table: pd.DataFrame,
        unit: NDArray[np.float32],
        *,
        tuning: TunedTable,
        answers: Answers,
        contents: NDArray[np.int64],
        **others: Any,
    ) -> None:
        """`contents` (N,) are those of the rows of `table`; the other arguments as of `Review`."""
        self._tuning, self._answers, self._contents = tuning, answers, contents
        self._nearest = tuning.nearest()
        super().__init__(spec, table, unit, **others)

    def _begun(self, suspects: pd.DataFrame | None) -> KeptReview:
        among = np.isin(self._ids, scoped(self.table, self.spec.scope)["id"].to_numpy(np.int64))
        seed, count = len(self._answers.now()), self.spec.most or ASKED
        rows = self._tuning.pairs_to_ask(count, seed=seed, among=among)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return KeptReview(as_query(self.spec), self._ids[rows[:, 0]], now)

    def settled(self) -> NDArray[np.bool_]:
        """Which pairs of the queue (Q,) are answered, as of now."""
        known = self._answers.now().as_dict()
        return np.array([known.get(pair) is not None for pair in map(self._pair, self.ids.tolist())], bool)

    def card(self, image_id: int) -> Card:
        """The picture and its nearest, and what was answered. Raises ImageSetError if it is not in this set."""
        card = super().card(image_id)
        beside = self.table.iloc[[self._nearest[self._row(image_id)]]]
        return Card(card.row, SAME_KIND, (beside,), 0, is_pair=True, same=self.same(image_id))

    def same(self, image_id: int) -> bool | None:
        """What was answered of a picture and its nearest; None if nothing was."""
        return self._answers.now().as_dict().get(self._pair(image_id))

    def answer(self, image_id: int, same: bool | None, *, who: str | None = None) -> Action:  # noqa: FBT001
        """Say whether a picture and its nearest are the same kind of thing; None takes it back."""
        action = self._answers.answer({self._pair(image_id): same}, who=who)
        self._keep(skipped=self._latest().skipped - {image_id})
        return action

    def _pair(self, image_id: int) -> tuple[int, int]:
        row = self._row(image_id)
        return ordered((int(self._contents[row]), int(self._contents[self._nearest[row]])))

    def _row(self, image_id: int) -> int:
        return int(positions_of(np.array([image_id]), self._ids)[0])
