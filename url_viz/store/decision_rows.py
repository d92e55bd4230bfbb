"""Decisions and answers as columns, and the checksum of their rows, which an action updates by what it changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BETWEEN_TAGS = "; "
CODES = range(4)
"""Stored codes of decisions: 0 for none, then the positions in `decisions.DECISIONS` from 1."""
ABSENT = -1
"""The code, in a change, of a file without a stored row; a row of code 0 is an undecided file."""

CHECKSUM_MASK = 2**63 - 1
"""Checksums are kept to 63 bits, so that SQLite's numbers hold them."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class DecisionRows:
    """Decisions on S files: `id`, `content` (S,) int64, `code` (S,) int8.

    `tags`, `labels` and `names` (S,) are texts; `decisions` says what they hold.
    """

    id: NDArray[np.int64]
    content: NDArray[np.int64]
    code: NDArray[np.int8]
    tags: NDArray[np.object_]
    labels: NDArray[np.object_]
    names: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.id)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.id, self.content, self.code, self.tags, self.labels, self.names

    def rows_at(self, at: NDArray[np.integer] | NDArray[np.bool_]) -> "DecisionRows":
        return DecisionRows(*(column[at] for column in self.columns))

    def sums(self) -> NDArray[np.uint64]:
        """The checksum of each row (S,); 0 of a row that is not stored."""
        sums = row_sums(self.columns)
        sums[self.code == ABSENT] = 0
        return sums

    @classmethod
    def of(cls, columns: Sequence[Sequence[Any]]) -> "DecisionRows":
        """Rows from columns as SQLite gives them. Raises ValueError, TypeError or OverflowError for other kinds."""
        numbers = [np.array(column, np.int64) for column in columns[:3]]
        texts = [texts_of(column) for column in columns[3:]]
        return cls(numbers[0], numbers[1], numbers[2].astype(np.int8), texts[0], texts[1], texts[2])

    @classmethod
    def joined(cls, parts: Sequence["DecisionRows"]) -> "DecisionRows":
        return cls(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))


def no_rows(count: int = 0) -> DecisionRows:
    """Files on which nothing is decided."""
    tags, labels, names = (np.full(count, "", object) for _ in range(3))
    return DecisionRows(
        np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int8), tags, labels, names
    )


@dataclass(frozen=True)
class DecisionChanges:
    """The changes of files: the rows `before` and `after`, of the same ids and contents; code ABSENT for no row."""

    before: DecisionRows
    after: DecisionRows

    def __len__(self) -> int:
        return len(self.before)

    def sums(self) -> NDArray[np.uint64]:
        """What each change adds to the checksum of the stored rows (C,)."""
        return self.after.sums() - self.before.sums()

    def reversed(self) -> "DecisionChanges":
        return DecisionChanges(self.after, self.before)


@dataclass(frozen=True)
class AnswerChanges:
    """The changes of answers (C, 4) int64: two contents, the smaller first, then what was answered before and after.

    An answer is 1 for the same, 0 for not, ABSENT for none.
    """

    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def sums(self) -> NDArray[np.uint64]:
        """What each change adds to the checksum of the stored answers (C,)."""
        return answer_sums(self.rows[:, [0, 1, 3]]) - answer_sums(self.rows[:, :3])

    def reversed(self) -> "AnswerChanges":
        return AnswerChanges(self.rows[:, [0, 1, 3, 2]])


def answer_sums(rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The checksum of each answer (A,) of (A, 3): both contents, and 1, 0 or ABSENT, for which it is 0."""
    sums = row_sums(tuple(rows.T))
    sums[rows[:, 2] == ABSENT] = 0
    return sums


def row_sums(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """The checksum of each row (M,): another for any change to one of its values, as each step can be reversed."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ _words(column)) * _ODD
        mixed ^= mixed >> _HALF
    return mixed


def total_of(sums: NDArray[np.uint64]) -> int:
    """The checksum of rows in any order."""
    return int(sums.sum(dtype=np.uint64)) & CHECKSUM_MASK


def texts_of(values: Sequence[Any]) -> NDArray[np.object_]:
    """Texts as a column. Raises TypeError for anything else."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError("not a text")
    return np.array([*values, None], object)[:-1]


def _words(column: NDArray[Any]) -> NDArray[np.uint64]:
    if column.dtype != object:
        return column.astype(np.int64).view(np.uint64)
    codes, texts = pd.factorize(column)
    return np.array([*map(_word, texts), 0], np.uint64)[codes]


def _word(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) if data else 0
