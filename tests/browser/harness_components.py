"""The map and the gallery on synthetic points.

Query parameters: n, colour, note, fail (times the points fail first), columns, labels=0.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from url_viz.columns.filters import inside_polygon
from url_viz.drawing.points import MapView, Points, encode_points
from url_viz.drawing.tiles import Tile
from url_viz.ui.session import take_settings
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.map import SETTINGS, polygon_of, show_map

FIRST_ID = 2**62 + 1
CLASSES = (
    *("Havanese", "wheaten terrier", "Yorkshire terrier", "Great Pyrenees", "Samoyed", "Leonberger", "Abyssinian"),
    *("Bengal", "Birman", "Bombay", "Egyptian Mau", "Maine Coon", "Persian", "Ragdoll", "Russian Blue", "Siamese"),
    "Sphynx",
)
HOSTILE_NAME = "<img src=x onerror=alert(1)>.jpg"
BETWEEN_ON_CARD: tuple[list[dict[str, object]], ...] = (
    [{"name": HOSTILE_NAME, "share": 0.46}, {"name": "Bengal", "share": None}],
    [{"name": "Bengal", "share": 0.997}, {"name": "Birman", "share": 0.003}],
    [],
)
MEASURES_ON_CARD = (
    {"title": "Ambiguity", "value": 0.2884, "percentile": 6.2},
    {"title": "<b>mine</b>", "value": 12345.6, "percentile": None},
)
failures: Counter[str] = Counter()


def synthetic_points(n: int, layout: str) -> Points:
    """Clusters, a class each, whose pictures are the more ambiguous the nearer they are to another class."""
    random = np.random.default_rng(7)
    label = np.arange(n) % len(CLASSES)
    angle = label * 2.4
    centre = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(label + 0.6)[:, None] * 2.3
    spread = random.normal(size=(n, 2)) * random.gamma(2.0, 0.42, size=(n, 1))
    places = centre + spread if layout == "umap" else (centre + spread) @ np.array([[9.0, 2.0], [1.0, -4.0]]) + 100
    doubt = np.linalg.norm(spread, axis=1) + random.normal(size=n) * 0.25
    ranks = np.argsort(np.argsort(doubt)) * 100 / max(1, n - 1)
    return Points(
        ids=FIRST_ID + np.arange(n),
        x=places[:, 0].astype(np.float32),
        y=places[:, 1].astype(np.float32),
        value=ranks.astype(np.float32),
        category=label.astype(np.int32),
        size=ranks.astype(np.float32),
    )


def answer_points(request: Request) -> Response:
    query = request.query_params
    failures[str(query)] += 1
    if failures[str(query)] <= int(query.get("fail", 0)):
        return Response("no", status_code=503)
    data = encode_points(synthetic_points(int(query["n"]), query.get("layout", "umap")))
    etag = hashlib.blake2b(data, digest_size=8).hexdigest()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/octet-stream", headers=headers)


def answer_card(request: Request) -> Response:
    row = int(request.path_params["id"]) - FIRST_ID
    is_hostile = row % 5 == 1
    return JSONResponse(
        {
            "id": str(FIRST_ID + row),
            "name": HOSTILE_NAME if is_hostile else f"IMG_{row:05d}.jpg",
            "label": CLASSES[row % len(CLASSES)],
            "thumbnail": f"/harness/thumbnail/{FIRST_ID + row}",
            "between": BETWEEN_ON_CARD[row % 3],
            "measures": MEASURES_ON_CARD[: 1 + (row + 1) % 2],
        }
    )


def answer_thumbnail(request: Request) -> Response:
    row = int(request.path_params["id"]) - FIRST_ID
    if row % 11 == 10:
        return Response(status_code=404)
    random = np.random.default_rng(row)
    size = (256, 170) if row % 2 else (192, 256)
    picture = Image.new("RGB", size, tuple(random.integers(60, 235, 3).tolist()))
    for _ in range(6):
        x, y, radius = (int(v) for v in random.integers([0, 0, 12], [*size, 70]))
        colour = tuple(random.integers(30, 255, 3).tolist())
        ImageDraw.Draw(picture).ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return Response(buffer.getvalue(), media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


def map_page() -> None:
    """A page as ours are: it reads the map's state before it draws, and hands it back with the view."""
    query = st.query_params
    n = int(query.get("n", 1000)) + st.session_state.setdefault("grown", 0)
    layout = st.session_state.setdefault("layout", query.get("layout", "umap"))
    buttons = st.container(horizontal=True)
    buttons.button("Grow", on_click=lambda: st.session_state.update(grown=st.session_state["grown"] + 500))
    buttons.button(
        "Other layout", on_click=lambda: st.session_state.update(layout="pca" if layout == "umap" else "umap")
    )
    buttons.button("Clear selection", on_click=clear_selection)
    buttons.button("Run again")
    state = settings_of("map", SETTINGS)
    view = MapView(
        points_url=f"/harness/points?n={n}&layout={layout}&fail={query.get('fail', 0)}&run={query.get('run', '')}",
        card_url="/harness/card/{id}",
        total=int(query.get("total", n)),
        colour=query.get("colour", "value"),  # type: ignore[arg-type]
        measure="Ambiguity",
        categories=CLASSES,
        threshold_percentile=state.get("threshold"),
        ringed_id=FIRST_ID + int(query["ringed"]) if "ringed" in query else None,
        polygon=polygon_of(state.get("polygon")),
        note=query.get("note", ""),
        style=state.get("style") or "points",
        with_names=state.get("names") is not False,
        chosen=tuple(CLASSES.index(name) for name in st.session_state.get("picked", ())),
    )
    if buttons.toggle("Hide"):
        return
    height_px = int(query.get("height", 560))
    on_pick = pick if "pick" in query else None
    show_map(view, key="map", height_px=height_px, on_pick=on_pick, on_click=note_click)
    points = synthetic_points(n, layout)
    polygon = polygon_of(state.get("polygon"))
    selected = 0 if polygon is None else int(inside_polygon(np.array(polygon), points.x, points.y).sum())
    st.text(f"selected {selected} of {n}")
    show_clicked()
    threshold = state.get("threshold")
    st.text(f"threshold {None if threshold is None else float(threshold)}")
    st.text(f"names {view.with_names}")
    st.text("picked " + (", ".join(st.session_state.get("picked", ())) or "nothing"))


def note_click(image_id: int) -> None:
    st.session_state["clicked"] = image_id


def show_clicked() -> None:
    """What was clicked, for one run."""
    st.text(f"clicked {st.session_state.pop('clicked', None)}")


def pick(names: tuple[str, ...]) -> None:
    st.session_state["picked"] = names


def clear_selection() -> None:
    settings_of("map", SETTINGS)["polygon"] = None


def settings_of(key: str, names: Sequence[str]) -> dict[str, Any]:
    """What was set in a component, and may be changed here."""
    state: dict[str, Any] = st.session_state.setdefault(f"{key} settings", {})
    take_settings(key, names, state.update)
    return state


def gallery_page() -> None:
    query = st.query_params
    tiles = tuple(tile_of(row, with_label=query.get("labels") != "0") for row in range(int(query.get("n", 24))))
    columns = int(query["columns"]) if "columns" in query else None
    empty = "Nothing is this ambiguous here."
    show_gallery(tiles, key="gallery", columns=columns, empty=empty, on_click=note_click)
    show_clicked()


def tile_of(row: int, *, with_label: bool) -> Tile:
    return Tile(
        id=FIRST_ID + row,
        name=HOSTILE_NAME if row == 2 else f"holiday/2024/IMG_{row:05d}.jpg",
        thumbnail=f"/harness/thumbnail/{FIRST_ID + row}",
        value=f"{0.412 + row / 100:.3f} · {97 - row}th",
        label=CLASSES[row % len(CLASSES)] if with_label else None,
        twins={0: "3 copies", 4: "1 view"}.get(row, ""),
        is_ringed=row == 3,
        mark="kept" if row == 1 else None,
    )
