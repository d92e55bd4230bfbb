"""Explore's map and grid as a widget of a notebook: what is chosen and decided lives in Python and in the browser."""

import json
import re
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from url_viz.base.errors import ImageSetError, UrlVizError, UsageError
from url_viz.columns.filters import scoped
from url_viz.drawing.assets import notebook_script
from url_viz.drawing.points import map_data
from url_viz.drawing.tiles import base
from url_viz.export.picture_files import data_url
from url_viz.image_set import ImageSet
from url_viz.ui.explore.explore_grid import panes_of
from url_viz.ui.explore.explore_map import map_view
from url_viz.ui.explore.page import ranked_by
from url_viz.ui.explore.view import ExploreView, with_settings
from url_viz.ui.http import respond_to
from url_viz.ui.open_sets import ranges_of
from url_viz.ui.session import sequence_of
from url_viz.ui.widgets.gallery import actions_of, chosen_ids, pane_data

try:
    import anywidget
    import traitlets
    from IPython import get_ipython
except ImportError as error:
    raise UsageError(f"A widget takes anywidget, which {sys.executable} lacks. Run `pip install anywidget`.") from error

_THUMBNAIL = re.compile(rf"{base()}/thumbnail/[^/]+/(\d+)\.jpg")
_WHOLE = re.compile(rf"{base()}/whole/.+")
"""Addresses of pictures in what is answered, which a notebook cannot open."""


class NotebookView(anywidget.AnyWidget):  # type: ignore[misc]
    """Map and grid of an image set. `selected` are ids: what is chosen, else what lies in the lasso; set it, too.

    Pictures are decided on in the grid by its buttons and keys, as in the app; what Python decides shows once its cell
    has run. All of it comes over the kernel's channel.
    """

    _esm = notebook_script()
    selected = traitlets.List(traitlets.Int())

    def __init__(self, image_set: ImageSet, *, colour: str | None = None) -> None:
        """`colour` is a column of the map, by default the measure that leads. Raises ImageSetError for another name."""
        measure = image_set.order().measure
        if measure is None:
            raise ImageSetError(f"{str(image_set.root)!r} has too few pictures to order. Look at its table().")
        if colour is not None and colour not in image_set.table():
            raise ImageSetError(f"{colour!r} is not a column of table(). Give one of its columns, such as 'label'.")
        self.image_set, self._measure, self._colour = image_set, measure, colour or measure
        self._view, self._taken = ExploreView(collapse_twins=False), dict[str, int]()
        self._chosen: list[int] = []
        self._chosen_at = self._handled = 0
        self._ringed: int | None = None
        self._is_reporting, self._shown = False, self._version
        super().__init__()
        self.on_msg(self._receive)
        self._refresh_after_cells()

    def refresh(self) -> None:
        """Show what was decided elsewhere since; in a notebook this is called after each cell."""
        if self._shown != self._version:
            self._push()

    def _refresh_after_cells(self) -> None:
        shell, here = get_ipython(), weakref.ref(self)

        def refresh(*_: object) -> None:
            view = here()
            if view is not None:
                view.refresh()

        if shell is not None:
            shell.events.register("post_run_cell", refresh)

    @property
    def _version(self) -> tuple[str, int]:
        return self.image_set.version, self.image_set.decisions.version

    @traitlets.validate("selected")  # type: ignore[untyped-decorator]
    def _known(self, proposal: Mapping[str, Any]) -> list[int]:
        ids = list(dict.fromkeys(map(int, proposal["value"])))
        self.image_set.core.rows_of(ids)
        return ids

    @traitlets.observe("selected")  # type: ignore[untyped-decorator]
    def _selected_in_python(self, change: Mapping[str, Any]) -> None:
        if self._is_reporting:
            return
        if not change["new"] or not set(change["new"]) <= set(self._in_lasso()):
            self._view = replace(self._view, polygon=None)
        self._choose(change["new"])
        self._push()

    def _receive(self, widget: Any, content: Mapping[str, Any], buffers: Any) -> None:
        """A message of the browser: `hello` of a view, `fetch` of an address, or `state` that a user set."""
        if content["kind"] == "fetch":
            self._answer(content["number"], content["url"])
            return
        message = ""
        try:
            if content["kind"] == "state":
                self._set(content["name"], content["value"])
        except UrlVizError as error:
            message = str(error)
        self._push(message)

    def _answer(self, number: str, address: str) -> None:
        try:
            response = respond_to(self.image_set, address)
            body, status = bytes(response.body), response.status_code
            if response.media_type == "application/json":
                body = self._with_pictures(body)
        except UrlVizError as error:
            body, status = str(error).encode(), 404
        self.send({"kind": "answer", "number": number, "status": status}, [body])

    def _with_pictures(self, body: bytes) -> bytes:
        """An answer with the pictures themselves where its records have their addresses."""
        answer = json.loads(body)
        records = list(_records_in(answer))
        matches = [_THUMBNAIL.fullmatch(str(record.get("thumbnail"))) for record in records]
        thumbnails = self.image_set.core.store.thumbnails({int(match[1]) for match in matches if match})
        for record, match in zip(records, matches, strict=True):
            if match:
                record["thumbnail"] = data_url(thumbnails.get(int(match[1]), b""))
            if _WHOLE.fullmatch(str(record.get("whole"))):
                whole = respond_to(self.image_set, record["whole"])
                record["whole"] = data_url(bytes(whole.body), "image/svg+xml")
        return json.dumps(answer).encode()

    def _set(self, name: str, value: Any) -> None:
        if name == "clicked":
            self._ringed = int(value)
            self._choose([self._ringed])
        elif name == "actions":
            self._act([record for record in value if sequence_of(record) > self._handled])
        elif name == "chosen":
            self._chosen = chosen_ids(value).tolist()
        else:
            before = self._view.polygon
            self._taken[name] = sequence_of(value)
            self._view = with_settings(self._view, {name: value["value"]})
            if before != self._view.polygon:
                self._choose([])
        self._report_selection()

    def _act(self, records: Sequence[Mapping[str, object]]) -> None:
        decisions = self.image_set.decisions
        self._handled = max([self._handled, *map(sequence_of, records)])
        for action in actions_of(records):
            if action.command is not None:
                getattr(decisions, action.command)()
            else:
                decisions.decide(action.chosen or (action.id or 0,), action.decision)

    def _choose(self, ids: Sequence[int]) -> None:
        """Have the grid show these as chosen."""
        self._chosen, self._chosen_at = list(ids), self._chosen_at + 1

    def _in_lasso(self) -> list[int]:
        view = self._view
        rows = self.image_set.table() if view.polygon is None else scoped(self.image_set.table(), view.scope)
        return rows["id"].tolist()

    def _report_selection(self) -> None:
        """Let `selected` be what is selected in the browser."""
        self._is_reporting = True
        try:
            self.selected = self._chosen or ([] if self._view.polygon is None else self._in_lasso())
        finally:
            self._is_reporting = False

    def _push(self, message: str = "") -> None:
        self._shown = self._version
        self.send({"kind": "data", "data": {"map": self._map(), "grid": self._grid()}, "said": message})

    def _map(self) -> dict[str, object]:
        table = self.image_set.table()
        shown = map_view(self.image_set, table, self._view, measure=self._measure, colour=self._colour)
        shown = replace(shown, ringed_id=self._ringed)
        return map_data(shown, key=str(id(self)), taken=self._taken) | {"fits": False, "can_pick": False}

    def _grid(self) -> dict[str, object]:
        image_set, view, measure = self.image_set, self._view, self._measure
        rows = scoped(ranked_by(image_set.table(), view, measure), view.scope)
        panes = panes_of(image_set, rows, view, measure=measure)
        chosen = np.array(self._chosen, np.int64)
        return {
            "panes": [pane_data(pane) | {"first": [], "thumbnail_url": None} for pane in panes],
            "side": view.side,
            "is_wide": view.is_wide,
            "ringed": None if self._ringed is None else str(self._ringed),
            "taken": self._handled,
            "kept": [ranges_of(pane.order, chosen) for pane in panes] if len(chosen) else None,
            "chosen_at": self._chosen_at,
        }


def widget(image_set: ImageSet, *, colour: str | None = None) -> NotebookView:
    """Explore's map and grid of an image set for a notebook: `.selected` holds ids, decisions are stored.

    `colour` is a column of the map, by default the measure that leads. Raises ImageSetError for what is no column; this
    module raises UsageError where anywidget is not installed.
    """
    return NotebookView(image_set, colour=colour)


def _records_in(answer: Any) -> Iterator[dict[str, Any]]:
    """Every record in what was parsed of JSON."""
    if isinstance(answer, dict):
        yield answer
    if isinstance(answer, (dict, list)):
        for value in answer.values() if isinstance(answer, dict) else answer:
            yield from _records_in(value)
