"""No settings of the folder that the app is started in count, a downloaded data set for one; the user's own do."""

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.config_option import ConfigOption

from tests.browser.fixtures import HEALTH
from tests.hostile.started import ROOT, STREAMLIT_RUN, URL_VIZ, Started, opens_as_it_is, started
from tests.processes import run_python
from tests.ui.test_auth import AUTH

OPTIONS = """
import json, sys
from pathlib import Path
from streamlit import config
from url_viz.ui.streamlit_private import read_settings_beside
read_settings_beside(Path(sys.argv[1]))
options = config.get_config_options()
print(json.dumps({name: [repr(option.value), option.where_defined] for name, option in options.items()}))
"""
EVIL = "https://evil.example"
UPLOAD = "/_stcore/upload_file"
STRANGER = f"""
[server]
address = "0.0.0.0"
corsAllowedOrigins = ["{EVIL}"]
enableCORS = false
enableXsrfProtection = false
enableAgentApi = true
allowedHosts = ["evil.example"]
baseUrlPath = "evil"
[server.trustedUserHeaders]
X-User = "email"
[browser]
serverAddress = "evil.example"
[theme]
font = "Evil:{EVIL}/font.css"
base = "{EVIL}/theme.toml"
[secrets]
files = [".streamlit/secrets.toml"]
"""


def left_by_a_stranger(folder: Path, text: str = STRANGER) -> Path:
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "config.toml").write_text(text)
    (folder / ".streamlit" / "secrets.toml").write_text(f'URL_VIZ_ROOTS = "/"\n{AUTH}')
    return folder


def options_in(folder: Path) -> dict[str, tuple[str, str]]:
    """All of Streamlit's options in a process of this folder: value, and where it was set."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = run_python("-P", "-c", OPTIONS, ROOT / "app.py", cwd=folder, env=variables, check=True)
    return {name: (value, place) for name, (value, place) in json.loads(done.stdout).items()}


def other_value(option: ConfigOption, dice: random.Random) -> str:
    """A value, as TOML, of the option's kind that is not its own; where it has none, any kind."""
    value = option.value
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, int | float):
        return str(value + dice.randint(1, 99))
    if isinstance(value, list | tuple):
        return json.dumps([*map(str, value), EVIL])
    return '{ X-User = "email" }' if isinstance(value, dict) else dice.choice([f'"{EVIL}"', '"evil"', '"/evil"', "7"])


def options_otherwise(dice: random.Random, *, share: float) -> str:
    """A file of settings in which a share of Streamlit's options have other values than their own."""
    lines = [
        f"{name} = {other_value(option, dice)}"
        for name, option in config.get_config_options().items()
        if dice.random() < share
    ]
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 40))])
def test_no_option_of_the_working_folder_counts(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    folder = left_by_a_stranger(tmp_path / "set", options_otherwise(dice, share=1 if seed == 0 else dice.random()))
    here, elsewhere = options_in(folder), options_in(tmp_path)
    assert len(here) > 300
    assert {place for _, place in here.values()} == {place for _, place in elsewhere.values()}
    del here["server.cookieSecret"], elsewhere["server.cookieSecret"]  # by chance
    assert here == elsewhere


@pytest.fixture(scope="module")
def among_strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The app, started in a folder that has a stranger's settings and secrets; it takes files of a megabyte."""
    with started(left_by_a_stranger(tmp_path_factory.mktemp("set") / "data"), "--server.maxUploadSize=1") as app:
        yield app


@pytest.mark.slow
class TestStartedInAStrangersFolder:
    def test_no_page_of_the_strangers_drives_the_app(self, among_strangers: Started) -> None:
        assert among_strangers.opens_socket(Origin=f"http://{among_strangers.address}")
        assert not among_strangers.opens_socket(Origin=EVIL)

    def test_no_other_site_uploads_or_deletes_and_no_other_name_is_answered(self, among_strangers: Started) -> None:
        for method in ("PUT", "DELETE"):
            assert among_strangers.ask(f"{UPLOAD}/session/file", method=method, body="x", Origin=EVIL).status == 403
        assert among_strangers.ask("/").status == 200
        assert among_strangers.ask("/", Host="evil.example").status == 400

    def test_a_file_over_the_limit_is_refused_by_the_app_itself(self, among_strangers: Started) -> None:
        """Whatever the scripts of its own page let through."""
        cookie = among_strangers.ask(HEALTH).headers["set-cookie"].partition(";")[0]
        headers = {"Cookie": cookie, "X_Xsrftoken": cookie.partition("=")[2]}
        head = '--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
        with among_strangers.new_page() as message:
            session = message.new_session.initialize.session_id
            for size, status in ((1 << 19, 204), (2 << 20, 413)):
                answer = among_strangers.ask(
                    f"{UPLOAD}/{session}/file",
                    method="PUT",
                    body=f"{head}{'x' * size}\r\n--b--\r\n",
                    Content_Type="multipart/form-data; boundary=b",
                    **headers,
                )
                assert answer.status == status

    def test_no_agent_does(self, among_strangers: Started) -> None:
        answer = among_strangers.ask_agent()
        assert (answer.status, "does not serve the agent API" in answer.text) == (403, True)

    def test_no_login_of_the_strangers_counts(self, among_strangers: Started) -> None:
        assert among_strangers.ask("/url-viz/points/nothing").status == 404  # not 401, as where a login is asked for

    def test_nothing_of_theirs_reaches_a_page(self, among_strangers: Started) -> None:
        with among_strangers.new_page() as message:
            assert b"evil" not in message.SerializeToString()
        assert "evil" not in among_strangers.ask("/_stcore/host-config").text

    def test_the_terminal_says_what_is_not_read(self, among_strangers: Started) -> None:
        assert among_strangers.printed().count("is not read") == 2
        assert "evil.example" not in among_strangers.printed()


@pytest.mark.slow
def test_without_settings_it_opens_as_it_is_and_those_put_there_later_do_not_count_either(tmp_path: Path) -> None:
    """Streamlit reads files of settings again when they change, and those that appear."""
    with started(tmp_path, start=STREAMLIT_RUN) as app:
        opens_as_it_is(app)
        assert not app.opens_socket(Origin=EVIL)
        left_by_a_stranger(tmp_path)
        time.sleep(1)  # it looks five times a second
        assert not app.opens_socket(Origin=EVIL)


@pytest.mark.slow
def test_streamlit_itself_does_not_start_it_with_them(tmp_path: Path) -> None:
    """It has read them, and listens, before it hears of the app."""
    folder = left_by_a_stranger(tmp_path / "set", f'[server]\ncorsAllowedOrigins = ["{EVIL}"]\n')
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = run_python(*STREAMLIT_RUN, "--server.headless=true", "--server.port=0", cwd=folder, env=variables)
    assert done.returncode == 1
    assert str(folder / ".streamlit" / "config.toml") in done.stderr
    assert "Start it with `url-viz`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "is_option"), [(URL_VIZ, True), pytest.param(STREAMLIT_RUN, False, marks=pytest.mark.torture)]
)
def test_what_the_user_sets_counts(tmp_path: Path, start: tuple[str, ...], is_option: bool) -> None:
    """By an option, a variable, and a file at home: origins, agents, a login, which needs no token."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    (home / ".streamlit").mkdir(parents=True)
    (home / ".streamlit" / "config.toml").write_text('[server]\ncorsAllowedOrigins = ["https://mine.example"]\n')
    (home / "login.toml").write_text(AUTH)
    options = ["--server.enableAgentApi=true", *([f"--secrets.files={home / 'login.toml'}"] if is_option else [])]
    variables = {} if is_option else {"STREAMLIT_SECRETS_FILES": str(home / "login.toml")}
    environment = {"HOME": str(home), "URL_VIZ_TOKEN": "on", **variables}
    with started(work, *options, start=start, environment=environment) as app:
        assert app.opens_socket(Origin="https://mine.example")
        assert not app.opens_socket(Origin=EVIL)
        assert app.ask("/url-viz/points/nothing").status == 401
        answer = app.ask_agent()
        assert answer.status == 200
        assert "Log in" in answer.text
        assert "Open a folder" not in answer.text
        assert "?token=" not in app.printed()
