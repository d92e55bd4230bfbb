"""A real browser enters by the printed address, also from a link of another site, and shows nobody the token."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.fixtures import OpenPage, settled
from tests.hostile.started import Started, started

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WELCOME = "Which of your pictures are ambiguous?"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    work = tmp_path_factory.mktemp("work")
    with started(work, environment={"URL_VIZ_TOKEN": "on", "URL_VIZ_HOME": str(work / "home")}) as app:
        yield app


@pytest.fixture
def other_site(guarded: Started) -> Iterator[str]:
    """A page of another site with a link to the app, as a terminal in the browser is one."""
    page = f'<a href="http://{guarded.address}/?token={guarded.token()}">open</a>'.encode()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("localhost", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_the_printed_address_opens_the_app_and_is_cleaned(guarded: Started, open_page: OpenPage) -> None:
    page = open_page(f"http://{guarded.address}/?token={guarded.token()}")
    expect_app(page, guarded)
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.reload()
    expect_app(page, guarded)
    page.get_by_role("link", name="Settings").click()
    expect(page).to_have_url(f"http://{guarded.address}/settings")
    settled(page)
    assert refused == []
    assert page.evaluate("document.cookie").count("url-viz-token") == 0
    assert guarded.token() not in page.evaluate("document.referrer") + page.url


def test_a_link_of_another_site_does_too(guarded: Started, other_site: str, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.goto(other_site)
    page.get_by_text("open").click()
    expect_app(page, guarded)
    page.context.close()


def test_without_it_there_is_a_sentence_and_nothing_else(guarded: Started, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"http://{guarded.address}/")
    expect(page.get_by_text(re.compile("asks for the token"))).to_be_visible()
    assert page.get_by_test_id("stApp").count() == 0
    page.context.close()


def expect_app(page: Page, app: Started) -> None:
    expect(page.get_by_role("heading", name=WELCOME)).to_be_visible()
    settled(page)
    assert page.url == f"http://{app.address}/"
