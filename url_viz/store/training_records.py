"""What a user's own model says of pictures while it is trained: logits by run and epoch, a Parquet file each."""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.errors import DamageError, ImageSetError
from url_viz.files import replaced
from url_viz.sealed import sealed, unsealed
from url_viz.store.tables import matrix
from url_viz.workspace import SetPaths

TRAIN = "train"
"""The split whose logits are in-sample: the model was trained on these pictures. Any other split is held out."""
LARGEST = float(np.finfo(np.float16).max)
_ABOUT = b"url-viz record"
_ENDING = ".parquet"
_CHOSEN = "chosen.json"
_PLAIN = re.compile(r"[\w.-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class EpochLogits:
    """What a model said in an epoch: `ids` (M,) int64, `logits` (M, C) float16, `labels` (M,) int32, −1 for none."""

    ids: NDArray[np.int64]
    logits: NDArray[np.float16]
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class RecordedEpoch:
    """An epoch of a run: its `number` from 0, the `split` it is of, its `fold`, and the names of the C classes.

    Several processes that train together write a file each.
    """

    number: int
    split: str
    fold: str
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    rows: int

    @property
    def is_held_out(self) -> bool:
        return self.split != TRAIN

    def read(self) -> EpochLogits:
        """Raises DamageError if a file is not as it was written."""
        return joined([_read(path) for path in self.files])


def joined(parts: Sequence[EpochLogits]) -> EpochLogits:
    """Parts of an epoch as one."""
    return EpochLogits(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "logits", "labels"))
    )


def checked_name(name: str, *, what: str) -> str:
    """A name that can be that of a file. Raises ImageSetError for any other."""
    if not _PLAIN.fullmatch(name) or name.startswith("."):
        raise ImageSetError(f"{name!r} is no name for a {what}. Use up to 60 letters, digits, '-', '_' and '.'.")
    return name


def write_epoch(
    paths: SetPaths,
    run: str,
    epoch: EpochLogits,
    *,
    number: int,
    split: str,
    classes: Sequence[str],
    fold: str = "",
    rank: int = 0,
) -> Path:
    """Write an epoch of a run, whole or not at all; it replaces what the process `rank` wrote of it before."""
    names = [f"{number:06d}", checked_name(split, what="split"), *([checked_name(fold, what="fold")] if fold else [])]
    path = paths.runs / checked_name(run, what="run") / (f"{'~'.join(names)}~{rank}{_ENDING}")
    about = {"number": number, "split": split, "fold": fold, "classes": list(classes), "rows": len(epoch.ids)}
    columns = pa.array(epoch.ids), _as_bytes(epoch.logits), pa.array(epoch.labels)
    table = pa.table(dict(zip(("id", "logits", "label"), columns, strict=True)))
    with replaced(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata({_ABOUT: sealed(about).encode()}),
            temporary,
            compression="none",  # random bits do not shrink
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
        )
    return path


def runs_of(paths: SetPaths) -> tuple[str, ...]:
    """The names of the runs that are recorded of a set."""
    folders = paths.runs.iterdir() if paths.runs.is_dir() else ()
    return tuple(sorted(folder.name for folder in folders if _epoch_files(folder)))


def epochs_of(paths: SetPaths, run: str) -> tuple[RecordedEpoch, ...]:
    """The epochs of a run, by number; of each the training split first. Raises DamageError for a damaged file."""
    files: dict[tuple[int, str, str, tuple[str, ...]], list[tuple[Path, int]]] = {}
    for path in _epoch_files(paths.runs / run):
        about = _about(path)
        key = about["number"], about["split"], about["fold"], tuple(map(str, about["classes"]))
        files.setdefault(key, []).append((path, about["rows"]))
    epochs = (
        RecordedEpoch(*key, tuple(path for path, _ in parts), sum(rows for _, rows in parts))
        for key, parts in files.items()
    )
    return tuple(sorted(epochs, key=lambda epoch: (epoch.number, epoch.is_held_out, epoch.split, epoch.fold)))


def run_version(paths: SetPaths) -> str:
    """A short text that changes with every epoch that is recorded; "" if there is none."""
    if not paths.runs.is_dir():
        return ""
    folders = sorted(paths.runs.iterdir())
    files = [*(path for folder in folders for path in _epoch_files(folder)), *paths.runs.glob(_CHOSEN)]
    statuses = [(path, path.stat()) for path in files]
    return json.dumps([(path.parent.name, path.name, status.st_mtime_ns, status.st_size) for path, status in statuses])


def chosen_run(paths: SetPaths) -> str | None:
    """The run that was chosen, else that which was recorded last; None if there is none."""
    known = runs_of(paths)
    with suppress(OSError, ValueError, KeyError):
        chosen = str(unsealed((paths.runs / _CHOSEN).read_bytes())["run"])
        if chosen in known:
            return chosen
    newest = {run: max(path.stat().st_mtime_ns for path in _epoch_files(paths.runs / run)) for run in known}
    return max(known, key=newest.__getitem__, default=None)


def choose_run(paths: SetPaths, run: str) -> None:
    """Choose the run whose model is compared with the pictures. Raises ImageSetError if there is none of this name."""
    require_run(paths, run)
    with replaced(paths.runs / _CHOSEN) as temporary:
        temporary.write_text(sealed({"run": run}))


def remove_run(paths: SetPaths, run: str) -> None:
    """Delete what was recorded of a run. Raises ImageSetError if there is none of this name."""
    require_run(paths, run)
    for path in _epoch_files(paths.runs / run):
        path.unlink()


def require_run(paths: SetPaths, run: str) -> None:
    """Raise ImageSetError if there is no run of this name."""
    if run not in (known := runs_of(paths)):
        raise ImageSetError(
            f"There is no run {run!r}. There are: {', '.join(known) or 'none'}. Record one: "
            "url_viz.record(FOLDER, run=NAME), or `python -m url_viz runs FOLDER add FILE --run NAME`."
        )


def _epoch_files(folder: Path) -> list[Path]:
    files: Iterable[Path] = folder.glob(f"*{_ENDING}") if folder.is_dir() else ()
    return sorted(path for path in files if not path.name.startswith("."))


def _about(path: Path) -> dict[str, Any]:
    try:
        return unsealed((pq.read_schema(path).metadata or {})[_ABOUT])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _damaged(path) from error


def _read(path: Path) -> EpochLogits:
    try:
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        classes = len(unsealed(table.schema.metadata[_ABOUT])["classes"])
        logits = _logits_of(table["logits"], classes)
        if logits.shape[1] != classes or logits.dtype != np.float16:
            raise ValueError("another number of classes")
        ids, labels = table["id"].to_numpy(), table["label"].to_numpy()
        return EpochLogits(ids.astype(np.int64), logits, np.clip(labels, -1, classes - 1).astype(np.int32))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _as_bytes(logits: NDArray[np.float16]) -> pa.Array:
    """Each row's numbers as they lie in memory: Parquet takes fifteen times as long for lists."""
    rows = np.ascontiguousarray(logits)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * rows.shape[1]), len(rows), [None, pa.py_buffer(rows)])


def _logits_of(column: pa.ChunkedArray, classes: int) -> NDArray[np.float16]:
    """Logits (M, classes) of rows of bytes, or of lists, as they were first written."""
    if not pa.types.is_fixed_size_binary(column.type):
        return matrix(column)  # type: ignore[return-value]
    if column.type.byte_width != 2 * classes:
        raise ValueError("another number of classes")
    parts = [
        np.frombuffer(chunk.buffers()[1], np.float16, len(chunk) * classes, chunk.offset * 2 * classes)
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.float16), *parts]).reshape(-1, classes)


def _damaged(path: Path) -> DamageError:
    return DamageError(f"What was recorded of an epoch is damaged ({path}). Delete that file: other epochs stay.")
