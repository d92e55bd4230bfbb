"""The map's styles, masks and representatives on synthetic points.

Query parameters: n, style, colour, sized=1, mask=half, faces=1, decisions=1, ends=LOW,HIGH.
"""

import numpy as np
import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.browser.harness_components import CLASSES, FIRST_ID, note_click, settings_of, show_clicked, synthetic_points
from url_viz.columns.filters import DECISIONS, category_colours
from url_viz.drawing.points import MapView, encode_mask
from url_viz.ui.widgets.map import SETTINGS, polygon_of, show_map


def answer_mask(request: Request) -> Response:
    """Every other picture; with `wrong=1` the mask of other points."""
    ids = FIRST_ID + np.arange(int(request.query_params["n"]))
    is_wrong = request.query_params.get("wrong") == "1"
    return Response(encode_mask(ids + 5 if is_wrong else ids, ids[::2]), media_type="application/octet-stream")


def answer_representatives(request: Request) -> Response:
    points = synthetic_points(int(request.query_params["n"]), "umap")
    found = []
    for label, name in enumerate(CLASSES):
        rows = np.flatnonzero(points.category == label)
        middle = rows[np.argmin(points.value[rows])]
        found.append(
            {
                "id": str(points.ids[middle]),
                "name": f"IMG_{middle:05d}.jpg",
                "thumbnail": f"/harness/thumbnail/{points.ids[middle]}",
                "x": float(points.x[middle]),
                "y": float(points.y[middle]),
                "size": len(rows),
                "label": name,
                "share": 1.0,
            }
        )
    return JSONResponse(found)


def styles_page() -> None:
    query = st.query_params
    n = int(query.get("n", 1000))
    state = settings_of("map", SETTINGS)
    faces = state.get("representatives")
    is_filtered = st.toggle("Filter", value="mask" in query)
    style = st.segmented_control("Style", ["points", "fog", "density"], key="chosen")
    is_of_decisions = query.get("decisions") == "1"
    view = MapView(
        points_url=f"/harness/points?n={n}",
        card_url="/harness/card/{id}",
        total=n,
        colour=query.get("colour", "value"),  # type: ignore[arg-type]
        measure="Ambiguity",
        ends=tuple(query.get("ends", "unambiguous,ambiguous").split(",")),  # type: ignore[arg-type]
        categories=DECISIONS if is_of_decisions else CLASSES,
        category_title="Decision" if is_of_decisions else "",
        category_colours=category_colours(DECISIONS, "decision") if is_of_decisions else (),
        mask_url=f"/harness/mask?n={n}&wrong={query.get('wrong', 0)}" if is_filtered else "",
        style=style or state.get("style") or query.get("style", "points"),  # type: ignore[arg-type]
        size_title="Ambiguity" if query.get("sized") == "1" else "",
        representatives_url=f"/harness/representatives?n={n}",
        with_representatives=query.get("faces") == "1" if faces is None else bool(faces),
        with_names=state.get("names") is not False,
        polygon=polygon_of(state.get("polygon")),
        threshold_percentile=state.get("threshold"),
    )
    show_map(view, key="map", height_px=int(query.get("height", 560)), on_click=note_click)
    st.text(f"style {view.style}")
    st.text(f"representatives {view.with_representatives}")
    show_clicked()
