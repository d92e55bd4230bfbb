"""Files that never change under their address, Streamlit's own scripts and fonts, answered from memory.

A new browser asks for a hundred of them before it shows a page, and reading each from disk costs several ways between
threads: together more than the page's own run.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 32 * 2**20
"""Of all that is kept; Streamlit's files are 25 MB, of which pages ask for a few."""
_OF_PART = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}
"""Headers of a request whose answer may be another than the whole file."""
_OF_ONE = {b"set-cookie", b"vary", b"content-encoding"}
"""Headers of an answer that is not for everybody."""

Headers = Sequence[tuple[bytes, bytes]]


class KeptFiles:
    """Middleware that keeps whole answers which say that they are immutable, and gives them again."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._left = most_bytes
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _asks_for_whole_file(scope):
            await self._app(scope, receive, send)
        elif (kept := self._kept.get(scope["path"])) is not None:
            start, body = kept
            await send({**start, "headers": list(start["headers"])})
            await send({"type": "http.response.body", "body": body})
        else:
            answer = _Heard(send)
            await self._app(scope, receive, answer)
            self._keep(scope["path"], answer)

    def _keep(self, path: str, answer: "_Heard") -> None:
        body = b"".join(answer.parts)
        if answer.start is None or not answer.is_whole or len(body) > self._left or path in self._kept:
            return
        if answer.start["status"] == 200 and _is_for_everybody(answer.start["headers"], len(body)):
            self._left -= len(body)
            self._kept[path] = answer.start, body


class _Heard:
    """Sends on, and holds what was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message | None = None
        self.parts: list[bytes] = []
        self.is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = {**message, "headers": list(message.get("headers", ()))}
        elif message["type"] == "http.response.body":
            self.parts.append(bytes(message.get("body", b"")))
            self.is_whole = not message.get("more_body", False)
        await self._send(message)


def _asks_for_whole_file(scope: Scope) -> bool:
    is_file = scope["type"] == "http" and scope["method"] == "GET" and "/static/" in scope["path"]
    return is_file and not scope["query_string"] and not any(name in _OF_PART for name, _ in scope["headers"])


def _is_for_everybody(headers: Headers, length: int) -> bool:
    """Whether an answer says that it never changes, and is the file itself, whole."""
    found = {name.lower(): value for name, value in headers}
    return (
        b"immutable" in found.get(b"cache-control", b"")
        and found.get(b"content-length") == str(length).encode()
        and not _OF_ONE & found.keys()
    )
