"""The app's own HTTP routes: thumbnails, pictures, cards and the map's points, of known image sets only."""

import io
import os
from collections.abc import Callable
from functools import wraps
from urllib.parse import quote, urlencode

import numpy as np
import pandas as pd
from PIL import Image
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.images.decode import decode, read_file
from url_viz.insight.change import change
from url_viz.insight.ranking import BY, with_percentile
from url_viz.models.zoo import DEFAULT
from url_viz.ui.access import may_enter
from url_viz.ui.open_sets import open_sets
from url_viz.ui.points import Points, drawn_sample, encode_points
from url_viz.ui.roots import allowed

BASE = "/url-viz"
MOST_DRAWN = 100_000
PICTURE_PX = 1600
HOSTS_VARIABLE = "URL_VIZ_ALLOWED_HOSTS"

Answer = Callable[[Request], Response]


def thumbnail_url(set_id: str, image_id: int) -> str:
    """Where the thumbnail of a picture is."""
    return f"{BASE}/thumbnail/{set_id}/{image_id}.jpg"


def picture_url(image_set: ImageSet, image_id: int) -> str:
    """Where a picture is, upright and at most 1,600 px."""
    return f"{BASE}/picture/{image_set.set_id}/{image_id}.jpg?model={quote(image_set.source.name, safe='')}"


def card_url(image_set: ImageSet) -> str:
    """Where the facts of a picture are, `{id}` standing for its id."""
    return f"{BASE}/card/{image_set.set_id}/{{id}}?model={quote(image_set.source.name, safe='')}"


def points_url(
    image_set: ImageSet, *, with_classes: bool = True, measure: str = "uncertainty", before: str | None = None
) -> str:
    """Where the map's points are; another version is another URL. `measure` takes the place of uncertainty there.

    The measure `change` is that against the model `before`.
    """
    query = {
        "model": image_set.source.name,
        "classes": int(with_classes),
        "measure": measure,
        "v": image_set.version,
        **({"before": before} if before else {}),
    }
    return f"{BASE}/points/{image_set.set_id}?{urlencode(query)}"


def routes() -> list[Route]:
    """All routes of the app's own."""
    return [
        Route(f"{BASE}/thumbnail/{{set_id}}/{{image_id:int}}.jpg", _answered(_thumbnail)),
        Route(f"{BASE}/picture/{{set_id}}/{{image_id:int}}.jpg", _answered(_picture)),
        Route(f"{BASE}/card/{{set_id}}/{{image_id:int}}", _answered(_card)),
        Route(f"{BASE}/points/{{set_id}}", _answered(_points)),
    ]


def middleware() -> list[Middleware]:
    """Answer only requests that name this machine, or `$URL_VIZ_ALLOWED_HOSTS`: no other site can borrow a name."""
    named = [host for host in os.environ.get(HOSTS_VARIABLE, "").split(",") if host]
    hosts = ["localhost", "127.0.0.1", "[::1]", *named]
    return [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]


def map_points(table: pd.DataFrame, *, with_classes: bool = True, measure: str = "uncertainty") -> Points:
    """What the map draws of a table: pictures with coordinates, at most 100,000, the extremes among them.

    The percentiles of `measure` stand where the map has those of uncertainty.
    """
    shown = table[np.isfinite(table["x"].to_numpy(dtype=float))]
    labels = class_numbers(shown) if with_classes else np.full(len(shown), -1, np.int32)
    points = Points(
        ids=shown["id"].to_numpy(np.int64),
        x=shown["x"].to_numpy(np.float32),
        y=shown["y"].to_numpy(np.float32),
        uncertainty_percentile=with_percentile(table, measure).loc[shown.index, "rank_percentile"].to_numpy(np.float32),
        confusability_percentile=shown["confusability_percentile"].to_numpy(np.float32),
        label=labels,
    )
    return points if len(points) <= MOST_DRAWN else points.take(drawn_sample(points, MOST_DRAWN, seed=0))


def class_names_of(table: pd.DataFrame) -> tuple[str, ...]:
    """The classes of a table, by name."""
    return tuple(sorted(table["label"].dropna().unique()))


def class_numbers(table: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    """The class of each row as a number among the sorted names; −1 for none."""
    return np.asarray(pd.Categorical(table["label"], categories=class_names_of(table)).codes, np.int32)


def _answered(answer: Answer) -> Answer:
    """Turn users' errors into 404, and keep other sites from embedding what is private."""

    @wraps(answer)
    def endpoint(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("Not for other sites.", status_code=403)
        if not may_enter(request.cookies, origin=f"{request.url.scheme}://{request.url.netloc}"):
            return PlainTextResponse("Log in first.", status_code=401)
        try:
            response = answer(request)
        except UrlVizError as error:
            response = PlainTextResponse(str(error), status_code=404)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return endpoint


def _thumbnail(request: Request) -> Response:
    found = open_sets().thumbnail(request.path_params["set_id"], request.path_params["image_id"])
    if found is None:
        return PlainTextResponse("No such thumbnail.", status_code=404)
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


def _picture(request: Request) -> Response:
    image_set = _image_set(request)
    path = allowed(image_set.file_of(request.path_params["image_id"]), also=(image_set.root,))
    image, _ = decode(read_file(bytes(path)), short_side_px=PICTURE_PX // 2)
    image.thumbnail((PICTURE_PX, PICTURE_PX), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return Response(file.getvalue(), media_type="image/jpeg", headers={"Cache-Control": "private, no-cache"})


def _card(request: Request) -> Response:
    image_set = _image_set(request)
    row = image_set.row(request.path_params["image_id"])
    return JSONResponse(
        {
            "id": str(row["id"]),
            "name": row["path"],
            "label": row["label"],
            "thumbnail": thumbnail_url(image_set.set_id, int(row["id"])),
            "uncertainty": _number(row["uncertainty"]),
            "uncertainty_percentile": _number(row["percentile"]),
            "confusability": _number(row["confusability"]),
            "confusability_percentile": _number(row["confusability_percentile"]),
        }
    )


def _points(request: Request) -> Response:
    image_set = _image_set(request)
    with_classes = request.query_params.get("classes", "1") == "1"
    measure = request.query_params.get("measure", "uncertainty")
    if measure == "change":
        return _changed_points(request, image_set)
    if measure not in BY:
        return PlainTextResponse(f"No measure {measure!r}.", status_code=404)
    etag = f'"{image_set.version}-{int(with_classes)}-{measure}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    points = map_points(image_set.table(), with_classes=with_classes, measure=measure)
    return Response(encode_points(points), media_type="application/octet-stream", headers=headers)


def _changed_points(request: Request, image_set: ImageSet) -> Response:
    before = open_sets().get(image_set.set_id, request.query_params.get("before", DEFAULT))
    table = change(before.table(), image_set.table()).table
    points = map_points(table.assign(percentile=table["change_percentile"]), with_classes=False)
    headers = {"Cache-Control": "private, no-cache"}
    return Response(encode_points(points), media_type="application/octet-stream", headers=headers)


def _image_set(request: Request) -> ImageSet:
    return open_sets().get(request.path_params["set_id"], request.query_params.get("model", DEFAULT))


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else None
