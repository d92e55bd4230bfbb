"""What the browser tests share: a real Chromium, our Streamlit apps on free ports, and pages that must not err."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal, Protocol

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
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
)


class Serve(Protocol):
    """Serves a Streamlit script until the tests end, and gives its address; the same call gives the same server."""

    def __call__(self, script: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str: ...


class OpenPage(Protocol):
    """Opens a page in a fresh browser profile; the test fails where the page's scripts raise an error."""

    def __call__(
        self, url: str, *, width: int = 1400, height: int = 900, scheme: Literal["light", "dark"] = "light"
    ) -> Page: ...


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium found on PATH, else Playwright's own."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    expect.set_options(timeout=1000 * PATIENT_S)
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


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    with ExitStack() as contexts:
        errors: list[str] = []

        def opened(
            url: str, *, width: int = 1400, height: int = 900, scheme: Literal["light", "dark"] = "light"
        ) -> Page:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, service_workers="block"
            )
            contexts.callback(context.close)
            context.set_default_timeout(1000 * PATIENT_S)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", noting_errors(errors))
            page.goto(url)
            return page

        yield opened
    assert errors == []


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
            await_health(f"{url}/_stcore/health", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def settled(page: Page) -> None:
    """Return once no run of the app's script draws the page: what is clicked before may be replaced below the click."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


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
