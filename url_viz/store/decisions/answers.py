"""Answers on pairs of pictures, and the stored state of reviews."""

import datetime
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, PlainSerializer, PlainValidator

from url_viz.base.errors import DamageError, DecisionError
from url_viz.base.records import RecordFile
from url_viz.base.wording import counted
from url_viz.base.workspace import SetPaths
from url_viz.store.about import set_record
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_transaction import PAIR, Event
from url_viz.store.decisions.decisions import Action, process_user

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
            version, (read_at, last) = transaction.last().version if transaction else 0, self._latest
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
        wanted = {ordered(pair): None if same is None else str(int(same)) for pair, same in answers.items()}
        with self._log.writing() as transaction:
            events: list[Event] = [
                (PAIR, *pair, old, new) for pair, new in wanted.items() if (old := transaction.answer_on(*pair)) != new
            ]
            did = _did([new for *_, new in events])
            if events:
                transaction.record(did, len(events), events, who=process_user() if who is None else who)
        return Action(did, len(events), unchanged=len(wanted) - len(events), of="pair")


def ordered(pair: Pair) -> Pair:
    """A pair with the smaller content first. Raises DecisionError if both are one."""
    first, second = sorted(map(int, pair))
    if first == second:
        raise DecisionError(f"{pair} are one picture, or copies of one file: there is nothing to ask. Name two others.")
    return first, second


def _did(given: Sequence[str | None]) -> str:
    """ "said of 3 pairs that they are the same kind and took back 1 answer"."""
    same, other, none = map(given.count, ("1", "0", None))
    parts = [f"said of {counted(same, 'pair')} that both are the same kind"] if same else []
    parts += [f"said of {counted(other, 'pair')} that they are not the same kind"] if other else []
    parts += [f"took back {counted(none, 'answer')}"] if none else []
    return " and ".join(parts)


MOST_STORED = 50
"""Reviews of one image set; the one that was not touched for longest goes."""
_ENDING = ".json"


def _ids(values: Any) -> NDArray[np.int64]:
    """Ids as they are in JSON; raises ValueError for others."""
    ids = np.asarray(values if values else np.empty(0, np.int64))
    if ids.dtype != np.int64 or ids.ndim != 1:
        raise ValueError("these are no ids")
    return ids


@dataclass(frozen=True)
class StoredReview:
    """The pictures of a review in their order, `ids` (Q,) int64; `begun` (UTC, ISO 8601); ids of those `skipped`.

    `answered` are the ids that somebody answered in this review: a picture that had a decision before counts as done
    only then. `query` is the address of the review.
    """

    query: Mapping[str, Sequence[str]]
    ids: Annotated[NDArray[np.int64], PlainValidator(_ids), PlainSerializer(np.ndarray.tolist)]
    begun: Annotated[str, AfterValidator(lambda text: datetime.datetime.fromisoformat(text).isoformat())]
    skipped: frozenset[int] = field(default_factory=frozenset)
    answered: frozenset[int] = field(default_factory=frozenset)

    def __len__(self) -> int:
        return len(self.ids)


def review_key(query: Mapping[str, Sequence[str]]) -> str:
    """The name under which a review is kept: a digest of its address."""
    text = json.dumps({name: list(values) for name, values in query.items()}, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def read_review(paths: SetPaths, key: str) -> StoredReview | None:
    """The review stored under a key; None if there is none, or it is damaged: only the place in the queue is lost."""
    with suppress(DamageError):
        return _file(paths, key).find()
    return None


def list_reviews(paths: SetPaths) -> Iterator[StoredReview]:
    """The reviews that are kept, the one that was worked on last first, each read when it is reached.

    Damaged ones are left out.
    """
    return (review for file in _stored(paths) if (review := read_review(paths, file.stem)) is not None)


def change_review(
    paths: SetPaths, review: StoredReview, change: Callable[[StoredReview], StoredReview]
) -> StoredReview:
    """Store what `change` makes of a review as it is stored now, else of this one: several windows may have it open.

    Returns that; if `change` gives what it was given, nothing is written. Raises WorkspaceError if the image set was
    forgotten meanwhile, or the disk is full or cannot be written.
    """
    file = _file(paths, review_key(review.query), default=review)
    is_new = not file.path.exists()
    changed = file.change(change, anew=True)
    for oldest in _stored(paths)[MOST_STORED:] if is_new else ():
        oldest.unlink(missing_ok=True)
    return changed


def review_files(paths: SetPaths) -> list[RecordFile[StoredReview]]:
    """The records of all reviews that are kept."""
    return [_file(paths, file.stem) for file in _stored(paths)]


def _stored(paths: SetPaths) -> list[Path]:
    """The files of reviews, the one that was written last first."""
    files: dict[Path, int] = {}
    for file in paths.reviews.glob(f"[!.]*{_ENDING}"):
        with suppress(FileNotFoundError):  # another window stored one too many, and removed it
            files[file] = file.stat().st_mtime_ns
    return sorted(files, key=files.__getitem__, reverse=True)


def _file(paths: SetPaths, key: str, *, default: StoredReview | None = None) -> RecordFile[StoredReview]:
    advice = "Begin the review again: answers are kept elsewhere."
    return set_record(paths, paths.reviews / f"{key}{_ENDING}", StoredReview, advice, default=default)
