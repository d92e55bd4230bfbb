"""Other people of the same machine reach the app's port: they are answered nothing that needs its token."""

import itertools
import json
import os
import random
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.browser.fixtures import HEALTH
from tests.hostile.started import AGENT, Started, started
from url_viz.base.errors import UsageError
from url_viz.ui.auth import TokenGate, access_token, others_have_accounts

ON = {"URL_VIZ_TOKEN": "on"}
STRANGER = 54_321
PATHS = (
    *("/", "/review", "/static/index.html", "/favicon.png", "/_stcore/host-config", "/_stcore/metrics"),
    *("/_stcore/health/", "//_stcore/health", "/x/_stcore/health", "/_stcore/script-health-check", "/media/x.png"),
    *("/_stcore/agent/openapi.json", "/auth/login", "/oauth2callback", "/app/static/x", "/component/x/index.html"),
    *(f"/url-viz/{route}/0123456789abcdef" for route in ("points", "tiles", "mask", "order", "representatives")),
    *(
        f"/url-viz/{route}/0123456789abcdef/1{end}"
        for route, end in (("thumbnail", ".jpg"), ("picture", ".jpg"), ("card", ""))
    ),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """An app with a token, and with agents turned on."""
    work = tmp_path_factory.mktemp("work")
    environment = {**ON, "URL_VIZ_HOME": str(work / "home"), "URL_VIZ_ROOTS": str(work)}
    with started(work, "--server.enableAgentApi=true", environment=environment) as app:
        yield app


def cookie(app: Started) -> str:
    """What a browser sends once it has opened the printed address."""
    return app.ask(f"/?token={app.token()}").headers["set-cookie"].partition(";")[0]


@pytest.mark.slow
class TestAStranger:
    def test_is_answered_nothing(self, guarded: Started) -> None:
        for path, shown in itertools.product(PATHS, ("", "?token=", "?token=wrong")):
            answer = guarded.ask(path + shown)
            assert answer.status == 401, path
            assert "set-cookie" not in answer.headers

    def test_changes_nothing(self, guarded: Started) -> None:
        paths = ("/", HEALTH, "/_stcore/upload_file/session/file", AGENT)
        for method, path in itertools.product(("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"), paths):
            answer = guarded.ask(path, method=method)
            assert answer.status == (200 if (method, path) == ("HEAD", HEALTH) else 401), (method, path)

    def test_drives_no_page_and_no_agent(self, guarded: Started) -> None:
        assert not guarded.opens_socket()
        assert not guarded.opens_socket(Cookie=f"url-viz-token-{guarded.port}=wrong")
        assert guarded.ask_agent().status == 401

    def test_hears_whether_the_server_is_well(self, guarded: Started) -> None:
        assert (guarded.ask(HEALTH).status, guarded.ask(HEALTH).text) == (200, "ok")


@pytest.mark.slow
class TestTheOwner:
    def test_is_let_in_by_the_printed_address_and_led_to_a_clean_one(self, guarded: Started) -> None:
        answer = guarded.ask(f"/review?set=a%26b&token={guarded.token()}&x=%22%3E")
        assert answer.status == 200
        assert 'content="0; url=/review?set=a%26b&amp;x=%22%3E"' in answer.text
        assert guarded.token() not in answer.text
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        attributes = answer.headers["set-cookie"].lower()
        assert f"url-viz-token-{guarded.port}=" in attributes
        assert {"httponly", "samesite=strict", "path=/"} <= set(attributes.split("; "))

    def test_is_not_led_to_another_host(self, guarded: Started) -> None:
        assert "url=/evil.example/" in guarded.ask(f"//evil.example/?token={guarded.token()}").text

    def test_has_everything_with_the_cookie(self, guarded: Started) -> None:
        shown = cookie(guarded)
        assert guarded.ask("/", Cookie=shown).status == 200
        assert guarded.ask("/url-viz/points/nothing", Cookie=shown).status == 404
        assert guarded.opens_socket(Cookie=shown)
        assert guarded.opens_socket(Cookie=shown, Origin=f"http://{guarded.address}")
        assert not guarded.opens_socket(Cookie=shown, Origin="http://evil.example")

    def test_has_a_cookie_for_this_port_alone(self, guarded: Started) -> None:
        name, _, token = cookie(guarded).partition("=")
        assert guarded.ask("/", Cookie=f"{name}1={token}").status == 401
        assert guarded.ask("/", Cookie=f"url-viz-token={token}").status == 401

    def test_finds_the_token_in_no_line_but_the_address(self, guarded: Started) -> None:
        cookie(guarded)
        guarded.ask(f"/url-viz/points/nothing?token={guarded.token()}")
        guarded.ask("/url-viz/points/nothing", Cookie=cookie(guarded))
        assert guarded.printed().count(guarded.token()) == 1


@pytest.mark.slow
class TestAgents:
    """Streamlit's experimental routes for agents drive the app as a page does: all guards hold on them."""

    def test_other_hosts_and_sites_are_refused(self, guarded: Started) -> None:
        shown = cookie(guarded)
        assert guarded.ask_agent(Cookie=shown, Host="evil.example").status == 400
        assert guarded.ask_agent(Cookie=shown, Origin="http://evil.example").status == 403

    def test_no_folder_outside_the_roots_is_opened(self, guarded: Started) -> None:
        shown = cookie(guarded)
        session = json.loads(guarded.ask_agent(Cookie=shown).text)["session_id"]
        typed = json.dumps({"session_id": session, "widget_state": {"first.typed": "/etc"}})
        answer = guarded.ask_agent(typed, Cookie=shown)
        assert answer.status == 200
        assert "is outside the folders that this app reads" in answer.text


def test_the_setting_is_one_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    make = access_token.__wrapped__
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    first, second = make(), make()
    assert first is not None
    assert len(first) >= 43
    assert first != second
    monkeypatch.setenv("URL_VIZ_TOKEN", "off")
    assert make() is None
    for auto in ("auto", "", " AUTO "):
        monkeypatch.setenv("URL_VIZ_TOKEN", auto)
        assert (make() is not None) is others_have_accounts()
    monkeypatch.setenv("URL_VIZ_TOKEN", "yes")
    with pytest.raises(UsageError, match="auto, on or off"):
        make()


class TestAccounts:
    """On a machine where nobody else has one, as those that tests run on often are."""

    @pytest.fixture(autouse=True)
    def _nobody_else(self) -> None:
        if os.getuid() != 0:
            pytest.skip("takes the rights of root, to be another user")
        if others_have_accounts():
            pytest.skip("somebody else has an account on this machine")

    @pytest.mark.parametrize(("user", "is_person"), [(STRANGER, True), (999, False), (65_534, False), (0, False)])
    def test_a_process_of_somebody_else_shows_that_they_are_there(self, user: int, is_person: bool) -> None:
        with subprocess.Popen(["sleep", "60"], user=user) as process:
            assert others_have_accounts() is is_person
            process.kill()
        assert not others_have_accounts()

    def test_a_folder_beside_the_home_folder_does(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Accounts of a network are often not listed, and their folders are."""
        for name, owner in (("me", 0), ("ann", STRANGER)):
            (tmp_path / name).mkdir()
            os.chown(tmp_path / name, owner, owner)
        monkeypatch.setenv("HOME", str(tmp_path / "me"))
        assert others_have_accounts()
        os.chown(tmp_path / "ann", 0, 0)
        assert not others_have_accounts()

    def test_slurm_does(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "sbatch").write_text("#!/bin/sh\n")
        (tmp_path / "sbatch").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        assert others_have_accounts()


@pytest.mark.slow
def test_an_open_workspace_is_said_to_be(tmp_path: Path) -> None:
    """A new one is for its owner alone; one that is there is left as it is."""
    if os.getuid() != 0:
        pytest.skip("takes the rights of root, to be another user")
    home = tmp_path / "workspace"
    home.mkdir()
    for place in (home, *home.parents):
        if place.stat().st_mode & 0o011 == 0:
            place.chmod(0o755)
    environment = {"URL_VIZ_TOKEN": "auto", "URL_VIZ_HOME": str(home)}
    with subprocess.Popen(["sleep", "100"], user=STRANGER) as process:
        with started(tmp_path, environment=environment) as app:
            assert app.token()
            assert f"chmod 700 {home}" in app.printed()
        process.kill()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 60))])
def test_nothing_but_the_token_opens(seed: int) -> None:
    """Pieces of it, other cases, more of it, other names and odd bytes, wherever it may be shown."""
    dice = random.Random(seed)
    token = "".join(dice.choices(string.ascii_letters + string.digits + "-_", k=43))

    async def inside(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("inside")

    gate = TokenGate(Starlette(routes=[Route("/{path:path}", inside)]), token=token)
    client = TestClient(gate, base_url="http://127.0.0.1:8501", follow_redirects=False)
    assert client.get("/", headers={"Cookie": f"url-viz-token-8501={token}"}).text == "inside"
    for _ in range(100):
        wrong = altered(token, dice)
        name = dice.choice(["url-viz-token-8501", "url-viz-token", "token", "url-viz-token-8502"])
        value = wrong if name == "url-viz-token-8501" else dice.choice([wrong, token])
        header = dice.choice([f"{name}={value}", f'a=b; {name}="{value}', f"{name}={value}; {name}={wrong}"]).encode(
            "latin-1", "replace"
        )
        path = dice.choice(["/", "/_stcore/stream", "/_stcore/health/..", "/url-viz/points/x", "/_stcore/healthz"])
        answer = client.get(path, params={dice.choice(["token", "Token", "t"]): wrong}, headers={b"Cookie": header})
        assert answer.status_code == 401, (path, header)
        assert token not in answer.text


def altered(token: str, dice: random.Random) -> str:
    """Something that is not the token, and is mostly near it."""
    at = dice.randrange(len(token))
    odd = token[:at] + chr(dice.choice([0x21, 0x41, 0xE9, 0x7E])) + token[at + 1 :]
    near = [odd, token[:at], token[at + 1 :], token.swapcase(), token + "\0", token[::-1], token * 2, token + "ü"]
    other = dice.choice([*near, "", "é" * 43])
    return other if other != token else ""
