"""Training runs that were recorded on an image set: what a user's own model says of its pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typing_extensions import Doc

from url_viz.base.errors import DamageError, SupersededError
from url_viz.base.printout import Printout
from url_viz.base.wording import counted
from url_viz.capability import AsKind, capability
from url_viz.core import SetSubject
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.classes import picture_labels
from url_viz.labels.set_columns import PathColumn, RowPaths
from url_viz.runs.run_on_set import RunOnSet, logits_in, recorded_runs
from url_viz.store.columns.user_files import read_user_file
from url_viz.store.columns.user_paths import Matched, match_file
from url_viz.store.recorder import Recorded, Recorder
from url_viz.store.training_records import choose_run, chosen_run, remove_run, require_run, run_names


@dataclass(frozen=True)
class AddedRun:
    """A file of predictions that was recorded: which picture each row is of, and what of the run it replaces.

    `missing` counts rows with a cell that is no number.
    """

    file: str
    matched: Matched
    recorded: Recorded
    run: str
    missing: int

    @property
    def words(self) -> list[str]:
        """How many rows are of pictures of the set, which are not, and what was replaced, a sentence each."""
        words = [*self.matched.words(self.file, whole="set"), *self.recorded.words]
        if self.missing:
            words.append(f"Without a prediction, since a number is missing: {counted(self.missing, 'row')}.")
        return words


def _listed(runs: "SetRuns", names: tuple[str, ...]) -> Printout:
    """A line for each run, damaged ones too."""
    lines = []
    for name in names:
        try:
            run = runs.get(name)
            used = ["It is compared with the pictures."] if name == runs.chosen else []
            lines.append(" ".join([f"{run.words}.", *run.notes, *used]))
        except DamageError as error:
            lines.append(f"{name}: {error}")
    none = "No runs yet. Record one: url_viz.record(FOLDER, run=NAME) in Python, or `runs add FOLDER FILE`."
    return Printout(lines or [none], figures=[{"run": name, "is_used": name == runs.chosen} for name in names])


def _added(runs: "SetRuns", added: AddedRun) -> Printout:
    """What matched, and what the run is now."""
    run = runs.get(added.run)
    return Printout([*added.words, f"{run.words}.", *run.notes])


class SetRuns(SetSubject):
    """The recorded runs of an image set, as `image_set.runs`."""

    @capability("runs list", show=_listed)
    def names(self) -> tuple[str, ...]:
        """List the recorded runs of your model, and which is compared with the pictures."""
        return run_names(self._core.store.paths)

    def get(self, run: str) -> RunOnSet:
        """A run on this set's pictures. Raises ImageSetError if there is none of this name, DamageError if damaged."""
        recorded = self._core.derived.get(recorded_runs).get(run)
        if recorded is None:
            require_run(self._core.store.paths, run)
            raise SupersededError(f"The run {run!r} is being recorded. Open it again.")
        if isinstance(recorded, DamageError):
            raise recorded
        return recorded

    @property
    def chosen(self) -> str | None:
        """The run whose model is compared with the pictures: that of `use`, else the last that your code recorded.

        None without any: a training of URL-Viz is compared only if it is chosen.
        """
        return chosen_run(self._core.store.paths)

    @capability("runs use")
    def use(self, run: Annotated[str, Doc("the name of the run")]) -> str:
        """Compare a run's model with the pictures from now on.

        In Python it returns that in words. Raises ImageSetError for a name that is no run's.
        """
        choose_run(self._core.store.paths, run)
        return f"The run {run!r} is compared with the pictures from now on."

    def dynamics(self, run: str, *, fold: str | None = None) -> pd.DataFrame:
        """What training did with each picture: id, label, last_margin, mean_margin, confidence, variability,
        forgotten, learnt, epochs (see `url_viz.runs.run_on_set.dynamics`); rows in the order of `table()`.

        Of the training of one `fold`, or the mean over the folds that were trained on the picture.
        """
        on_set = self.get(run)
        measures = on_set.dynamics if fold is None else on_set.fold_dynamics(fold)
        return pd.concat([self._core.measured[["id", "label"]], measures], axis=1)

    @capability("runs add", show=_added)
    def add(
        self,
        file: Annotated[str | Path | IncomingFile, AsKind(Path), Doc("the file of predictions")],
        *,
        run: Annotated[str, Doc("the name of the run that the file is added to")] = "r1",
        split: Annotated[str, Doc("`train` if the model was trained on these pictures, else another name")] = "val",
        fold: Annotated[str, Doc("parts several models of one run")] = "",
        path_column: PathColumn = None,
        paths: RowPaths = None,
    ) -> AddedRun:
        """Record a file of your model's predictions (CSV, Parquet, NumPy) as an epoch of a run.

        Another file for the same run and split adds its pictures; of those that are in both, the later file counts.

        A CSV or Parquet file has a column of paths, and logits in `logit_0` … or lists, or a column of probabilities
        for each class, by its name; an array (.npy, .npz) has logits (M, C), and its paths in `paths`.

        In Python it returns which pictures matched. Raises FolderError for a file without either, and as the columns
        of an image set do.
        """
        user_file = read_user_file(file, path_column=path_column, paths=paths, pictures=len(self._core.ids))
        matched = match_file(user_file, self._core.base.paths.to_pylist(), root=self._core.folder)
        classes, logits = logits_in(user_file, self._core.derived.get(picture_labels).names)
        rows = matched.row >= 0
        recorder = Recorder(self._core.store.paths, self._core.folder, run, classes=classes)
        ids = self._core.ids[matched.row[rows]]
        recorded = recorder.write(ids, logits[rows], split=split, fold=fold)
        return AddedRun(user_file.name, matched, recorded, run, int(np.isnan(logits[rows]).any(axis=1).sum()))

    @capability("runs remove")
    def remove(self, run: Annotated[str, Doc("the name of the run")]) -> str:
        """Delete what was recorded of a run.

        In Python it returns that in words. Raises ImageSetError if there is none of this name.
        """
        remove_run(self._core.store.paths, run)
        return f"Removed {run!r}."
