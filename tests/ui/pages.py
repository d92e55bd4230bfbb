"""How tests open a page of the app as a visitor meets it, and the words that stand on it."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, start_job
from url_viz.jobs.calls import Call, read_call
from url_viz.jobs.kinds import about_set
from url_viz.ui.http import middleware, routes
from url_viz.ui.menu import AS_TABLE, REVIEW, TAB
from url_viz.ui.review.results import FOLD
from url_viz.ui.search import SEARCHING
from url_viz.ui.session import DIALOG, OPENED, PAGE
from url_viz.ui.widgets.embed_job import KIND, set_name

LONG = ("-c", "import time; time.sleep(600)")
"""A command that no test waits for."""
PATIENCE_S = 120
APP = Path(__file__).parents[2] / "app.py"


def app(image_set: ImageSet | None = None, **state: Any) -> AppTest:
    """The app before its first run, with a set chosen; `__` in the name of a key of the session stands for a dot."""
    at = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    if image_set is not None:
        at.session_state["chosen_set"] = image_set.set_id
        at.session_state["chosen_model"] = image_set.source.name
    for key, value in state.items():
        at.session_state[key.replace("__", ".")] = value
    return at


PLACES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "labels": ("review", {REVIEW: ReviewSpec("suspects"), AS_TABLE: True}),
    "versions": ("review", {FOLD.under("changes"): True}),
    "search": ("explore", {SEARCHING: True}),
    "evaluate": ("model", {TAB.under("model"): "Does the order hold"}),
    "compare": ("model", {TAB.under("model"): "Does the order hold"}),
    "your_model": ("model", {TAB.under("model"): "Your model"}),
    "finetune": ("model", {TAB.under("model"): "Train"}),
    "models": ("settings", {TAB.under("settings"): "Models"}),
    "sets": ("settings", {TAB.under("settings"): "Image sets"}),
    "jobs": ("settings", {TAB.under("settings"): "Jobs"}),
}
"""The page that a part of one is on, and what in the session opens it there."""


def opened(image_set: ImageSet | None = None, page: str | None = None, **state: Any) -> AppTest:
    """A page of the app, by the name of its file in pages/, or of a part in `PLACES`, or the first one."""
    at = app(image_set, **state)
    return at.run() if page is None else turned_to(at, page)


def folder_dialog(typed: Path | str = "") -> AppTest:
    """The dialog that opens a folder by itself, with a path typed into it."""

    def script() -> None:
        from url_viz.ui.widgets.open_folder import ask_for_folder

        ask_for_folder()

    at = AppTest.from_function(script).run()
    return at.text_input[0].set_value(str(typed)).run() if typed else at


def turned_to(at: AppTest, page: str) -> AppTest:
    """The app on another page, by the name of its file in pages/, or of a part in `PLACES`."""
    name, state = PLACES.get(page, (page, {}))
    for key, value in state.items():
        at.session_state[key] = value
    return at.switch_page(f"pages/{name}_page.py").run()


def told(**settings: object) -> dict[str, dict[str, object]]:
    """The state of a map or grid in which a user has just set these."""
    return {name: {"sequence": time.time_ns(), "value": value} for name, value in settings.items()}


def client_of(address: str = "http://127.0.0.1") -> TestClient:
    """A browser of the app's own routes."""
    return TestClient(Starlette(routes=routes(), middleware=middleware()), base_url=address)


def with_picture(image_id: int) -> dict[str, Any]:
    """The state of a session that has opened a picture on Explore."""
    return {PAGE: "", DIALOG: "picture", OPENED: image_id}


def call_of(job: Job) -> Call:
    """What a job does that does a call of a capability: its arguments, but those as by default."""
    return read_call(job.command[-1])


def words(at: AppTest) -> str:
    """All that a page says, its buttons and headings among it."""
    kinds = (at.title, at.header, at.subheader, at.markdown, at.caption, at.text, at.code)
    boxes = (at.info, at.success, at.warning, at.error)
    labels = (at.button, at.toggle, at.expander)
    said = [str(e.value) for kind in (*kinds, *boxes) for e in kind]
    return "\n".join([*said, *(e.label for kind in labels for e in kind)])


def linked(image_set: ImageSet, **query: str | list[str]) -> AppTest:
    """The app before its first run, with a set chosen and these parameters in its address."""
    at = app(image_set)
    for name, value in query.items():
        at.query_params[name] = value
    return at


def reading(image_set: ImageSet, command: Sequence[str] = LONG) -> Job:
    """A job that reads the set, as far as pages know."""
    about = about_set(image_set.root, image_set.set_id, model=image_set.source.name, name=set_name(image_set.root))
    return start_job(list(command), kind=KIND, title="Read", workspace=image_set.workspace, about=about)


def ended(job: Job) -> Job:
    """The job once it has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while job.status().is_live:
        assert time.monotonic() < deadline, "the job did not end"
        time.sleep(0.05)
    return job


def order_by(at: AppTest) -> Any:
    """The control "Order by"."""
    return named((*at.segmented_control, *at.selectbox), "Order by")


def galleries(at: AppTest) -> list[list[dict[str, Any]]]:
    """The tiles of each gallery, as the browser gets them."""
    shown = (each.proto for each in at.get("bidi_component") if each.proto.component_name == "url_viz_gallery")
    return [json.loads(each.json)["tiles"] for each in shown]


def named(controls: Iterable[Any], label: str) -> Any:
    """The control with that label: its key changes when the page changes its value."""
    return next(control for control in controls if control.label == label)


def panes(at: AppTest) -> list[dict[str, Any]]:
    """What the grid shows, as the browser gets it."""
    grid = next(e for e in at.get("bidi_component") if e.proto.component_name == "url_viz_grid")
    found: list[dict[str, Any]] = json.loads(grid.proto.json)["panes"]
    return found


def stacked(tile: Mapping[str, Any]) -> int:
    """How many others a tile stands for, by what it says: "1 copy and 2 views"."""
    return sum(map(int, re.findall(r"\d+", tile["twins"])))


def map_data(at: AppTest) -> dict[str, Any]:
    """What the map shows, as the browser gets it."""
    found: dict[str, Any] = json.loads(
        next(e for e in at.get("bidi_component") if e.proto.component_name == "url_viz_map").proto.json
    )
    return found
