"""Decisions and answers as columns, their tables in SQL, and their assignment to files that moved."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.store.tables.tables import positions_of

Decision = Literal["keep", "drop", "look-again"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
CODES = np.array([None, *DECISIONS], object)
"""Decisions by their stored codes, None for none."""
ABSENT = -1
"""The code, in a change, of a file without a stored row; a row of code 0 is an undecided file."""
BETWEEN_TAGS = "; "
VALUE_COLUMNS = ("code", "tags", "labels", "names")
"""The columns that say what was decided on a file."""

CHECKSUM_MASK = 2**63 - 1
"""Checksums are kept to 63 bits, so that SQLite's numbers hold them."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Decided:
    """The decisions on N files: `id`, `content` (N,) int64, `code` (N,) int8 into CODES, and `tags` (N,) texts.

    `labels` (N,) are texts of the labels that somebody gave, by what the label was taken from (`label_of`); `names`
    (N,) the names that somebody gave, "" for none.
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
    def values(self) -> tuple[NDArray[Any], ...]:
        """The columns that say what was decided, VALUE_COLUMNS."""
        return self.code, self.tags, self.labels, self.names

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.id, self.content, *self.values

    def rows_at(self, rows: NDArray[np.integer]) -> "Decided":
        """The decisions on the files at `rows`; of all in their order nothing is copied."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return Decided(*(column[rows] for column in self.columns))

    @classmethod
    def from_columns(cls, columns: Sequence[Sequence[Any]]) -> "Decided":
        """Rows from columns as SQLite gives them. Raises ValueError, TypeError or OverflowError for other kinds."""
        ids, contents, codes = (np.array(column, np.int64) for column in columns[:3])
        return cls(ids, contents, codes.astype(np.int8), *map(texts_of, columns[3:]))

    @classmethod
    def joined(cls, parts: Sequence["Decided"]) -> "Decided":
        return cls(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))

    def sums(self) -> NDArray[np.uint64]:
        """The checksum of each row (N,); 0 of a row that is not stored."""
        sums = row_sums(self.columns)
        sums[self.code == ABSENT] = 0
        return sums

    def differs_from(self, other: "Decided") -> NDArray[np.bool_]:
        """Which files (N,) have other decisions."""
        differs: NDArray[np.bool_] = (self.tags != other.tags) | (self.labels != other.labels)
        differs |= (self.code != other.code) | (self.names != other.names)
        return differs

    def with_tags(self, change: Callable[[Sequence[str]], set[str]]) -> "Decided":
        """The same with `change` made to each set of tags; there are few distinct ones."""
        index, texts = pd.factorize(self.tags)
        new = np.array([joined_tags(change(tags_of(text))) for text in texts], object)
        return replace(self, tags=new[index] if len(index) else self.tags)

    def with_labels(self, given: Sequence[str | None], source: str) -> "Decided":
        """The same with the label of each file (None: none) where labels are taken from `source`."""
        new = [with_label(text, source, label) for text, label in zip(self.labels, given, strict=True)]
        return replace(self, labels=texts_of(new))

    @property
    def decision(self) -> NDArray[np.object_]:
        """None, "keep", "drop" or "look-again" of each (N,)."""
        return CODES[self.code]

    @property
    def name(self) -> NDArray[np.object_]:
        """The name of each (N,), None if it has no name."""
        return _or_none(self.names)

    @property
    def first_tags(self) -> NDArray[np.object_]:
        """The alphabetically first tag of each (N,), None if it has no tag."""
        codes, texts = pd.factorize(self.tags)
        return np.array([*(next(iter(tags_of(text)), None) for text in texts), None], object)[codes]

    def labels_of(self, source: str) -> NDArray[np.object_]:
        """The label that somebody gave each file (N,) where labels are taken from `source`; None if nobody did."""
        codes, texts = pd.factorize(self.labels)
        return np.array([*(label_of(text, source) for text in texts), None], object)[codes]


_NO_KEYS = np.zeros(0, np.int64)


def undecided(ids: NDArray[np.int64] = _NO_KEYS, contents: NDArray[np.int64] = _NO_KEYS) -> Decided:
    """Files on which nothing is decided."""
    count = len(ids)
    return Decided(ids, contents, np.zeros(count, np.int8), *(np.full(count, "", object) for _ in range(3)))


def absent(rows: Decided) -> Decided:
    """The same files without a stored row."""
    return replace(rows, code=np.full(len(rows), ABSENT, np.int8))


@dataclass(frozen=True)
class FileKeys:
    """The keys of the present files of a folder: `id` (N,) int64, each once, and `content` (N,) int64."""

    id: NDArray[np.int64]
    content: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.id)

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each of `ids` (M,); −1 if it is missing. Those of all files in their order cost no search."""
        return np.arange(len(ids)) if np.array_equal(ids, self.id) else positions_of(ids, self.id)


def match_decisions(files: FileKeys, stored: Decided) -> NDArray[np.int64]:
    """For each of N files the row of its decision among S stored ones, pairs of id and content; −1 for none.

    A file gets the pair with its id and content; else one with its content whose file is gone or has another content
    now (it was moved); else the latest one with its id (it was edited in place). Each pair is used at most once. Of
    several copies that moved, the first file gets the oldest pair; pairs without a decision come after the others.
    """
    matched = np.full(len(files), -1, np.int64)
    if not len(files) or not len(stored):
        return matched
    position = positions_of(stored.id, files.id)
    is_own = (position >= 0) & (files.content[position] == stored.content)
    matched[position[is_own]] = np.flatnonzero(is_own)
    free = np.flatnonzero(~is_own)
    is_decided = stored.differs_from(undecided(stored.id, stored.content))
    free = free[np.argsort(~is_decided[free], kind="stable")]
    _match_moved(matched, free, files, stored.content)
    _match_edited(matched, files, stored.id)
    return matched


def _match_moved(
    matched: NDArray[np.int64], free: NDArray[np.int64], files: FileKeys, stored_content: NDArray[np.int64]
) -> None:
    """Assign free pairs to unmatched files by content, in order if there are several."""
    waiting = np.flatnonzero(matched < 0)
    if not len(free) or not len(waiting):
        return
    position = _counted(stored_content[free]).get_indexer(_counted(files.content[waiting]))
    matched[waiting[position >= 0]] = free[position[position >= 0]]


def _counted(contents: NDArray[np.int64]) -> pd.MultiIndex:
    """Contents (N,), each with the number of equal ones before it: no two are the same."""
    return pd.MultiIndex.from_arrays([contents, pd.Series(contents).groupby(contents).cumcount()])


def _match_edited(matched: NDArray[np.int64], files: FileKeys, stored_id: NDArray[np.int64]) -> None:
    """Assign unused pairs to unmatched files by id, the latest pair first."""
    is_free = np.ones(len(stored_id), bool)
    is_free[matched[matched >= 0]] = False
    free = np.flatnonzero(is_free)[::-1]
    waiting = np.flatnonzero(matched < 0)
    position = positions_of(files.id[waiting], stored_id[free])
    matched[waiting[position >= 0]] = free[position[position >= 0]]


NO_ANSWERS = np.zeros((0, 4), np.int64)


@dataclass(frozen=True)
class Changes:
    """What an action changes: decisions on files from `before` to `after`, of the same ids and contents, and `answers`.

    `answers` (C, 4) int64 are two contents, the smaller first, then what was answered before and after: 1 for the same,
    0 for not, ABSENT for none.
    """

    before: Decided = field(default_factory=undecided)
    after: Decided = field(default_factory=undecided)
    answers: NDArray[np.int64] = field(default_factory=NO_ANSWERS.copy)

    def sums(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """What each change of a decision, and each of an answer, adds to the checksum of what is stored."""
        answered, unanswered = answer_sums(self.answers[:, [0, 1, 3]]), answer_sums(self.answers[:, :3])
        return self.after.sums() - self.before.sums(), answered - unanswered

    def total(self) -> int:
        """What they add to the checksum of all decisions and answers."""
        return total_of(*self.sums())

    def reversed(self) -> "Changes":
        return Changes(self.after, self.before, self.answers[:, [0, 1, 3, 2]])

    @classmethod
    def joined(cls, parts: Sequence["Changes"]) -> "Changes":
        before, after = (Decided.joined([getattr(part, side) for part in parts]) for side in ("before", "after"))
        return cls(before, after, np.concatenate([part.answers for part in parts]))


def answer_sums(rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The checksum of each answer (A,) of (A, 3): both contents, and 1, 0 or ABSENT, for which it is 0."""
    sums = row_sums(tuple(rows.T))
    sums[rows[:, 2] == ABSENT] = 0
    return sums


def _or_none(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    with_none: NDArray[np.object_] = np.where(texts == "", np.array(None), texts)
    return with_none


def row_sums(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """The checksum of each row (M,): another for any change to one of its values, as each step can be reversed."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ _words(column)) * _ODD
        mixed ^= mixed >> _HALF
    return mixed


def total_of(*sums: NDArray[np.uint64]) -> int:
    """The checksum of rows of several kinds, each in any order."""
    return sum(int(each.sum(dtype=np.uint64)) for each in sums) & CHECKSUM_MASK


def texts_of(values: Sequence[Any]) -> NDArray[np.object_]:
    """Texts as a column. Raises TypeError for anything else."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError("not a text")
    return np.array([*values, None], object)[:-1]


def label_of(text: str, source: str) -> str | None:
    """The label in a stored text where labels are taken from `source`; None if it has none."""
    if not text:
        return None
    label = json.loads(text).get(source)
    return label if isinstance(label, str) else None


def with_label(text: str, source: str, label: str | None) -> str:
    """A stored text with another label for `source`, or without one if None."""
    labels = {**(json.loads(text) if text else {}), source: label}
    given = {name: value for name, value in labels.items() if value is not None}
    return json.dumps(given, sort_keys=True, ensure_ascii=False) if given else ""


def tags_of(text: str) -> list[str]:
    """The tags in a text of the table's column `tags`."""
    return text.split(BETWEEN_TAGS) if text else []


def joined_tags(tags: Iterable[str]) -> str:
    """Tags as the table shows them: sorted, with semicolons between."""
    return BETWEEN_TAGS.join(sorted(tags))


def _words(column: NDArray[Any]) -> NDArray[np.uint64]:
    if column.dtype != object:
        return column.astype(np.int64).view(np.uint64)
    codes, texts = pd.factorize(column)
    return np.array([*map(_word, texts), 0], np.uint64)[codes]


def _word(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) if data else 0


SCHEMA_VERSION = 4
"""Of these tables: a file of another schema is refused."""

TABLES = (
    """CREATE TABLE decision (
        row INTEGER PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL, code INTEGER NOT NULL,
        tags TEXT NOT NULL, labels TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (id, content))""",
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, did TEXT NOT NULL,
        count INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')),
        total INTEGER NOT NULL, seal INTEGER NOT NULL)""",
    "CREATE INDEX batch_of_state ON batch (state, number)",
    """CREATE TABLE change (
        batch INTEGER NOT NULL, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code_before INTEGER NOT NULL, tags_before TEXT NOT NULL, labels_before TEXT NOT NULL, name_before TEXT NOT NULL,
        code_after INTEGER NOT NULL, tags_after TEXT NOT NULL, labels_after TEXT NOT NULL, name_after TEXT NOT NULL)""",
    "CREATE INDEX change_of_batch ON change (batch)",
    """CREATE TABLE answer (
        row INTEGER PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL, same INTEGER NOT NULL,
        UNIQUE (first, second))""",
    """CREATE TABLE answer_change (
        batch INTEGER NOT NULL, first INTEGER NOT NULL, second INTEGER NOT NULL,
        same_before INTEGER NOT NULL, same_after INTEGER NOT NULL)""",
    "CREATE INDEX answer_change_of_batch ON answer_change (batch)",
    """CREATE TABLE step (
        version INTEGER PRIMARY KEY, batch INTEGER NOT NULL,
        side TEXT NOT NULL CHECK (side IN ('before', 'after')))""",
    "CREATE TABLE version (number INTEGER NOT NULL, labels INTEGER NOT NULL, total INTEGER NOT NULL)",
)
"""`step` says which side of which action made each version. `version.total` is the checksum of all decisions and
answers, `batch.total` what the action adds to it, `batch.seal` the checksum of the rest of its row."""


def one_line(sql: str | None) -> str:
    """SQL as it is compared: without line breaks and indents; empty for none."""
    return " ".join((sql or "").split())


OURS = frozenset({*map(one_line, TABLES), "CREATE TABLE sqlite_sequence(name,seq)", ""})
"""The SQL, in one line each, that a file has in `sqlite_master`."""
