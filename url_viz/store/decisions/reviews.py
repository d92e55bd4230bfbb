"""The stored state of a review: the queue in its order, when it was begun, and what was skipped."""

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

from url_viz.errors import DamageError
from url_viz.records import RecordFile
from url_viz.store.set_records import set_record
from url_viz.workspace import SetPaths

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
