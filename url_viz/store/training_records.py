"""What a user's own model says of pictures while it is trained: written and read by run and epoch, a file each."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.errors import DamageError, FolderError, ImageSetError, RowsError
from url_viz.files import replaced
from url_viz.imaging.digest import image_id
from url_viz.roots import address_in, root_of
from url_viz.sealed import sealed, unsealed
from url_viz.store.about import find_set, has_tables, read_about
from url_viz.store.tables import matrix
from url_viz.workspace import SetPaths, Workspace

TRAIN = "train"
"""The split whose logits are in-sample: the model was trained on these pictures. Any other split is held out."""
LARGEST = float(np.finfo(np.float16).max)
_ABOUT = b"url-viz record"
_ENDING = ".parquet"
_CHOSEN = "chosen.json"
Given = Iterable[str | os.PathLike[str] | int]
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


class Recorder:
    """Writes the logits of a run's epochs; made by `record`."""

    def __init__(
        self, paths: SetPaths, base: Path, run: str, *, classes: Sequence[str] | None, also: str | None = None
    ) -> None:
        """Paths of pictures are relative to the folder `base`, which may be written as `also`, too."""
        self.run, self._paths, self._classes = checked_name(run, what="run"), paths, classes
        self._above = tuple(f"{folder}{os.sep}" for folder in dict.fromkeys((str(base), also)) if folder)
        self._known: dict[str, int] = {}
        before = epochs_of(paths, run)
        self._next = max((epoch.number for epoch in before), default=-1) + 1

    @classmethod
    def of_folder(
        cls, folder: str | Path, run: str, *, classes: Sequence[str] | None, workspace: str | Path | None = None
    ) -> "Recorder":
        """A recorder on the pictures of a folder, which may be embedded before or after."""
        home = Workspace.at(workspace)
        root = address_in(folder) or Path(folder).expanduser()
        paths = home.set_paths(find_set(root, home))
        base = read_about(paths).base if has_tables(paths) else root_of(root)
        return cls(paths, base, run, classes=classes, also=os.path.abspath(root))

    def epoch(
        self,
        paths_or_ids: Given,
        logits: Any,
        labels: Any = None,
        split: str = TRAIN,
        *,
        number: int | None = None,
        fold: str = "",
    ) -> Path:
        """Record an epoch: `logits` (M, C) of M pictures, by paths or by ids of `table()`; whole, or not at all.

        `labels` (M,) are the classes that the model was trained on, by index or by name. `split` "train" means that it
        was trained on these pictures; any other ("val", "test", "held-out") that it was not; `fold` parts several
        models of one run. `number` is that of the epoch, from 0: by default one more than the last for "train", and
        the last trained one for others. Arrays of PyTorch and NumPy are taken, and stored as float16. Of processes that
        train together (`$RANK`) each records its own pictures. Raises RowsError for arrays that do not fit, FolderError
        for a path outside the folder.
        """
        said = self._said(paths_or_ids, logits, labels)
        if number is None:
            number = self._next if split == TRAIN else max(0, self._next - 1)
        names = self._names(said.logits.shape[1])
        path = write_epoch(
            self._paths, self.run, said, number=number, split=split, classes=names, fold=fold, rank=_rank()
        )
        self._next = max(self._next, number + 1)
        return path

    @contextmanager
    def collect(self, split: str = TRAIN, *, number: int | None = None, fold: str = "") -> Iterator["EpochBatches"]:
        """Record an epoch batch by batch (`add`) within `with`: written at its end, not at all after an exception."""
        batches = EpochBatches(self, split, fold=fold)
        yield batches
        batches.write(number)

    def begin_again(self) -> None:
        if self.run in runs_of(self._paths):
            remove_run(self._paths, self.run)
        self._next = 0

    def _said(self, paths_or_ids: Given, logits: Any, labels: Any) -> EpochLogits:
        """What is given of M pictures, checked."""
        ids, values = self.ids(paths_or_ids), _halves(logits)
        if values.ndim != 2 or len(values) != len(ids) or values.shape[1] < 2:
            raise RowsError(
                f"The logits of {len(ids):,} pictures have the shape {values.shape}. Give one row a picture, and one "
                "column for each of two or more classes."
            )
        names = self._names(values.shape[1])
        codes = np.full(len(ids), -1, np.int32) if labels is None else _codes(labels, names, len(ids))
        return EpochLogits(ids, values, codes)

    def _names(self, count: int) -> tuple[str, ...]:
        if self._classes is None:
            return tuple(map(str, range(count)))
        if len(self._classes) != count:
            raise RowsError(
                f"The logits have {count} columns, and there are {len(self._classes)} classes. Name the columns: "
                "url_viz.record(…, classes=[…])."
            )
        return tuple(map(str, self._classes))

    def ids(self, given: Given) -> NDArray[np.int64]:
        """The ids (M,) of pictures by path, which `epoch` takes, too: numbers that any loader can pass on."""
        named = given.tolist() if hasattr(given, "tolist") else list(given)
        return np.array(
            [one if isinstance(one, int | np.integer) else self._id(os.fspath(one)) for one in named], np.int64
        )

    def _id(self, path: str) -> int:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = image_id(os.fsencode(self._relative(path)))
        return known

    def _relative(self, path: str) -> str:
        """A path below the folder: as it is if relative to it, without the folder if it is absolute or leads there."""
        for above in self._above:
            for written in (path, os.path.abspath(path)):
                if written.startswith(above):
                    return written[len(above) :]
        if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            raise FolderError(f"{path!r} is not below {self._above[0]!r}, the folder whose pictures are recorded.")
        return os.path.normpath(path)


class EpochBatches:
    """An epoch of a run as it comes, batch by batch: 2 bytes a logit in memory."""

    def __init__(self, recorder: Recorder, split: str = TRAIN, *, fold: str = "") -> None:
        self._recorder, self._split, self._fold = recorder, split, fold
        self._parts: list[EpochLogits] = []

    def add(self, paths_or_ids: Given, logits: Any, labels: Any = None) -> None:
        """Add what the model said of B pictures, as `Recorder.epoch` takes it; raises as it does."""
        self._parts.append(self._recorder._said(paths_or_ids, logits, labels))

    def write(self, number: int | None = None) -> None:
        """Record what was added as an epoch, if anything was, and begin the next."""
        parts, self._parts = self._parts, []
        if parts:
            said = joined(parts)
            self._recorder.epoch(said.ids, said.logits, said.labels, self._split, number=number, fold=self._fold)


def _rank() -> int:
    """The number of this process among those that train together."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    return int(os.environ.get("RANK", "0"))


def _halves(values: Any) -> NDArray[np.float16]:
    """Numbers of PyTorch (on any device, in any precision), NumPy or lists as float16, within its range."""
    if hasattr(values, "detach"):
        return np.asarray(values.detach().float().clamp(-LARGEST, LARGEST).half().cpu().numpy())
    array = np.asarray(values)
    return array if array.dtype == np.float16 else np.clip(array, -LARGEST, LARGEST).astype(np.float16)


def _codes(labels: Any, names: Sequence[str], count: int) -> NDArray[np.int32]:
    """Labels by index or name as indices, −1 for those without one. Raises RowsError for those that are no class."""
    given = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if len(given) != count:
        raise RowsError(f"There are {len(given):,} labels of {count:,} pictures. Give one for each.")
    if np.issubdtype(given.dtype, np.integer):
        wrong = given[(given < -1) | (given >= len(names))]
        codes = given
    else:
        index = {name: code for code, name in enumerate(names)}
        codes = np.array([-1 if name is None else index.get(str(name), -2) for name in given.tolist()])
        wrong = given[codes == -2]
    if len(wrong):
        raise RowsError(
            f"The label {wrong.tolist()[0]!r} is none of the {len(names)} classes: {', '.join(names[:5])} …."
        )
    return codes.astype(np.int32)
