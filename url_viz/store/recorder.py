"""The recorder of a user's training: takes logits by path or id, from one process or several, and writes epochs."""

import operator
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import DamageError, FolderError, ImageSetError, RowsError
from url_viz.base.wording import counted, first_of
from url_viz.base.workspace import SetPaths, Workspace, address_in, root_of
from url_viz.imaging.places import image_id
from url_viz.store.about import find_set, has_tables, read_about
from url_viz.store.tables.tables import positions_of
from url_viz.store.training_records import (
    MOST_EPOCHS,
    TRAIN,
    AboutEpoch,
    EpochLogits,
    checked_name,
    joined_epochs,
    read_epochs,
    remove_run,
    run_names,
    write_epoch,
)
from url_viz.store.version_files import read_version, stored_versions

LARGEST = float(np.finfo(np.float16).max)
MOST_EXAMPLES = 3
Given = Iterable[str | os.PathLike[str] | int]


@dataclass(frozen=True)
class Recorded:
    """A recorded `epoch`: its `file`, and how many `pictures` it is of.

    `replaced` earlier predictions of the epoch no longer count. `unknown` pictures, such as `examples`, are none of the
    set as it was read last; 0 if it was not read yet.
    """

    epoch: AboutEpoch
    file: Path
    pictures: int
    replaced: int = 0
    unknown: int = 0
    examples: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What is unusual about it, a sentence each."""
        sentences = []
        if self.unknown:
            few = f": {first_of(self.examples, MOST_EXAMPLES)}" if self.examples else ""
            are = "is no picture" if self.unknown == 1 else "are no pictures"
            sentences.append(f"{self.unknown:,} of {self.pictures:,} {are} of the set{few}.")
        if self.replaced:
            sentences.append(f"It replaces {counted(self.replaced, 'prediction')} of this epoch.")
        return tuple(sentences)


class Recorder:
    """Writes the logits of a run's epochs; made by `record`."""

    def __init__(
        self,
        paths: SetPaths,
        base: Path,
        run: str,
        *,
        classes: Sequence[str] | None,
        also: str | None = None,
        is_ours: bool = False,
    ) -> None:
        """Paths of pictures are relative to the folder `base`, which may be written as `also`, too.

        `is_ours` says that a training of URL-Viz records.
        """
        self.run, self._paths, self._is_ours = checked_name(run, what="run"), paths, is_ours
        self._names = () if classes is None else tuple(map(str, classes))  # without, columns are the set's classes
        self._above = tuple(f"{folder}{os.sep}" for folder in dict.fromkeys((str(base), also)) if folder)
        self._known: dict[str, int] = {}
        self._written: set[str] = set()
        self._next = max((epoch.number for epoch in read_epochs(paths, run)), default=-1) + 1

    @classmethod
    def of_folder(
        cls,
        folder: str | Path,
        run: str,
        *,
        classes: Sequence[str] | None,
        workspace: str | Path | None = None,
        is_ours: bool = False,
    ) -> "Recorder":
        """A recorder on the pictures of a folder, which may be embedded before or after."""
        home = Workspace.at(workspace)
        root = address_in(folder) or Path(folder).expanduser()
        paths = home.set_paths(find_set(root, home))
        base = read_about(paths).base if has_tables(paths) else root_of(root)
        return cls(paths, base, run, classes=classes, also=os.path.abspath(root), is_ours=is_ours)

    def epoch(
        self,
        paths_or_ids: Given,
        logits: Any,
        labels: Any = None,
        split: str = TRAIN,
        *,
        number: int | None = None,
        fold: str = "",
    ) -> Recorded:
        """Record an epoch: `logits` (M, C) of M pictures, by paths or by ids of `table()`; whole, or not at all.

        `labels` (M,) are the classes that the model was trained on, by index or by name. `split` "train" means that it
        was trained on these pictures; any other ("val", "test", "held-out") that it was not; `fold` tells several
        models of one run apart. `number` is that of the epoch, from 0: by default one more than the last for "train",
        and the last trained one for others. Arrays of PyTorch and NumPy are taken, and stored as float16.

        Each of several processes records its own pictures, and adds to the epoch. A warning says how many pictures are
        none of the set, and how many predictions of others this replaces. Raises RowsError for arrays that do not fit,
        FolderError for a path outside the folder, ImageSetError for a bad number and for other classes than before,
        WorkspaceError if the disk is full.
        """
        done = self.write(paths_or_ids, logits, labels, split, number=number, fold=fold)
        # A recorder writes some epochs anew, and processes that train together share the pictures that fill a batch.
        is_usual = done.epoch.file_name in self._written or done.replaced < _processes()
        self._written.add(done.epoch.file_name)
        for sentence in replace(done, replaced=0 if is_usual else done.replaced).words:
            warnings.warn(f"{self.run}, {done.epoch.words}: {sentence}", stacklevel=2)
        return done

    def write(
        self,
        paths_or_ids: Given,
        logits: Any,
        labels: Any = None,
        split: str = TRAIN,
        *,
        number: int | None = None,
        fold: str = "",
    ) -> Recorded:
        """As `epoch`, without a warning."""
        predictions = self.checked(paths_or_ids, logits, labels)
        epoch = AboutEpoch(
            self._number(number, split), split, fold, self._names, predictions.logits.shape[1], self._is_ours
        )
        file, replaced = write_epoch(self._paths, self.run, predictions, epoch)
        self._next = max(self._next, epoch.number + 1)
        unknown = predictions.ids[:0]
        if self._set_ids is not None:
            unknown = predictions.ids[positions_of(predictions.ids, self._set_ids) < 0]
        given = {picture: path for path, picture in self._known.items()} if len(unknown) else {}
        examples = tuple(repr(given.get(picture, picture)) for picture in unknown[: MOST_EXAMPLES + 1].tolist())
        return Recorded(epoch, file, len(predictions.ids), replaced, len(unknown), examples)

    @contextmanager
    def collect(self, split: str = TRAIN, *, number: int | None = None, fold: str = "") -> Iterator["EpochBatches"]:
        """Record an epoch batch by batch (`add`) within `with`: written at its end, not at all after an exception."""
        batches = EpochBatches(self, split, fold=fold)
        yield batches
        batches.write(number)

    def begin_again(self) -> None:
        if self.run in run_names(self._paths):
            remove_run(self._paths, self.run)
        self._next = 0

    def _number(self, given: int | None, split: str) -> int:
        if given is None:
            return self._next if split == TRAIN else max(0, self._next - 1)
        with suppress(TypeError):
            number = operator.index(given)
            if not isinstance(given, bool) and 0 <= number < MOST_EPOCHS:
                return number
        raise ImageSetError(
            f"{given!r} is no number of an epoch. Give a whole number from 0 to {MOST_EPOCHS - 1:,}, or none to go on."
        )

    def checked(self, paths_or_ids: Given, logits: Any, labels: Any) -> EpochLogits:
        """Logits and labels of M pictures, in the types in which they are stored. Raises as `epoch`."""
        ids, values = self.ids(paths_or_ids), _halves(logits)
        if values.ndim != 2 or len(values) != len(ids) or values.shape[1] < 2:
            raise RowsError(
                f"The logits of {len(ids):,} pictures have the shape {values.shape}. Give one row a picture, and one "
                "column for each of two or more classes."
            )
        if self._names and len(self._names) != values.shape[1]:
            raise RowsError(
                f"The logits have {values.shape[1]} columns, and there are {len(self._names)} classes. Name the "
                "columns: url_viz.record(…, classes=[…])."
            )
        none = np.full(len(ids), -1, np.int32)
        return EpochLogits(
            ids, values, none if labels is None else _codes(labels, self._names, len(ids), columns=values.shape[1])
        )

    def ids(self, given: Given) -> NDArray[np.int64]:
        """The ids (M,) of pictures by path, which `epoch` takes, too: numbers that any loader can pass on."""
        ids = []
        for name in given.tolist() if hasattr(given, "tolist") else given:
            if isinstance(name, int | np.integer):
                ids.append(name)
                continue
            path = os.fspath(name)
            if path not in self._known:
                self._known[path] = image_id(os.fsencode(self._relative(path)))
            ids.append(self._known[path])
        return np.array(ids, np.int64)

    def _relative(self, path: str) -> str:
        for above in self._above:
            for written in (path, os.path.abspath(path)):
                if written.startswith(above):
                    return os.path.normpath(written[len(above) :])
        if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            raise FolderError(f"{path!r} is not below {self._above[0]!r}, the folder whose pictures are recorded.")
        return os.path.normpath(path)

    @cached_property
    def _set_ids(self) -> NDArray[np.int64] | None:
        """Read from the last stored version: a training should not have to load LanceDB, which is not fork-safe."""
        with suppress(DamageError):
            for version in stored_versions(self._paths)[-1:]:
                paths = read_version(self._paths, version.number)["path"].to_pylist()
                return np.fromiter(map(image_id, paths), np.int64, len(paths))
        return None


class EpochBatches:
    """An epoch recorded batch by batch: 2 bytes a logit in memory."""

    def __init__(self, recorder: Recorder, split: str = TRAIN, *, fold: str = "") -> None:
        self._recorder, self._split, self._fold = recorder, split, fold
        self._parts: list[EpochLogits] = []

    def add(self, paths_or_ids: Given, logits: Any, labels: Any = None) -> None:
        """Add predictions on B pictures, as `Recorder.epoch` takes them; raises as it does."""
        self._parts.append(self._recorder.checked(paths_or_ids, logits, labels))

    def write(self, number: int | None = None) -> None:
        """Record the batches as an epoch, if there are any, and begin the next."""
        parts, self._parts = self._parts, []
        if parts:
            predictions = joined_epochs(parts)
            self._recorder.epoch(
                predictions.ids, predictions.logits, predictions.labels, self._split, number=number, fold=self._fold
            )


def _processes() -> int:
    """How many processes train together, this one among them."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_world_size())
    size = os.environ.get("WORLD_SIZE", "")
    return max(1, int(size)) if size.isdecimal() else 1


def _halves(values: Any) -> NDArray[np.float16]:
    """Numbers of PyTorch (on any device, in any precision), NumPy or lists as float16, within its range."""
    if hasattr(values, "detach"):
        return np.asarray(values.detach().float().clamp(-LARGEST, LARGEST).half().cpu().numpy())
    array = np.asarray(values)
    return array if array.dtype == np.float16 else np.clip(array, -LARGEST, LARGEST).astype(np.float16)


def _codes(labels: Any, names: Sequence[str], count: int, *, columns: int) -> NDArray[np.int32]:
    """Labels by index or name as indices, −1 for those without one. Raises RowsError for those that are no class."""
    given = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels)
    if len(given) != count:
        raise RowsError(f"There are {len(given):,} labels of {count:,} pictures. Give one for each.")
    index = {name: code for code, name in enumerate(names)}

    def code(label: Any) -> int:
        if label is None:
            return -1
        return label if isinstance(label, int) else index.get(str(label), -2)

    codes = given if np.issubdtype(given.dtype, np.integer) else np.array([*map(code, given.tolist())])
    wrong = given[(codes < -1) | (codes >= columns)]
    if len(wrong):
        which = f"none of the {columns} classes" + (f": {first_of(names, 5)}" if names else "")
        raise RowsError(
            f"The label {wrong.tolist()[0]!r} is {which}. Give labels by index, or by names of url_viz.record(…, "
            "classes=[…])."
        )
    return codes.astype(np.int32)
