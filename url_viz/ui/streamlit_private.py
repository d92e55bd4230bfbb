"""All that we use of Streamlit beyond its documented API; `tests/ui/test_streamlit_private.py` says what breaks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
from streamlit import config, file_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import StopException


def run_app_for_every_page() -> None:
    """Let the first page of a session run `app.py`, although its folder is called `pages`.

    Else a link to a page, opened first, would run only that page's file: without login, sidebar and chosen set.
    """
    PagesManager.uses_pages_directory = False


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
    """The files of settings of which at least one is in force."""
    places = {option.where_defined for option in config.get_config_options().values()}
    return {place for place in places if place.endswith(".toml")}


def run_streamlit(arguments: Sequence[str]) -> None:
    """What the command `streamlit` does with these arguments."""
    from streamlit.web.cli import main

    main(arguments, prog_name="streamlit")


def end_page() -> NoReturn:
    """Draw nothing more of this page.

    In place of `st.stop()`, which also drops what was asked for while the page was being drawn: a path typed into an
    open dialog, and the click after it, had no effect and no error.
    """
    raise StopException


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
