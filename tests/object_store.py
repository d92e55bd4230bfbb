"""An S3 of this machine for tests: moto's server on loopback behind a gate that fails on request."""

import http.server
import logging
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

BUCKET = "pics"
KEY, SECRET = "AKIDSESAME", "opensesame/secret"
_OF_THE_TESTS = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class ObjectStore:
    """Buckets to fill, and their address for `embed`.

    `failing` says of the path of a request ("/pics/a.png") which status it gets instead of an answer, or None;
    `asked` are the paths of those that were for one object.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self.failing: Callable[[str], int | None] = lambda path: None
        self.asked: list[str] = []
        self.endpoint = ""

    def put(self, key: str, data: bytes) -> None:
        self._direct("PUT", f"/{BUCKET}/{key}", data)

    def delete(self, key: str) -> None:
        self._direct("DELETE", f"/{BUCKET}/{key}")

    def fill(self, folder: Path, prefix: str) -> None:
        """Every file of a folder."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def _direct(self, method: str, path: str, data: bytes | None = None) -> None:
        headers = {"Content-Type": "application/octet-stream", "Authorization": _OF_THE_TESTS}
        request = urllib.request.Request(self._behind + urllib.request.quote(path), data, headers, method=method)
        urllib.request.urlopen(request, timeout=120).close()

    def create(self, bucket: str) -> None:
        self._direct("PUT", f"/{bucket}")

    def answered(self, path: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """What the gate answers to a GET: a failure, or what is behind it."""
        plain = urllib.request.unquote(path.partition("?")[0])
        if "list-type" not in path:
            self.asked.append(plain)
        status = self.failing(plain)
        if status is not None:
            return status, {}, f"<Error><Code>No</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode()
        try:
            request = urllib.request.Request(self._behind + path, headers={"Authorization": authorization})
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ObjectStore

    def do_GET(self) -> None:
        status, headers, body = self.store.answered(self.path, self.headers.get("Authorization", _OF_THE_TESTS))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A store with one empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    behind = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    behind.start()
    host, port = behind.get_host_and_port()
    store = ObjectStore(f"http://{host}:{port}")
    store.create(BUCKET)
    handler = type("Handler", (_Handler,), {"store": store})
    gate = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    gate.daemon_threads = True
    store.endpoint = f"http://127.0.0.1:{gate.server_address[1]}"
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    try:
        yield store
    finally:
        gate.shutdown()
        gate.server_close()
        behind.stop()


def let_in(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the store and its credentials in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(store).items():
        monkeypatch.setenv(name, value)


def environment(store: ObjectStore) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": store.endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
