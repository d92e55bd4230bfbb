"""The recorder of a user's training: takes logits by path or id, of one process or several, and writes its epochs."""

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
EXAMPLES = 3
Given = Iterable[str | os.PathLike[str] | int]


@dataclass(frozen=True)
class Recorded:
    """A recorded `epoch`: its `file`, and how many pictures it is of.

    `replaced` predictions of this epoch, recorded before, no longer count. `unknown` pictures are none of the set as it
    was read last, such as `examples`; 0 if it was not read yet.
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
        return tuple(filter(None, (self._words_of_unknown, self._words_of_replaced)))

    @property
    def _words_of_unknown(self) -> str:
        if not self.unknown:
            return ""
        few = f": {first_of(self.examples, EXAMPLES)}" if self.examples else ""
        are = "is no picture" if self.unknown == 1 else "are no pictures"
        return f"{self.unknown:,} of {self.pictures:,} {are} of the set{few}."

    @property
    def _words_of_replaced(self) -> str:
        return f"It replaces {counted(self.replaced, 'prediction')} of this epoch." if self.replaced else ""


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

        `is_ours` is the recorder of a training of URL-Viz.
        """
        self.run, self._paths, self._classes, self._is_ours = checked_name(run, what="run"), paths, classes, is_ours
        self._above = tuple(f"{folder}{os.sep}" for folder in dict.fromkeys((str(base), also)) if folder)
        self._known: dict[str, int] = {}
        self._written: set[str] = set()
        before = read_epochs(paths, run)
        self._next = max((epoch.number for epoch in before), default=-1) + 1

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
        was trained on these pictures; any other ("val", "test", "held-out") that it was not; `fold` parts several
        models of one run. `number` is that of the epoch, from 0: by default one more than the last for "train", and
        the last trained one for others. Arrays of PyTorch and NumPy are taken, and stored as float16.

        It adds to what is recorded of the epoch: each of several processes records its own pictures. A warning says
        how many pictures are none of the set, and how many predictions that others recorded it replaces. Raises
        RowsError for arrays that do not fit, FolderError for a path outside the folder, ImageSetError for a number that
        is none and for other classes than before, WorkspaceError if the disk is full.
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
        predictions = self._said(paths_or_ids, logits, labels)
        epoch = AboutEpoch(
            self._number(number, split), split, fold, self._names, predictions.logits.shape[1], self._is_ours
        )
        file, gone = write_epoch(self._paths, self.run, predictions, epoch)
        self._next = max(self._next, epoch.number + 1)
        unknown = self._unknown(predictions.ids)
        return Recorded(epoch, file, len(predictions.ids), gone, len(unknown), self._paths_of(unknown))

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

    def _said(self, paths_or_ids: Given, logits: Any, labels: Any) -> EpochLogits:
        """What is given of M pictures, checked."""
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

    @property
    def _names(self) -> tuple[str, ...]:
        """The names of the columns; () if there are none, so that they count as the set's classes by order."""
        return () if self._classes is None else tuple(map(str, self._classes))

    def ids(self, given: Given) -> NDArray[np.int64]:
        """The ids (M,) of pictures by path, which `epoch` takes, too: numbers that any loader can pass on."""
        named = given.tolist() if hasattr(given, "tolist") else list(given)
        return np.array(
            [name if isinstance(name, int | np.integer) else self._id(os.fspath(name)) for name in named], np.int64
        )

    def _id(self, path: str) -> int:
        picture = self._known.get(path)
        if picture is None:
            picture = self._known[path] = image_id(os.fsencode(self._relative(path)))
        return picture

    def _relative(self, path: str) -> str:
        """A path below the folder: as it is if relative to it, without the folder if it is absolute or leads there."""
        for above in self._above:
            for written in (path, os.path.abspath(path)):
                if written.startswith(above):
                    return os.path.normpath(written[len(above) :])
        if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            raise FolderError(f"{path!r} is not below {self._above[0]!r}, the folder whose pictures are recorded.")
        return os.path.normpath(path)

    def _unknown(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of these are no pictures of the set; none where it was not read yet."""
        every = self._set_ids
        return ids[:0] if every is None else ids[positions_of(ids, every) < 0]

    @cached_property
    def _set_ids(self) -> NDArray[np.int64] | None:
        """From the last version that is kept: a training should not have to load LanceDB, which is not fork-safe."""
        with suppress(DamageError):
            for version in stored_versions(self._paths)[-1:]:
                paths = read_version(self._paths, version.number)["path"].to_pylist()
                return np.fromiter(map(image_id, paths), np.int64, len(paths))
        return None

    def _paths_of(self, ids: NDArray[np.int64]) -> tuple[str, ...]:
        """The first of some pictures as they were given: paths, else ids."""
        if not len(ids):
            return ()
        given = {picture: path for path, picture in self._known.items()}
        return tuple(repr(given.get(picture, picture)) for picture in ids[: EXAMPLES + 1].tolist())


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
    codes = (
        given if np.issubdtype(given.dtype, np.integer) else np.array([_code(label, index) for label in given.tolist()])
    )
    wrong = given[(codes < -1) | (codes >= columns)]
    if len(wrong):
        which = f"none of the {columns} classes" + (f": {first_of(names, 5)}" if names else "")
        raise RowsError(
            f"The label {wrong.tolist()[0]!r} is {which}. Give labels by index, or by names of url_viz.record(…, "
            "classes=[…])."
        )
    return codes.astype(np.int32)


def _code(label: Any, index: dict[str, int]) -> int:
    """The index of a class by index or name, −1 for None, −2 for what is no class."""
    if label is None:
        return -1
    return label if isinstance(label, int) else index.get(str(label), -2)
