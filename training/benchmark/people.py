"""People's votes on pictures: their entropy, and other models' orders of the same pictures."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.data.pictures import PictureList
from training.named_sets.soft_labels import entropy_nats
from url_viz.errors import FolderError
from url_viz.imaging.scan import display_name

ENTROPY = "human_entropy"
OTHER_ORDERS = ("authors_uncertainty", "authors_class_entropy")
"""Other models' orders that a .json of votes may hold: the paper's uncertainty, and a 1,000-class model's entropy."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """Of N pictures the `entropy` (N,) in nats of people's votes, and `other_orders` (N,) of other models by name.

    nan for a picture without.
    """

    entropy: Doubles
    other_orders: Mapping[str, Doubles] = field(default_factory=dict)

    def take(self, rows: NDArray[np.integer]) -> "People":
        return People(self.entropy[rows], {name: values[rows] for name, values in self.other_orders.items()})


def people_of(lists: Sequence[PictureList], votes: Sequence[Path], order: Path | None) -> list[People | None]:
    """What the files of `votes` say of each list, None for a list that has none of the pictures.

    A .npy (M, C) holds counts, whose rows belong to the lines of `order`, paths from a set's root. A .json maps file
    names without extension to records of `human_entropy` in nats, null for none, and OTHER_ORDERS. Raises FolderError
    if files are missing or do not fit, or no picture of any list has votes.
    """
    people: list[People | None] = [None] * len(lists)
    for path in votes:
        counts = _counts(path, order) if path.suffix == ".npy" else _records(path)
        new = [_of_list(pictures, counts) for pictures in lists]
        has_votes = [not np.isnan(voted.entropy).all() for voted in new]
        if not any(has_votes):
            raise FolderError(f"No picture of the sets is in {str(path)!r}, which begins with {list(counts)[:1]}.")
        people = [voted if has else old for voted, has, old in zip(new, has_votes, people, strict=True)]
    return people


def _of_list(pictures: PictureList, counts: Mapping[str, Mapping[str, float]]) -> People:
    names = [display_name(path) for path in pictures.paths]
    rows = [counts.get(name) or counts.get(PurePosixPath(name).stem, {}) for name in names]
    columns = {
        name: np.array([row.get(name, math.nan) for row in rows], dtype=np.float64) for name in (ENTROPY, *OTHER_ORDERS)
    }
    return People(
        columns.pop(ENTROPY), {name: values for name, values in columns.items() if not np.isnan(values).all()}
    )


def _counts(path: Path, order: Path | None) -> dict[str, dict[str, float]]:
    """The entropies by path from the root."""
    if order is None:
        raise FolderError(f"The votes in {str(path)!r} need --votes-order FILE: CLASS/NAME of each row, a line each.")
    try:
        counts, names = np.load(path, allow_pickle=False), order.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise FolderError(
            f"The votes cannot be read: {error}. Give --votes a .npy and --votes-order a text."
        ) from error
    if counts.ndim != 2 or len(counts) != len(names):
        raise FolderError(
            f"{str(path)!r} has the shape {counts.shape}, and {str(order)!r} {len(names)} lines. Give one row a line."
        )
    entropy = entropy_nats(counts.astype(np.int64))
    return {name: {ENTROPY: value} for name, value in zip(names, entropy.tolist(), strict=True)}


def _records(path: Path) -> dict[str, dict[str, float]]:
    """The entropies and other models' orders by file name without extension."""
    try:
        records = json.loads(path.read_text("utf-8"))
        return {
            name: {key: math.nan if record[key] is None else float(record[key]) for key in (ENTROPY, *OTHER_ORDERS)}
            for name, record in records.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FolderError(
            f"The votes in {str(path)!r} cannot be read: {error!r}. Give --votes a .npy of counts with --votes-order, "
            f"or a .json: by file name, {ENTROPY}, {', '.join(OTHER_ORDERS)}."
        ) from error
