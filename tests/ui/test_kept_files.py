"""Immutable files are answered from memory, byte for byte as at first, and nothing else is."""

from collections import Counter
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from url_viz.ui.kept_files import KeptFiles

IMMUTABLE = {"Cache-Control": "public, immutable, max-age=31536000"}
asked: Counter[str] = Counter()


@pytest.fixture
def inner(tmp_path: Path) -> Starlette:
    asked.clear()
    (tmp_path / "a.js").write_bytes(bytes(range(256)) * 1000)

    def answer(request: Request) -> Response:
        name = request.path_params["name"]
        asked[name] += 1
        if name == "a.js":
            return FileResponse(tmp_path / "a.js", headers=IMMUTABLE)
        answer = Response(b"text", 404 if name == "gone.js" else 200, headers={} if name == "plain.js" else IMMUTABLE)
        if name == "cookie.js":
            answer.set_cookie("who", "me")
        return answer

    return Starlette(routes=[Route("/static/{name}", answer), Route("/other/{name}", answer)])


@pytest.fixture
def client(inner: Starlette) -> TestClient:
    return TestClient(KeptFiles(inner))


def test_an_immutable_file_is_read_once_and_stays_the_same(client: TestClient) -> None:
    first, again, third = (client.get("/static/a.js") for _ in range(3))
    assert asked["a.js"] == 1
    assert first.content == again.content == third.content == bytes(range(256)) * 1000
    assert dict(first.headers) == dict(again.headers) == dict(third.headers)


def test_a_part_of_it_or_a_question_after_it_is_not_answered_from_memory(client: TestClient) -> None:
    whole = client.get("/static/a.js")
    assert client.get("/static/a.js", headers={"Range": "bytes=0-3"}).content == bytes(range(4))
    assert client.get("/static/a.js", headers={"If-None-Match": whole.headers["etag"]}).status_code in (200, 304)
    assert client.get("/static/a.js?now").content == whole.content
    assert client.head("/static/a.js").content == b""
    assert asked["a.js"] == 5


@pytest.mark.parametrize("path", ["/static/plain.js", "/static/cookie.js", "/static/gone.js", "/other/a.js"])
def test_what_may_change_or_is_for_one_is_asked_for_again(client: TestClient, path: str) -> None:
    for _ in range(2):
        client.get(path)
    assert asked[path.rsplit("/", 1)[1]] == 2


def test_more_than_fits_is_not_kept(inner: Starlette) -> None:
    client = TestClient(KeptFiles(inner, most_bytes=255_999))
    for _ in range(2):
        client.get("/static/a.js")
        client.get("/static/small.js")
    assert (asked["a.js"], asked["small.js"]) == (2, 1)
