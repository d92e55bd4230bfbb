"""Cards of a review, the answers they take, and the interface of a queue: all that a desk knows of a review."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.labels.questions import Question
from url_viz.store.decisions.decision_rows import Decision
from url_viz.store.decisions.decisions import Action, Step

AnswerKind = Literal["decision", "label", "either", "name", "same", "keep", "verdict", "twins"]
"""What a card takes: a decision, a class, both of two, a name, yes or no, which of a group to keep, a verdict on a box,
all of it for its twins too."""


@dataclass(frozen=True)
class CardAnswer:
    """An answer to a card, or its current state.

    `label` is the class, or the name where one is asked for; `either` another class that it rightly is, too; `same`
    whether a pair is of one kind; `keep` the ids to keep of a group, whose others get the `decision`, else are dropped;
    `verdict` one of `VERDICTS` on an object. With
    `twins` all is said of its twins too; `back`: the answer before is taken back, and this stood before it.
    """

    decision: Decision | None = None
    label: str | None = None
    either: str | None = None
    same: bool | None = None
    keep: tuple[int, ...] | None = None
    verdict: str | None = None
    twins: bool = False
    back: bool = False


NOTHING = CardAnswer()
MOST_KEYS = 9
"""How many names have a key."""


@dataclass(frozen=True)
class Card:
    """What is shown of one picture of a review.

    `row` is its row of the table, with decision and label as they are now. `near` are rows of the table beside each
    choice of the question, else one such table: the nearest pictures, or the group or pair that is asked about, with a
    `mark` on each if there are any. `twins` says which others an answer can be for, too ("3 copies").
    `reasons` say why it is ambiguous. Of a picture outside the set, `picture` is its address, and `facts` are
    what is known of it.
    """

    row: Mapping[str, Any]
    question: Question
    near: tuple[pd.DataFrame, ...]
    takes: tuple[AnswerKind, ...]
    twins: str = ""
    reasons: pd.DataFrame | None = None
    picture: str | None = None
    facts: pd.DataFrame | None = None

    @property
    def id(self) -> int:
        return int(self.row["id"])


@dataclass(frozen=True)
class ReviewProgress:
    """How many of a review's `total` pictures are `done`, `skipped` or `left`."""

    total: int
    done: int
    skipped: int

    @classmethod
    def counted(cls, is_done: NDArray[np.bool_], is_skipped: NDArray[np.bool_]) -> Self:
        """Of pictures (Q,) that are done, or were skipped; one that is both is done."""
        return cls(len(is_done), int(is_done.sum()), int((is_skipped & ~is_done).sum()))

    @property
    def left(self) -> int:
        """Neither done nor skipped."""
        return self.total - self.done - self.skipped


@dataclass(frozen=True)
class Stepped:
    """What undo or redo did, in `words`, and the picture of the queue that it leads to; None if that is not known."""

    words: str
    id: int | None = None


@dataclass(frozen=True)
class Moved:
    """What answers have changed, in `words`, and as a `share`, 0 to 1.

    It is that of new pictures in the most ambiguous tenth, or of wrong ones among the next labels.
    """

    words: str
    share: float


class Queue(ABC):
    """Pictures that are asked about one after the other, in an order that stays while they are answered."""

    @property
    @abstractmethod
    def name(self) -> str:
        """A name that no other queue has."""

    @property
    @abstractmethod
    def ids(self) -> NDArray[np.int64]:
        """The pictures (Q,) in their order, as of now: an answer that another thread stores can make them more."""

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """The classes, or names, that can be typed: those of the set first, then new ones."""

    def asks(self, image_id: int) -> bool:
        """Whether a picture can be asked about, or answered late; by default those of the queue."""
        return image_id in self.ids.tolist()

    @abstractmethod
    def card(self, image_id: int) -> Card:
        """The card of a picture. Raises ImageSetError if it is not in the set."""

    @abstractmethod
    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        """The current answers on pictures."""

    @abstractmethod
    def store(self, image_id: int, answer: CardAnswer, *, who: str | None = None) -> Action | None:
        """Store an answer on a picture in place of the last. Raises a UrlVizError if it cannot be stored."""

    @abstractmethod
    def step(self, command: Step, *, who: str | None = None) -> Stepped:
        """Take the latest answer back, or give the one again that was taken back last."""

    @abstractmethod
    def is_done(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some pictures of the queue (M,) are done, as of now."""

    @abstractmethod
    def skipped(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some pictures of the queue (M,) were passed over."""

    @abstractmethod
    def skip(self, image_id: int) -> None:
        """Pass over a picture: it comes again once all others are done."""

    @abstractmethod
    def unskip(self) -> None:
        """Come back to all that was skipped."""

    @property
    def version(self) -> str:
        """Changes when cards are to be drawn anew."""
        return ""

    @property
    def name_keys(self) -> tuple[str, ...]:
        """Names that have a key, 1 to 9: all classes, in one order, where there are no more."""
        classes = tuple(self.classes)
        return classes if len(classes) <= MOST_KEYS else ()

    @property
    def goes_on(self) -> str:
        """Why there is more to ask than it seemed at the end; empty for a queue that never gets longer."""
        return ""

    def moved(self, table: Callable[[], pd.DataFrame]) -> Moved | None:
        """What the answers have changed in the set's `table`; None where they teach no order."""
        return None

    def progress(self) -> ReviewProgress:
        """How far it has come, as of now."""
        ids = self.ids
        return ReviewProgress.counted(self.is_done(ids), self.skipped(ids))

    def next_index(self) -> int:
        """The position in the queue of the first picture that is neither done nor skipped; Q if there is none."""
        ids = self.ids
        waits = ~self.is_done(ids) & ~self.skipped(ids)
        return int(waits.argmax()) if waits.any() else len(ids)
