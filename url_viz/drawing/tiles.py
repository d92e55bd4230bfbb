"""What stands on pictures (tiles, hover cards), for JSON, and the addresses of what the app serves."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pandas as pd

from url_viz.base.wording import decimal, distinct_short_names, standing, twins_in_words
from url_viz.columns.filters import ReviewSpec, review_as_query
from url_viz.columns.measures import every_measure, is_measure, measure_title
from url_viz.columns.ranking import percentile_of_each
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Range
from url_viz.labels.ambiguity import classes_in_question, groups_in_question

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
    """The URL of the ids of a cached order (`url_viz.ui.open_sets`)."""
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


LONG_NAME = 18
"""Names of classes that are longer are cut where they stand in a question below a picture: a line of a tile each."""


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    `thumbnail` is a URL. `value` is printed on the picture ("above 97 %"), `detail` shown when it is pointed at.
    `question` ("cucumber or banana?"), `label` and, on wide tiles, `name` (of a path, its last part) are under it;
    of a question between two classes, or groups, `asked` are its two lines, and where names are long what tells them
    apart ("…vanilla…"), as `short_label` is of the label.
    `twins` says which others it stands for ("3 copies"). `mark` is a short word in the corner. `decision` is shown as a
    coloured sign; a dropped picture is faint.
    """

    id: int
    name: str
    thumbnail: str
    value: str
    label: str | None = None
    twins: str = ""
    is_ringed: bool = False
    mark: str | None = None
    decision: str | None = None
    question: str | None = None
    detail: str = ""
    asked: tuple[str, str] | None = None
    short_label: str | None = None


def tile_data(tile: Tile) -> dict[str, object]:
    """A tile for the browser; its id as text, because JavaScript's numbers hold 53 bits."""
    return asdict(tile) | {"id": str(tile.id)}


def tiles(rows: pd.DataFrame, *, set_id: str, measure: str, ringed_id: int | None = None) -> tuple[Tile, ...]:
    """Rows as tiles, with the measure's percentile printed on each, its value as detail."""

    def tile(row: Mapping[Hashable, Any]) -> Tile:
        value, rank = float(row[measure]), float(row["rank_percentile"])
        named = {str(column): value for column, value in row.items()}
        return tile_of(
            row,
            set_id=set_id,
            value=value_text(value, rank),
            detail=f"{measure_title(measure)} {value_with_percentile(value, rank)}" if is_measure(measure) else "",
            asked=classes_in_question(named),
            like=groups_in_question(named),
            twins=twins_in_words(int(row.get("twins", 0)), int(row.get("copies", 0))),
            is_ringed=int(row["id"]) == ringed_id,
            decision=row.get("decision"),
        )

    return tuple(map(tile, rows.to_dict("records")))


def tiles_by_similarity(rows: pd.DataFrame, *, set_id: str) -> tuple[Tile, ...]:
    """Rows with a `similarity` (columns as of `ImageSet.neighbours`) as tiles, with how similar they are on each."""
    return tuple(
        tile_of(row, set_id=set_id, value=similarity_text(row["similarity"]), decision=row.get("decision"))
        for row in rows.to_dict("records")
    )


def tile_of(
    row: Mapping[Hashable, Any],
    *,
    set_id: str,
    value: str,
    asked: tuple[str, str] | None = None,
    like: tuple[str, str] | None = None,
    **more: Any,
) -> Tile:
    """A row (id, path, label) as a tile with a text `value`; `more` are other fields of `Tile`.

    It asks between the classes `asked`, or else between the groups that it is `like`.
    """
    image_id, label, either = int(row["id"]), row.get("label"), row.get("either")
    if isinstance(either, str):
        label = f"{label} and {either}"
    usual: dict[str, Any] = {
        "thumbnail": thumbnail_url(set_id, image_id),
        "label": label if isinstance(label, str) else None,
    }
    if asked is not None:
        short = distinct_short_names(asked, most=LONG_NAME)
        short_label = dict(zip(asked, short, strict=True)).get(str(label))
        usual |= {"question": f"{' or '.join(asked)}?", "asked": short, "short_label": short_label}
    elif like is not None:
        first, second = distinct_short_names(like, most=LONG_NAME - 2)  # "like: " is two longer than "or ?"
        usual |= {"question": f"like: {' or '.join(like)}?", "asked": (f"like: {first}", second)}
    return Tile(image_id, str(row["path"]), value=value, **usual | more)


def value_text(value: float, rank: float) -> str:
    """`above 97 %`, or `0.412` where nan is its percentile, or `–` for nan."""
    if not np.isfinite(value):
        return "–"
    return standing(rank) if np.isfinite(rank) else f"{value:.3g}"


def similarity_text(similarity: float) -> str:
    """`similarity .40`: with the word, since elsewhere a tile's number is how ambiguous a picture is."""
    return f"similarity {decimal(similarity)}"


def value_with_percentile(value: float, rank: float) -> str:
    """`0.4123 · above 97 % of the others`, or the value alone where nan is its percentile."""
    return f"{value:.4g}" + (f" · {standing(rank, of=' of the others')}" if np.isfinite(rank) else "")


def card_of(image_set: ImageSet, image_id: int, *, measure: str | None = None) -> dict[str, object]:
    """A picture's card, for JSON: id (as text), name, label, `between` and `measures`.

    `between` has the name and the share of the two classes that the picture lies between, or nothing. `measures` has
    the title, value and percentile of each measure that the picture has, `measure` (any numeric column) first. Raises
    ImageSetError for an id that is not in this set.
    """
    row, measures = image_set.row(image_id), []
    names = [each.name for each in every_measure() if each.is_offered and not each.is_baseline and each.name in row]
    if measure is not None and measure in row:
        names.insert(0, measure)
    for name in dict.fromkeys(names):
        if (value := number_of(row[name])) is not None:
            rank = percentile_of_each(image_set.table(), name)[image_set.core.row_of(int(row["id"]))]
            measures.append({"title": measure_title(name), "value": value, "percentile": number_of(rank)})
    return {
        "id": str(row["id"]),
        "name": row["path"],
        "label": row["label"],
        "between": classes_between(row, with_shares=image_set.labels.shows_shares()),
        "measures": measures,
    }


def number_of(value: object) -> float | None:
    """A value as a number of JSON; None if it is none, or not finite."""
    return float(value) if isinstance(value, Real) and np.isfinite(float(value)) else None


def classes_between(row: Mapping[str, Any], *, with_shares: bool = True) -> list[dict[str, str | float | None]]:
    """The name and the share (None without) of the two classes that a picture lies between, if any.

    `row` is one of the table.
    """
    names = [row["first_class"], row["second_class"]]
    shares = [number_of(row[column]) if with_shares else None for column in ("first_share", "second_share")]
    if not all(isinstance(name, str) for name in names):
        return []
    return [{"name": name, "share": share} for name, share in zip(names, shares, strict=True)]
