"""The app's real server, started in a folder of choice, as an installed `url-viz` or `streamlit run app.py` does."""

import base64
import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from tests.browser.fixtures import HEALTH, await_health, eventually, free_port

ROOT = Path(__file__).parents[2]
APP = ROOT / "app.py"
URL_VIZ = ("-P", "-m", "url_viz.ui.server", str(APP))
STREAMLIT_RUN = ("-m", "streamlit", "run", str(APP))
STREAM = "/_stcore/stream"
AGENT = "/_stcore/agent/interact"


@dataclass(frozen=True)
class Answer:
    """What a server answered: status, headers by small letters, and text."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Started:
    """A running server: its address as host and port, its process, and all that it has printed so far."""

    address: str
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def printed(self) -> str:
        return self.log.read_text()

    def token(self) -> str:
        """The token in the address that the terminal shows."""
        eventually(lambda: "?token=" in self.printed())
        return re.findall(r"\?token=([\w-]+)", self.printed())[0]

    def ask(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        line = http.client.HTTPConnection(self.address, timeout=120)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, body=body, headers=named)
        answer = line.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read().decode("utf-8", "replace")
        line.close()
        return Answer(answer.status, found, text)

    def opens_socket(self, **headers: str) -> bool:
        """Whether the page's socket opens to a request with these headers."""
        named = {"Host": self.address, **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = [
            f"GET {STREAM} HTTP/1.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in named.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as line:
            line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            status = line.recv(64)
        assert re.match(rb"HTTP/1.1 (101|403|400) ", status), status
        return b" 101 " in status

    def ask_agent(self, body: str = "{}", **headers: str) -> Answer:
        """What Streamlit's route for agents answers, which drives the app as a page does."""
        return self.ask(AGENT, method="POST", body=body, Content_Type="application/json", **headers)

    @contextmanager
    def new_page(self) -> Iterator[ForwardMsg]:
        """What a new page hears first, while it is open: the session, with the theme and settings of the app."""
        with connect(f"ws://{self.address}{STREAM}", subprotocols=["streamlit"], proxy=None) as line:  # type: ignore[list-item]
            line.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            message = ForwardMsg()
            while message.WhichOneof("type") != "new_session":
                message = ForwardMsg.FromString(line.recv(timeout=120))  # type: ignore[arg-type]
            yield message


@contextmanager
def started(
    folder: Path, *options: str, start: Sequence[str] = URL_VIZ, environment: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """The app's server as a process of its own in `folder`, in a group of its own, from when it answers."""
    port = free_port()
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})}
    command = [sys.executable, *start, f"--server.port={port}", "--server.headless=true", *options]
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            await_health(f"http://127.0.0.1:{port}{HEALTH}", process, log)
            yield Started(f"127.0.0.1:{port}", Path(log.name), process)
        finally:
            process.terminate()
            process.wait(timeout=120)


def opens_as_it_is(app: Started) -> None:
    """A server without a token opens its page and its socket to everybody on the machine, and prints its address."""
    assert app.ask("/").status == 200
    assert app.opens_socket()
    assert f"URL-Viz is at http://{app.address}\n" in app.printed()
