"""Other sites cannot speak to the running app: not over its upload route, its socket, or under another name.

And our own page cannot upload more than the app takes, whatever its scripts let through.
"""

import base64
import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from tests.browser.fixtures import running_app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
UPLOAD = "/_stcore/upload_file/session/file"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("cross-site")
    variables = {"URL_VIZ_HOME": str(home), "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "1"}
    with running_app(ROOT / "app.py", (), variables) as url:
        yield urlsplit(url).netloc


def status(address: str, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path, body=b"x" if method == "PUT" else None, headers=headers)
    found = connection.getresponse().status
    connection.close()
    return found


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_upload_needs_the_token_of_our_own_page(address: str, method: str) -> None:
    assert status(address, method, UPLOAD, Origin="http://evil.example") == 403


def test_the_app_answers_to_its_own_name_only(address: str) -> None:
    assert status(address, "GET", "/") == 200
    assert status(address, "GET", "/", Host="evil.example") == 400


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        ("http://evil.example", b"403"),
        ("http://localhost:9999", b"403"),
        ("http://127.0.0.1:9999", b"403"),
        ("null", b"403"),
        ("", b"101"),
    ],
)
def test_the_socket_opens_to_our_own_pages_only(address: str, origin: str, answer: bytes) -> None:
    host, port = address.split(":")
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {address}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Origin: {origin or f'http://{address}'}",
    ]
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert answer in line.recv(64)


def put(address: str, session: str, size: int) -> int:
    """Upload so many bytes as our own page does, with its token."""
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/_stcore/health")
    answer = connection.getresponse()
    answer.read()
    cookie = str(answer.headers["set-cookie"]).partition(";")[0]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
    headers = {
        "Cookie": cookie,
        "X-Xsrftoken": cookie.partition("=")[2],
        "Content-Type": "multipart/form-data; boundary=b",
    }
    path = f"/_stcore/upload_file/{session}/file"
    connection.request("PUT", path, body=head + bytes(size) + b"\r\n--b--\r\n", headers=headers)
    found = connection.getresponse().status
    connection.close()
    return found


def test_a_file_over_the_limit_is_refused_by_the_app_itself(address: str) -> None:
    origin = f"http://{address}"
    with connect(f"ws://{address}/_stcore/stream", origin=origin, subprotocols=["streamlit"], proxy=None) as line:
        line.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        session = ""
        while not session:
            session = ForwardMsg.FromString(line.recv(timeout=30)).new_session.initialize.session_id
        assert put(address, session, 1 << 19) == 204
        assert put(address, session, 2 << 20) == 413
