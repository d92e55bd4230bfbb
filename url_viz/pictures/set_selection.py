"""Selection of pictures by path, percentile and decision."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DecisionError, FolderError
from url_viz.columns.ranking import with_percentile
from url_viz.core import SetSubject
from url_viz.store.columns.user_paths import match_paths


def chosen_ids(
    subject: SetSubject,
    *,
    paths: Sequence[str] | None = None,
    above: float | None = None,
    below: float | None = None,
    by: str | None = None,
    decision: str | None = None,
) -> NDArray[np.int64]:
    """Ids of the pictures at `paths` (None: all) with a percentile of `by` of at least `above` and less than `below`.

    `subject` is the set, or a subject of it; `by` a measure, by default the leading one (`ImageSet.order`). Paths are
    as `ids_of_paths` takes them, `decision` as `has_decision`. Raises DecisionError without any condition, or if no
    picture meets them.
    """
    if paths is None and above is None and below is None and decision is None:
        raise DecisionError("Say which pictures: paths, a list (--from), --above or --below a percentile.")
    core = subject._core
    table = core.frame
    is_chosen = np.ones(len(table), bool)
    if paths is not None:
        is_chosen = np.isin(table["id"].to_numpy(), ids_of_paths(subject, paths))
    if above is not None or below is not None:
        order = core.current_order()
        if by is None and order.measure is None:
            raise DecisionError(f"{order.reason} Say which measure's percentile is meant (--by).")
        by = by or str(order.measure)
        if by not in table or not pd.api.types.is_numeric_dtype(table[by]):
            raise DecisionError(
                f"There is no measure {by!r}. Take ambiguity, confusability, or another numeric column."
            )
        rank = with_percentile(table, by)["rank_percentile"].to_numpy(dtype=float)
        is_chosen &= np.isfinite(rank)
        is_chosen &= (rank >= (-np.inf if above is None else above)) & (rank < (np.inf if below is None else below))
    if decision is not None:
        is_chosen &= has_decision(table, decision)
    if not is_chosen.any():
        raise DecisionError(f"None of the {len(table):,} pictures in {str(core.root)!r} meets these conditions.")
    return table["id"].to_numpy()[is_chosen]


def has_decision(table: pd.DataFrame, decision: str) -> NDArray[np.bool_]:
    """Which rows (N,) of `ImageSet.table()` have a decision, "none" for no decision."""
    return (table["decision"].isna() if decision == "none" else table["decision"] == decision).to_numpy(dtype=bool)


def ids_of_paths(subject: SetSubject, paths: Iterable[str]) -> NDArray[np.int64]:
    """Ids of pictures by path: relative to the working directory or to the set, absolute, or a unique end of it.

    Raises DecisionError, with examples, if a path matches no picture of the set.
    """
    core = subject._core

    def from_here(path: str) -> str:
        folder, name = os.path.split(os.path.expanduser(path))
        real = os.path.join(os.path.realpath(folder or "."), name)
        is_in_set = os.path.lexists(real) and real.startswith(os.fspath(core.folder) + os.sep)
        return real if is_in_set else path

    wanted = list(dict.fromkeys(map(from_here, paths)))
    matched = match_paths(wanted, core.paths_of(core.ids), root=core.folder)
    if matched.count < len(wanted):
        raise DecisionError(
            f"{len(wanted) - matched.count:,} of {len(wanted):,} paths are not pictures of {str(core.root)!r}, "
            f"such as {', '.join(map(repr, matched.examples[:3]))}. Nothing was changed. "
            "Paths may be absolute, or relative to that folder."
        )
    return core.ids[matched.row]


def paths_listed(file: Path | None) -> list[str]:
    """The paths in a file, or on standard input ("-"): separated by NUL if it has any, else one per line.

    Empty without a file. Raises FolderError if it cannot be read.
    """
    if file is None:
        return []
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.expanduser().read_bytes()
    except OSError as error:
        raise FolderError(f"Cannot read the list {str(file)!r}: {error.strerror}. Give a file of paths.") from error
    return [os.fsdecode(part) for part in (text.split(b"\0") if b"\0" in text else text.splitlines()) if part]
