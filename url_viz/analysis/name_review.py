"""The review that names pictures: those whose names teach most first, with what the names so far suggest."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.naming import name_of
from url_viz.analysis.review import Card, Choice, Question, Review, ReviewSpec, as_query
from url_viz.analysis.scope import scoped
from url_viz.store.decisions import Action, Verdict
from url_viz.store.reviews import KeptReview
from url_viz.store.tables import positions_of

ASKED = 100
"""Pictures of a review, if nothing else is said."""
REFRESHED_AFTER = 5
"""After so many names the others' suggestions are worked out again: that takes longer than an answer."""
ASKED_FROM = 0.5
"""The share from which a suggestion is asked about: below it more often wrong than right."""
LATEST = 9
"""So many names have a key."""


class NameReview(Review):
    """Asks what pictures are. A name is the picture's first tag; what was suggested is a name only once it is taken."""

    def __init__(
        self,
        spec: ReviewSpec,
        table: pd.DataFrame,
        unit: NDArray[np.float32],
        *,
        first: Callable[[int, NDArray[np.bool_]], NDArray[np.int64]],
        suggested: Callable[[], pd.DataFrame],
        **others: Any,
    ) -> None:
        """`first` gives the rows to name first, so many of those marked; `suggested` is `ImageSet.name_suggestions`."""
        self._first, self._suggestions = first, suggested
        self._latest_names: list[str] = []
        self._oldest = 0
        self._told: tuple[int, dict[int, tuple[str, float]]] | None = None
        super().__init__(spec, table, unit, **others)

    def _begun(self, suspects: pd.DataFrame | None) -> KeptReview:
        among = np.isin(self._ids, scoped(self.table, self.spec.scope)["id"].to_numpy(np.int64))
        rows = self._first(self.spec.most or ASKED, among)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return KeptReview(as_query(self.spec), self._ids[rows], now)

    def settled(self) -> NDArray[np.bool_]:
        """Which pictures of the queue (Q,) have a name or a decision, as of now."""
        now = self._now(self._file_rows[positions_of(self.ids, self._ids)])
        settled: NDArray[np.bool_] = (now.code > 0) | (now.tags != "")
        return settled

    @property
    def classes(self) -> list[str]:
        """The names in use, in order."""
        return sorted({name for text in set(self._decisions.now().tags) if (name := name_of(text)) is not None})

    def latest_names(self) -> tuple[str, ...]:
        """Names with a key, at most nine: the latest new ones, each in its place until nine others came."""
        in_use = self.classes
        self._latest_names = [name for name in self._latest_names if name in in_use]
        for name in in_use:
            if len(self._latest_names) < LATEST and name not in self._latest_names:
                self._latest_names.append(name)
        return tuple(self._latest_names)

    def card(self, image_id: int) -> Card:
        """The picture, its nearest, and the names it may have. Raises ImageSetError if it is not in this set."""
        card = super().card(image_id)
        row = int(positions_of(np.array([image_id]), self._ids)[0])
        group = self.table["twin_group"].to_numpy()
        near = self._found(row, group == group[row], 6)
        return replace(card, question=self.question(image_id), near=(near,), is_name=True)

    def question(self, image_id: int) -> Question:
        """What is asked of a picture: whether it is what the names suggest, if they do; as of some names ago."""
        given = int((self._decisions.now().tags != "").sum())
        if self._told is None or abs(given - self._told[0]) >= REFRESHED_AFTER:
            found = self._suggestions()
            known = zip(found["name"].astype(str), found["share"].astype(float), strict=True)
            self._told = given, dict(zip(found["id"].tolist(), known, strict=True))
        choice = self._told[1].get(image_id)
        if choice is None or choice[1] < ASKED_FROM:
            return Question("what is it?")
        return Question(f"{choice[0]}?", (Choice(*choice),))

    def verdicts(self, ids: Any) -> list[Verdict]:
        """What is decided of pictures as of now, and their names."""
        now = self._now(self._file_rows[positions_of(np.array(ids, np.int64), self._ids)])
        return [Verdict(*both) for both in zip(now.decision, map(name_of, now.tags), strict=True)]

    def settle(self, verdicts: Mapping[int, Verdict], *, with_twins: bool = False, who: str | None = None) -> Action:
        """Name pictures, or decide on them; a single action. `with_twins` names and decides on their twins too."""
        verdicts = self._of_twins_too(verdicts) if with_twins else verdicts
        decisions = self._decisions if who is None else self._decisions.by(who)
        action = decisions.name(verdicts)
        for name in {verdict.label for verdict in verdicts.values() if verdict.label is not None}:
            self._note(name)
        self._keep(skipped=self._latest().skipped - set(verdicts))
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
