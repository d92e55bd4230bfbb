"""Logits of a user's own model while it is trained: files of runs and epochs, each whole or not there."""

import json
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import DamageError, ImageSetError, SupersededError
from url_viz.base.records import RecordFile
from url_viz.base.wording import command
from url_viz.base.workspace import SetPaths
from url_viz.store.about import changing_records, raising_disk_errors, set_record
from url_viz.store.tables.stored_arrow import RecordParquet

TRAIN = "train"
"""The split that the model was trained on; any other is held out."""
MOST_EPOCHS = 1_000_000
_CHOSEN = "chosen.json"
_NAME = rf"(?!{re.escape(_CHOSEN)})[\w-][\w.-]{{0,59}}"
_EPOCH = rf"\d{{6}}(~{_NAME}){{1,2}}~\d{{1,9}}\.parquet"
RUN_FILES = rf"(?a:{re.escape(_CHOSEN)}|{_NAME}/{_EPOCH})"
"""The names of all files below `SetPaths.runs`, as a regular expression."""
Read = TypeVar("Read")
_MOST_UNPACKED = 8
"""Times its bytes on disk that a file may hold: logits are not compressed."""


@dataclass(frozen=True)
class EpochLogits:
    """Predictions of an epoch: `ids` (M,) int64, `logits` (M, C) float16, `labels` (M,) int32, −1 for none."""

    ids: NDArray[np.int64]
    logits: NDArray[np.float16]
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class AboutEpoch:
    """An epoch of a run: `number` from 0, `split`, `fold`; its logits have `columns` and `rows`, one a picture.

    `classes` are the names of the columns, () for none. `is_ours` says that URL-Viz trained the model.
    """

    number: int
    split: str
    fold: str = ""
    classes: tuple[str, ...] = ()
    columns: int = 0
    is_ours: bool = False
    rows: int = 0

    @property
    def is_held_out(self) -> bool:
        return self.split != TRAIN

    @property
    def named_columns(self) -> tuple[int, tuple[str, ...]]:
        """How many columns there are, and their names: the same in all epochs of a run."""
        return self.columns, self.classes

    @property
    def file_name(self) -> str:
        """Begins the names of its files."""
        return "~".join([f"{self.number:06d}", self.split, *filter(None, [self.fold])])

    @property
    def words(self) -> str:
        """Such as "epoch 3 (val, fold a)"."""
        return f"epoch {self.number} ({self.split}{f', fold {self.fold}' if self.fold else ''})"


@dataclass(frozen=True)
class RecordedEpoch(AboutEpoch):
    """A recorded epoch, in a file for each time that some of its pictures were recorded. The last time counts."""

    files: tuple[Path, ...] = ()

    def read(self) -> EpochLogits:
        """The last prediction on each picture.

        Raises DamageError if a file is not as it was written, SupersededError if it is gone.
        """
        every = joined_epochs(self._each(_read))
        _, last = np.unique(every.ids[::-1], return_index=True)
        if len(last) == len(every.ids):
            return every
        rows = np.sort(len(every.ids) - 1 - last)
        return EpochLogits(every.ids[rows], every.logits[rows], every.labels[rows])

    def ids(self) -> NDArray[np.int64]:
        """The ids of its pictures, without their logits; some may stand there several times."""
        return np.concatenate(self._each(_read_ids))

    def _each(self, read: Callable[[Path], Read]) -> list[Read]:
        try:
            return [read(path) for path in self.files]
        except DamageError as error:
            if not _is_gone(error):
                raise
            raise SupersededError(
                f"The {self.words} of this run was recorded again or removed meanwhile. Open the run again."
            ) from error


@dataclass(frozen=True)
class ChosenRun:
    """The run that is compared with the pictures; None for none."""

    run: str | None = None


def joined_epochs(parts: Sequence[EpochLogits]) -> EpochLogits:
    """Parts of an epoch as one."""
    return EpochLogits(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "logits", "labels"))
    )


def checked_name(name: str, *, what: str) -> str:
    """A name that can be part of a file's. Raises ImageSetError for any other."""
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise ImageSetError(f"{name!r} is no name for a {what}. Use up to 60 letters, digits, '-', '_' and '.'.")
    return name


def write_epoch(paths: SetPaths, run: str, predictions: EpochLogits, record: AboutEpoch) -> tuple[Path, int]:
    """Record a model's predictions in an epoch of a run, whole or not at all.

    They are added to what this process or others recorded of the epoch; for a picture that was recorded before, the new
    logits count. Returns the file, and for how many pictures it replaces others. Raises ImageSetError if the columns
    are not those of the run, WorkspaceError if the disk is full.
    """
    for what, name in (("run", run), ("split", record.split), ("fold", record.fold or "none")):
        checked_name(name, what=what)
    epoch, folder = record.file_name, paths.runs / run
    with raising_disk_errors(paths):
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / f".{secrets.token_hex(8)}"  # no reader knows it until it is renamed
        try:
            columns = pa.array(predictions.ids), _as_bytes(predictions.logits), pa.array(predictions.labels)
            _file(written).write(
                replace(record, rows=len(predictions.ids)),
                pa.table(dict(zip(("id", "logits", "label"), columns, strict=True))),
                compression="none",  # random bits do not shrink
                use_dictionary=False,
                write_statistics=False,
            )
            with changing_records(paths):
                _refuse_other_columns(folder, record)
                parts = [path for path in epoch_files(folder) if _epoch_and_part(path)[0] == epoch]
                number = 1 + max((_epoch_and_part(part)[1] for part in parts), default=-1)
                path = written.rename(folder / f"{epoch}~{number}.parquet")
                return path, _count_replaced(parts, predictions.ids)
        finally:
            written.unlink(missing_ok=True)


def _refuse_other_columns(folder: Path, epoch: AboutEpoch) -> None:
    for path in epoch_files(folder)[:1]:
        with suppress(DamageError):
            recorded = _find(path)
            if recorded is not None and recorded.named_columns != epoch.named_columns:
                raise ImageSetError(
                    f"The run {folder.name!r} has {_columns_in_words(recorded)}, and these predictions have "
                    f"{_columns_in_words(epoch)}. Choose another name for the run, or remove what is recorded of it: "
                    f"`{command('runs', 'remove', 'FOLDER', folder.name)}`."
                )


def _columns_in_words(epoch: AboutEpoch) -> str:
    return f"{epoch.columns} columns" + (f" ({', '.join(epoch.classes)[:200]})" if epoch.classes else " without names")


def _count_replaced(parts: Sequence[Path], ids: NDArray[np.int64]) -> int:
    """How many pictures of `parts` are among `ids`; a part is deleted if all of its are."""
    again: list[NDArray[np.int64]] = []
    for path in parts:
        recorded = _read_ids(path)
        is_again = np.isin(recorded, ids)
        again.append(recorded[is_again])
        if is_again.all():
            path.unlink(missing_ok=True)
    return len(np.unique(np.concatenate(again))) if again else 0


def run_names(paths: SetPaths) -> tuple[str, ...]:
    """The names of a set's recorded runs."""
    return tuple(name for name in _names_in(paths.runs) if epoch_files(paths.runs / name))


def read_epochs(paths: SetPaths, run: str) -> tuple[RecordedEpoch, ...]:
    """The epochs of a run, by number, the training split first. Raises DamageError for a damaged file."""
    epochs: dict[str, RecordedEpoch] = {}
    for path in epoch_files(paths.runs / run):
        record = _find(path)
        if record is None:  # recorded again, or removed, meanwhile
            continue
        if any(record.named_columns != other.named_columns for other in epochs.values()):
            raise _damaged(path, "its columns are not those of the run")
        recorded = epochs.setdefault(record.file_name, RecordedEpoch(**asdict(replace(record, rows=0))))
        epochs[record.file_name] = replace(recorded, files=(*recorded.files, path), rows=recorded.rows + record.rows)
    return tuple(sorted(epochs.values(), key=lambda epoch: (epoch.number, epoch.is_held_out, epoch.split, epoch.fold)))


@dataclass(frozen=True)
class RecordedRuns:
    """The epochs of each run of a set, or what is wrong with it; and the run that is `chosen`."""

    epochs: Mapping[str, tuple[RecordedEpoch, ...] | DamageError]
    chosen: str | None


def read_runs(paths: SetPaths) -> RecordedRuns:
    """The recorded runs of a set; one that is damaged leaves the others to be read."""
    epochs: dict[str, tuple[RecordedEpoch, ...] | DamageError] = {}
    for run in run_names(paths):
        try:
            epochs[run] = read_epochs(paths, run)
        except DamageError as error:
            epochs[run] = error
    return RecordedRuns(epochs, chosen_run(paths))


def epoch_files(folder: Path) -> list[Path]:
    """The files in a run's folder, by epoch and in the order in which they were written; none if it is gone."""
    files = [folder / name for name in _names_in(folder) if re.fullmatch(_EPOCH, name, re.ASCII)]
    return sorted(files, key=_epoch_and_part)


def _epoch_and_part(path: Path) -> tuple[str, int]:
    epoch, _, part = path.stem.rpartition("~")
    return epoch, int(part)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def run_version(paths: SetPaths) -> str:
    """A short text that changes with every epoch that is recorded; "" if there is none."""
    statuses = (_status(path) for name in _names_in(paths.runs) for path in epoch_files(paths.runs / name))
    whole = list(filter(None, statuses))
    return json.dumps([*whole, _status(paths.runs / _CHOSEN)]) if whole else ""


def _status(path: Path) -> tuple[str, str, int, int] | None:
    """What changes with a file; None if it is gone: others may remove it at any time."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return path.parent.name, path.name, status.st_mtime_ns, status.st_size


def chosen_record(paths: SetPaths) -> RecordFile[ChosenRun]:
    """The record of the run that was chosen."""
    advice = "Choose the run again: `url-viz runs use FOLDER NAME`."
    return set_record(paths, paths.runs / _CHOSEN, ChosenRun, advice, default=ChosenRun())


def chosen_run(paths: SetPaths) -> str | None:
    """The run that was chosen, else the last one that the user's own code recorded; None without any."""
    runs = run_names(paths)
    with suppress(DamageError):
        chosen = chosen_record(paths).read().run
        if chosen in runs:
            return chosen
    newest: dict[str, int] = {}
    for run in runs:
        files = epoch_files(paths.runs / run)
        is_ours = False
        for path in files[:1]:
            with suppress(DamageError):
                first = _find(path)
                is_ours = first is not None and first.is_ours
        if files and not is_ours:
            newest[run] = max(status[2] if (status := _status(path)) else 0 for path in files)
    return max(newest, key=newest.__getitem__, default=None)


def choose_run(paths: SetPaths, run: str) -> None:
    """Choose the run that is compared with the pictures. Raises ImageSetError if there is none of this name."""
    require_run(paths, run)
    chosen_record(paths).write(ChosenRun(run))


def remove_run(paths: SetPaths, run: str) -> None:
    """Delete a run. Raises ImageSetError if there is none of this name."""
    require_run(paths, run)
    with changing_records(paths):
        for path in epoch_files(paths.runs / run):
            path.unlink(missing_ok=True)


def require_run(paths: SetPaths, run: str) -> None:
    """Raise ImageSetError if there is no run of this name."""
    if run not in (runs := run_names(paths)):
        raise ImageSetError(
            f"There is no run {run!r}. There are: {', '.join(runs) or 'none'}. Record one: "
            "url_viz.record(FOLDER, run=NAME), or `url-viz runs add FOLDER FILE --run NAME`."
        )


def damaged_files(paths: SetPaths) -> list[Path]:
    """The files of runs that are not as they were written, or have other columns than their run."""
    chosen = chosen_record(paths)
    damaged = [] if chosen.is_whole() else [chosen.path]
    for run in _names_in(paths.runs):
        columns: set[tuple[int, tuple[str, ...]]] = set()
        for path in epoch_files(paths.runs / run):
            try:
                epoch, _ = _find(path), _read(path)
            except DamageError as error:
                damaged += [] if _is_gone(error) else [path]
            else:
                named = {epoch.named_columns} if epoch is not None else columns
                damaged += [path] if columns and columns != named else []
                columns = columns or named
    return damaged


def _file(path: Path) -> RecordParquet[AboutEpoch]:
    advice = "Lay it aside: `url-viz sets repair FOLDER`; other epochs stay."
    return RecordParquet(path, AboutEpoch, b"url-viz record", advice, most_unpacked=_MOST_UNPACKED)


def _damaged(path: Path, why: str) -> DamageError:
    return DamageError(f"{path} is damaged ({why}). {_file(path).advice}")


def _is_gone(error: DamageError) -> bool:
    """Whether a file was recorded again, or removed, while it was read."""
    return isinstance(error.__cause__, FileNotFoundError)


def _find(path: Path) -> AboutEpoch | None:
    """The record in a file; None if it is gone."""
    epoch = _file(path).find()
    if epoch is not None and epoch.file_name != _epoch_and_part(path)[0]:
        raise _damaged(path, "it is of another epoch")
    return epoch


def _read_ids(path: Path) -> NDArray[np.int64]:
    return _file(path).read(lambda _, rows: _whole(rows["id"], pa.int64()), columns=["id"])


def _read(path: Path) -> EpochLogits:
    def made(epoch: AboutEpoch, rows: pa.Table) -> EpochLogits:
        logits = _from_bytes(rows["logits"], epoch.columns)
        if len(logits) != epoch.rows:
            raise ValueError("another number of rows")
        labels = np.clip(_whole(rows["label"], pa.int32()), -1, epoch.columns - 1)
        return EpochLogits(_whole(rows["id"], pa.int64()), logits, labels.astype(np.int32))

    return _file(path).read(made)


def _whole(column: pa.ChunkedArray, kind: pa.DataType) -> NDArray[np.int64]:
    """A column of whole numbers. Raises ValueError where some are missing, or it is of another kind."""
    if column.null_count or column.type != kind:
        raise ValueError(f"{column.null_count} of {column.type} are missing")
    return np.asarray(column.to_numpy())


def _as_bytes(logits: NDArray[np.float16]) -> pa.Array:
    """Each row's numbers as they lie in memory: Parquet takes fifteen times as long for lists."""
    rows = np.ascontiguousarray(logits)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * rows.shape[1]), len(rows), [None, pa.py_buffer(rows)])


def _from_bytes(column: pa.ChunkedArray, columns: int) -> NDArray[np.float16]:
    if column.null_count:
        raise ValueError("rows without logits")
    if not pa.types.is_fixed_size_binary(column.type) or not 0 < column.type.byte_width == 2 * columns:
        raise ValueError("another number of columns")
    parts = [
        np.frombuffer(chunk.buffers()[1], np.float16, len(chunk) * columns, chunk.offset * 2 * columns)
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.float16), *parts]).reshape(-1, columns)
