"""Reading (embedding) of a folder as a background job, and the names of image sets on pages."""

from pathlib import Path

from url_viz.demo import build_demo
from url_viz.errors import UrlVizError
from url_viz.jobs import Job, list_jobs, start_job
from url_viz.jobs.start import within_option
from url_viz.models.model import EmbeddingSpace, resolve, title_of
from url_viz.models.runtime import Precision, has_gpu
from url_viz.store.about import About, find_set, known_sets, sets_with_pictures
from url_viz.store.sets import unfinished
from url_viz.ui.allowed_paths import allowed, allowed_model, demo, may_read
from url_viz.ui.session import DEVICE, ON_RAY, PRECISION, choose
from url_viz.workspace import Workspace

KIND = "embed"
SET_NAME = "set_name"
"""What a job's `about` has of its image set's name at its start, as it stands in the title of the job."""


def open_folder(folder: Path, *, model: str, also: str | None = None) -> None:
    """Choose a folder's image set and start reading new pictures, with a second model too if one is named.

    Raises UrlVizError if it may not be read.
    """
    root = readable(folder)
    set_id = find_set(root, Workspace.at())
    start_reading(root, set_id=set_id, model=model, also=also)
    choose(set_id, model=model)


def readable(folder: Path) -> Path:
    """`folder`, resolved. Raises NotAllowedError if it is outside the app's roots and not the demo's."""
    return allowed(folder, also=(demo(),))


def start_reading(folder: Path, *, set_id: str, model: str, also: str | None = None) -> None:
    """Start reading new pictures in the folder of an image set, unless it is being read; the view does not change.

    `also` is a second model that reads them too.
    Raises UrlVizError if the folder or the model may not be read: every reading of the app is started here.
    """
    workspace, root = Workspace.at(), readable(folder)
    if running(set_id) is None:
        second = [] if also is None else ["--also", allowed_model(also)]
        with_both = title_of(model) + ("" if also is None else f" and {title_of(also)}")
        start_job(
            [*_embed(root), "--model", allowed_model(model), *second, *how_to_read(set_id, model)],
            kind=KIND,
            title=f"Read {set_name(root)} with {with_both}",
            workspace=workspace,
            is_light=is_light(),
            about=about_job(root, set_id, model=model, also=also or ""),
        )


def how_to_read(set_id: str, model: str) -> list[str]:
    """The options of a reading that the app starts: its workspace, and the device and precision of this session."""
    where, precision = DEVICE.get() or "auto", precision_for(set_id, model)
    device = ["--device", "auto", "--ray", "auto"] if where == ON_RAY else ["--device", where]
    return ["--workspace", str(Workspace.at().root), *device, "--precision", precision]


def precision_for(set_id: str, model: str) -> Precision:
    """The precision chosen in this session, else the one in which a set was read with a model, else fast."""
    space = space_read(set_id, model)
    return PRECISION.get() or ("fast" if space is None else space.precision)


def space_read(set_id: str, model: str) -> EmbeddingSpace | None:
    """The space in which an image set was read last with a model, a head's with its backbone; None if in none."""
    about = dict(known_sets(Workspace.at())).get(set_id)
    try:
        source = resolve(allowed_model(model), workspace=Workspace.at())
    except UrlVizError:
        return None
    return None if about is None else about.space(source.backbone, weights_digest=source.weights_digest)


def about_job(root: Path, set_id: str, *, model: str, **more: str) -> dict[str, str]:
    """What is stored with a job on an image set, by which pages find it and name the set as it is called now."""
    return {"set_id": set_id, "model": model, "folder": str(root), SET_NAME: set_name(root), **more}


def is_light() -> bool:
    """Whether a job that only runs a backbone may run beside another: two on one GPU would contend for its memory."""
    return not has_gpu()


def open_demo(*, model: str) -> None:
    """Create the demo pictures if they do not exist yet, and open them."""
    open_folder(build_demo(Workspace.at()), model=model)


def _embed(root: Path) -> list[str]:
    """The command that reads a folder, restricted to the app's roots even if links change meanwhile."""
    return ["-m", "url_viz", "embed", str(root), *within_option(may_read())]


def set_name(root: Path) -> str:
    """The name of a folder's image set: the one given by the user, else the end of the folder's path."""
    known = (about for _, about in known_sets(Workspace.at()) if about.root == root)
    return set_title(next(known, About(root, ())))


def set_title(about: About) -> str:
    """The name of an image set, from its `About`."""
    if not about.name and about.root.is_relative_to(Workspace.at().demo):
        return "Demo pictures"
    return about.title


def titles() -> dict[str, str]:
    """The names of the image sets by id; of one that is not whole, with how much of it is read."""
    return {set_id: _listed(set_id, about) for set_id, about in sets_with_pictures(Workspace.at())}


def _listed(set_id: str, about: About) -> str:
    partial = unfinished(set_id, Workspace.at()) if about.begun else None
    return set_title(about) + ("" if partial is None else f" ({partial.read:,} of {partial.files:,})")


def latest(set_id: str) -> Job | None:
    """The latest reading of an image set, in any state."""
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": set_id})
    return jobs[0] if jobs else None


def running(set_id: str) -> Job | None:
    """The reading of an image set that is queued or running."""
    job = latest(set_id)
    return job if job is not None and job.status().is_live else None
