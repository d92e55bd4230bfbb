"""Answers on pairs of pictures: which pairs to ask about, what was answered, and the order that answers tune."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from url_viz.analysis.review.tuned import Tuned, answered, pairs, tuned_order
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decisions import Action
from url_viz.subjects.set_core import SetSubject


class SetAnswers(SetSubject):
    """The answers of an image set, as `image_set.answers`."""

    @property
    def log(self) -> Answers:
        """What was answered on pairs of pictures, by their contents."""
        return self._core.answer_log

    def ask(self, n: int = 20, *, seed: int = 0) -> pd.DataFrame:
        """Pairs to ask about next, at most n: id, neighbour_id, path, neighbour_path; a picture and its nearest.

        Some are drawn uniformly, the others more often where measures disagree (`analysis.review.tuned`). Raises
        ImageSetError before there is a graph in the whitened space.
        """
        self._core.require_graph()
        pair_order = self._core.derived.get(pairs)
        assert pair_order is not None  # there is a graph
        rows = pair_order.next(self._core.derived.get(answered), n, seed=seed)
        table = self._core.base.table[["id", "path"]]
        first, second = (table.iloc[rows[:, side]].reset_index(drop=True) for side in (0, 1))
        return first.assign(neighbour_id=second["id"], neighbour_path=second["path"])[
            ["id", "neighbour_id", "path", "neighbour_path"]
        ]

    def give(self, answers: Mapping[tuple[int, int], bool | None], *, who: str | None = None) -> Action:
        """Say of pairs of pictures, by id, whether they are the same kind of thing; None takes an answer back.

        A single action for undo. Stored by content: an answer stays whatever the graph becomes. From ten answers on,
        both kinds among them, `table()` has `tuned`. Raises ImageSetError for an unknown id, DecisionError for copies
        of one file.
        """
        ids = np.array(list(answers), np.int64).reshape(-1, 2)
        contents = self._core.contents[self._core.rows_of(ids.ravel())].reshape(-1, 2)
        pairs = {
            (int(first), int(second)): same for (first, second), same in zip(contents, answers.values(), strict=True)
        }
        return self.log.answer(pairs, who=who)

    def tuned(self) -> Tuned | None:
        """What the answers made of the order, and how well it holds on them; None below ten, or without both kinds."""
        return self._core.derived.get(tuned_order)
