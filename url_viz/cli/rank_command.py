"""Commands that print pictures in an order (rank, search), and why they are ambiguous (reasons, why)."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Count, OptionalPercentile, Output
from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, inert, printable
from url_viz.cli.command_app import app, table_text

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.outside.set_search import SearchResult


@app.on_set()
def rank(
    image_set: "ImageSet",
    *,
    top: Annotated[Count, Doc("how many pictures of each end")] = 20,
    by: Annotated[
        str | None, Doc("a measure or any column of numbers (default: the order that holds on this set)")
    ] = None,
    twins: Annotated[bool, Doc("show every picture of a group of copies and views")] = False,
    within_class: Annotated[bool, Doc("compare each picture with its own class only")] = False,
) -> None:
    """Print the most ambiguous and the clearest pictures of a folder that was read."""
    from url_viz.columns.ranking import ends, with_percentile

    measure = _leading(image_set) if by is None else by
    table = _with_between(image_set.table())
    if measure is None:
        print(_shown(table.head(top), ["path", "label"]))
        return
    numeric = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    if measure not in numeric:
        raise UrlVizError(f"There is no column of numbers {measure!r}. There are: {', '.join(numeric)}.")
    if not np.isfinite(table[measure].to_numpy(dtype=float)).any():
        model = image_set.source.name
        raise UrlVizError(f"No picture has a value of {measure!r} under the model {model!r}. Choose another with --by.")
    if within_class and table["label"].isna().all():
        raise UrlVizError("There are no classes to rank within. Choose some with `python -m url_viz labels FOLDER`.")
    ranked = with_percentile(table, measure, within_class=within_class)
    both = ends(ranked, by="rank_percentile" if within_class else measure, collapse_twins=not twins)
    for title, rows in (("Most ambiguous", both.ambiguous), ("Least ambiguous", both.clear)):
        print(f"{title} by {measure}:")
        print(_shown(rows.head(top), [measure, "path", "label", "between", "twins"]))


@app.on_set()
def search(
    image_set: "ImageSet",
    query: Positional[Annotated[Path, Doc("the picture to search with")]],
    *,
    k: Annotated[Count, Doc("how many pictures to find")] = 24,
    by: Annotated[str | None, Doc("the measure to leave out by (default: the order that holds here)")] = None,
    max_percentile: Annotated[
        OptionalPercentile, Doc("leave out pictures above this percentile of the measure")
    ] = None,
    without_dropped: Annotated[bool, Doc("leave out pictures that were decided to be dropped")] = False,
) -> None:
    """Find the pictures most similar to a file, with ambiguous ones left out on request."""
    result = image_set.safe_search(query, k=k, by=by, max_percentile=max_percentile, without_dropped=without_dropped)
    if max_percentile is not None:
        _print_query_note(result, max_percentile)
    print(_shown(_with_between(result.hits), ["similarity", *filter(None, [result.by]), "path", "label", "between"]))
    if len(result.withheld):
        withheld = counted(len(result.withheld), "nearer picture was", "nearer pictures were")
        why = "" if max_percentile is None else f": above percentile {max_percentile:g} of {result.by}"
        why += " or dropped" if max_percentile is not None and without_dropped else ""
        print(f"{withheld} left out{why}.")


def _leading(image_set: "ImageSet") -> str | None:
    """The measure that leads on this set; its reason is printed on stderr, so that stdout holds the lists alone."""
    order = image_set.order()
    print(inert(printable(order.reason)), file=sys.stderr)
    return order.measure


def _print_query_note(result: "SearchResult", max_percentile: float) -> None:
    """Say on stderr that the query itself is above the bound, or has no value to compare."""
    if np.isnan(result.query_percentile):
        print(f"The query has no {result.by or 'measure'} here.", file=sys.stderr)
    elif result.query_percentile > max_percentile:
        place = f"percentile {result.query_percentile:.0f} of {result.by}"
        print(f"The query itself is above the bound: it is at {place}.", file=sys.stderr)


def _with_between(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the two classes between which each picture lies, as words; without the column if none is known."""
    from url_viz.labels.ambiguity import between

    pairs = zip(table["first_class"], table["second_class"], strict=True)
    words = [(between(first, second) or "").removeprefix("between ") for first, second in pairs]
    return table.assign(between=pd.Series(words, index=table.index, dtype=object).replace("", None))


def _shown(table: pd.DataFrame, columns: Sequence[str]) -> str:
    shown = [c for c in columns if c in table and not table[c].isna().all()]
    return table_text(table[shown], "{:.4f}")


PICTURE_PX = 800


@app.on_set()
def reasons(
    image_set: "ImageSet",
    *,
    reason: Annotated[str | None, Doc("list the pictures with this reason, the strongest first")] = None,
    top: Annotated[Count, Doc("how many pictures to list")] = 40,
) -> None:
    """Count the likely reasons why pictures of a folder are ambiguous, or list the pictures with one of them."""
    from url_viz.columns.measures import shown_reason
    from url_viz.findings.reasons import reason_counts, with_reason

    if reason is not None:
        pictures = with_reason(image_set.reasons(), reason).merge(image_set.table()[["id", "path"]], on="id")
        print(f"{len(pictures):,} of {counted(len(image_set), image_set.noun)}: {reason}")
        for row in pictures.head(top).itertuples():
            print(f"  {row.strength:.2f}  {row.path}  {row.detail}")
        return
    table = image_set.table()
    for name, count in reason_counts(table["reasons"], image_set.core.reasons.order()).items():
        print(f"{count:8,}  {shown_reason(name)}")
    print(f"{int((table['reasons'] == '').sum()):8,}  none of these")
    for shared in image_set.core.reasons.shared:
        print(shared.words)


@app.on_set()
def why(
    image_set: "ImageSet",
    picture: Positional[Annotated[Path, Doc("a picture: its path as seen from here, or in the folder")]],
    *,
    heat: Annotated[Path | None, Doc("also write the picture with its heat map over it, as PNG"), Output()] = None,
) -> None:
    """Explain why one picture is ambiguous, and on request which part of it is."""
    from url_viz.columns.measures import shown_reason
    from url_viz.export.selection import ids_of_paths

    image_id = int(ids_of_paths(image_set, [str(picture)])[0])
    row = image_set.row(image_id)
    print(f"{row['path']}: {_value(image_set, row)}")
    for reason in image_set.reasons([image_id]).itertuples():
        print(f"  {reason.strength:.2f}  {shown_reason(str(reason.reason))}: {reason.detail}")
    if not row["reasons"]:
        print("  None of the known reasons.")
    if heat is not None:
        _write_heat(image_set, image_id, heat)


def _value(image_set: "ImageSet", row: dict[str, Any]) -> str:
    """The leading measure of a picture, else the general model's; with classes, between which two it lies."""
    from url_viz.columns.measures import UNCERTAINTY
    from url_viz.columns.ranking import percentile_of_each
    from url_viz.labels.ambiguity import between

    name = image_set.order().measure or UNCERTAINTY.name
    if not math.isfinite(row[name]):
        return "no value yet"
    lies = between(row["first_class"], row["second_class"])
    rank = percentile_of_each(image_set.table(), name)[image_set.core.row_of(row["id"])]
    value = f"{name} {row[name]:.4g}, above {rank:.0f} % of this set"
    return f"{value}, {lies}" if lies else value


def _write_heat(image_set: "ImageSet", image_id: int, out: Path) -> None:
    from url_viz.export.figure import require_png, write_png
    from url_viz.imaging.decode import decode
    from url_viz.outside.occlusion import heat_in_words, over

    require_png(out)
    heat = image_set.heat(image_id)
    picture, _ = decode(image_set.files.data(image_id), short_side_px=PICTURE_PX, rendering=image_set.core.rendering)
    picture.thumbnail((PICTURE_PX, PICTURE_PX))
    write_png(over(picture, heat), out)
    print(f"{heat_in_words(heat)} The picture with its map: {out}")
