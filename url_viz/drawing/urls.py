"""Addresses of what the app serves besides its pages: thumbnails, pictures, cards, points, orders and tiles."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from url_viz.analysis.scope import ReviewSpec, review_as_query
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Range

_base = "/url-viz"


def base() -> str:
    """The path below which everything lies that is served besides pages."""
    return _base


def serve_below(path: str) -> None:
    """Have every address lie below a path, such as "/pictures"; "" for the host's own."""
    global _base
    _base = f"{path}/url-viz"


def thumbnail_url(set_id: str, image_id: int | str) -> str:
    """The URL of a picture's thumbnail; with the id `"{id}"`, a pattern for those of a set."""
    return f"{base()}/thumbnail/{set_id}/{image_id}.jpg"


def picture_url(image_set: ImageSet, image_id: int, *, window: Range | None = None) -> str:
    """The URL of a picture, upright and at most 1,600 px; in a `window`, of more than 8 bits, instead of the set's."""
    shown = f"&black={window[0]:g}&white={window[1]:g}" if window is not None else ""
    return f"{base()}/picture/{image_set.set_id}/{image_id}.jpg?model={quote(image_set.source.name, safe='')}{shown}"


def whole_url(image_set: ImageSet, image_id: int, small: str = "") -> str | None:
    """The URL of the whole picture of an object, with the boxes in it; None in a set of whole pictures."""
    if not image_set.is_of_objects:
        return None
    return f"{base()}/whole/{image_set.set_id}/{image_id}.svg?{_query(image_set, small=small)}"


def card_url(image_set: ImageSet, *, measure: str | None = None, gone: str | None = None) -> str:
    """The URL of a picture's card (JSON), with the placeholder `{id}` for its id; `measure` is the first on it.

    `gone` is the id of the set that has the pictures which this one does not have.
    """
    return f"{base()}/card/{image_set.set_id}/{{id}}?{_query(image_set, measure=measure, gone=gone)}"


def points_url(
    image_set: ImageSet,
    *,
    measure: str | None = None,
    category: str | None = None,
    size: str | None = None,
    space: str = "",
    state: str = "",
) -> str:
    """The URL of the map's points; another version has another URL, so that the points are fetched again.

    Their value is the percentile of `measure`, any numeric column, their category that of `category`, any column of few
    values, their size the percentile of `size`, any numeric column. None leaves these out. `space` is that
    of the map (`ExploreView`). `state` names whatever else may have changed, as
    the version of the decisions does.
    """
    parameters = {"measure": measure, "category": category, "size": size, "map": space}
    return f"{base()}/points/{image_set.set_id}?{_query(image_set, **parameters, state=state)}"


def representatives_url(image_set: ImageSet) -> str:
    """The URL of the pictures that represent the map's regions."""
    return f"{base()}/representatives/{image_set.set_id}?{_query(image_set)}"


def answers_url(image_set: ImageSet, spec: ReviewSpec) -> str:
    """The URL that takes the answers of a review."""
    return f"{base()}/answers/{image_set.set_id}?{_query(image_set, v=None, **review_as_query(spec))}"


def order_url(key: str) -> str:
    """The URL of the ids of a cached order (`url_viz.ui.response_cache`)."""
    return f"{base()}/order/{key}"


def tiles_url(image_set: ImageSet, *, order: str, measure: str) -> str:
    """The URL of tiles of the cached order `order`, with placeholders `{from}` and `{to}` for the positions, from 0.

    `measure` is printed on them. Another version of the decisions has another URL.
    """
    query = _query(image_set, measure=measure, order=order, state=str(image_set.decisions.version))
    return f"{base()}/tiles/{image_set.set_id}?{query}&from={{from}}&to={{to}}"


def _query(image_set: ImageSet, **parameters: str | Sequence[str] | None) -> str:
    """The query of a URL: the model, what is given of `parameters`, and the version, unless it is given as None."""
    single = "1" if image_set.core.is_single_model else None
    query = {"model": image_set.source.name, "alone": single, "v": image_set.version, **parameters}
    return urlencode({name: value for name, value in query.items() if value}, doseq=True)
