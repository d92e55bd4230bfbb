"""A map of some pictures only, as a job: what the app's page starts, and the files that it is read from later."""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.errors import JobError
from url_viz.export.tables import write_table
from url_viz.files import replaced
from url_viz.image_set import ImageSet, Projection
from url_viz.jobs.control import find_job
from url_viz.jobs.job import Job
from url_viz.jobs.start import start_job
from url_viz.pipeline.projection import FEWEST_FOR_UMAP

KIND = "project"
MOST = 12
"""So many maps of a set stay on disk: those looked at last."""
KEY_FORM = re.compile(r"(umap|tsne)-[0-9a-f]{24}")

Method = Literal["umap", "tsne"]


@dataclass(frozen=True)
class Subset:
    """Some pictures of an image set on a map of their own: `ids` (M,) rising, `projection` once it is computed.

    `job` computes it, or did; None where they are too few to need one.
    """

    key: str
    ids: NDArray[np.int64]
    projection: Projection | None
    job: Job | None
    is_being_made: bool

    @property
    def method(self) -> Method:
        """How the map is made, which its key begins with."""
        return cast(Method, self.key.partition("-")[0])

    @property
    def state(self) -> str:
        """A word that changes when the points do, for `points_url`."""
        return "alone" if self.projection is not None else "before"

    def table_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of these pictures, with coordinates on their map; on the full map until that is computed."""
        rows = table[np.isin(table["id"].to_numpy(np.int64), self.ids)]
        if self.projection is None:
            return rows
        at = pd.DataFrame(self.projection.xy, index=self.projection.ids, columns=["x", "y"])
        at = at.reindex(rows["id"].to_numpy())
        return rows.assign(x=at["x"].to_numpy(np.float32), y=at["y"].to_numpy(np.float32))


def start_map(image_set: ImageSet, ids: NDArray[np.int64], *, method: Method, title: str, again: bool = False) -> str:
    """Start to compute a map of these pictures, unless it was started before; returns its key.

    Nothing is waited for, but where they are so few that it takes no time. `again`: also if it failed, or was stopped.
    Raises JobError if it cannot start.
    """
    wanted = np.unique(np.asarray(ids, np.int64))
    key = f"{method}-{_digest(image_set, wanted)}"
    files = _Files(_folder(image_set), key)
    found = find_map(image_set, key)
    if found is not None and not (again and found.projection is None and not found.is_being_made):
        return key
    try:
        files.folder.mkdir(exist_ok=True)
        with replaced(files.ids) as temporary:
            temporary.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
        _drop_oldest(files.folder)
    except OSError as error:
        raise JobError(f"Cannot write to {str(files.folder)!r} ({error.strerror}). Is the disk full?") from error
    if len(wanted) < FEWEST_FOR_UMAP:
        write_map(image_set, wanted, files.map, method=method)
        return key
    job = _start(image_set, files, method=method, title=title)
    with replaced(files.job) as temporary:
        temporary.write_text(job.id, encoding="utf-8")
    return key


def find_map(image_set: ImageSet, key: str) -> Subset | None:
    """The map of a key, which counts as looked at now; None if there is none, or it was dropped."""
    files = _Files(_folder(image_set), key)
    if not KEY_FORM.fullmatch(key):
        return None
    try:
        os.utime(files.ids)
        ids = _ids_in(files.ids)
    except OSError:
        return None
    job = None if files.map.exists() else _job_of(image_set, files)
    is_live = job is not None and job.status().is_live  # before the map: it is there once its job has ended
    projection = _projection_in(files.map)
    return Subset(key, ids, projection, job, is_live and projection is None)


def write_map(image_set: ImageSet, ids: Iterable[int], out: Path, *, method: Method) -> Projection:
    """Compute a map of these pictures, and write their ids, paths and coordinates as a table."""
    projection = image_set.project(ids, method=method)
    table = image_set.table().set_index("id").loc[projection.ids, ["path"]].reset_index()
    write_table(table.assign(x=projection.xy[:, 0], y=projection.xy[:, 1], method=projection.by), out)
    return projection


@dataclass(frozen=True)
class _Files:
    """The files of one map."""

    folder: Path
    key: str

    @property
    def ids(self) -> Path:
        """The pictures, an id a line; touched when the map is looked at."""
        return self.folder / f"{self.key}.ids"

    @property
    def map(self) -> Path:
        return self.folder / f"{self.key}.parquet"

    @property
    def job(self) -> Path:
        """The id of the job that computes it."""
        return self.folder / f"{self.key}.job"


def _folder(image_set: ImageSet) -> Path:
    return image_set.workspace.set_paths(image_set.set_id).maps


def _digest(image_set: ImageSet, ids: NDArray[np.int64]) -> str:
    named = f"{image_set.space.key} {image_set.version}".encode()
    return hashlib.blake2b(named + ids.tobytes(), digest_size=12).hexdigest()


def _start(image_set: ImageSet, files: _Files, *, method: Method, title: str) -> Job:
    return start_job(
        [
            *("-m", "url_viz", "project", str(image_set.root), str(files.ids), str(files.map), "--method", method),
            *("--model", image_set.source.name, "--workspace", str(image_set.workspace.root)),
        ],
        kind=KIND,
        title=title,
        workspace=image_set.workspace,
        queue=None,
        about={"set_id": image_set.set_id},
    )


def _job_of(image_set: ImageSet, files: _Files) -> Job | None:
    """The job of a map; None if it has none, or it was deleted."""
    try:
        return find_job(image_set.workspace, files.job.read_text(encoding="utf-8"))
    except (OSError, JobError):
        return None


@lru_cache(maxsize=MOST)
def _ids_in(path: Path) -> NDArray[np.int64]:
    return np.array(path.read_text(encoding="utf-8").split(), np.int64)


def _projection_in(path: Path) -> Projection | None:
    """The map in a file; None if it is not there, or damaged: it can be computed again."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        path.unlink(missing_ok=True)
        return None


@lru_cache(maxsize=MOST)
def _read(path: Path, written_ns: int) -> Projection:
    table = pd.read_parquet(path, columns=["id", "x", "y", "method"])
    xy = table[["x", "y"]].to_numpy(np.float32)
    return Projection(table["id"].to_numpy(np.int64), xy, table["method"].iloc[0])


def _drop_oldest(folder: Path) -> None:
    """Leave the MOST maps that were looked at last."""
    by_time = sorted(folder.glob("*.ids"), key=lambda path: path.stat().st_mtime, reverse=True)
    for ids in by_time[MOST:]:
        for path in folder.glob(f"{ids.stem}.*"):
            path.unlink(missing_ok=True)
