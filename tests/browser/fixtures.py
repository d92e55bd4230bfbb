"""What the browser tests share: a real Chromium, our Streamlit apps on free ports, and pages that must not err."""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Page, Route, expect, sync_playwright

ROOT = Path(__file__).parents[2]
HARNESS = Path(__file__).parent / "harness.py"
START_SECONDS = 180.0
HEALTH = "/_stcore/health"
PATIENT_S = 120
"""How long a page is waited for: the machine that tests may be busy. A target for speed is measured in benchmarks."""
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first starts a page with an eighth of the work: it draws no window around it."""
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=BackForwardCache",  # a process a page left behind
    "--js-flags=--no-opt --no-maglev",  # optimised code is hardly run before its page is left: a tenth of the work
)

UNTIL_STILL = """(quietMs) => new Promise((resolve) => {
    setTimeout(resolve, 5000);
    let timer = setTimeout(resolve, quietMs);
    const changes = new MutationObserver(() => {
        clearTimeout(timer);
        timer = setTimeout(resolve, quietMs);
    });
    changes.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
})"""

FITS = "element => element.scrollWidth <= element.clientWidth"


class Serve(Protocol):
    """Serves a Streamlit script until the tests end, and gives its address; the same call gives the same server."""

    def __call__(self, script: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str: ...


class OpenPage(Protocol):
    """Opens a page in a browser profile as good as fresh; the test fails where the page's scripts raise an error."""

    def __call__(
        self, url: str, *, width: int = 1400, height: int = 900, scheme: Literal["light", "dark"] = "light"
    ) -> Page: ...


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium found on PATH, else Playwright's own."""
    expect.set_options(timeout=1000 * PATIENT_S)
    with launched() as browser:
        yield browser


@contextmanager
def launched() -> Iterator[Browser]:
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:
        known: dict[tuple[object, ...], str] = {}

        def served(script: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
            key = (script, arguments, tuple(sorted((environment or {}).items())))
            if key not in known:
                known[key] = servers.enter_context(running_app(script, arguments, environment or {}))
            return known[key]

        yield served


@dataclass(frozen=True)
class Tab:
    """A page of a browser profile of its own, and what its scripts complained of since it was taken."""

    page: Page
    errors: list[str]
    devtools: CDPSession

    def look_as(self, width: int, height: int, scheme: Literal["light", "dark"]) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(media="null", color_scheme=scheme)

    def forget(self) -> None:
        """Leave the page, and all that was stored by it, for a line of text of the same server that runs no script."""
        at = urlsplit(self.page.url)
        origin = f"{at.scheme}://{at.netloc}"
        self.page.unroute_all()
        self.page.goto(f"{origin}{HEALTH}")
        self.devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.page.evaluate("sessionStorage.clear()")
        self.page.context.clear_cookies()
        for key in ("Shift", "Control", "Alt", "Meta"):  # that a test which failed may hold
            self.page.keyboard.up(key)
        self.page.mouse.up()
        self.page.mouse.move(0, 0)


@pytest.fixture(scope="session")
def idle_tabs() -> list[Tab]:
    """What earlier tests opened and forgot: a page in a new profile compiles Streamlit's scripts anew, .8 s of work."""
    return []


@pytest.fixture
def open_page(chromium: Browser, idle_tabs: list[Tab]) -> Iterator[OpenPage]:
    taken: list[Tab] = []

    def opened(url: str, *, width: int = 1400, height: int = 900, scheme: Literal["light", "dark"] = "light") -> Page:
        taken.append(idle_tabs.pop() if idle_tabs else new_tab(chromium))
        taken[-1].look_as(width, height, scheme)
        taken[-1].page.goto(url)
        return taken[-1].page

    try:
        yield opened
        for tab in taken:
            tab.forget()
        errors = [error for tab in taken for error in tab.errors]
        assert errors == []
    except BaseException:
        for tab in taken:
            tab.page.context.close()
        raise
    idle_tabs.extend(taken)


def new_tab(chromium: Browser) -> Tab:
    context = chromium.new_context(service_workers="block")
    context.set_default_timeout(1000 * PATIENT_S)
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", noting_errors(errors))
    return Tab(page, errors, context.new_cdp_session(page))


def noting_errors(errors: list[str]) -> Callable[[ConsoleMessage], None]:
    """A listener that notes what a page's scripts complain of; a refused request is no error of theirs."""

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            errors.append(message.text)

    return note


@contextmanager
def running_app(script: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[str]:
    """A Streamlit script as a process of its own, from when it answers; its output is shown where it does not start."""
    port = free_port()
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options, "--", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            await_health(f"{url}{HEALTH}", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=120)


def settled(page: Page) -> None:
    """Return once no run of the app's script draws the page: what is clicked before may be replaced below the click."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def unfold(page: Page, title: str) -> None:
    """Open an expander, and return once it stands open.

    While it opens, it hides what does not yet fit. To click there, Playwright scrolls it, as no person can, and it
    slides back below the click: the button goes down on a control and up beside it.
    """
    settled(page)
    summary = page.locator("summary", has_text=title)
    summary.click()
    details = page.locator("details", has=summary)
    expect(details).to_have_attribute("open", "")
    expect(details).to_have_css("overflow", "visible")


def choose_in_set_menu(page: Page, name: str) -> None:
    """Choose something in the menu below the choice of the image set."""
    settled(page)
    page.get_by_role("button", name="Folder and model").click()
    page.get_by_test_id("stPopoverBody").get_by_role("button", name=name).click()


def still(page: Page, *, quiet_ms: int = 100) -> None:
    """Return once nothing in the page has changed for so long, or after five seconds if something moves without end."""
    page.evaluate(UNTIL_STILL, quiet_ms)


def assert_fits(page: Page, width: int = 420) -> None:
    """Nothing of a page sticks out of a window as narrow as a phone's, in the light and in the dark."""
    page.set_viewport_size({"width": width, "height": 850})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        settled(page)
        still(page)
        assert page.get_by_test_id("stMain").evaluate(FITS), scheme


def held_back(page: Page, address: str | re.Pattern[str]) -> list[Route]:
    """What a page asks of an address from now on, which waits until it is told to continue."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(address, hold)
    return held


@contextmanager
def written_elsewhere(log: Path) -> Iterator[None]:
    """Another process has begun to write to a log of decisions: it can be read, and not written to."""
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def eventually_equals(read: Callable[[], object], expected: object, *, within_s: float = PATIENT_S) -> None:
    """Return as soon as `read` gives what is expected; fail with what it gives where it does not in time."""
    deadline = time.monotonic() + within_s
    while (value := read()) != expected:
        assert time.monotonic() < deadline, f"is {value}, not {expected}"
        time.sleep(0.02)


def eventually(holds: Callable[[], bool], *, within_s: float = PATIENT_S) -> None:
    """Return as soon as `holds` does; fail where it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come to hold"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_health(url: str, process: subprocess.Popen[bytes], log: IO[str]) -> None:
    """Return when the server says that it is well; fail with its output when it ended or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if answers(url):
            return
        time.sleep(0.1)
    log.seek(0)
    pytest.fail(f"The app did not start (exit status {process.poll()}):\n{log.read()}")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def new_home(root: Path, prepared: Path) -> Path:
    """A folder of a visitor with a workspace in it that has the prepared model."""
    (root / "workspace").mkdir()
    (root / "workspace" / "models").symlink_to(prepared / "models")
    return root


def serve_app(serve: Serve, home: Path, **others: str) -> str:
    """The app on that workspace, which may read what lies in the folder; its address. `others` are variables too."""
    variables = {"URL_VIZ_HOME": str(home / "workspace"), "URL_VIZ_ROOTS": str(home), "HOME": str(home), **others}
    return serve(ROOT / "app.py", environment=variables)
