"""The start of the app's server, which takes Streamlit's settings from nobody but the user.

Streamlit also reads `.streamlit/config.toml` and `secrets.toml` of the folder that it is started in. That may be a
downloaded data set, and its settings would say which web pages may drive the app, whose login counts, and more.
"""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from url_viz.base.errors import UsageError
from url_viz.base.processes import BROWSER_VARIABLE, OPENED_VARIABLE, child_variables
from url_viz.base.wording import printable
from url_viz.base.workspace import IN_ENVIRONMENT, default_workspace
from url_viz.jobs.start import ready_runner
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import has_gpu
from url_viz.ui.auth import IN_ADDRESS, TOKEN_VARIABLE, access_token, base_path, others_have_accounts, others_may_enter
from url_viz.ui.streamlit_private import files_read, read_settings_beside, run_streamlit, settings_files

CONFIG, SECRETS = "config.toml", "secrets.toml"
FOR_YOU_ALONE = (
    "Other people may reach it on this machine, so this address is for you alone: docs/reliability.md, "
    f"“Other people on this machine”. ${TOKEN_VARIABLE}=off: no token."
)
OPEN_WORKSPACE = (
    "Other people on this machine may read the workspace {0}: thumbnails, decisions, logs of jobs. If they should not, "
    "chmod 700 {0}"
)


def main() -> None:
    """Serve a script as `streamlit run` does; the process of `url-viz` becomes this."""
    script, *options = sys.argv[1:]
    read_settings_beside(Path(script))
    run_streamlit(["run", script, *options])


def guard_settings(script: Path) -> None:
    """From now on, read only settings next to the app's script and in the home folder.

    Raises UsageError if `streamlit run` has taken settings of another folder already, as the port and the address that
    it listens on by now.
    """
    read_settings_beside(script)
    foreign = sorted(files_read() - set(settings_files(CONFIG)))
    if foreign:
        raise UsageError(
            f"Streamlit has read settings of the folder that it was started in ({printable(', '.join(foreign))}). This "
            "app takes none from there: they may be a stranger's. Start it with `url-viz`, or from another folder."
        )
    for path in left_out():
        print(
            f"{printable(str(path))} is not read. If it is yours, see docs/reliability.md, “Settings”.", file=sys.stderr
        )


def left_out() -> list[Path]:
    """The files of settings and secrets in the working folder that are not read."""
    read = {*settings_files(CONFIG), *st.get_option("secrets.files")}
    here = [Path.cwd() / ".streamlit" / name for name in (CONFIG, SECRETS)]
    return [path for path in here if path.exists() and str(path) not in read]


@asynccontextmanager
async def serving(app: object) -> AsyncIterator[None]:
    """The lifespan of the server: once it listens, the terminal shows its address."""
    async with sending_at_once(app):
        at = address(os.environ.get(OPENED_VARIABLE, ""))
        print(f"\nURL-Viz is at {at}", flush=True)
        if os.environ.get(BROWSER_VARIABLE):
            Thread(target=webbrowser.open, args=(at,), daemon=True).start()
        if access_token() is not None:
            print(FOR_YOU_ALONE, flush=True)
        workspace = default_workspace().absolute()
        if others_may_enter(workspace) and others_have_accounts():
            print(f"warning: {OPEN_WORKSPACE.format(shlex.quote(printable(str(workspace))))}", file=sys.stderr)
        prepare_model(workspace)
        ready_runner.keep()
        yield


@asynccontextmanager
async def sending_at_once(_app: object) -> AsyncIterator[None]:
    """Within it, the server's sockets and their connections send each part of an answer at once.

    Streamlit's server opens its socket without naming the protocol, and asyncio then leaves Nagle's algorithm on (RFC
    896): each answer, whose head and body are written one after the other, takes some 40 ms longer, by the delay with
    which browsers confirm (RFC 1122, 4.2.3.2). A page is a hundred answers.
    """
    loop: Any = asyncio.get_running_loop()
    create_server = loop.create_server

    async def create(*args: Any, sock: socket.socket | None = None, **named: Any) -> asyncio.AbstractServer:
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        server: asyncio.AbstractServer = await create_server(*args, sock=sock, **named)
        return server

    loop.create_server = create
    yield


def prepare_model(workspace: Path) -> Thread | None:
    """Convert the default model, if that was never done, in another process: while the first page is looked at.

    Returns the thread that waits for it; None if there is nothing to do.
    """
    folders = (workspace / "models", IN_ENVIRONMENT.models)
    if has_gpu() or any(any(folder.glob(f"{DEFAULT}-*")) for folder in folders):
        return None
    code = f"from url_viz.models.model import load_model; load_model(device='cpu', workspace={str(workspace)!r})"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # In a session of its own Linux gives it as much time as the server and a job that waits for the model.
    options = {"env": {**os.environ, **child_variables()}, "start_new_session": True, **quiet}
    waiting = Thread(target=subprocess.run, args=([sys.executable, "-c", code],), kwargs=options, daemon=True)
    waiting.start()
    return waiting


def address(query: str = "") -> str:
    """The app's address in a browser, or a page's by its `query`, with the token if one is required."""
    configured, named = st.get_option("server.address"), st.get_option("browser.serverAddress")
    host = named if named != "localhost" or configured in (None, "", "0.0.0.0", "::") else configured
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    token = access_token()
    place = f"{scheme}://{f'[{host}]' if ':' in host else host}:{st.get_option('browser.serverPort')}"
    parameters = "&".join(filter(None, ("" if token is None else f"{IN_ADDRESS}={token}", query)))
    return place + base_path() + (f"/?{parameters}" if parameters else "")


if __name__ == "__main__":
    main()
