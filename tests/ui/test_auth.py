"""Where a login is set up, our own routes answer nobody else; without one the app says when it is open to others."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.pages import app
from url_viz.drawing.tiles import thumbnail_url
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui import auth as access
from url_viz.ui.auth import listens_to_others, may_enter, open_warning
from url_viz.ui.http import middleware, routes

ORIGIN = "http://127.0.0.1:8501"
COOKIE = "_streamlit_user"
SECRET = "for this test alone, forty characters....."
AUTH = f"""
[auth]
redirect_uri = "{ORIGIN}/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "url-viz"
client_secret = "x"
server_metadata_url = "https://login.example/.well-known/openid-configuration"
"""


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where secrets.toml is looked for, as by a process that has seen none yet."""
    monkeypatch.setattr(access, "_login_was_seen", threading.Event())
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    secrets_singleton._reset()
    yield tmp_path / "secrets.toml"
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.fixture
def login(secrets: Path) -> None:
    """A secrets.toml with a login, in force."""
    secrets.write_text(AUTH)


def saved(secrets: Path, text: str | bytes) -> None:
    """The file saved anew, and noticed."""
    secrets.write_bytes(text if isinstance(text, bytes) else text.encode())
    secrets_singleton._reset()


def signed(*, secret: str = SECRET, name: str = COOKIE, **told: object) -> dict[str, str]:
    """The cookie that Streamlit gives at a login, as its own code signs it."""
    record = {"origin": ORIGIN, "is_logged_in": True, "email": "ann@example.org"} | told
    return {COOKIE: URLSafeTimedSerializer(secret, salt=name).dumps(json.dumps(record))}


def tampered(cookie: str) -> str:
    """The cookie with a letter of its signature changed; not the last one, of which two bits say nothing."""
    return cookie[:-5] + ("A" if cookie[-5] != "A" else "B") + cookie[-4:]


def test_without_a_login_everybody_at_this_machine_may_enter() -> None:
    assert may_enter({}, origin=ORIGIN)


@pytest.mark.usefixtures("login")
class TestWithALogin:
    def test_who_is_logged_in_may_enter_also_behind_tls(self) -> None:
        assert may_enter(signed(), origin=ORIGIN)
        assert may_enter(signed(origin="https://127.0.0.1:8501"), origin=ORIGIN)

    def test_nobody_else_may(self) -> None:
        strangers = {
            "none": {},
            "empty": {COOKIE: ""},
            "long": {COOKIE: "x" * 5000},
            "unsigned": {COOKIE: json.dumps({"origin": ORIGIN, "is_logged_in": True})},
            "not ASCII": {COOKIE: "é.ü"},
            "another secret": signed(secret="another"),
            "another name": signed(name="_streamlit_user_tokens"),
            "logged out": signed(is_logged_in=False),
            "no truth": signed(is_logged_in="yes"),
            "another origin": signed(origin="http://other.example"),
            "tampered": {COOKIE: tampered(signed()[COOKIE])},
        }
        assert not [who for who, cookies in strangers.items() if may_enter(cookies, origin=ORIGIN)]

    def test_an_old_cookie_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cookies = signed()
        now = time.time()
        monkeypatch.setattr("time.time", lambda: now + 40 * 86400)
        assert not may_enter(cookies, origin=ORIGIN)

    def test_only_listed_addresses_where_there_is_a_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("URL_VIZ_ALLOWED_USERS", "Ann@example.org, bob@example.org")
        assert may_enter(signed(email_verified=True), origin=ORIGIN)
        assert not may_enter(signed(email_verified=True, email="eve@example.org"), origin=ORIGIN)
        assert not may_enter(signed(email_verified=True, email=None), origin=ORIGIN)
        said = "anybody can write any address into an account"
        assert not may_enter(signed(), origin=ORIGIN), said
        for unverified in (None, False, "false", "true", 1):
            assert not may_enter(signed(email_verified=unverified), origin=ORIGIN), said

    def test_no_route_answers_a_stranger(self, tmp_path: Path, workspace: Path, bare_model: Model) -> None:
        image_set = embed_folder(write_folder(tmp_path / "few", 3), model=bare_model, workspace=workspace)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("URL_VIZ_HOME", str(workspace))
            client = TestClient(Starlette(routes=routes(), middleware=middleware()), base_url=ORIGIN)
            url = thumbnail_url(image_set.set_id, int(image_set.table()["id"].iloc[0]))
            for route in routes():
                path = route.path.replace("{set_id}", image_set.set_id).replace("{image_id}", "1")
                [method] = (route.methods or set()) - {"HEAD"}
                assert client.request(method, path, json={"answers": []}).status_code == 401, path
            assert client.get(url).status_code == 401
            client.cookies.update(signed())
            image_id = int(image_set.table()["id"].iloc[0])
            query = {"model": image_set.source.name}
            for path in ("thumbnail/{}/{}.jpg", "picture/{}/{}.jpg", "card/{}/{}", "points/{}"):
                answer = client.get(f"/url-viz/{path.format(image_set.set_id, image_id)}", params=query)
                assert answer.status_code == 200
                assert answer.headers["cache-control"] == "no-store"  # nothing for who comes after a logout

    def test_a_page_shows_the_way_to_log_in_and_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        at = app()
        at.secrets["auth"] = {"client_id": "url-viz"}
        at.run()
        assert [button.label for button in at.button] == ["Log in"]
        assert not at.sidebar.selectbox


class TestSecretsThatCannotBeRead:
    """A login never fails open."""

    @pytest.mark.parametrize("text", ["", "[other]\n", "[auth", b"\xff\xfe", None], ids=repr)
    def test_a_login_that_was_seen_stays_asked_for(self, secrets: Path, text: str | bytes | None) -> None:
        saved(secrets, AUTH)
        assert open_warning() is None  # as the start of the app asks
        if text is None:
            secrets.unlink()
            secrets_singleton._reset()
        else:
            saved(secrets, text)
        assert not may_enter({}, origin=ORIGIN)
        assert not may_enter(signed(), origin=ORIGIN)
        saved(secrets, AUTH)
        assert may_enter(signed(), origin=ORIGIN)

    @pytest.mark.parametrize("text", ["[auth", b"\xff\xfe"], ids=repr)
    def test_a_file_that_was_never_whole_lets_nobody_in(self, secrets: Path, text: str | bytes) -> None:
        saved(secrets, text)
        assert not may_enter({}, origin=ORIGIN)
        client = TestClient(Starlette(routes=routes(), middleware=middleware()), base_url=ORIGIN)
        assert client.get("/url-viz/points/" + "0" * 16).status_code == 401

    def test_a_page_says_so_and_shows_nothing_else(self, secrets: Path) -> None:
        def script() -> None:
            import streamlit as st

            from url_viz.ui.auth import show_gate

            st.text(f"let in: {show_gate()}")

        saved(secrets, "[auth")
        at = AppTest.from_function(script).run()
        assert at.text[0].value == "let in: False"
        assert "cannot be read" in at.error[0].value

    def test_no_file_or_one_without_a_login_asks_for_none(self, secrets: Path) -> None:
        assert may_enter({}, origin=ORIGIN)
        saved(secrets, "[other]\nkey = 1\n")
        assert may_enter({}, origin=ORIGIN)


def test_an_open_app_says_so() -> None:
    before = config.get_option("server.address")
    try:
        for address in ("127.0.0.1", "::1", "localhost", "0.0.0.0", None, "192.168.1.5"):
            is_open = address not in ("127.0.0.1", "::1", "localhost")
            config.set_option("server.address", address)
            assert listens_to_others() is is_open
            assert (open_warning() is not None) is is_open
        assert any("has no login" in warning.value for warning in app().run().warning)
    finally:
        config.set_option("server.address", before)
