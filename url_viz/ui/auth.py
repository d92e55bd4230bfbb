"""Access control: login, tokens, and what the app may read."""

import html
import ipaddress
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from url_viz.base.errors import FolderError, NotAllowedError, UsageError
from url_viz.base.processes import GIVEN_VARIABLE, ROOTS_VARIABLE
from url_viz.base.wording import command
from url_viz.base.workspace import SCHEMES, Workspace, address_in, root_of
from url_viz.imaging.containers.picture_lists import ENDINGS
from url_viz.imaging.scan import SHARD_ENDINGS
from url_viz.models.model_names import WeightsFile
from url_viz.store.allowed_folders import allowed_folders
from url_viz.ui.streamlit_private import load_secrets, signed_in_user
from url_viz.ui.text import escape

USERS_VARIABLE = "URL_VIZ_ALLOWED_USERS"
"""Comma-separated e-mail addresses of the users who may enter after a login; unset: everybody who can log in.

Only an address that the provider says it verified counts (`email_verified` is true): with many providers, anybody can
write any address into an account.
"""

TOKEN_VARIABLE = "URL_VIZ_TOKEN"
"""Whether a token is required: `on`, `off`, or `auto` (if unset): where other people have accounts on this machine."""

HOSTS_VARIABLE = "URL_VIZ_ALLOWED_HOSTS"
"""Comma-separated names of hosts, besides this machine's own, that the app answers to."""

OPEN_TO_OTHERS = (
    "This app accepts connections from other machines ({address}) and has no login: anyone who can reach this port can "
    "see every picture in the allowed folders ($URL_VIZ_ROOTS) and in every image set of this workspace, and can "
    "forget image sets. Set server.address to 127.0.0.1, ${variable} to on, or set up a login: docs/reliability.md, "
    "“Letting others in”."
)
UNREADABLE = (
    "The login settings of this app cannot be read, so nobody is let in. Administrators: correct `[auth]` in "
    "secrets.toml. To run the app without a login, remove that file and restart the app."
)
NOT_LISTED = (
    "This account has no access to this app. Ask its administrator to add you to $URL_VIZ_ALLOWED_USERS. Only an "
    "address that your login says it has verified counts."
)
Login = Literal["none", "required", "unreadable"]

_login_was_seen = threading.Event()


def base_path() -> str:
    """The path below which the app is served (`server.baseUrlPath`), "" for the host's own."""
    path = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{path}" if path else ""


def login() -> Login:
    """Whether a login is `required` (a section [auth] in secrets.toml), or its settings are `unreadable`."""
    try:
        is_loaded = load_secrets()
        if is_loaded and "auth" in st.secrets:
            _login_was_seen.set()
            return "required"
        # Streamlit does not tell a file that it cannot load from a missing one
        is_broken = not is_loaded and any(map(os.path.lexists, st.get_option("secrets.files")))
    except (OSError, ValueError):  # not ours to read, or no text
        is_broken = True
    return "unreadable" if _login_was_seen.is_set() or is_broken else "none"


@cache
def access_token() -> str | None:
    """The secret in the app's address, made once in a process; None if none is required. Raises UsageError.

    With a login there is none: its provider leads back from another site, where browsers send no such cookie.
    """
    chosen = os.environ.get(TOKEN_VARIABLE, "").strip().casefold() or "auto"
    if chosen not in ("auto", "on", "off"):
        raise UsageError(f"${TOKEN_VARIABLE} is {chosen!r}. Set it to auto, on or off.")
    if login() != "none" or chosen == "off" or (chosen == "auto" and not others_have_accounts()):
        return None
    return secrets.token_urlsafe(32)


def listens_to_others() -> bool:
    """Whether the server accepts connections from other machines."""
    address = st.get_option("server.address")
    if address == "localhost":
        return False
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:  # no address means all of them; other names are assumed to be open
        return True


def is_shared() -> bool:
    """Whether others than the owner of the workspace may reach the app.

    From other machines, by a login, through a proxy (which one of four settings has to let in), or because the token,
    which asks where other people have accounts, was switched off.
    """
    is_unasked = os.environ.get(TOKEN_VARIABLE, "").strip().casefold() == "off"
    is_proxied = base_path() or os.environ.get(HOSTS_VARIABLE) or st.get_option("server.corsAllowedOrigins")
    is_for_any_origin = not st.get_option("server.enableCORS")
    return listens_to_others() or login() != "none" or is_unasked or is_for_any_origin or bool(is_proxied)


def open_warning() -> str | None:
    """The warning for an app that is open to other machines without a login; None if it is not."""
    if access_token() is not None or login() != "none" or not listens_to_others():
        return None
    return OPEN_TO_OTHERS.format(address=st.get_option("server.address") or "all addresses", variable=TOKEN_VARIABLE)


def show_gate() -> bool:
    """Whether this session may see the app; if not, say why, and offer the login."""
    warning = open_warning()
    if warning is not None:
        st.warning(escape(warning), icon=":material/lock_open:")
    state = login()
    if state == "none":
        return True
    if state == "unreadable":
        st.error(UNREADABLE, icon=":material/lock:")
        return False
    if st.user.is_logged_in and _is_listed(st.user.to_dict()):
        return True
    st.title("URL-Viz", anchor=False)
    if st.user.is_logged_in:
        st.error(NOT_LISTED)
        st.button("Log out", on_click=st.logout, key="log_out")
    else:
        st.markdown("Log in to see the pictures on this machine.")
        st.button("Log in", type="primary", icon=":material/login:", on_click=_log_in, key="log_in")
    return False


def user_name(cookies: Mapping[str, str] | None = None) -> str | None:
    """Who is logged in, for the log of decisions; None without a login.

    In a page by its session, in our own routes by the `cookies` of a request from somebody who may enter.
    """
    if login() != "required" or (cookies is None and not st.user.is_logged_in):
        return None
    user = st.user.to_dict() if cookies is None else signed_in_user(cookies)
    return str(user.get("email") or user.get("name") or "") or None


def _log_in() -> None:
    """Log in with the only provider, or with the first of several named ones."""
    section = st.secrets["auth"]
    named = [name for name, value in section.items() if isinstance(value, Mapping)]
    st.login(named[0]) if named and "client_id" not in section else st.login()


def may_enter(cookies: Mapping[str, str], *, origin: str) -> bool:
    """Whether a request to our own routes comes from a user who is logged in, or no login is required.

    `origin` is the scheme and host that the request was sent to; it must match the origin in the cookie.
    """
    state = login()
    if state != "required":
        return state == "none"
    user, host = signed_in_user(cookies), urlsplit(origin).netloc
    # behind a proxy that ends TLS, requests arrive as HTTP
    is_own = bool(host) and user.get("origin") in (f"http://{host}", f"https://{host}")
    return user.get("is_logged_in") is True and is_own and _is_listed(user)


def _is_listed(user: Mapping[str, Any]) -> bool:
    listed = {part.strip().casefold() for part in os.environ.get(USERS_VARIABLE, "").split(",") if part.strip()}
    return not listed or (user.get("email_verified") is True and str(user.get("email", "")).casefold() in listed)


IN_ADDRESS = "token"
HEALTH = "/_stcore/health"
REFUSED = (
    "This app asks for the token of the person who started it. Open the address, with ?token=, that it printed in the "
    "terminal: docs/reliability.md, “Other people on this machine”."
)
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class TokenGate:
    """Middleware that passes on requests with the token, and from anybody those that ask whether the server is well."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_health = scope.get("method") in ("GET", "HEAD") and scope["path"] == base_path() + HEALTH
        is_open = scope["type"] not in ("http", "websocket") or is_health
        await (self._app if is_open else self._answer(HTTPConnection(scope)))(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> ASGIApp:
        is_read = request.scope.get("method") == "GET"
        if is_read and self._is_token(request.query_params.get(IN_ADDRESS, "")):
            return _let_in(request, self._token.decode())
        if self._is_token(request.cookies.get(cookie_name(request), "")):
            return self._app
        refused = PlainTextResponse(REFUSED, status_code=401, headers=_PRIVATE)
        return WebSocketClose() if request.scope["type"] == "websocket" else refused

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(errors="replace"), self._token)


def cookie_name(request: HTTPConnection) -> str:
    """The cookie of the token, by the port that the browser sees: a host's cookies go to all its ports."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"url-viz-token-{port}" if port.isascii() and port.isdigit() else "url-viz-token"


def _let_in(request: HTTPConnection, token: str) -> Response:
    """The cookie, and a page that goes on to the same address without the token.

    No redirect: after a link from another site, such as a terminal in the browser, that would go without the cookie.
    """
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != IN_ADDRESS]
    address = "/" + quote(request.scope["path"]).lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
    page = f'<!doctype html><title>URL-Viz</title><meta http-equiv="refresh" content="0; url={html.escape(address)}">'
    answer = HTMLResponse(page, headers=_PRIVATE)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), token, httponly=True, samesite="strict", secure=is_secure)
    return answer


FIRST_PERSON = 500 if sys.platform == "darwin" else 1000
"""Ids of users below are of the system and its services."""
NOBODY = 65534
NO_LOGIN = {"nologin", "false", "sync"}
"""Shells of accounts that nobody logs in to."""


def others_have_accounts() -> bool:
    """Whether others have accounts with a shell, home folders next to this one or processes here, or there is SLURM.

    Networks of accounts (LDAP) often do not list all of theirs; folders and processes show those who are there.
    """
    return shutil.which("sbatch") is not None or any(map(_is_somebody_else, _users()))


def others_may_enter(folder: Path) -> bool:
    """Whether the permissions of an existing folder, and of those above it, let other accounts in."""
    with suppress(OSError):
        return all(place.stat().st_mode & 0o011 for place in (folder, *folder.parents))
    return False


def _users() -> Iterator[int]:
    yield from (account.pw_uid for account in pwd.getpwall() if not _is_no_login(account))
    for folder in (Path.home().parent, Path("/home"), Path("/proc")):
        with suppress(OSError):
            for entry in folder.iterdir():
                with suppress(OSError):  # a process that has ended
                    yield entry.lstat().st_uid


def _is_somebody_else(user: int) -> bool:
    if user < FIRST_PERSON or user in (os.getuid(), NOBODY):
        return False
    try:
        return not _is_no_login(pwd.getpwuid(user))
    except KeyError:  # as within a container, which does not know the names of the people outside
        return True


def _is_no_login(account: pwd.struct_passwd) -> bool:
    return Path(account.pw_shell).name in NO_LOGIN


_FILES = (*map(os.fsdecode, SHARD_ENDINGS), *(ending for ending in ENDINGS if ending != ".txt"))
"""Endings of files that are offered; text files are mostly something else."""
MOST_LISTED = 500
_PART = re.compile(rf"(?:(?:{'|'.join(SCHEMES)}):(?=//))?[^{os.pathsep}]+")
"""A folder or address in a list like that of $PATH; the colon of an address does not end it."""


def roots() -> tuple[Path, ...]:
    """The folders that the app may read, resolved, then what was allowed in it; what does not exist is left out."""
    named = os.environ.get(ROOTS_VARIABLE)
    chosen = [Path(part).expanduser() for part in _PART.findall(named)] if named else [Path.home(), Path.cwd()]
    there = (*filter(Path.is_dir, chosen), *filter(os.path.exists, _allowed_here()))
    return tuple(dict.fromkeys(path.resolve() for path in there))


def _allowed_here() -> tuple[Path, ...]:
    """The folders given to the command that started the server; those allowed, where nobody else reaches the app."""
    given = json.loads(os.environ.get(GIVEN_VARIABLE, "[]"))
    return (*map(root_of, given), *(() if is_shared() else allowed_folders(Workspace.at())))


def may_allow() -> bool:
    """Whether the visitor of this page may allow folders: the owner, and nobody who comes through a proxy."""
    return not is_shared() and not any("forwarded" in name.lower() for name in st.context.headers)


def bucket_roots() -> tuple[Path, ...]:
    """The addresses in object storage that the app may read: those that `$URL_VIZ_ROOTS` names, or were allowed."""
    named = _PART.findall(os.environ.get(ROOTS_VARIABLE, ""))
    addresses = (*map(address_in, named), *map(address_in, _allowed_here()))
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


def may_read() -> tuple[Path, ...]:
    """The roots, folders and addresses, and the demo's folder: what the app stays within as it reads pictures."""
    return (*roots(), *bucket_roots(), demo())


def demo() -> Path:
    """The folder of the demo pictures, resolved."""
    return Workspace.at().demo.resolve()


def allowed(path: Path, *, also: tuple[Path, ...] = ()) -> Path:
    """`path` with symlinks resolved. Raises NotAllowedError if it lies outside every root and `also`, FolderError
    for what cannot be a path.

    An address in object storage is given back as it is. Raises BucketError if it holds credentials.
    """
    address = address_in(path)
    if address is not None:
        if not any(address.is_relative_to(root) for root in (*bucket_roots(), *also)):
            raise NotAllowedError(
                f"This app may not read {str(address)!r}: it opens no bucket that ${ROOTS_VARIABLE} does not name. "
                f"Read it on the command line ({command('embed', address)}), and it is shown here."
            )
        return address
    try:
        resolved = path.expanduser().resolve()
        with suppress(FileNotFoundError, NotADirectoryError):
            resolved.stat()  # `resolve` accepts a name that is too long and, since Python 3.13, a link to itself
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, no such user, a null byte
        raise FolderError(f"{str(path)!r} is not a readable path ({error}). Choose another.") from error
    inside = roots()
    if not any(resolved.is_relative_to(root) for root in (*inside, *also)):
        listed = ", ".join(map(str, inside)) or "none"
        raise NotAllowedError(
            f"{str(path)!r} is outside the folders that this app may read ({listed}). "
            f"Choose a folder inside them, or start the app with "
            f"{ROOTS_VARIABLE}={shlex.quote(str(resolved))} (several as in $PATH)."
        )
    return resolved


def proposed_folder(folder: Path, name: str) -> Path:
    """Where a new folder of that name may be made: beside a folder, or else in the first of the roots."""
    parent = folder.resolve().parent
    bases = roots()
    is_allowed = any(parent.is_relative_to(base) for base in bases)
    return (parent if is_allowed or not bases else bases[0]) / name


def allowed_model(name: str) -> str:
    """`name`, unchanged. Raises NotAllowedError if it is the path of a checkpoint outside the roots and the workspace.

    A link from somebody else can name a model: it must not reveal which files exist, nor load one.
    """
    weights, (_, is_local, folder) = WeightsFile.named(name), name.partition("local-dir:")
    is_path = bool(is_local) or name.endswith(".safetensors")
    path = weights.path if weights is not None else Path(folder or name) if is_path else None
    if path is not None:
        workspace = Workspace.at()
        allowed(path, also=tuple(map(Path.resolve, (workspace.heads, workspace.jobs, workspace.checkpoints))))
    return name


def openable(path: Path) -> list[Path]:
    """The visible folders in `path` that may be opened, by name, then files of pictures, and lists of them as tables.

    Raises FolderError if `path` cannot be listed.
    """
    try:
        inside = sorted(allowed(path).iterdir(), key=lambda p: (not p.is_dir(), p.name.lower()))
    except OSError as error:
        raise FolderError(f"{str(path)!r} cannot be listed: {error.strerror}.") from error
    visible = [p for p in inside if not p.name.startswith(".") and (p.is_dir() or p.suffix.lower() in _FILES)]
    within = roots()
    return [p for p in visible if any(p.resolve().is_relative_to(root) for root in within)][:MOST_LISTED]
