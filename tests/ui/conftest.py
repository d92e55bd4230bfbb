"""What the tests of pages share: a workspace that the app runs on, and whose jobs end with the test."""

import functools
import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest, local_script_runner

from tests.imaging.pictures import write_folder
from tests.read_sets import copied
from tests.ui.pages import PATIENCE_S
from url_viz.base import processes as gc_settings
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import cancel_job, list_jobs
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.decisions.decision_log import seen_once
from url_viz.ui import auth
from url_viz.ui.session import GO_TO

Read = Callable[[Path], ImageSet]


@pytest.fixture
def home(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The workspace of the app under test; pictures may lie anywhere in the tests' own folders."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    opened = Workspace.at(workspace)
    yield opened
    for job in list_jobs(opened):
        if job.status().is_live:
            cancel_job(job, grace_s=0.1)


@pytest.fixture(scope="session")
def read_first(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Read:
    """Reads a copy of a folder; one that holds the same files was read before, and is not read again."""
    known: dict[str, ImageSet] = {}

    def read(folder: Path) -> ImageSet:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        key = repr([(path.relative_to(folder), hashlib.sha256(path.read_bytes()).digest()) for path in files])
        if key not in known:
            kept = tmp_path_factory.mktemp("read")
            shutil.copytree(folder, kept / "pictures")
            known[key] = embed_folder(kept / "pictures", model=model, workspace=kept / "workspace")
        return known[key]

    return read


@pytest.fixture
def read_once(home: Workspace, read_first: Read) -> Read:
    """Reads a folder into the test's own workspace: a copy of what was read of the same files, as if it were new."""

    return lambda folder: copied(read_first(folder), folder, home=home.root)


@pytest.fixture
def image_set(request: pytest.FixtureRequest, tmp_path: Path, read_once: Read) -> ImageSet:
    """Twelve pictures of two classes, or as many as the module's COUNT says."""
    count = getattr(request.module, "COUNT", 12)
    return read_once(write_folder(tmp_path / "zoo", count, classes=("cat", "dog")))


@pytest.fixture
def labelled(request: pytest.FixtureRequest, tmp_path: Path, read_once: Read) -> ImageSet:
    """As `image_set`, and a copy of its first picture in the other class."""
    folder = write_folder(tmp_path / "zoo", getattr(request.module, "COUNT", 12), classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "dog" / "again.jpg")
    return read_once(folder)


@pytest.fixture
def unlabelled(tmp_path: Path, read_once: Read) -> ImageSet:
    """Twenty-five pictures without classes."""
    return read_once(write_folder(tmp_path / "flat", 25))


@pytest.fixture(scope="module")
def set_of_module(request: pytest.FixtureRequest, module_workspace: Path, read_first: Read) -> ImageSet:
    folder = write_folder(module_workspace.parent / "zoo", getattr(request.module, "COUNT", 12), classes=("cat", "dog"))
    return copied(read_first(folder), folder, home=module_workspace)


@pytest.fixture
def seen_set(set_of_module: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """As `image_set`, one for all tests of a module that leave it as it was."""
    monkeypatch.setenv("URL_VIZ_HOME", str(set_of_module.workspace.root))
    return set_of_module


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where secrets.toml is looked for, as by a process that has seen none yet."""
    monkeypatch.setattr(auth, "_login_was_seen", threading.Event())
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    secrets_singleton._reset()
    yield tmp_path / "secrets.toml"
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.fixture
def without_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No head is shipped for any backbone."""
    monkeypatch.setattr("url_viz.models.model_names.HEADS", tmp_path / "no heads")


@pytest.fixture(scope="session", autouse=True)
def _installed_components_are_looked_for_once() -> Iterator[None]:
    """Each AppTest has Streamlit read the metadata of every installed package anew, which takes .2 s."""
    with pytest.MonkeyPatch.context() as patch:
        once = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _the_end_of_a_run_is_waited_for() -> Iterator[None]:
    """AppTest asks a thousand times a second whether the page has run, which the page has to wait for."""
    asked = local_script_runner.require_widgets_deltas

    def waited(runner: local_script_runner.LocalScriptRunner, timeout: float = 3) -> None:
        assert runner._script_thread is not None
        runner._script_thread.join(timeout)
        asked(runner, 1 if runner.script_stopped() else 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "require_widgets_deltas", waited)
        yield


@pytest.fixture(scope="session", autouse=True)
def _decisions_are_seen_once() -> Iterator[None]:
    """AppTest runs the files of pages without app.py, within which they are."""
    run = StreamlitPage.run

    def within(page: StreamlitPage, *args: Any) -> None:
        with seen_once():
            run(page, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamlitPage, "run", within)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cycles_are_collected_seldom() -> Iterator[None]:
    """Pages of tests follow one another without end: each ten seconds they would be collected, .15 s each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc_settings, "WAIT_S", 60.0)
        yield


@pytest.fixture(autouse=True)
def _no_run_ends_in_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of a page, the first and after each click, shows something, and none of it is a traceback."""
    run = AppTest._run

    def checked(self: AppTest, *args: Any, **keywords: Any) -> AppTest:
        self.default_timeout = PATIENCE_S
        ran = run(self, *args, **keywords)
        assert not ran.exception, [one.value for one in ran.exception]
        assert any(map(_text, ran._tree)), "nothing is seen"
        return _followed(ran)

    monkeypatch.setattr(AppTest, "_run", checked)


def _followed(ran: AppTest) -> AppTest:
    """On the page that a click has asked for: AppTest runs the file of a page without app.py, which goes there."""
    if GO_TO not in ran.session_state:
        return ran
    name = ran.session_state[GO_TO]
    del ran.session_state[GO_TO]
    ran.query_params.clear()
    return ran.switch_page(f"pages/{name}_page.py").run()


def _text(element: Any) -> object:
    """What an element says, if anything; a progress bar is none of AppTest's own kinds."""
    proto = getattr(element, "proto", None)
    return getattr(element, "value", None) or getattr(element, "label", None) or getattr(proto, "text", None)
