"""A map of some pictures only, as a job: what the app's page starts, and the files that it is read from later."""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.errors import JobError
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.jobs.configs import Method, ProjectConfig
from url_viz.jobs.control import cancel_job, find_job
from url_viz.jobs.job import Job
from url_viz.jobs.job_files import written_for_a_job
from url_viz.jobs.kinds import PROJECT
from url_viz.pipeline.projection import FEWEST_FOR_UMAP
from url_viz.subjects.set_maps import Projection

MOST = 12
"""How many maps of a set stay on disk: those looked at last."""
CANCEL_GRACE_S = 1.0
KEY_FORM = re.compile(r"(umap|tsne)-[0-9a-f]{24}")


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


def start_map(image_set: ImageSet, ids: NDArray[np.int64], *, method: Method, name: str, again: bool = False) -> str:
    """Start to compute a map of these pictures of a set called `name`, unless it was started before; returns its key.

    Nothing is waited for, but where they are so few that it takes no time. `again`: also if it failed, or was stopped.
    Raises JobError if it cannot start.
    """
    wanted = np.unique(np.asarray(ids, np.int64))
    key = f"{method}-{_digest(image_set, wanted)}"
    listed, out = _file(image_set, key, ".ids"), _file(image_set, key, ".parquet")
    subset = find_map(image_set, key)
    if subset is not None and not (again and subset.projection is None and not subset.is_being_made):
        return key
    with written_for_a_job(listed) as temporary:
        temporary.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
    _drop_oldest(image_set, listed)
    if len(wanted) < FEWEST_FOR_UMAP:
        write_map(image_set, wanted, out, method=method)
        return key
    source, home = image_set.source.name, image_set.workspace.root
    config = ProjectConfig(image_set.root, listed, out, method, source, home)
    job = PROJECT.start_on(image_set, config, name=name, pictures=f"{len(wanted):,}")
    with written_for_a_job(_file(image_set, key, ".job")) as temporary:
        temporary.write_text(job.id, encoding="utf-8")
    return key


def find_map(image_set: ImageSet, key: str) -> Subset | None:
    """The map of a key, which counts as looked at now; None if there is none, or it was dropped."""
    if not KEY_FORM.fullmatch(key):
        return None
    listed, out = _file(image_set, key, ".ids"), _file(image_set, key, ".parquet")
    try:
        os.utime(listed)
        ids = _ids_in(listed)
    except (OSError, ValueError, OverflowError):  # of a damaged list of ids, which is made again when it is asked for
        return None
    job = None if out.exists() else _job_of(image_set, key)
    is_live = job is not None and job.status().is_live  # before the map: it is there once its job has ended
    projection = _projection_in(out)
    return Subset(key, ids, projection, job, is_live and projection is None)


def write_map(image_set: ImageSet, ids: Iterable[int], out: Path, *, method: Method) -> Projection:
    """Compute a map of these pictures, and write their ids, paths and coordinates as a table."""
    require_outside(out, image_set.root, home=image_set.workspace.root)
    projection = image_set.maps.project(ids, method=method)
    table = image_set.table().set_index("id").loc[projection.ids, ["path"]].reset_index()
    write_table(table.assign(x=projection.xy[:, 0], y=projection.xy[:, 1], method=projection.by), out)
    return projection


def _file(image_set: ImageSet, key: str, kind: str) -> Path:
    """A file of a map: `.ids` are the pictures, one a line, touched when the map is looked at; `.job` makes it."""
    return image_set.workspace.set_paths(image_set.set_id).maps / f"{key}{kind}"


def _digest(image_set: ImageSet, ids: NDArray[np.int64]) -> str:
    named = f"{image_set.space.key} {image_set.version}".encode()
    return hashlib.blake2b(named + ids.tobytes(), digest_size=12).hexdigest()


def _job_of(image_set: ImageSet, key: str) -> Job | None:
    """The job of a map; None if it has none, or it was deleted."""
    try:
        return find_job(image_set.workspace, _file(image_set, key, ".job").read_text(encoding="utf-8"))
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


def _drop_oldest(image_set: ImageSet, listed: Path) -> None:
    """Leave the maps that were looked at last, MOST with that of the list that was written; jobs of others end."""
    others = [path for path in listed.parent.glob("*.ids") if path != listed]
    for ids in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[MOST - 1 :]:
        job = _job_of(image_set, ids.stem)
        if job is not None and job.status().is_live:
            with suppress(JobError):  # it has ended meanwhile
                cancel_job(job, grace_s=CANCEL_GRACE_S)
        for path in ids.parent.glob(f"{ids.stem}.*"):
            path.unlink(missing_ok=True)
