"""Other sites cannot speak to the running app: not over its upload route, its socket, or under another name.

And our own page cannot upload more than the app takes, whatever its scripts let through.
"""

import base64
import http.client
import os
import socket
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UPLOAD = "/_stcore/upload_file/session/file"


@pytest.fixture
def address(app: str) -> str:
    return urlsplit(app).netloc


def status(address: str, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=120)
    connection.request(method, path, body=b"x" if method == "PUT" else None, headers=headers)
    found = connection.getresponse().status
    connection.close()
    return found


def test_the_app_answers_to_its_own_name_and_takes_files_of_its_own_page_only(address: str) -> None:
    for method in ("PUT", "DELETE"):
        assert status(address, method, UPLOAD, Origin="http://evil.example") == 403
    assert status(address, "GET", "/") == 200
    assert status(address, "GET", "/", Host="evil.example") == 400


@pytest.mark.parametrize(("origin", "answer"), [("http://evil.example", b"403"), ("", b"101")])
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
    with socket.create_connection((host, int(port)), timeout=120) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert answer in line.recv(64)


def put(address: str, session: str, size: int) -> int:
    """Upload so many bytes as our own page does, with its token."""
    connection = http.client.HTTPConnection(address, timeout=120)
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
            session = ForwardMsg.FromString(line.recv(timeout=120)).new_session.initialize.session_id
        assert put(address, session, 1 << 19) == 204
        assert put(address, session, 2 << 20) == 413
