"""Connections of a server whose socket names no protocol, as Streamlit's does not, send without Nagle's delay."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from url_viz.ui.server import sending_at_once


class _Told(asyncio.Protocol):
    """Sends whether its connection sends at once: b"1" or b"0"."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        of_connection = transport.get_extra_info("socket")
        is_at_once = of_connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"1" if is_at_once else b"0")
        transport.close()


async def _asked(sock: socket.socket) -> bytes:
    async with sending_at_once(None):
        server = await asyncio.get_running_loop().create_server(_Told, sock=sock)
        async with server:
            reader, writer = await asyncio.open_connection(*sock.getsockname()[:2])
            told = await reader.read()
            writer.close()
    return told


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_answers_leave_at_once(family: socket.AddressFamily, host: str) -> None:
    try:
        sock = socket.socket(family)  # as Streamlit: no protocol is named
        sock.bind((host, 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with ThreadPoolExecutor(1) as pool:  # after a test with Playwright a loop runs in this thread
        assert pool.submit(asyncio.run, _asked(sock)).result() == b"1"
