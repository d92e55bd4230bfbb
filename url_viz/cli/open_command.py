"""The command `open`, which `url-viz photos/` is short for: read pictures, and show them while they are read."""

import json
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from typing_extensions import Doc

from url_viz.base.command_line import Within
from url_viz.base.errors import UsageError
from url_viz.base.processes import BROWSER_VARIABLE, GIVEN_VARIABLE, OPENED_VARIABLE, become_app
from url_viz.base.wording import command, printable
from url_viz.base.workspace import HOME_VARIABLE, Workspace, root_of
from url_viz.capability import capability
from url_viz.cli.embed_command import OneModel
from url_viz.imaging.annotations.formats import annotations_in
from url_viz.imaging.source import refuse_what_is_no_source
from url_viz.jobs import latest_job
from url_viz.jobs.calls import call
from url_viz.jobs.kinds import EMBED, about_set
from url_viz.models.model_names import DEFAULT
from url_viz.parameters import Folder, ModelName, WorkspaceDir
from url_viz.store.about import About, find_set, known_sets
from url_viz.store.allowed_folders import allow, needed_for


@capability("open")
def open_pictures(
    folder: Folder,
    *,
    port: Annotated[
        int | None, Within(1, 65535), Doc("where the app listens (default: 8501, or the next free one)")
    ] = None,
    no_browser: Annotated[bool, Doc("open no browser: the address is printed")] = False,
    one_model: OneModel = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Read the pictures of a folder and show them in the browser."""
    if port is not None:
        refuse_taken(port)
    root = root_of(folder)
    refuse_what_is_no_source(root)
    home = Workspace.at(workspace)
    is_elsewhere = not any(root.is_relative_to(root_of(base)) for base in (Path.home(), Path.cwd()))
    needed = allow(home, root) if is_elsewhere else needed_for(root)
    set_id = find_set(root, home)
    if is_elsewhere:
        names = " and ".join(map(str, needed))
        print(f"The app on this machine may read {names} from now on; its page Image sets takes that back.")
    begin_reading(root, set_id, home, model=model, one_model=one_model)
    print(f"{root} is read by a job, which goes on if the app is stopped, and is shown meanwhile.")
    for path in annotations_in(root):
        print(f"{printable(path.name)} marks objects in pictures. To see these: {command('open', path)}")
    variables = {
        HOME_VARIABLE: str(home.root),
        GIVEN_VARIABLE: json.dumps([*map(str, needed)]),
        OPENED_VARIABLE: urlencode({"set": set_id, "model": model}),
        BROWSER_VARIABLE: "" if no_browser else "1",
    }
    become_app(("--server.headless=true", *(() if port is None else (f"--server.port={port}",))), variables)


def refuse_taken(port: int) -> None:
    """Raise UsageError if something listens at a port of this machine."""
    with socket.socket() as probe:
        is_taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if is_taken:
        raise UsageError(
            f"Port {port} is taken. If URL-Viz runs there, open the folder in it: http://127.0.0.1:{port}. Otherwise "
            "give another --port, or none: the next free one is taken then."
        )


def begin_reading(root: Path, set_id: str, home: Workspace, *, model: str, one_model: bool) -> None:
    """Start the job that reads a set, unless one does."""
    latest = latest_job(home, kind=EMBED.name, set_id=set_id)
    if latest is not None and latest.status().is_live:
        return
    name = dict(known_sets(home)).get(set_id, About(root, ())).title
    about = about_set(root, set_id, model=model, name=name, also="")
    reading = call("embed", folder=root, model=model, one_model=one_model, workspace=home.root)
    EMBED.start(reading, about=about, workspace=home)
