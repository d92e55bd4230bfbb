"""The token in the app's address: who does not know it is answered nothing, whatever the route.

A browser shows it once, in the address that the terminal printed, and from then on in a cookie.
"""

import secrets
from html import escape
from urllib.parse import quote, urlencode

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

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
        is_open = scope["type"] not in ("http", "websocket") or _asks_for_health(scope)
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
    """Of the port that the browser sees: browsers give the cookies of a host to all its ports."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"url-viz-token-{port}" if port.isascii() and port.isdigit() else "url-viz-token"


def _asks_for_health(scope: Scope) -> bool:
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return scope.get("method") in ("GET", "HEAD") and scope["path"] == (f"/{base}" if base else "") + HEALTH


def _let_in(request: HTTPConnection, token: str) -> Response:
    """The cookie, and a page that goes on to the same address without the token.

    No redirect: after a link of another site, as in a terminal in the browser, that would go without the cookie.
    """
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != IN_ADDRESS]
    address = "/" + quote(request.scope["path"]).lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
    page = f'<!doctype html><title>URL-Viz</title><meta http-equiv="refresh" content="0; url={escape(address)}">'
    answer = HTMLResponse(page, headers=_PRIVATE)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), token, httponly=True, samesite="strict", secure=is_secure)
    return answer
