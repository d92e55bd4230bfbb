"""All that we use of Streamlit beyond its documented API; `tests/ui/test_streamlit_private.py` says what breaks."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
from streamlit import config, file_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx, script_runner
from streamlit.runtime.scriptrunner_utils.script_requests import (
    RerunData,
    ScriptRequest,
    ScriptRequests,
    ScriptRequestType,
)


def run_app_for_every_page() -> None:
    """Let the first page of a session run `app.py`, although its folder is called `pages`.

    Else a link to a page, opened first, would run only that page's file: without login, sidebar and chosen set.
    """
    PagesManager.uses_pages_directory = False


def carry_out_every_click() -> None:
    """Let no click end the run of an earlier one before that has done what it was asked for.

    A run calls the callbacks of what was clicked, then draws the page. Streamlit ends it as soon as the next click
    comes, even before or within its callbacks, and the message of that click does not repeat which button was clicked
    before. From now on only a run that draws is ended. `runner.fastReruns` has to be false, or Streamlit ends runs
    without asking.
    """
    setattr(script_runner, ScriptRequests.__name__, PatientRequests)


class PatientRequests(ScriptRequests):
    """The requests to a session's thread: it takes the next click after the callbacks of the last."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.RLock()
        self._is_drawing, self._is_held, self._thread = False, False, 0

    def hold(self, *, is_held: bool) -> None:
        """Whether clicks wait for the run, as they do for callbacks. Raises StopException if one has ended it."""
        with self._turn:
            if self._state == ScriptRequestType.STOP:
                raise StopException
            self._is_drawing, self._is_held = False, is_held

    def request_rerun(self, new_data: RerunData) -> bool:
        """Take a click. False ends a thread that draws: another begins at once, as this one may compute for long."""
        with self._turn:
            is_own = threading.get_ident() == self._thread
            is_free = self._is_drawing and self._state == ScriptRequestType.CONTINUE
            if is_own or not is_free or new_data.fragment_id:
                return super().request_rerun(new_data)
            self.request_stop()
            return False

    def on_scriptrunner_yield(self) -> ScriptRequest | None:
        """What ends a run that draws, if anything; called by the thread in each call of Streamlit."""
        context = get_script_run_ctx(suppress_warning=True)
        if self._is_held or (context is not None and not context.has_script_started):
            return None  # a click is yet to be carried out, or callbacks are at work
        with self._turn:
            request = super().on_scriptrunner_yield()
            self._is_drawing = request is None
            return request

    def on_scriptrunner_ready(self) -> ScriptRequest:
        """What to run next; called by the thread between runs."""
        with self._turn:
            self._is_drawing, self._is_held, self._thread = False, False, threading.get_ident()
            return super().on_scriptrunner_ready()


def hold_run(*, is_held: bool = True) -> None:
    """Let clicks wait until this run is let go (`is_held=False`), or has ended by itself."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.script_requests, PatientRequests):
        context.script_requests.hold(is_held=is_held)


def read_settings_beside(script: Path) -> None:
    """Let Streamlit look for settings and secrets in the home folder and next to the app's script, and nowhere else.

    It would also look in the working folder, at the start and whenever a file there changes.
    """

    def files(file_name: str) -> list[str]:
        in_script_folder = file_util.get_main_script_streamlit_file_path(str(script.absolute()), file_name)
        return [file_util.get_streamlit_file_path(file_name), in_script_folder]

    config.get_config_files = files


def settings_files(name: str) -> list[str]:
    """Where Streamlit looks for its `config.toml` or `secrets.toml`; what comes later wins."""
    return config.get_config_files(name)


def files_read() -> set[str]:
    """The files of settings with at least one setting in force."""
    places = {option.where_defined for option in config.get_config_options().values()}
    return {place for place in places if place.endswith(".toml")}


def run_streamlit(arguments: Sequence[str]) -> None:
    """What the command `streamlit` does with these arguments."""
    from streamlit.web.cli import main

    main(arguments, prog_name="streamlit")


class PageEnd(StopException):
    """The page is drawn, and not overtaken by a click."""


def end_page() -> NoReturn:
    """Draw nothing more of this page.

    In place of `st.stop()`, which also drops what was asked for while the page was being drawn: a path typed into an
    open dialog, and the click after it, had no effect and no error.
    """
    raise PageEnd


def is_back_or_forward() -> bool:
    """Whether the page runs because the browser went back or forward in its history."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def load_secrets() -> bool:
    """Whether there is a secrets.toml; its content is then in `st.secrets`.

    Asking `st.secrets` itself would show an error on the page where there is no such file. Raises OSError or ValueError
    if the file cannot be read.
    """
    return st.secrets.load_if_toml_exists()


def signed_in_user(cookies: Mapping[str, str]) -> dict[str, Any]:
    """The login cookie's content, its signature verified; empty without a cookie, or if Streamlit has changed.

    For our own routes, which have no session and so no `st.user`; once Streamlit has moved these functions, they refuse
    every request where a login is set up.
    """
    try:
        from streamlit.auth_util import get_cookie_with_chunks
        from streamlit.web.server.server_util import get_cookie_secret
        from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
        from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
    except ImportError:
        return {}
    secret = get_cookie_secret()
    if not secret:
        return {}

    def part(name: str) -> bytes | None:
        value = cookies.get(name)
        return decode_signed_value(secret, name, value.encode("latin-1")) if value else None

    try:
        user = json.loads(get_cookie_with_chunks(part, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return user if isinstance(user, dict) else {}
