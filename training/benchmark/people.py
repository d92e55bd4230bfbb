"""What people say of pictures: the entropy of their votes, and what others' models say of the same pictures."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from training.data.pictures import PictureList
from training.data.soft_labels import entropy_nats
from url_viz.errors import FolderError
from url_viz.imaging.scan import display_name

ENTROPY = "human_entropy"
BESIDE = ("authors_uncertainty", "authors_class_entropy")
"""Other models' orders that a .json of votes may hold: the paper's uncertainty, and a 1,000-class model's entropy."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """Of N pictures the `entropy` (N,) in nats of people's votes, and `beside` it other models' orders (N,), by name.

    nan for a picture without.
    """

    entropy: Doubles
    beside: Mapping[str, Doubles] = field(default_factory=dict)

    def at(self, rows: NDArray[np.integer]) -> "People":
        """Those of some of the pictures."""
        return People(self.entropy[rows], {name: values[rows] for name, values in self.beside.items()})


def people_of(lists: Sequence[PictureList], votes: Sequence[Path], order: Path | None) -> list[People | None]:
    """What the files of `votes` say of each list, None for a list that has none of the pictures.

    A .npy (M, C) holds counts, whose rows belong to the lines of `order`, paths from a set's root. A .json holds by
    file name without ending a record of `human_entropy` in nats, null for none, and BESIDE. Raises FolderError where
    files are missing or do not fit, or no picture of any list has votes.
    """
    found: list[People | None] = [None] * len(lists)
    for path in votes:
        known = _counts(path, order) if path.suffix == ".npy" else _records(path)
        here = [_of_list(pictures, known) for pictures in lists]
        if all(np.isnan(one.entropy).all() for one in here):
            raise FolderError(f"No picture of the sets is in {str(path)!r}, which begins with {list(known)[:1]}.")
        found = [old if np.isnan(new.entropy).all() else new for old, new in zip(found, here, strict=True)]
    return found


def _of_list(pictures: PictureList, known: Mapping[str, Mapping[str, float]]) -> People:
    names = [display_name(path) for path in pictures.paths]
    rows = [known.get(name) or known.get(PurePosixPath(name).stem, {}) for name in names]
    columns = {
        name: np.array([row.get(name, math.nan) for row in rows], dtype=np.float64) for name in (ENTROPY, *BESIDE)
    }
    return People(columns.pop(ENTROPY), {name: one for name, one in columns.items() if not np.isnan(one).all()})


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
    """The entropies and what stands beside them by file name without ending."""
    try:
        records = json.loads(path.read_text("utf-8"))
        return {
            name: {key: math.nan if record[key] is None else float(record[key]) for key in (ENTROPY, *BESIDE)}
            for name, record in records.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FolderError(
            f"The votes in {str(path)!r} cannot be read: {error!r}. Give --votes a .npy of counts with --votes-order, "
            f"or a .json: by file name, {ENTROPY}, {', '.join(BESIDE)}."
        ) from error
