"""Writes what a model says of pictures in an epoch of its training, by their paths or ids."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import FolderError, RowsError
from url_viz.imaging.digest import image_id
from url_viz.roots import address_in, root_of
from url_viz.store.about import find_set, has_tables, read_about
from url_viz.store.training_records import (
    LARGEST,
    TRAIN,
    EpochLogits,
    checked_name,
    epochs_of,
    joined,
    remove_run,
    runs_of,
    write_epoch,
)
from url_viz.workspace import SetPaths, Workspace

Given = Iterable[str | os.PathLike[str] | int]


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

    def ids(self, paths: Iterable[str | os.PathLike[str]]) -> NDArray[np.int64]:
        """The ids (M,) of pictures by path, which `epoch` takes, too: numbers that any loader can pass on."""
        return self._ids(paths)

    def _said(self, paths_or_ids: Given, logits: Any, labels: Any) -> EpochLogits:
        """What is given of M pictures, checked."""
        ids, values = self._ids(paths_or_ids), _halves(logits)
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

    def _ids(self, given: Given) -> NDArray[np.int64]:
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
