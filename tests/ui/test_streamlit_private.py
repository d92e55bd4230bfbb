"""What we use of Streamlit beyond its documented API: each test says what breaks where a release has moved it."""

import ast
import json
import re
from pathlib import Path

import pytest
import streamlit as st
from itsdangerous import URLSafeTimedSerializer
from streamlit.testing.v1 import AppTest

from url_viz.ui.streamlit_private import PatientRequests, load_secrets, run_app_for_every_page, signed_in_user

ROOT = Path(__file__).parents[2]
PRIVATE = ROOT / "url_viz" / "ui" / "streamlit_private.py"
FILES = [*sorted((ROOT / "url_viz" / "ui").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]
PUBLIC = {"streamlit", "streamlit.typing"}
INNER = re.compile(r"\bst\.(?:_\w+|runtime|web|config|auth_util|secrets\.[a-z_]+)\b")
SECRET = "for this test alone, forty characters....."


def test_private_calls_are_in_one_file_and_pages_end_in_one_way() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
        names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        names |= {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
        inner = {name for name in names if name.startswith("streamlit")} - PUBLIC | set(INNER.findall(text))
        assert bool(inner) == (path == PRIVATE), f"{path}: to be called in url_viz/ui/streamlit_private.py: {inner}"
        stops = [one for one in nodes if isinstance(one, ast.Call) and ast.unparse(one.func) == "st.stop"]
        assert not stops, f"{path}: see end_page in url_viz/ui/streamlit_private.py"


def test_a_page_that_is_opened_first_runs_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.runtime.scriptrunner.script_cache import ScriptCache

    (tmp_path / "pages").mkdir()
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    run_app_for_every_page()
    PagesManager(str(tmp_path / "app.py"), ScriptCache())
    assert PagesManager.uses_pages_directory is False, (
        "Streamlit takes the folder pages/ for an app without app.py: a link to a page shows it without login, sidebar "
        "and chosen set. See run_app_for_every_page."
    )


def test_secrets_are_loaded_without_an_error_on_the_page(secrets: Path) -> None:
    def script() -> None:
        import streamlit as st

        from url_viz.ui.streamlit_private import load_secrets

        st.text(repr(load_secrets()))

    moved = "A missing secrets.toml must show nothing, else every page has an error where no login is set up."
    at = AppTest.from_function(script).run()
    assert (at.text[0].value, len(at.error)) == ("False", 0), moved
    secrets.write_text('[auth]\nclient_id = "x"\n')
    assert load_secrets(), "A login is not noticed: the app would be open to everybody."
    assert st.secrets["auth"]["client_id"] == "x"


def test_the_login_cookie_is_understood(secrets: Path) -> None:
    """As Streamlit writes it: in one piece, or in several for a user with much to say."""
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME as NAME

    def signed(name: str, text: str) -> str:
        return str(URLSafeTimedSerializer(SECRET, salt=name).dumps(text))

    moved = "The login cookie is not understood: where a login is set up, no picture would load. See signed_in_user."
    secrets.write_text(f'[auth]\ncookie_secret = "{SECRET}"\n')
    user = {"is_logged_in": True, "email": "ann@example.org"}
    whole = json.dumps(user)
    assert signed_in_user({NAME: signed(NAME, whole)}) == user, moved
    assert signed_in_user({NAME: signed(f"{NAME}_other", whole)}) == {}
    assert signed_in_user({}) == {}


@pytest.mark.parametrize(("ending", "times"), [("st.stop", 1), ("end_page", 2)])
def test_what_is_done_while_a_page_is_drawn_is_not_forgotten_at_its_end(ending: str, times: int) -> None:
    """A dialog over a page that had not ended yet forgot the path typed into it, and the click after that."""

    def script(ending: str) -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx
        from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

        from url_viz.ui.streamlit_private import end_page

        @st.fragment
        def part() -> None:
            st.session_state["times"] = st.session_state.get("times", 0) + 1
            st.text(f"Drawn {st.session_state['times']} times")

        part()
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        (fragment_id,) = context.fragment_storage._fragments  # type: ignore[attr-defined]
        context.script_requests.request_rerun(RerunData(fragment_id=fragment_id))  # as a click in it does
        end_page() if ending == "end_page" else st.stop()

    at = AppTest.from_function(script, kwargs={"ending": ending}).run()
    assert at.session_state["times"] == times, "If st.stop forgets nothing any more, end_page can go."


@pytest.mark.parametrize(("requests", "done"), [(None, ["second"]), (PatientRequests, ["first", "second"])])
def test_a_click_during_the_callback_of_another_ends_only_what_that_draws(
    requests: type | None, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.runtime.scriptrunner import script_runner

    def script() -> None:
        from threading import Thread

        import streamlit as st
        from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
        from streamlit.runtime.scriptrunner import get_script_run_ctx
        from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

        def click_second() -> None:
            requests = get_script_run_ctx().script_requests  # type: ignore[union-attr]
            clicked = WidgetState(id=st.session_state["id"], trigger_value=True)
            data = RerunData(widget_states=WidgetStates(widgets=[clicked]))
            other = Thread(target=requests.request_rerun, args=(data,))  # type: ignore[union-attr]
            other.start()  # as the server does while it listens to the browser
            other.join()

        def note(name: str) -> None:
            if name == "first":
                click_second()
            st.session_state["done"] = [*st.session_state.get("done", []), name]

        for name in ("first", "second"):
            st.button(name, key=name, on_click=note, args=(name,))

    if requests is not None:
        monkeypatch.setattr(script_runner, "ScriptRequests", requests)
    at = AppTest.from_function(script).run()
    at.session_state["id"] = at.button(key="second").proto.id
    at.button(key="first").click().run()
    assert at.session_state["done"] == done, "If Streamlit carries out both, PatientRequests can go."


def test_a_click_ends_a_run_that_draws_so_that_another_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.runtime.scriptrunner import script_runner

    def script() -> None:
        from concurrent.futures import ThreadPoolExecutor

        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx
        from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

        st.text("begun")
        requests = get_script_run_ctx().script_requests  # type: ignore[union-attr]
        with ThreadPoolExecutor() as others:
            st.session_state.taken = others.submit(requests.request_rerun, RerunData()).result()  # type: ignore[union-attr]
        st.text("never drawn")

    monkeypatch.setattr(script_runner, "ScriptRequests", PatientRequests)
    at = AppTest.from_function(script).run()
    assert [one.value for one in at.text] == ["begun"]


def test_everything_that_is_used_is_still_there() -> None:
    """A function that has moved makes `signed_in_user` refuse everybody, in silence: here it is said which one."""
    import importlib

    for node in ast.walk(ast.parse(PRIVATE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("streamlit."):
            module = importlib.import_module(node.module)
            gone = [one.name for one in node.names if not hasattr(module, one.name)]
            assert not gone, f"{gone} are no longer in {node.module}: see url_viz/ui/streamlit_private.py"
