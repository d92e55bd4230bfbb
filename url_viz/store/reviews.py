"""What is kept of a review with its image set: the queue in its order, when it was begun, and what was skipped."""

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from url_viz.errors import WorkspaceError
from url_viz.files import replaced
from url_viz.sealed import sealed, unsealed
from url_viz.store.damage import raising_disk_errors
from url_viz.workspace import SetPaths

MOST_STORED = 50
"""Reviews of one image set; the one that was not touched for longest goes."""
_ENDING = ".json"
LOCK_S = 5.0


@dataclass(frozen=True)
class StoredReview:
    """The pictures of a review in their order, `ids` (Q,) int64; `begun` (UTC, ISO 8601); ids of those `skipped`.

    `answered` are the ids that somebody answered in this review: a picture that had a decision before counts as done
    only then. `query` is the address of the review.
    """

    query: Mapping[str, Sequence[str]]
    ids: NDArray[np.int64]
    begun: str
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
    try:
        record = unsealed(_file(paths, key).read_bytes())
        ids = np.array([int(one) for one in record["ids"]], np.int64)
        skipped, answered = (frozenset(int(one) for one in record[name]) for name in ("skipped", "answered"))
        query = {str(name): [str(one) for one in values] for name, values in record["query"].items()}
        begun = datetime.datetime.fromisoformat(record["begun"])
        return StoredReview(query, ids, begun.isoformat(), skipped, answered)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def list_reviews(paths: SetPaths) -> Iterator[StoredReview]:
    """The reviews that are kept, the one that was worked on last first, each read when it is reached.

    Damaged ones are left out.
    """
    files = sorted(paths.reviews.glob(f"*{_ENDING}"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return (review for review in (read_review(paths, file.stem) for file in files) if review is not None)


@contextmanager
def locked_reviews(paths: SetPaths) -> Iterator[None]:
    """The lock under which a review is read, changed and written: the same one may be open in several windows.

    Raises WorkspaceError if the image set was forgotten meanwhile, or the disk is full or cannot be written.
    """
    lock = FileLock(paths.reviews / "reviews.lock", timeout=LOCK_S)
    try:
        with raising_disk_errors(paths):
            paths.reviews.mkdir(exist_ok=True)
            lock.acquire()
    except FileNotFoundError as error:
        raise WorkspaceError(
            f"The image set {paths.folder.name!r} was forgotten meanwhile, and its reviews with it. Read its folder "
            "again, or choose another image set."
        ) from error
    except Timeout as error:
        raise WorkspaceError(
            f"Another process has been writing to {str(paths.reviews)!r} for {LOCK_S:.0f} s. Try again when it is done."
        ) from error
    try:
        yield
    finally:
        lock.release()


def write_review(paths: SetPaths, review: StoredReview) -> None:
    """Keep a review, under the lock of reviews. Raises WorkspaceError if the disk is full or cannot be written."""
    record: dict[str, Any] = {"query": {name: list(values) for name, values in review.query.items()}}
    record |= {"ids": review.ids.tolist(), "begun": review.begun}
    record |= {"skipped": sorted(review.skipped), "answered": sorted(review.answered)}
    with raising_disk_errors(paths):
        with replaced(_file(paths, review_key(review.query))) as temporary:
            temporary.write_text(sealed(record))
        kept = sorted(paths.reviews.glob(f"*{_ENDING}"), key=lambda file: file.stat().st_mtime_ns)
        for file in kept[:-MOST_STORED]:
            file.unlink(missing_ok=True)


def _file(paths: SetPaths, key: str) -> Path:
    return paths.reviews / f"{key}{_ENDING}"
