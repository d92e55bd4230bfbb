"""The command `open`, which `url-viz photos/` is short for: read pictures, and show them while they are read."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.jobs.configs import DEFAULT, EmbedConfig, Folder, ModelName, WorkspaceDir
from url_viz.options import Within
from url_viz.processes.app_server import BROWSER_VARIABLE, OPENED_VARIABLE, ROOTS_VARIABLE, become_app
from url_viz.roots import is_in_bucket, root_of
from url_viz.workspace import HOME_VARIABLE, Workspace


@app.command("open")
def open_pictures(
    folder: Positional[Folder],
    *,
    port: Annotated[
        int | None, Within(1, 65535), arg(help="where the app listens (default: 8501, or the next free one)")
    ] = None,
    no_browser: Annotated[bool, arg(help="open no browser: the address is printed")] = False,
    one_model: Annotated[bool, arg(help="no second model reads a new set unasked")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Read the pictures of a folder, and show them in the browser meanwhile."""
    from url_viz.store.about import find_set

    root = root_of(folder)
    refuse_what_is_no_source(root)
    home = Workspace.at(workspace)
    set_id = find_set(root, home)
    begin_reading(EmbedConfig(root, model=model, one_model=one_model, workspace=home.root), set_id, home)
    print(f"{root} is read by a job, which goes on if the app is stopped, and is shown meanwhile.")
    variables = {
        HOME_VARIABLE: str(home.root),
        ROOTS_VARIABLE: os.pathsep.join(roots_with(root)),
        OPENED_VARIABLE: urlencode({"set": set_id, "model": model}),
        BROWSER_VARIABLE: "" if no_browser else "1",
    }
    become_app(("--server.headless=true", *(() if port is None else (f"--server.port={port}",))), variables)


def refuse_what_is_no_source(root: Path) -> None:
    """Raise FolderError for a path that does not exist, and for a file without pictures."""
    from url_viz.imaging.scan import Walk
    from url_viz.imaging.source import Folder, source_of

    if isinstance(source_of(root), Folder):
        Walk(root)


def begin_reading(config: EmbedConfig, set_id: str, home: Workspace) -> None:
    """Start the job that reads a set, unless one does."""
    from url_viz.jobs import latest_job
    from url_viz.jobs.kinds import EMBED, SET_NAME
    from url_viz.store.about import About, known_sets

    latest = latest_job(home, kind=EMBED.name, set_id=set_id)
    if latest is not None and latest.status().is_live:
        return
    name = dict(known_sets(home)).get(set_id, About(config.folder, ())).title
    about = {"set_id": set_id, "model": config.model, "folder": str(config.folder), "also": "", SET_NAME: name}
    EMBED.start(config, about=about, workspace=home)


def roots_with(root: Path) -> Iterator[str]:
    """What the app may read: as without this command, and the folder or address that was given to it."""
    yield os.environ.get(ROOTS_VARIABLE) or os.pathsep.join((str(Path.home()), str(Path.cwd())))
    yield str(root if is_in_bucket(root) or root.is_dir() else root.parent)
