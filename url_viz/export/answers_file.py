"""Answers on pairs of pictures as a table: for a spreadsheet or another machine, and read back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.errors import DecisionError, FolderError
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.columns.user_files import opened, read_csv, read_paths
from url_viz.store.columns.user_paths import match_paths
from url_viz.store.decisions.decisions import Action
from url_viz.store.tables.tables import positions_of
from url_viz.wording import counted

COLUMNS = ["path", "neighbour_path", "same", "content", "neighbour_content"]
_ANSWERS = {
    **dict.fromkeys(("yes", "y", "true", "1", "same"), True),
    **dict.fromkeys(("no", "n", "false", "0", "other"), False),
}


@dataclass(frozen=True)
class ImportedAnswers:
    """What a file of answers brought: `action` stored them; so many rows had no answer, or pictures not in the set."""

    action: Action
    unanswered: int
    unknown: int

    @property
    def words(self) -> str:
        skipped = [f"{counted(self.unanswered, 'row')} without an answer"] if self.unanswered else []
        skipped += [f"{self.unknown:,} of pictures that are not in this set"] if self.unknown else []
        return f"{self.action.sentence}{'; passed over ' if skipped else ''}{' and '.join(skipped)}."


def answers_table(image_set: ImageSet) -> pd.DataFrame:
    """One row per answer, the oldest first: COLUMNS; `same` is yes or no, the path of a content that is gone empty."""
    answered = image_set.answers.log.now()
    return _table(image_set, answered.pairs, np.where(answered.is_same, "yes", "no"))


def questions_table(image_set: ImageSet, count: int, *, seed: int = 0) -> pd.DataFrame:
    """Pairs to ask about (`ImageSet.answers.ask`) as COLUMNS with `same` empty, to be filled in and read back."""
    ids = image_set.answers.ask(count, seed=seed)[["id", "neighbour_id"]].to_numpy(np.int64)
    contents = image_set.contents[image_set.core.rows_of(ids.ravel())].reshape(-1, 2)
    return _table(image_set, contents, np.full(len(ids), ""))


def _table(image_set: ImageSet, pairs: NDArray[np.int64], same: NDArray[np.str_]) -> pd.DataFrame:
    row = positions_of(pairs.ravel(), image_set.contents).reshape(-1, 2)
    names = np.append(image_set.table()["path"].to_numpy(object), "")
    keys = [[f"{key & (2**64 - 1):016x}" for key in side] for side in pairs.T.tolist()]
    return pd.DataFrame(dict(zip(COLUMNS, (names[row[:, 0]], names[row[:, 1]], same, *keys), strict=True)))


def import_answers(image_set: ImageSet, file: str | Path | IncomingFile, *, who: str | None = None) -> ImportedAnswers:
    """Store the answers of a CSV file with the columns path, neighbour_path and same, or those of `answers_table`.

    Pairs are known by content where the file has it, else by path. Rows without an answer are passed over, and those
    of pictures that are not in this set. A single action for undo. Raises FolderError for a file that cannot be read,
    has other columns, or an answer that is neither yes nor no; nothing is stored then.
    """
    source = opened(file)
    table = read_csv(source)
    missing = [name for name in COLUMNS[:3] if name not in table]
    if missing:
        raise FolderError(
            f"{source.name!r} has no column {missing[0]!r}. Give {', '.join(COLUMNS[:3])}, as `answers ask` wrote them."
        )
    words = table["same"].str.strip().str.lower()
    odd = words[(words != "") & ~words.isin(list(_ANSWERS))]
    if len(odd):
        where = f"in the column same, line {odd.index[0] + 2}"
        raise FolderError(f"{source.name!r} has {odd.iloc[0][:40]!r} {where}. Say yes or no, or leave it empty.")
    answered = table[words != ""]
    pairs = _contents(image_set, answered)
    is_pair = (pairs != 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])
    if not is_pair.any():
        raise DecisionError(f"None of the {len(answered):,} answers in {source.name!r} is of pictures of this set.")
    same = words[answered.index].map(_ANSWERS).to_numpy(bool)[is_pair]
    answers = {(int(a), int(b)): bool(value) for (a, b), value in zip(pairs[is_pair], same, strict=True)}
    action = image_set.answers.log.answer(answers, who=who)
    return ImportedAnswers(action, len(table) - len(answered), int((~is_pair).sum()))


def _contents(image_set: ImageSet, rows: pd.DataFrame) -> NDArray[np.int64]:
    """The contents (A, 2) of the pairs of a file, 0 for one that the set has not."""
    sides = [("path", "content"), ("neighbour_path", "neighbour_content")]
    return np.stack([_side(image_set, rows, *names) for names in sides], axis=1)


def _side(image_set: ImageSet, rows: pd.DataFrame, path: str, content: str) -> NDArray[np.int64]:
    by_content = np.zeros(len(rows), np.int64)
    if content in rows:
        keys = np.array([_key(text) for text in rows[content]], np.int64)
        by_content = np.where(positions_of(keys, image_set.contents) >= 0, keys, 0)
    number, names = pd.factorize(np.array(read_paths(rows[path]), object))
    row = match_paths(names.tolist(), image_set.core.paths_of(image_set.ids), root=image_set.root).row
    by_path = np.where(row >= 0, image_set.contents[row], 0)[number]
    return np.where(by_content != 0, by_content, by_path)


def _key(text: str) -> int:
    """A content key from its sixteen hexadecimal digits; 0 for anything else."""
    try:
        number = int(text, 16) if len(text) == 16 else 0
    except ValueError:
        return 0
    return number - 2**64 if number >= 2**63 else number
