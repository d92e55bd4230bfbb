"""Writing a data set for another program as a job: what the app's page starts."""

from collections.abc import Iterable
from dataclasses import replace

from url_viz.export.data_sets import Program
from url_viz.export.folders import paths_text
from url_viz.export.picture_files import How
from url_viz.image_set import ImageSet
from url_viz.jobs.configs import ExportConfig
from url_viz.jobs.job import Job
from url_viz.jobs.job_files import written_for_a_job
from url_viz.jobs.kinds import EXPORT, NOWHERE, about_of


def start_export(image_set: ImageSet, *, program: Program, ids: Iterable[int] | None, how: How, name: str) -> Job:
    """Start to write pictures (None: all) for a program, to a new folder below `Workspace.exports`.

    Beside the folder lies the list of the pictures: as bytes, since a job's command holds only text. Nothing is waited
    for: what is read now is a snapshot. Raises JobError if it cannot start, FolderError for pictures in object storage.
    """
    wanted = None if ids is None else list(ids)
    count = f"{len(image_set if wanted is None else wanted):,}"
    about = about_of(image_set, name=name, program=program, pictures=count)
    within, home = tuple(image_set.within or ()), image_set.workspace
    config = ExportConfig(
        image_set.root, NOWHERE, program, how=how, within=within, model=image_set.source.name, workspace=home.root
    )
    config = EXPORT.placed(config, about=about, workspace=home)
    if wanted is not None:
        listed = config.out.with_name(f"{config.out.name}.paths")
        config = replace(config, listed=listed)
        with written_for_a_job(listed) as temporary:
            temporary.write_bytes(paths_text(image_set, wanted, nul=True))
    return EXPORT.start(config, about=about, workspace=home)
