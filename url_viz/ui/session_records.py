"""Records that a session holds under its keys, apart from the pages that make them: those import `session`."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from url_viz.analysis.cards import CardAnswer, Moved, Queue
from url_viz.store.decisions import Decision
from url_viz.ui.text import Markdown, escape

Style = Literal["points", "fog", "density"]
"""How the map draws pictures."""
Side = Literal["both", "ambiguous", "clear"]
"""Which ends of the order the grid shows."""
BulkKind = Literal["decide", "tag", "untag", "name"]
Queued = TypeVar("Queued", bound=Queue)


@dataclass(frozen=True)
class Handled:
    """For each component of a session, the number of the last action that was handled.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class BulkAction:
    """An action on some pictures: a decision (None clears it), tags added or removed, or a name; `word` names it."""

    word: str
    ids: tuple[int, ...]
    kind: BulkKind = "decide"
    decision: Decision | None = None
    tags: tuple[str, ...] = ()

    @property
    def question(self) -> Markdown:
        """The question that asks for confirmation."""
        named = f" ({escape(', '.join(self.tags))})" if self.tags else ""
        return Markdown(f"**{escape(self.word)} {len(self.ids):,} pictures**{named}?")


@dataclass(frozen=True)
class RefusedAnswer:
    """An answer that could not be stored: its number, the position of its picture, and why."""

    sequence: int
    position: int
    message: str


@dataclass(frozen=True)
class DeskState:
    """What the review component shows: `review` names the queue; a queue of another name begins at `place`.

    `cards` are some cards of the queue as it takes them (`Card` in url_viz/frontend/review/queue.js), `upcoming` the
    positions of those that wait for an answer, the next first. `change` is what answers have changed, where they teach
    an order; `names` have a key.
    """

    review: str
    cards: tuple[Mapping[str, Any], ...]
    upcoming: tuple[int, ...]
    place: int
    total: int
    done: int
    skipped: int
    classes: tuple[str, ...]
    refused: tuple[RefusedAnswer, ...] = ()
    change: Moved | None = None
    names: tuple[str, ...] = ()
    unit: str = "picture"


@dataclass
class OpenReview(Generic[Queued]):
    """A review that is open in this session: `at` is the position shown, `drawn` the cards drawn before.

    `shown` is the state that was shown last: it stays when the decisions cannot be read, with the answer taken back.
    """

    review: Queued
    at: int
    drawn: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    refused: tuple[RefusedAnswer, ...] = ()
    shown: DeskState | None = None


@dataclass
class UploadAnswers:
    """The answers about the uploads of a session, and which uploads were skipped, by their content."""

    answers: dict[int, CardAnswer] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    here: OpenReview[Any] | None = None
