"""The review that names pictures: those whose names teach most first, with what the names so far suggest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.naming import Naming
from url_viz.analysis.review import ASKED, NEAREST, CardKind, Choice, Question, Review, ReviewSpec
from url_viz.pipeline.unit_rows import UnitRows
from url_viz.store.decisions import Action, Verdict
from url_viz.store.tables import positions_of

REFRESHED_AFTER = 5
"""After so many names the others' suggestions are worked out again: that takes longer than an answer."""
ASKED_FROM = 0.5
"""The share from which a suggestion is asked about: below it more often wrong than right."""
LATEST = 9
"""So many names have a key."""


class NameReview(Review):
    """Asks what pictures are. What was suggested is a name only once it is taken."""

    def __init__(
        self,
        spec: ReviewSpec,
        table: pd.DataFrame,
        unit: UnitRows,
        *,
        naming: Naming,
        **others: Any,
    ) -> None:
        """The other arguments as of `Review`."""
        self._naming = naming
        self._latest_names: list[str] = []
        self._oldest = 0
        self._told: tuple[int, dict[int, tuple[str, float]]] | None = None
        super().__init__(spec, table, unit, **others)

    def _queue(self) -> NDArray[np.int64]:
        return self._ids[self._naming.first(self.spec.most or ASKED, self._in_scope())]

    def settled(self) -> NDArray[np.bool_]:
        """Which pictures of the queue (Q,) have a name or a decision, as of now."""
        now = self._now(self._file_rows[positions_of(self.ids, self._ids)])
        settled: NDArray[np.bool_] = (now.code > 0) | (now.names != "")
        return settled

    @property
    def classes(self) -> list[str]:
        """The names in use, in order."""
        return sorted(set(self._decisions.now().names) - {""})

    def latest_names(self) -> tuple[str, ...]:
        """Names with a key, at most nine: the latest new ones, each in its place until nine others came."""
        in_use = self.classes
        self._latest_names = [name for name in self._latest_names if name in in_use]
        for name in in_use:
            if len(self._latest_names) < LATEST and name not in self._latest_names:
                self._latest_names.append(name)
        return tuple(self._latest_names)

    def _question(self, image_id: int, row: Mapping[str, Any]) -> Question:
        return self.question(image_id)

    def _kind(self, question: Question) -> CardKind:
        return "names"

    def _near(self, at: int, question: Question) -> list[pd.DataFrame]:
        return [self._found(at, self._is_twin(at), NEAREST)]

    def question(self, image_id: int) -> Question:
        """What is asked of a picture: whether it is what the names suggest, if they do; as of some names ago."""
        given = int((self._decisions.now().names != "").sum())
        if self._told is None or abs(given - self._told[0]) >= REFRESHED_AFTER:
            found = self._naming.suggestions()
            known = zip(found["name"].astype(str), found["share"].astype(float), strict=True)
            self._told = given, dict(zip(found["id"].tolist(), known, strict=True))
        choice = self._told[1].get(image_id)
        if choice is None or choice[1] < ASKED_FROM:
            return Question("what is it?")
        return Question(f"{choice[0]}?", (Choice(*choice),))

    def verdicts(self, ids: Sequence[int]) -> list[Verdict]:
        """What is decided of pictures as of now, and their names."""
        now = self._now(self._file_rows[positions_of(np.array(ids, np.int64), self._ids)])
        return [Verdict(*both) for both in zip(now.decision, now.name, strict=True)]

    def settle(self, verdicts: Mapping[int, Verdict], *, with_twins: bool = False, who: str | None = None) -> Action:
        """Name pictures, or decide on them; a single action. `with_twins` names and decides on their twins too."""
        verdicts = self._of_twins_too(verdicts) if with_twins else verdicts
        decisions = self._decisions if who is None else self._decisions.by(who)
        action = decisions.name(verdicts)
        for name in {verdict.label for verdict in verdicts.values() if verdict.label is not None}:
            self._note(name)
        self._keep_answered(verdicts)
        return action

    def _note(self, name: str) -> None:
        """Give a name a key: a free one, else that of the name that has had one for longest."""
        if name in self._latest_names:
            return
        if len(self._latest_names) < LATEST:
            self._latest_names.append(name)
        else:
            self._latest_names[self._oldest] = name
            self._oldest = (self._oldest + 1) % LATEST
