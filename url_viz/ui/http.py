"""HTTP routes of the app and their guards: what pages show of known image sets, and the answers that reviews send."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from url_viz.base.errors import BucketError, ImageSetError, NotAllowedError, UrlVizError
from url_viz.base.wording import printable
from url_viz.columns.filters import MOST_CATEGORIES, category_names, id_in, is_review_key, review_from_query
from url_viz.drawing.points import drawn_ids, encode_mask, encode_points, map_points
from url_viz.drawing.tiles import base, card_of, number_of, serve_below, thumbnail_url, tile_data, tiles, whole_url
from url_viz.export.picture_files import with_boxes
from url_viz.image_set import ImageSet
from url_viz.imaging.containers.python_dataset import ClosedDataset, is_dataset, source_of_dataset
from url_viz.imaging.rendering import in_window
from url_viz.imaging.workers import decoders
from url_viz.models.model_names import DEFAULT
from url_viz.runs.model_accuracy import TRAINING, by_training, has_training
from url_viz.ui.auth import HOSTS_VARIABLE, TokenGate, access_token, base_path, login, may_enter, user_name
from url_viz.ui.open_sets import cached_masks, cached_orders, content_key, open_sets
from url_viz.ui.review.desk import OpenReview, open_reviews, opened_review, parse_answer, take_answers


class SameOriginSockets:
    """Middleware that refuses (403) a WebSocket whose Origin is not the host and port it was opened on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not _is_same_origin(Headers(scope=scope)):
            await WebSocketClose()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_same_origin(headers: Headers) -> bool:
    """Whether a page of this app asks, or one from an origin in Streamlit's settings; programs send no Origin.

    A proxy may send the page's host as X-Forwarded-Host: a page cannot set that header of a socket.
    """
    origin = headers.get("origin")
    if origin is None or not st.get_option("server.enableCORS"):
        return True
    if origin in {named.strip() for named in st.get_option("server.corsAllowedOrigins")}:
        return True
    named = (headers.get("host", ""), headers.get("x-forwarded-host", "").partition(",")[0].strip())
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:  # unmatched brackets
        return False
    return bool(host) and host in {name.lower() for name in named}


PICTURE_PX, SMALL_PX = 1600, 480
MOST_TILES = 240
MOST_POSTED = 1 << 20
"""Bytes of answers at a time: some thousands."""
_GONE = "Not found. Reload the page."
_UNFETCHED = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200"><rect width="320" height="200" fill="#8883"/>'
    '<text x="160" y="96" font-family="sans-serif" font-size="15" fill="#888" text-anchor="middle">The store of this '
    'picture does not give it now.<tspan x="160" dy="24">Its thumbnail and values are kept.</tspan></text></svg>'
)
"""Takes the place of a picture that object storage does not give; browsers show it whatever the status."""
_CLOSED = "This review can no longer be opened: an answer to it was left out. Begin another on the Review page."
_OUTSIDE = "This is outside the folders that the app may read."

Answer = Callable[[Request], Response]
_OPEN = "url_viz.image_set"
"""The key in a request's scope for an image set that is open already."""


def routes() -> list[Route]:
    """All routes of the app, besides Streamlit's."""
    serve_below(base_path())
    read = [Route(f"{base()}/{path}", _answered(answer)) for path, answer in _ANSWERS.items()]
    return [*read, Route(f"{base()}/answers/{{set_id}}", _take_answers, methods=["POST"])]


def respond_to(image_set: ImageSet, address: str) -> Response:
    """A route's answer for an image set that is open here, without a server and its guards.

    Raises UrlVizError where the route would answer 404 for it.
    """
    path, _, query = address.partition("?")
    scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    for pattern, answer in _ANSWERS.items():
        match, parameters = Route(f"{base()}/{pattern}", answer).matches(scope)
        if match is Match.FULL:
            return answer(Request({**scope, **parameters, _OPEN: image_set}))
    return _not_found()


def middleware() -> list[Middleware]:
    """Accept only requests with a Host of this machine or in `$URL_VIZ_ALLOWED_HOSTS` (against DNS rebinding).

    The WebSocket opens only for the app's own pages, not for those of another port. Where a token is required, the
    app answers only requests with it.
    """
    token = access_token()
    named = [host for host in os.environ.get(HOSTS_VARIABLE, "").split(",") if host]
    hosts = ["localhost", "127.0.0.1", "[::1]", *named]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(SameOriginSockets),
        *([Middleware(TokenGate, token=token)] if token is not None else []),
    ]


def mask_url(
    table: pd.DataFrame, is_kept: NDArray[np.bool_], *, measure: str | None = None, within: pd.DataFrame | None = None
) -> str:
    """The URL of a filter's mask, `is_kept` (N,) for the rows of `table`; empty if all are kept.

    `table`, `measure` and `within` are those of the points.
    """
    if is_kept.all():
        return ""
    mask = encode_mask(drawn_ids(table, measure=measure, within=within), table["id"].to_numpy(np.int64)[is_kept])
    return f"{base()}/mask/{cached_masks.put(content_key(mask), mask)}"


def drawn_url(table: pd.DataFrame, category: str) -> str:
    """The URL of the map's points of a table that no image set has, coloured by `category`."""
    points = encode_points(map_points(table, category=category))
    return f"{base()}/mask/{cached_masks.put(content_key(points), points)}"


def _answered(answer: Answer) -> Answer:
    """Turn users' errors into 404, and keep other sites from embedding private data.

    Error messages go to the terminal only: they name folders of this machine. With a login the browser may not cache
    answers: the next user of that browser could read them after a logout.
    """

    @wraps(answer)
    def endpoint(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("Requests from other sites are not allowed.", status_code=403)
        if not may_enter(request.cookies, origin=f"{request.url.scheme}://{request.url.netloc}"):
            return PlainTextResponse("Log in first.", status_code=401)
        try:
            response = answer(request)
        except UrlVizError as error:
            print(f"{request.url.path}: {printable(str(error))}", file=sys.stderr)
            response = _not_found(_OUTSIDE if isinstance(error, NotAllowedError) else _GONE)
        if login() != "none":
            response.headers["Cache-Control"] = "no-store"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return endpoint


async def _take_answers(request: Request) -> Response:
    """Store the answers of a review (JSON), in the order in which they were given; only for our own pages."""
    length = request.headers.get("content-length", "")
    if not _is_same_origin(request.headers) or request.headers.get("content-type") != "application/json":
        return PlainTextResponse("Only this app's own pages answer its reviews.", status_code=403)
    is_told = "transfer-encoding" not in request.headers and length.isascii() and length.isdigit()
    if not (is_told and len(length) < 9 and int(length) <= MOST_POSTED):
        return PlainTextResponse("Too many answers at a time.", status_code=413)
    return await run_in_threadpool(_answered(partial(_answers_taken, await request.body())), request)


def _answers_taken(body: bytes, request: Request) -> Response:
    try:
        records = json.loads(body)["answers"]
        answers = [answer for record in records if (answer := parse_answer(record)) is not None]
    except (ValueError, TypeError, LookupError, RecursionError):
        return PlainTextResponse("These are no answers.", status_code=400)
    try:
        here = open_reviews.get(request.query_params.get("desk", "")) or _reopened(request)
    except ImageSetError as error:
        print(f"{request.url.path}: {printable(str(error))}", file=sys.stderr)
        refused = [{"sequence": answer.sequence, "message": _CLOSED} for answer in answers]
        return JSONResponse({"refused": refused, "stepped": None})
    if here is None:
        return PlainTextResponse(_GONE, status_code=410)
    return JSONResponse(take_answers(here, answers, who=user_name(request.cookies)))


def _reopened(request: Request) -> OpenReview[Any] | None:
    """The review of a request, once no session has it open; None where its pictures are gone, too."""
    query = request.query_params
    spec = review_from_query({key: query.getlist(key) for key in query if is_review_key(key)})
    if spec is None or not open_sets().workspace.set_paths(request.path_params["set_id"]).folder.is_dir():
        return None
    return opened_review(_image_set(request).reviews.open(spec))


def _image_id(request: Request) -> int:
    image_id = id_in(request.path_params["image_id"])
    if image_id is None:
        raise ImageSetError("This is not the id of a picture.")
    return image_id


def _not_found(words: str = _GONE) -> Response:
    return PlainTextResponse(words, status_code=404)


def _thumbnail(request: Request) -> Response:
    thumbnail = open_sets().thumbnail(request.path_params["set_id"], _image_id(request))
    if thumbnail is None:
        return PlainTextResponse("Thumbnail not found.", status_code=404)
    return Response(thumbnail, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


def _picture(request: Request) -> Response:
    image_set = _image_set(request)
    if is_dataset(image_set.root) and isinstance(source_of_dataset(image_set.root), ClosedDataset):
        return _thumbnail(request)
    headers = {"Cache-Control": "private, no-cache"}
    try:
        data = image_set.files.data(_image_id(request))
    except BucketError as error:
        print(f"{request.url.path}: {printable(str(error))}", file=sys.stderr)
        return Response(_UNFETCHED, status_code=502, media_type="image/svg+xml", headers=headers)
    wanted = (request.query_params.get(name) for name in ("black", "white"))
    shown = decoders.shown(data, most_px=PICTURE_PX, quality=90, rendering=in_window(image_set.core.rendering, *wanted))
    return Response(shown, media_type="image/jpeg", headers=headers)


def _whole(request: Request) -> Response:
    whole = _image_set(request).objects.whole(_image_id(request))
    if whole is None:
        return _not_found()
    is_small = bool(request.query_params.get("small"))
    drawn = with_boxes(whole, most_px=SMALL_PX if is_small else PICTURE_PX, is_named=not is_small)
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": "default-src 'none'; img-src data:"}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _card(request: Request) -> Response:
    image_set, image_id = _image_set(request), _image_id(request)
    gone = request.query_params.get("gone")
    if gone is not None and image_id not in image_set.core.ids:
        image_set = open_sets().get(gone, image_set.source.name)
        if image_id not in image_set.core.ids:
            return JSONResponse({"name": "A picture that is gone", "label": None})
    card = card_of(image_set, image_id, measure=request.query_params.get("measure"))
    addresses = {"thumbnail": thumbnail_url(image_set.set_id, image_id), "whole": whole_url(image_set, image_id, "1")}
    return JSONResponse(card | addresses)


def _points(request: Request) -> Response:
    image_set = _image_set(request)
    query = request.query_params
    measure, category, size = (query.get(name) for name in ("measure", "category", "size"))
    within = image_set.table()
    table = by_training(within) if query.get("map") == TRAINING and has_training(within) else within
    for column in (measure, size):
        if column is not None and not _is_of_numbers(table, column):
            return PlainTextResponse(f"Unknown column {column!r}.", status_code=404)
    if category is not None and not (category in table and len(category_names(table, category)) <= MOST_CATEGORIES):
        return PlainTextResponse(f"Unknown categories {category!r}.", status_code=404)
    points = map_points(table, measure=measure, category=category, size=size, within=within)
    return _bytes(request, encode_points(points))


def _is_of_numbers(table: pd.DataFrame, column: str) -> bool:
    return column in table and pd.api.types.is_numeric_dtype(table[column])


def _representatives(request: Request) -> Response:
    image_set = _image_set(request)
    rows = image_set.subsets.regions().to_dict("records")
    return JSONResponse(
        [
            {
                "id": str(row["id"]),
                "name": row["path"],
                "thumbnail": thumbnail_url(image_set.set_id, int(row["id"])),
                "x": float(row["x"]),
                "y": float(row["y"]),
                "size": int(row["size"]),
                "label": row["label"] if isinstance(row["label"], str) else None,
                "share": number_of(row["share"]),
                "looks_like": row["looks_like"],
            }
            for row in rows
        ],
        headers={"Cache-Control": "private, no-cache"},
    )


def _bytes(request: Request, data: bytes) -> Response:
    # the ETag keeps unchanged data from being sent twice
    etag = f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/octet-stream", headers=headers)


def _mask(request: Request) -> Response:
    mask = cached_masks.get(request.path_params["key"])
    if mask is None:
        return PlainTextResponse("This filter has expired. Reload the page.", status_code=404)
    return _bytes(request, mask)


def _order(request: Request) -> Response:
    order = cached_orders.get(request.path_params["key"])
    if order is None:
        return PlainTextResponse("This order has expired. Reload the page.", status_code=404)
    return _bytes(request, order.ids.astype("<i8").tobytes())


def _tiles(request: Request) -> Response:
    """Tiles of a cached order as JSON, at most MOST_TILES, from the position `from` on."""
    image_set, query = _image_set(request), request.query_params
    order, measure, table = cached_orders.get(query.get("order", "")), query.get("measure", ""), image_set.table()
    positions = [query.get(name, "") for name in ("from", "to")]
    are_numbers = all(text.isascii() and text.isdigit() and len(text) <= 9 for text in positions)
    if order is None or not _is_of_numbers(table, measure) or not are_numbers:
        return PlainTextResponse("This order has expired. Reload the page.", status_code=404)
    start, stop = map(int, positions)
    rows = order.rows(table, start=start, stop=min(stop, start + MOST_TILES))
    shown = tiles(rows, set_id=image_set.set_id, measure=measure)
    return JSONResponse(list(map(tile_data, shown)), headers={"Cache-Control": "private, no-cache"})


def _image_set(request: Request) -> ImageSet:
    image_set: ImageSet | None = request.scope.get(_OPEN)
    if image_set is None:
        image_set = open_sets().get(request.path_params["set_id"], request.query_params.get("model", DEFAULT))
    return image_set.single_model if request.query_params.get("alone") else image_set


_ANSWERS: dict[str, Answer] = {
    "thumbnail/{set_id}/{image_id}.jpg": _thumbnail,
    "picture/{set_id}/{image_id}.jpg": _picture,
    "whole/{set_id}/{image_id}.svg": _whole,
    "card/{set_id}/{image_id}": _card,
    "points/{set_id}": _points,
    "mask/{key}": _mask,
    "order/{key}": _order,
    "tiles/{set_id}": _tiles,
    "representatives/{set_id}": _representatives,
}
"""The routes that are read, by their path below `base`."""
