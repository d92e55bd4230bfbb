"""Reading (embedding) of a folder as a background job, and the names of image sets on pages."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import DamageError, NotAllowedError, UrlVizError
from url_viz.base.workspace import Workspace, root_of
from url_viz.capabilities import places
from url_viz.demo import SPOILED, build_demo
from url_viz.imaging.source import refuse_what_is_no_source
from url_viz.jobs import Job, latest_job, progress
from url_viz.jobs.calls import Call, call
from url_viz.jobs.kinds import EMBED, about_set
from url_viz.jobs.start import ready_runner
from url_viz.models.model import EmbeddingSpace
from url_viz.store.about import About, find_set, known_sets, sets_with_pictures, space_read
from url_viz.store.sets import DAMAGED, unfinished
from url_viz.store.tables.tables import import_lancedb_ahead
from url_viz.ui.auth import allowed, allowed_model, demo, is_shared, may_read
from url_viz.ui.session import Key, choose
from url_viz.ui.widgets.buttons import act_button

DEVICE: Key[str] = Key("models.device")
"""The device of readings that the app starts; auto if none is chosen."""
ON_RAY = "ray"
"""In the place of a device: the cluster that $RAY_ADDRESS names."""
ONE_MODEL: Key[bool] = Key("models.one_model")
"""Whether no second model reads a new set unasked."""
PRECISION: "Key[PrecisionChoice | None]" = Key("models.precision")
"""The precision of readings; None is the one in which a set was read."""

KIND = EMBED.name
_OPINION = "opinion"
"""In what is stored with a reading that was asked for nothing but a second opinion."""


def open_folder(folder: Path, *, model: str, also: str | None = None) -> None:
    """Choose a folder's image set and start reading new pictures, with a second model too if one is named.

    Raises UrlVizError if it may not be read.
    """
    root = readable(folder)
    set_id = find_set(root, Workspace.at())
    start_reading(root, set_id=set_id, model=model, also=also)
    choose(set_id, model=model)


def readable(folder: Path) -> Path:
    """`folder`, resolved. Raises NotAllowedError if it is outside the app's roots and not the demo's.

    Where nobody else can look, raises FolderError for a missing folder, and for a file that holds no pictures.
    """
    try:
        return allowed(folder, also=(demo(),))
    except NotAllowedError:
        if not is_shared():
            refuse_what_is_no_source(root_of(folder))
        raise


def start_reading(
    folder: Path,
    *,
    set_id: str,
    model: str,
    also: str | None = None,
    is_opinion: bool = False,
    shown_range: str | None = None,
) -> None:
    """Start reading new pictures in the folder of an image set, unless it is being read; the view does not change.

    `also` is a second model that reads them too, with `is_opinion` for nothing else; another `shown_range` of more
    than 8 bits (`0:4095`) reads all anew. Every reading of the app is started here. Raises UrlVizError if the folder or
    the model may not be read.
    """
    root = readable(folder)
    if running(set_id) is None:
        reading = reading_call(root, model=model, also=also, shown_range=shown_range)
        more = {_OPINION: "yes"} if is_opinion else {}
        about = about_set(root, set_id, model=model, name=set_name(root), also=also or "", **more)
        EMBED.start(reading, about=about, workspace=Workspace.at())


def show_read_button(words: str, root: Path, *, model: str, also: str | None = None, key: str, **look: Any) -> None:
    """A button that opens a folder and reads what is new there, or says why it cannot; `look` goes to the button."""
    if act_button(words, partial(open_folder, root, model=model, also=also), key=key, **look):
        st.rerun()


def prepare_reading() -> None:
    """While a folder is chosen, start the process that will read it, and prepare its call and what opens its set."""
    if ready_runner.prepare():
        Thread(target=places, daemon=True).start()
        import_lancedb_ahead()


def reading_call(root: Path, *, model: str, also: str | None = None, shown_range: str | None = None) -> Call:
    """How the app reads a folder: within its roots even if links change meanwhile, on the device of this session."""
    where = DEVICE.get() or "auto"
    return call(
        "embed",
        folder=root,
        model=allowed_model(model),
        also=None if also is None else allowed_model(also),
        workspace=Workspace.at().root,
        device="auto" if where == ON_RAY else where,
        precision=PRECISION.get(),
        within=may_read(),
        one_model=bool(ONE_MODEL.get()),
        ray="auto" if where == ON_RAY else None,
        range_=shown_range,
    )


def space_in_set(set_id: str, model: str) -> EmbeddingSpace | None:
    """The space in which an image set was read last with a model that may be used here; None if in none."""
    with suppress(UrlVizError):
        return space_read(set_id, allowed_model(model), Workspace.at())
    return None


def open_demo(*, model: str) -> None:
    """Create the demo pictures if they do not exist yet, and open them."""
    open_folder(build_demo(Workspace.at()), model=model)


def set_name(root: Path) -> str:
    """The name of a folder's image set: the one given by the user, else the end of the folder's path."""
    return set_title(next((about for _, about in known_sets(Workspace.at()) if about.root == root), About(root, ())))


def set_title(about: About) -> str:
    """The name of an image set, from its `About`."""
    if not about.name and about.root.is_relative_to(Workspace.at().demo):
        return "Demo: spoiled photographs" if about.root.name == SPOILED else "Demo: handwritten digits"
    return about.title


def titles() -> dict[str, str]:
    """The names of the image sets by id, with the share read of one that is not whole, and whether it is damaged."""
    names = {}
    for set_id, about in sets_with_pictures(Workspace.at()):
        names[set_id] = set_title(about)
        try:
            if about.begun and (left := unfinished(set_id, Workspace.at())) is not None:
                names[set_id] += f" ({left.read:,} of {left.files:,})"
        except DamageError:
            names[set_id] += f" ({DAMAGED})"
    return names


def latest(set_id: str) -> Job | None:
    """The latest reading of an image set, in any state."""
    return latest_job(Workspace.at(), kind=KIND, set_id=set_id)


def running(set_id: str) -> Job | None:
    """The reading of an image set that is queued or running."""
    job = latest(set_id)
    return job if job is not None and job.status().is_live else None


def stage_of(job: Job) -> str:
    """The stage that a reading is in; "" before the first."""
    step = progress(job)
    return "" if step is None else step.stage


def gives_opinion(job: Job) -> bool:
    """Whether a reading is by now a second opinion on a set that is whole by its first model."""
    return _OPINION in job.about or ", " in stage_of(job)


def is_growing(set_id: str) -> bool:
    """Whether pictures of an image set still come in: it is being read by its first model."""
    job = running(set_id)
    return job is not None and not gives_opinion(job)
