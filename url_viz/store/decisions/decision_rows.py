"""What is decided on each file: values as texts, columns of them, and their assignment to files that moved."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.files import record_in
from url_viz.store.tables.tables import positions_of

Decision = Literal["keep", "drop", "look-again"]
Both = tuple[str, str]
"""Two classes that a picture rightly is both of, first the one that counts as its label."""
LabelAnswer = str | Both
"""What somebody said of the label of a picture: its class, or both of two."""
DECISIONS: tuple[Decision, ...] = get_args(Decision)
CODES = np.array([None, *DECISIONS], object)
"""Decisions by their codes, None for none."""
BETWEEN_TAGS = "; "
_BY_CODE = ["", *DECISIONS]
_AS_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


class Value(NamedTuple):
    """What is decided on a file, "" for nothing: `decision`, sorted `tags` ("a; b"), `name`; `labels`, `said` as JSON.

    Labels are by what they were taken from, and so is what each person said last of them. The log has a value as a
    `text`, a line each.
    """

    decision: str = ""
    tags: str = ""
    name: str = ""
    labels: str = ""
    said: str = ""

    @classmethod
    def read(cls, text: str) -> "Value":
        """The value of a text of the log. Raises ValueError for any other text."""
        value = cls(*text.split("\n")) if text.count("\n") < len(cls._fields) else cls("?")
        if value.decision not in _BY_CODE or value.text != text:
            raise ValueError("decisions of an unknown kind")
        _labels_in(value.labels)
        _said_in(value.said)
        return value

    @property
    def text(self) -> str:
        return "\n".join(self).rstrip("\n")

    def label(self, source: str) -> str | None:
        """The label that somebody gave where labels are taken from `source`."""
        answer = self.answer(source)
        return answer[0] if isinstance(answer, tuple) else answer

    def either(self, source: str) -> str | None:
        """The class that the picture rightly is besides its label; None for none."""
        answer = self.answer(source)
        return answer[1] if isinstance(answer, tuple) else None

    def answer(self, source: str) -> LabelAnswer | None:
        """What holds of the label: what was said last."""
        return _labels_in(self.labels).get(source)

    def people(self, source: str) -> Mapping[str, LabelAnswer]:
        """What each person said last of the label, by name."""
        return _said_in(self.said).get(source, {})

    def with_answer(self, source: str, answer: LabelAnswer | None, *, who: str, is_own: bool = True) -> "Value":
        """With another label, as `who` says; None takes it back, and what anybody said.

        Where it is not that person's `own` word, an earlier label stands again.
        """
        people = {**self.people(source)}
        if is_own and answer is not None:
            people[who] = answer
        elif answer != self.answer(source):
            people.pop(who, None)
        labels = {**_labels_in(self.labels), source: answer}
        given = {name: value for name, value in labels.items() if value is not None}
        said = {**_said_in(self.said), source: people if answer is not None else {}}
        heard = {name: value for name, value in said.items() if value}
        return self._replace(labels=_AS_JSON(given) if given else "", said=_AS_JSON(heard) if heard else "")

    def merged(self, source: str, label: str, into: str) -> "Value":
        """With one class for another in what holds and in what people said; without a word, the other as its label."""
        answers = {"": self.answer(source) or label, **self.people(source)}
        held, *said = (_renamed(answer, label, into) for answer in answers.values())
        people = dict(zip(self.people(source), said, strict=True))
        labels = {**_labels_in(self.labels), source: held}
        heard = {name: value for name, value in {**_said_in(self.said), source: people}.items() if value}
        return self._replace(labels=_AS_JSON(labels), said=_AS_JSON(heard) if heard else "")


def _renamed(answer: LabelAnswer, label: str, into: str) -> LabelAnswer:
    """An answer with one class for another; both of two that become one are one."""
    if isinstance(answer, str):
        return into if answer == label else answer
    first, second = (into if name == label else name for name in answer)
    return first if first == second else (first, second)


@lru_cache(maxsize=2**15)
def _labels_in(text: str) -> Mapping[str, LabelAnswer]:
    return _answers_in(_json_in(text))


@lru_cache(maxsize=2**15)
def _said_in(text: str) -> Mapping[str, Mapping[str, LabelAnswer]]:
    return {source: _answers_in(people) for source, people in _json_in(text).items()}


def _json_in(text: str) -> Mapping[str, Any]:
    try:
        return record_in(text) if text else {}
    except ValueError as error:
        raise ValueError("labels that cannot be read") from error


def _answers_in(values: Any) -> dict[str, LabelAnswer]:
    """What was said, by source or person, as JSON has it. Raises ValueError for anything else."""
    if not isinstance(values, dict):
        raise ValueError("labels that cannot be read")
    answers: dict[str, LabelAnswer] = {}
    for name, value in values.items():
        classes = value if isinstance(value, list) else [value]
        if not all(isinstance(label, str) for label in classes) or (isinstance(value, list) and len(value) != 2):
            raise ValueError("labels that cannot be read")
        answers[name] = (value[0], value[1]) if isinstance(value, list) else value
    return answers


NOTHING = Value()


@dataclass(frozen=True)
class Decided:
    """The decisions on N files: `id`, `content`, and the position of each one's value in `values`, `at`; (N,) int64."""

    id: NDArray[np.int64]
    content: NDArray[np.int64]
    at: NDArray[np.int64]
    values: Sequence[Value]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[int, int, str]]) -> "Decided":
        """From ids, contents and texts. Raises ValueError, TypeError or OverflowError for other kinds."""
        ids, contents, texts = zip(*rows, strict=True) if rows else ((), (), ())
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not a text")
        values = {text: (at, Value.read(text)) for at, text in enumerate(dict.fromkeys(texts))}
        at = np.array([values[text][0] for text in texts], np.int64)
        return cls(np.array(ids, np.int64), np.array(contents, np.int64), at, [value for _, value in values.values()])

    def __len__(self) -> int:
        return len(self.id)

    def rows_at(self, rows: NDArray[np.integer]) -> "Decided":
        """The decisions on the files at `rows`."""
        return Decided(self.id[rows], self.content[rows], self.at[rows], self.values)

    def _each(self, read: Callable[[Value], Any]) -> NDArray[np.object_]:
        return np.array([*map(read, self.values), None], object)[self.at]

    @cached_property
    def code(self) -> NDArray[np.int8]:
        """The place of each decision (N,) in CODES."""
        return np.array([*(_BY_CODE.index(value.decision) for value in self.values), 0], np.int8)[self.at]

    @property
    def decision(self) -> NDArray[np.object_]:
        """None, "keep", "drop" or "look-again" of each (N,)."""
        return CODES[self.code]

    @property
    def tags(self) -> NDArray[np.object_]:
        """The tags of each (N,), sorted, as the table shows them: "a; b"."""
        return self._each(lambda value: value.tags)

    @property
    def first_tags(self) -> NDArray[np.object_]:
        """The alphabetically first tag of each (N,), None if it has no tag."""
        return self._each(lambda value: next(iter(tags_of(value.tags)), None))

    @property
    def names(self) -> NDArray[np.object_]:
        """The name of each (N,), "" if it has no name."""
        return self._each(lambda value: value.name)

    @property
    def name(self) -> NDArray[np.object_]:
        """The name of each (N,), None if it has no name."""
        return self._each(lambda value: value.name or None)

    def labels_of(self, source: str) -> NDArray[np.object_]:
        """The label that somebody gave each file (N,) where labels are taken from `source`; None if nobody did."""
        return self._each(lambda value: value.label(source))

    def eithers_of(self, source: str) -> NDArray[np.object_]:
        """The class (N,) that each picture rightly is besides its label; None if nobody said so."""
        return self._each(lambda value: value.either(source))

    def people_of(self, source: str) -> NDArray[np.object_]:
        """What each person said last of each label (N,): a mapping by name; None if nobody said anything."""
        return self._each(lambda value: value.people(source) or None)


def tags_of(text: str) -> list[str]:
    """The tags in a text of the table's column `tags`."""
    return text.split(BETWEEN_TAGS) if text else []


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
    is_empty = np.array([value == NOTHING for value in stored.values], bool)[stored.at]
    free = free[np.argsort(is_empty[free], kind="stable")]
    waiting = np.flatnonzero(matched < 0)
    if len(free) and len(waiting):  # moved
        position = _counted(stored.content[free]).get_indexer(_counted(files.content[waiting]))
        matched[waiting[position >= 0]] = free[position[position >= 0]]
    is_free = np.ones(len(stored), bool)
    is_free[matched[matched >= 0]] = False
    free, waiting = np.flatnonzero(is_free)[::-1], np.flatnonzero(matched < 0)
    position = positions_of(files.id[waiting], stored.id[free])  # edited in place
    matched[waiting[position >= 0]] = free[position[position >= 0]]
    return matched


def _counted(contents: NDArray[np.int64]) -> pd.MultiIndex:
    """Contents (N,), each with the number of equal ones before it: no two are the same."""
    return pd.MultiIndex.from_arrays([contents, pd.Series(contents).groupby(contents).cumcount()])
