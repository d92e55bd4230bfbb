"""In a real browser: hostile names are inert on every page, many visitors stay apart, and nobody phones home."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pandas as pd
import psutil
import pytest
from playwright.sync_api import Dialog, Page, Request, WebSocket, expect

from tests.browser.fixtures import HEALTH, ROOT, OpenPage, Serve, choose_in_set_menu, eventually, still
from tests.browser.fixtures import settled as drawn
from tests.hostile.browser.offline import SOURCE
from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import start_job
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.projection import FEWEST_FOR_UMAP
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets, rename

pytestmark = pytest.mark.browser
TITLES = ("Explore", "Review", "New pictures", "Model", "Settings")
"""Of all pages, as the sidebar names them."""
PAGES = (
    *("?", "review?", "upload?", "model?"),
    *(f"model?tab={tab}&" for tab in ("Your+model", "Train")),
    *(f"settings?tab={tab}&" for tab in ("Models", "Image+sets", "Jobs")),
)
"""Their addresses, and those of their tabs, before what else they say."""
HOSTILE = '"><img src=x onerror=window.owned=1><script>window.owned=1<'
"""Closes an attribute, runs as HTML, and is a file name: it holds no slash."""
TAG = '"><img src=x onerror=window.owned=1>'
NAME_OF_SET = f"![n](//b.example) https://b.example {TAG}"  # as much as a name may hold
TAG_OF_A_BEACON = "![t](https:beacon.example) www.beacon.example"
MARKDOWN = "[x](javascript:window.owned=1) :red[y] $z$"
BEACON = "![x](https:beacon.example) www.beacon.example a@beacon.example"
"""A picture, two links and an address of others as Markdown makes them; a file name too."""
ENTITIES = "![y](https:&#47;&#47;beacon.example&#47;a.png) https:&#47;&#47;beacon.example"
NAME = "![n](https://beacon.example/n.png) https://beacon.example"
FULL = f"{NAME} <https://beacon.example> [l](//beacon.example)"
"""For what may hold slashes: names of sets, columns, tags, addresses."""
PICTURES = FEWEST_FOR_UMAP - 1
CLASSES = (HOSTILE, BEACON, ENTITIES, "=1+1")
MODELS = (f"/x/{BEACON}.safetensors", f"resnet18:/x/{FULL}", f"own:{FULL}", f"/x/{FULL}.pth.tar", HOSTILE)
VIEW = "&".join(f"{key}={quote(FULL)}" for key in ("by", "colour", "in.label", "id", "name"))
"""What an address says of the view of Explore: each part is taken, or left, whatever the others are."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    root = tmp_path_factory.mktemp("intruders")
    (root / "workspace").mkdir()
    (root / "empty").mkdir()
    (root / "guard").mkdir()
    (root / "guard" / "sitecustomize.py").write_text(SOURCE)
    (root / "workspace" / "models").symlink_to(prepared / "models")
    return root


@pytest.fixture(scope="module")
def odd_folder(home: Path) -> Path:
    """Pictures whose every name is hostile: as HTML, or as Markdown that would ask another host."""
    folder = write_folder(home / HOSTILE / MARKDOWN / ENTITIES / BEACON, PICTURES - 2, classes=CLASSES)
    noise(99).save(folder / HOSTILE / f"{HOSTILE}.png")
    noise(98).save(folder / BEACON / f"{BEACON}.png")
    (folder / f"broken {HOSTILE}.jpg").write_bytes(b"no picture")
    (folder / BEACON / f"broken {BEACON}.jpg").write_bytes(b"no picture")
    (folder / f"other.{HOSTILE}").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def odd_set(home: Path, odd_folder: Path) -> ImageSet:
    return embed_folder(odd_folder, workspace=home / "workspace")


@pytest.fixture(scope="module")
def image_sets(home: Path, odd_set: ImageSet) -> list[ImageSet]:
    """Three: the odd one, and two plain ones of other sizes."""
    folders = [write_folder(home / name, count) for name, count in (("seven", 7), ("nine", 9))]
    return [odd_set, *(embed_folder(folder, workspace=home / "workspace") for folder in folders)]


@pytest.fixture(scope="module")
def app(serve: Serve, home: Path) -> str:
    """The app with an empty HOME, without $CI, and with a guard on every way off this machine."""
    variables = {
        "URL_VIZ_HOME": str(home / "workspace"),
        "URL_VIZ_ROOTS": str(home),
        "HOME": str(home / "empty"),
        "PYTHONPATH": f"{home / 'guard'}{os.pathsep}{ROOT}",
        "URL_VIZ_TEST_TRIED": str(home / "tried"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CI", raising=False)
        return serve(ROOT / "app.py", environment=variables)


@pytest.fixture
def page(app: str, home: Path, open_page: OpenPage) -> Iterator[Page]:
    """A page that will go to the app: neither asks any other machine, and no script may open a dialog."""
    opened = open_page(f"{app}{HEALTH}", height=1000)
    asked: list[str] = []

    def note(sent: Request | WebSocket) -> None:
        parts = urlsplit(sent.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost"):
            asked.append(sent.url)

    def fail(dialog: Dialog) -> None:
        pytest.fail(f"a script ran: {dialog.message}")

    opened.context.on("request", note)
    opened.on("websocket", note)
    opened.on("dialog", fail)
    yield opened
    opened.context.remove_listener("request", note)
    opened.remove_listener("websocket", note)
    opened.remove_listener("dialog", fail)
    assert asked == []
    assert not (home / "tried").exists(), (home / "tried").read_text()


def settled(page: Page) -> None:
    """And the page has not changed for a tenth of a second: what it asks for has been asked for."""
    drawn(page)
    still(page)


def through_pages(page: Page, address: str, titles: tuple[str, ...] = TITLES) -> Iterator[str]:
    """Open the app, and go from page to page by the sidebar, as people do; gives the title of each that has settled."""
    page.goto(address)
    for title in titles:
        link = page.get_by_role("link", name=title, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        settled(page)
        yield title


def is_inert(page: Page) -> bool:
    """Whether no script of a name ran, and nothing in the page comes from, or leads to, another host."""
    return page.evaluate(
        """() => {
            const addresses = [...document.querySelectorAll("[href], [src]")].flatMap((element) =>
                [element.getAttribute("href"), element.getAttribute("src")]).filter(Boolean);
            const leadsOut = addresses.map((address) => new URL(address, location)).some((url) =>
                !["data:", "blob:"].includes(url.protocol) && url.host !== location.host);
            return window.owned === undefined && !document.querySelector("img[src=x]") && !leadsOut;
        }"""
    )


def test_names_of_folders_are_inert_and_nothing_phones_home(app: str, home: Path, page: Page, odd_folder: Path) -> None:
    """A folder is typed, read and shown; one picture is sought by its number, and one is uploaded."""
    page.goto(app)
    choose_in_set_menu(page, "Open a folder")
    field = page.get_by_role("dialog").get_by_role("textbox", name="Folder of pictures")
    field.fill(str(odd_folder))
    field.press("Enter")
    page.get_by_role("button", name="Read this folder").click()
    expect(page).to_have_url(re.compile("set=[0-9a-f]{16}"))  # the dialog told the number before
    expect(page.get_by_text(f"{PICTURES} pictures", exact=True).first).to_be_visible()
    settled(page)
    assert is_inert(page)
    own = open_image_set(odd_folder, model=DEFAULT, workspace=home / "workspace")
    page.goto(f"{app}/?set={own.set_id}&search={own.table()['id'].iloc[-1]}")
    settled(page)
    assert is_inert(page)
    picture = {"name": f"{BEACON}.png", "mimeType": "image/png", "buffer": encoded(noise(3), "PNG")}
    page.get_by_role("button", name="Another picture").click()
    page.locator("input[type=file]").set_input_files([picture])  # type: ignore[list-item, arg-type]
    expect(page.get_by_text("most similar").first).to_be_visible()
    assert is_inert(page)
    guarded = (home / "tried.guarded").read_text()
    for command in ("'streamlit', 'run'", "'url_viz.cli.waiting'"):  # which runs what is read
        assert command in guarded, guarded
    assert not (home / "empty" / "intel").exists(), "OpenVINO's telemetry writes there"


def test_what_visitors_may_name_is_inert_and_asks_nobody(
    app: str, home: Path, page: Page, odd_set: ImageSet, tmp_path: Path
) -> None:
    """Files, set, columns, their values as labels, tags, a failed reading: on every page, and where each is shown."""
    name_all(odd_set, home, tmp_path / "own.csv")
    odd_set.labels.use(HOSTILE)
    for title in through_pages(page, f"{app}/?set={odd_set.set_id}"):
        assert is_inert(page), title
    for words in (
        f"by={quote(NAME)}&colour={quote(f'of {NAME}')}",
        f"by={quote(MARKDOWN)}&colour={quote(HOSTILE)}",
        f"colour={quote(MARKDOWN)}&size={quote(NAME)}",
    ):
        page.goto(f"{app}/?set={odd_set.set_id}&{words}")
        settled(page)
        assert is_inert(page), words
    expect(page.get_by_text(f" {TAG}").first).to_be_visible()  # the name of the set
    page.get_by_role("button", name="Filter", exact=False).first.click()
    for choice in ("onerror", "javascript", "of ![n]", "tags"):
        page.get_by_role("combobox", name="Column").fill(choice)
        page.get_by_role("option").first.click()
        settled(page)
        assert is_inert(page), choice
    page.keyboard.press("Escape")
    page.locator(".tile").first.click()
    page.get_by_role("dialog").get_by_text("Numbers", exact=True).click()
    # The table of facts is drawn on a canvas: its cells are in the page for readers of the screen, and have no size.
    for tag in (TAG, TAG_OF_A_BEACON):
        expect(page.get_by_role("dialog").get_by_text(tag, exact=False).first).to_be_attached()
    settled(page)
    assert is_inert(page)
    odd_set.labels.use("folders")


def name_all(odd_set: ImageSet, home: Path, csv: Path) -> None:
    """Give all that a visitor may name a hostile name."""
    rename(odd_set.root, NAME_OF_SET, workspace=home / "workspace")
    paths = odd_set.table()["path"]
    values = [(HOSTILE, MARKDOWN, FULL, BEACON, ENTITIES)[number % 5] for number in range(len(paths))]
    numbers = range(len(paths))
    columns = {"path": paths, HOSTILE: values, f"of {NAME}": values[::-1], NAME: numbers, MARKDOWN: numbers}
    pd.DataFrame(columns).to_csv(csv, index=False)
    odd_set.columns.add(csv, name="own", uncertainty=(NAME,))
    for tag, count in ((TAG, len(paths)), (TAG_OF_A_BEACON, len(paths)), (MARKDOWN, 5)):
        odd_set.decisions.tag(odd_set.table()["id"].tolist()[:count], tag)
    about = {"set_id": odd_set.set_id, "model": odd_set.source.name, "folder": str(odd_set.root)}
    failing = ["-c", f"import sys; print('error: ' + {FULL + HOSTILE!r}); sys.exit(1)"]
    job = start_job(failing, kind="embed", title=FULL + HOSTILE, workspace=odd_set.workspace, about=about)
    eventually(lambda: not job.status().is_live)


@pytest.mark.parametrize("pages", [PAGES[:2], pytest.param(PAGES[2:], marks=pytest.mark.torture)], ids=len)
def test_addresses_of_sets_that_there_are_not_ask_nobody(app: str, page: Page, pages: tuple[str, ...]) -> None:
    for name in pages:
        page.goto(f"{app}/{name}set={quote(FULL)}")
        settled(page)
        assert is_inert(page), name


@pytest.mark.parametrize(
    ("titles", "models"),
    [(("Explore", "Settings"), MODELS[1:2]), pytest.param(TITLES, MODELS, marks=pytest.mark.torture)],
    ids=("few", "all"),
)
def test_addresses_ask_nobody(
    app: str, page: Page, odd_set: ImageSet, titles: tuple[str, ...], models: tuple[str, ...]
) -> None:
    """A model goes along from page to page."""
    opened, hostile = f"set={odd_set.set_id}", quote(HOSTILE)
    for title in through_pages(page, f"{app}/?{opened}&model={quote(FULL)}", titles):
        assert is_inert(page), title
    for address in (
        *(f"?{opened}&model={quote(name)}" for name in models),
        *(f"?{words}" for words in (f"set={hostile}", f"id={hostile}&by={hostile}")),
    ):
        page.goto(f"{app}/{address}")
        settled(page)
        assert is_inert(page), address
    page.goto(f"{app}/?{opened}&{VIEW}")
    for name in ("Class", "Name"):  # one wrong word hides no other
        expect(page.get_by_role("button", name=re.compile(rf"{name}: .*beacon"))).to_be_visible()
    settled(page)
    assert is_inert(page)


def test_the_guard_guards(app: str, home: Path) -> None:
    """Or the test above would show nothing."""
    variables = {**os.environ, "PYTHONPATH": str(home / "guard"), "URL_VIZ_TEST_TRIED": str(home / "tried by us")}
    script = "import socket\ntry: socket.create_connection(('example.com', 80), timeout=1)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", script], env=variables, check=True)
    assert "example.com" in (home / "tried by us").read_text()


def server_of(address: str) -> psutil.Process:
    port = urlsplit(address).port
    found = (process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"])
    return next(process for process in found if f"--server.port={port}" in process.info["cmdline"])


def visit(pages: list[Page], app: str, image_sets: list[ImageSet], turn: int) -> None:
    """Each visitor goes on to another page at the same time; then each sees its own image set, and only that."""
    for number, page in enumerate(pages):
        name = ("?", "review?", "model?")[(turn + number) % 3]
        page.goto(f"{app}/{name}set={image_sets[number % len(image_sets)].set_id}")
    for number, page in enumerate(pages):
        settled(page)
        own = image_sets[number % len(image_sets)]
        assert f"set={own.set_id}" in page.url
        sources = page.evaluate("[...document.images].map(image => image.getAttribute('src') || '')")
        shown = {part for source in sources for part in re.findall(r"/url-viz/\w+/([0-9a-f]{16})/", source)}
        assert shown <= {own.set_id}, "a picture of another visitor's image set"
        expect(page.get_by_text(re.compile(rf"\b{len(own)} pictures")).first).to_be_visible()


@pytest.mark.parametrize("turns", [1, pytest.param(40, marks=[pytest.mark.torture, pytest.mark.timeout(1800)])])
def test_many_visitors_stay_apart_and_memory_stays_bounded(
    app: str, open_page: OpenPage, image_sets: list[ImageSet], turns: int
) -> None:
    server = server_of(app)
    pages = [open_page(f"{app}{HEALTH}") for _ in range(4)]
    curve = []
    for turn in range(turns):
        visit(pages, app, image_sets, turn)
        curve.append((time.monotonic(), server.memory_info().rss / 2**20))
    print("RSS of the server, MiB, a turn of four visitors each:", [round(mib) for _, mib in curve])
    settled_at = curve[min(len(curve) - 1, 5)][1]
    assert curve[-1][1] < settled_at + 150


def embedding(folder: Path, workspace: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "url_viz", "embed", folder, "--workspace", workspace, "--device", "cpu"]
    return subprocess.Popen([str(word) for word in words], cwd=ROOT, stdout=subprocess.DEVNULL)


def test_choices_of_two_sessions_stay_apart_while_another_set_is_read(
    app: str, home: Path, open_page: OpenPage, image_sets: list[ImageSet]
) -> None:
    """One set, two visitors: each chooses another picture to search with, and goes on with it on the next page."""
    own = image_sets[2]
    paths = own.table()["path"].tolist()[:2]
    count = FEWEST_FOR_UMAP - 1
    other = write_folder(home / "others", count, start=1000)
    running = embedding(other, home / "workspace")
    pages = [open_page(f"{app}/?set={own.set_id}") for _ in paths]
    for page, path in zip(pages, paths, strict=True):
        page.get_by_role("button", name="Find similar").click()
        page.get_by_role("textbox", name="Or a picture of the set").fill(path)
        page.get_by_role("textbox", name="Or a picture of the set").press("Enter")
    for page, path in zip(pages, paths, strict=True):
        expect(page.locator(".tile")).to_have_count(1)
        page.locator(".tile").click()
        expect(page.locator(".part img")).to_be_visible()
        expect(page.get_by_test_id("stCaptionContainer").get_by_text(path, exact=True)).to_be_visible()
    for page, path in reversed(list(zip(pages, paths, strict=True))):
        page.reload()
        expect(page.get_by_test_id("stCaptionContainer").get_by_text(path, exact=True)).to_be_visible()
    assert running.wait(timeout=120) == 0
    assert list_sets(home / "workspace").set_index("folder")["pictures"][str(other)] == count


def test_uploads_of_two_sessions_stay_apart(app: str, open_page: OpenPage, image_sets: list[ImageSet]) -> None:
    theirs = [[f"{session}-{number}.png" for number in range(2 + session)] for session in range(2)]
    pages = [open_page(f"{app}/upload?set={image_sets[1].set_id}") for _ in theirs]
    for session, (page, names) in enumerate(zip(pages, theirs, strict=True)):
        pictures = [(name, encoded(noise(50 * session + i), "PNG")) for i, name in enumerate(names)]
        files = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in pictures]
        settled(page)
        page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    for page, names in zip(pages, theirs, strict=True):
        expect(page.get_by_text(f"{len(names)} pictures · scored with")).to_be_visible()
        expect(page.locator(".tile .name")).to_have_count(len(names))
        assert sorted(page.locator(".tile .name").all_inner_texts()) == names
