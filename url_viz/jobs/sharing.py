"""Writing a data set for another program as a job: what the app's page starts, and where it lands."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from url_viz.errors import JobError
from url_viz.export.data_sets import DATA_SETS, DataSet, Program
from url_viz.export.files import How
from url_viz.export.folders import paths_text
from url_viz.files import replaced
from url_viz.image_set import ImageSet
from url_viz.imaging.scan import refuse_bucket
from url_viz.jobs.control import list_jobs
from url_viz.jobs.job import Job
from url_viz.jobs.paths import new_output_folder
from url_viz.jobs.start import start_job, within_option

KIND = "share"


def start_sharing(
    image_set: ImageSet, *, program: Program, ids: Iterable[int] | None, how: How, title: str, name: str
) -> Job:
    """Start to write pictures (None: all) for a program, to a new folder below `Workspace.exports`.

    The folder is called by `name`, program and time; beside it lies the list of the pictures. Nothing is waited for:
    what is read now is a snapshot. Raises JobError if it cannot start, FolderError for pictures in
    object storage.
    """
    refuse_bucket(image_set.root)
    out = new_output_folder(image_set.workspace.exports, f"{_plain(name)}-{program}")
    try:
        out.parent.mkdir(exist_ok=True)
        listed = [] if ids is None else ["--from", str(_list_of(image_set, ids, out))]
    except OSError as error:
        raise JobError(f"Cannot write to {str(out.parent)!r} ({error.strerror}). Is the disk full?") from error
    return start_job(
        [
            *("-m", "url_viz", "share", str(image_set.root), str(out), "--as", program, "--how", how, *listed),
            *within_option(image_set.within),
            *("--model", image_set.source.name, "--workspace", str(image_set.workspace.root)),
        ],
        kind=KIND,
        title=title,
        workspace=image_set.workspace,
        queue=None,
        about={"set_id": image_set.set_id, "out": str(out), "program": program},
    )


def latest_sharing(image_set: ImageSet) -> Job | None:
    """The latest of a set's jobs of this kind, in any state."""
    jobs = list_jobs(image_set.workspace, kind=KIND, about={"set_id": image_set.set_id})
    return jobs[0] if jobs else None


def out_of(job: Job) -> Path:
    """The folder that a job writes."""
    return Path(job.about["out"])


def program_of(job: Job) -> DataSet:
    """The program that a job writes for."""
    return DATA_SETS[cast(Program, job.about["program"])]


def _list_of(image_set: ImageSet, ids: Iterable[int], out: Path) -> Path:
    """A file of the pictures' paths, each ended by NUL: as bytes, since a job's command holds only text."""
    path = out.with_name(f"{out.name}.paths")
    with replaced(path) as temporary:
        temporary.write_bytes(paths_text(image_set, ids, nul=True))
    return path


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")[:60] or "pictures"
