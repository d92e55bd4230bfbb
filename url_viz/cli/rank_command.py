"""Commands that print pictures in an order: `rank` by a measure, `search` by similarity."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import table_text
from url_viz.errors import UrlVizError
from url_viz.options import Count, OptionalPercentile
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.subjects.set_search import SearchResult


@app.on_set()
def rank(
    image_set: "ImageSet",
    *,
    top: Annotated[Count, arg(help="how many pictures of each end")] = 20,
    by: Annotated[
        str | None, arg(help="a measure or any column of numbers (default: the order that holds on this set)")
    ] = None,
    twins: Annotated[bool, arg(help="show every picture of a group of twins")] = False,
    within_class: Annotated[bool, arg(help="compare each picture with its own class only")] = False,
) -> None:
    """Print the most ambiguous and the clearest pictures of a folder that was read."""
    from url_viz.analysis.ranking import ends, with_percentile

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
    for title, rows in (("Most ambiguous", both.ambiguous), ("Clearest", both.clear)):
        print(f"{title} by {measure}:")
        print(_shown(rows.head(top), [measure, "path", "label", "between", "twins"]))


@app.on_set()
def search(
    image_set: "ImageSet",
    query: Positional[Annotated[Path, arg(help="the picture to search with")]],
    *,
    k: Annotated[Count, arg(help="how many pictures to find")] = 24,
    by: Annotated[str | None, arg(help="the measure to withhold by (default: the order that holds here)")] = None,
    max_percentile: Annotated[
        OptionalPercentile, arg(help="withhold pictures above this percentile of the measure")
    ] = None,
    without_dropped: Annotated[bool, arg(help="withhold pictures that were decided to be dropped")] = False,
) -> None:
    """Find the pictures most similar to a file, with ambiguous ones withheld on request."""
    result = image_set.safe_search(query, k=k, by=by, max_percentile=max_percentile, without_dropped=without_dropped)
    if max_percentile is not None:
        _print_query_note(result, max_percentile)
    print(_shown(_with_between(result.hits), ["similarity", *filter(None, [result.by]), "path", "label", "between"]))
    if len(result.withheld):
        withheld = counted(len(result.withheld), "nearer picture was", "nearer pictures were")
        why = "" if max_percentile is None else f": above percentile {max_percentile:g} of {result.by}"
        why += " or dropped" if max_percentile is not None and without_dropped else ""
        print(f"{withheld} withheld{why}.")


def _leading(image_set: "ImageSet") -> str | None:
    """The measure that leads on this set; its reason is printed on stderr, so that stdout holds the lists alone."""
    order = image_set.order()
    print(order.reason, file=sys.stderr)
    return order.measure


def _print_query_note(result: "SearchResult", max_percentile: float) -> None:
    """Say on stderr that the query itself is above the bound, or has no value to compare."""
    if np.isnan(result.query_percentile):
        print(f"The query has no {result.by or 'measure'} here.", file=sys.stderr)
    elif result.query_percentile > max_percentile:
        at = f"percentile {result.query_percentile:.0f} of {result.by}"
        print(f"The query itself is above the bound: it is at {at}.", file=sys.stderr)


def _with_between(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the two classes between which each picture lies, as words; without the column if none is known."""
    from url_viz.analysis.between import between

    pairs = zip(table["first_class"], table["second_class"], strict=True)
    words = [(between(first, second) or "").removeprefix("between ") for first, second in pairs]
    return table.assign(between=pd.Series(words, index=table.index, dtype=object).replace("", None))


def _shown(table: pd.DataFrame, columns: Sequence[str]) -> str:
    shown = [c for c in columns if c in table and not table[c].isna().all()]
    return table_text(table[shown], "{:.4f}")
