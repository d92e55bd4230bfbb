"""Answers that leave at once: a small part of one does not wait until the browser has confirmed the part before it.

Streamlit's server opens its socket without naming the protocol, and asyncio then leaves Nagle's algorithm on (RFC 896):
each answer, whose head and body are written one after the other, takes some 40 ms longer, by the delay with which
browsers confirm (RFC 1122, 4.2.3.2). A page is a hundred answers.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def sending_at_once(_app: object) -> AsyncIterator[None]:
    """As the lifespan of the server: sockets that its event loop listens on from now on, and their connections."""
    loop: Any = asyncio.get_running_loop()
    create_server = loop.create_server

    async def create(*args: Any, sock: socket.socket | None = None, **named: Any) -> asyncio.AbstractServer:
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        server: asyncio.AbstractServer = await create_server(*args, sock=sock, **named)
        return server

    loop.create_server = create
    yield
