"""The review of pairs: a picture beside its nearest, and whether both are the same kind of thing."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.review import ASKED, Card, CardKind, Question, Review, ReviewSpec
from url_viz.analysis.tuned import Tuning
from url_viz.pipeline.unit_rows import UnitRows
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
        unit: UnitRows,
        *,
        tuning: Tuning,
        answers: Answers,
        contents: NDArray[np.int64],
        **others: Any,
    ) -> None:
        """`contents` (N,) are those of the rows of `table`; the other arguments as of `Review`."""
        self._tuning, self._answers, self._contents = tuning, answers, contents
        super().__init__(spec, table, unit, **others)

    @cached_property
    def _nearest(self) -> NDArray[np.int64]:
        return self._tuning.nearest()

    def _queue(self) -> NDArray[np.int64]:
        seed = len(self._answers.now())
        rows = self._tuning.pairs_to_ask(self.spec.most or ASKED, seed=seed, among=self._in_scope())
        return self._ids[rows[:, 0]]

    def _resumed(self) -> KeptReview | None:
        """Without pictures that have no neighbour any more."""
        kept = super()._resumed()
        return None if kept is None else replace(kept, ids=kept.ids[self._nearest[self._rows(kept.ids)] >= 0])

    def settled(self) -> NDArray[np.bool_]:
        """Which pairs of the queue (Q,) are answered, as of now."""
        return np.array([same is not None for same in self._same(self.ids)], bool)

    def card(self, image_id: int) -> Card:
        """The picture and its nearest, and what was answered. Raises ImageSetError if it is not in this set."""
        return replace(super().card(image_id), same=self.same(image_id))

    def _question(self, image_id: int, row: Mapping[str, Any]) -> Question:
        return SAME_KIND

    def _kind(self, question: Question) -> CardKind:
        return "pair"

    def _near(self, at: int, question: Question) -> list[pd.DataFrame]:
        return [self.table.iloc[[self._nearest[at]]]]

    def same(self, image_id: int) -> bool | None:
        """What was answered of a picture and its nearest; None if nothing was."""
        return self._same(np.array([image_id], np.int64))[0]

    def answer(self, image_id: int, same: bool | None, *, who: str | None = None) -> Action:  # noqa: FBT001
        """Say whether a picture and its nearest are the same kind of thing; None takes it back."""
        [pair] = self._pairs(np.array([image_id], np.int64))
        action = self._answers.answer({pair: same}, who=who)
        self._keep_answered([image_id])
        return action

    def _same(self, ids: NDArray[np.int64]) -> list[bool | None]:
        known = self._answers.now().as_dict()
        return [known.get(pair) for pair in self._pairs(ids)]

    def _pairs(self, ids: NDArray[np.int64]) -> list[tuple[int, int]]:
        """The contents of pictures and their nearest, as answers are kept."""
        rows = self._rows(ids)
        contents = np.stack([self._contents[rows], self._contents[self._nearest[rows]]], axis=1)
        return [ordered((one, other)) for one, other in contents.tolist()]

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return positions_of(ids, self._ids)
