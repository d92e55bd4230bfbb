"""Answers on pairs of pictures: whether two are the same kind of thing, kept by their contents, with undo."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import DecisionError
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import ABSENT, Changes
from url_viz.store.decisions.decisions import Action, process_user
from url_viz.wording import counted

Pair = tuple[int, int]
"""Two contents, in any order: an answer is of both."""


@dataclass(frozen=True)
class Answered:
    """The answers, oldest first: `pairs` (A, 2) int64 contents, the smaller first; `is_same` (A,) bool."""

    pairs: NDArray[np.int64]
    is_same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pairs)

    def as_dict(self) -> dict[Pair, bool]:
        """The answer on each pair, the smaller content first."""
        both = zip(self.pairs.tolist(), self.is_same.tolist(), strict=True)
        return {(first, second): same for (first, second), same in both}


NO_ANSWERS = Answered(np.zeros((0, 2), np.int64), np.zeros(0, bool))


class Answers:
    """The answers of one image set. Many sessions and processes may read and write at once.

    They are actions in the log of decisions, and so undone and redone in one order with these. An answer stays,
    whatever becomes of the graph, until it is taken back.
    """

    def __init__(self, path: Path) -> None:
        self._log = DecisionLog(path)
        self._latest = 0, NO_ANSWERS

    def now(self) -> Answered:
        """All answers; the same object as before if none has changed."""
        with self._log.reading() as transaction:
            version, (read_at, last) = transaction.version() if transaction else 0, self._latest
            if version != read_at:
                rows = transaction.answers if transaction else np.zeros((0, 3), np.int64)
                now = Answered(rows[:, :2].copy(), rows[:, 2] == 1)
                is_same = np.array_equal(now.pairs, last.pairs) and np.array_equal(now.is_same, last.is_same)
                self._latest = version, last if is_same else now
        return self._latest[1]

    def answer(self, answers: Mapping[Pair, bool | None], *, who: str | None = None) -> Action:
        """Say of pairs of contents whether they are the same kind of thing; None takes an answer back.

        A single action for undo. Raises DecisionError for a pair of one content.
        """
        wanted = {ordered(pair): answer for pair, answer in answers.items()}
        with self._log.writing() as transaction:
            rows = [
                (*pair, transaction.answer_on(*pair), ABSENT if answer is None else int(answer))
                for pair, answer in wanted.items()
            ]
            changes = [row for row in rows if row[2] != row[3]]
            did = _did(row[3] for row in changes)
            if changes:
                who = process_user() if who is None else who
                transaction.record(did, len(changes), Changes(answers=np.array(changes, np.int64)), who=who)
        return Action(did, len(changes), unchanged=len(wanted) - len(changes), of="pair")


def ordered(pair: Pair) -> Pair:
    """A pair with the smaller content first. Raises DecisionError if both are one."""
    first, second = sorted(map(int, pair))
    if first == second:
        raise DecisionError(f"{pair} are one picture, or copies of one file: there is nothing to ask. Name two others.")
    return first, second


def _did(answers: Iterable[int]) -> str:
    """ "said of 3 pairs that they are the same kind and took back 1 answer"."""
    given = list(answers)
    same, other, none = (given.count(value) for value in (1, 0, ABSENT))
    parts = [f"said of {counted(same, 'pair')} that both are the same kind"] if same else []
    parts += [f"said of {counted(other, 'pair')} that they are not the same kind"] if other else []
    parts += [f"took back {counted(none, 'answer')}"] if none else []
    return " and ".join(parts)
