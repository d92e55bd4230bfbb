"""Who may enter, and which folders the app reads: our routes answer nobody else, and what lies outside stays shut."""

import json
import time
from pathlib import Path

import pytest
from itsdangerous import URLSafeTimedSerializer
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest

from tests.annotated_sets import write_annotated
from tests.imaging.pictures import write_folder
from tests.sealing import with_seal
from tests.ui.pages import app, client_of, opened
from url_viz.base.errors import DamageError, FolderError, NotAllowedError
from url_viz.base.files import sealed
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.store.allowed_folders import allow, allowed_folders, take_back
from url_viz.ui.auth import allowed, listens_to_others, may_enter, open_warning, openable, proposed_folder, roots
from url_viz.ui.http import routes

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


@pytest.mark.usefixtures("login")
class TestWithALogin:
    def test_who_is_logged_in_may_enter_also_behind_tls(self) -> None:
        assert may_enter(signed(), origin=ORIGIN)
        assert may_enter(signed(origin="https://127.0.0.1:8501"), origin=ORIGIN)

    def test_nobody_else_may(self, monkeypatch: pytest.MonkeyPatch) -> None:
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
        cookies, later = signed(), time.time() + 40 * 86400
        monkeypatch.setattr("time.time", lambda: later)
        assert not may_enter(cookies, origin=ORIGIN), "an old one"

    def test_only_listed_addresses_where_there_is_a_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("URL_VIZ_ALLOWED_USERS", "Ann@example.org, bob@example.org")
        assert may_enter(signed(email_verified=True), origin=ORIGIN)
        assert not may_enter(signed(email_verified=True, email="eve@example.org"), origin=ORIGIN)
        assert not may_enter(signed(email_verified=True, email=None), origin=ORIGIN)
        said = "anybody can write any address into an account"
        assert not may_enter(signed(), origin=ORIGIN), said
        for unverified in (None, False, "false", "true", 1):
            assert not may_enter(signed(email_verified=unverified), origin=ORIGIN), said

    def test_no_route_answers_a_stranger(self, image_set: ImageSet) -> None:
        image_id, query = int(image_set.core.ids[0]), {"model": image_set.source.name}
        client = client_of(ORIGIN)
        for route in routes():
            path = route.path.replace("{set_id}", image_set.set_id).replace("{image_id}", str(image_id))
            [method] = (route.methods or set()) - {"HEAD"}
            assert client.request(method, path, json={"answers": []}).status_code == 401, path
        client.cookies.update(signed())
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
        client = client_of(ORIGIN)
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


@pytest.fixture
def rooted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "allowed"
    (root / "cats").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (tmp_path / "secret").mkdir()
    monkeypatch.setenv("URL_VIZ_ROOTS", str(root))
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    return root


def test_what_lies_inside_is_allowed_and_nothing_else(rooted: Path) -> None:
    assert roots() == (rooted.resolve(),)
    assert allowed(rooted / "cats") == (rooted / "cats").resolve()
    (rooted / "door").symlink_to(rooted.parent / "secret")
    rooted.with_name("allowed-not").mkdir()  # a name that starts like that of a root
    for way in ("../secret", "cats/../../secret", "/etc", "door", "../allowed-not"):
        with pytest.raises(NotAllowedError, match="URL_VIZ_ROOTS"):
            allowed(rooted / way)
    assert [path.name for path in openable(rooted)] == ["cats"]


def test_what_the_owner_allowed_is_read_until_it_is_taken_back(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "auto")
    secret, file = rooted.parent / "secret", rooted.parent / "a:b" / "list.csv"
    file.parent.mkdir()
    file.write_text("path")
    assert allow(home, secret) == allow(home, secret) == (secret.resolve(),)
    assert allow(home, file) == (file.resolve(),)
    assert roots() == (rooted.resolve(), secret.resolve(), file.resolve())
    assert allowed(secret / "x.jpg") == secret.resolve() / "x.jpg"
    for name, value in (("URL_VIZ_TOKEN", "off"), ("URL_VIZ_ALLOWED_HOSTS", "pictures.example")):
        with monkeypatch.context() as shared:
            shared.setenv(name, value)
            with pytest.raises(NotAllowedError, match="outside the folders"):
                allowed(secret)
    for name, setting in (("baseUrlPath", "x"), ("corsAllowedOrigins", ["https://x.example"]), ("enableCORS", False)):
        before = config.get_option(f"server.{name}")
        config.set_option(f"server.{name}", setting)
        try:
            with pytest.raises(NotAllowedError, match="outside the folders"):
                allowed(secret)
        finally:
            config.set_option(f"server.{name}", before)
    with monkeypatch.context() as shared:
        shared.setattr("url_viz.ui.auth.listens_to_others", lambda: True)
        with pytest.raises(NotAllowedError, match="outside the folders"):
            allowed(secret)
    assert proposed_folder(rooted / "cats", "cats-sorted") == rooted.resolve() / "cats-sorted"
    assert proposed_folder(secret, "secret-sorted") == rooted.resolve() / "secret-sorted", "where it may be made"
    take_back(home, secret)
    assert allowed_folders(home) == (file.resolve(),)
    with pytest.raises(NotAllowedError):
        allowed(secret)


@pytest.mark.parametrize("folder", [None, "a\\u0000b", "/a\\u0000b", "/\\ud800", "photos", ""])
def test_a_record_that_is_damaged_or_holds_what_is_no_path_is_told(
    rooted: Path, home: Workspace, folder: str | None
) -> None:
    allow(home, rooted)
    damaged = home.allowed.read_bytes().replace(b"allowed", b"anybody")
    home.allowed.write_bytes(damaged if folder is None else with_seal(f'{{"folders": ["{folder}"]}}'.encode()))
    with pytest.raises(DamageError, match=r"is damaged .*allow the folders again"):
        roots()
    assert "allow the folders again" in opened().error[0].value


def test_neither_what_is_not_there_nor_the_folders_of_all_users_are_allowed(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(rooted / "cats"))
    for path, why in (
        ("/typo", "does not exist"),
        ("/data.tar", "does not exist"),
        (str(rooted.parent / "unplugged" / "photos"), "does not exist"),
        ("/", "holds the folders of all users"),
        (str(rooted), "holds the folders of all users"),
        (str(rooted.parent), "holds the folders of all users"),
    ):
        with pytest.raises(FolderError, match=why):
            allow(home, Path(path))
    assert allowed_folders(home) == ()
    home.allowed.write_text(sealed({"folders": ["/", str(rooted.parent / "secret")]}))
    assert allowed_folders(home) == (rooted.parent / "secret",)


def test_of_a_file_it_is_allowed_with_the_folder_of_what_it_lists(
    rooted: Path, home: Workspace, tmp_path: Path
) -> None:
    annotations = write_annotated(tmp_path / "set", "COCO")
    assert allow(home, annotations) == (annotations, tmp_path / "set" / "images")
    lists, pictures = tmp_path / "lists", write_folder(tmp_path / "lists" / "pictures", 2)
    one = next(pictures.rglob("*.jpg"))
    (lists / "some.csv").write_text(f"path\n{one}\n{rooted}/cats/a.jpg\n/etc/b.jpg\na\0b.jpg")
    (lists / "all.tar").write_bytes(b"tar")
    (lists / "beside.txt").write_text(f"{one.relative_to(lists)}\nc.jpg")
    assert allow(home, lists / "all.tar") == (lists / "all.tar",)
    assert allow(home, lists / "some.csv") == (lists / "some.csv", one.parent)
    assert allow(home, lists / "beside.txt") == (lists / "beside.txt", lists)
