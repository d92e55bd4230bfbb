"""Opens the app's socket to its own pages only: whoever has it can open folders, and rename and forget image sets.

Streamlit takes any port of this machine for its own, so that a page of another local server could drive the app.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from streamlit import config


class OwnSocketsOnly:
    """Refuses a WebSocket whose Origin is another host or port than the one it was opened on (403)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not _is_own(Headers(scope=scope)):
            await WebSocketClose()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_own(headers: Headers) -> bool:
    """Whether a page of ours asks, or one whose origin Streamlit's settings name; programs send no Origin at all.

    A proxy may tell the host that the page was opened on as X-Forwarded-Host: no page can set that of a socket.
    """
    origin = headers.get("origin")
    if origin is None or not config.get_option("server.enableCORS"):
        return True
    if origin in {named.strip() for named in config.get_option("server.corsAllowedOrigins")}:
        return True
    named = (headers.get("host", ""), headers.get("x-forwarded-host", "").partition(",")[0].strip())
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that close nothing
        return False
    return bool(host) and host in {one.lower() for one in named}
