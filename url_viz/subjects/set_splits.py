"""Splits of an image set, such as train and test, and the pictures that leak from one into another."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.findings.leaks import Splits, leaks, leaks_between_sets, splits
from url_viz.errors import ImageSetError
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.stored_pixels import stored_pixels
from url_viz.pipeline.twins import twins_across
from url_viz.store.tables.tables import Twins, positions_of
from url_viz.subjects.set_core import SetCore, SetSubject


class SetSplits(SetSubject):
    """The splits of an image set, as `image_set.splits`."""

    def get(self) -> Splits | None:
        """The split of each picture, and what tells it; None if there are no splits."""
        return self._core.derived.get(splits)

    @property
    def missing(self) -> str:
        """What to do about a set without splits, for an error."""
        return (
            f"{str(self._core.root)!r} has no splits to compare. Put its pictures below train/ and test/, bring a "
            "column named split (`python -m url_viz columns FOLDER add FILE`), or compare it with another set "
            "(`python -m url_viz leakage FOLDER --against OTHER`)."
        )

    def leaks(self, against: SetCore | None = None) -> pd.DataFrame | None:
        """Pictures in two splits, or with a twin in another: one row for each of the smaller split, with its twin.

        Twins are as `url_viz.pipeline.twins` has them. Columns: id, path, label, split, twin_id,
        twin_path, twin_label, twin_split, cosine, kind ("exact", "near", "same file" for a picture that its source
        names in two splits, or "kept apart": no twin, but of one patient, `labels.set_apart`). Splits are levels of
        folders such as train/ and test/, or a column of the user's named like one (`analysis.leaks.find_splits`). None
        without splits.
        `against` another image set, the pictures of this set that have a twin there; the splits are then the names
        of the folders. Dropped pictures are left out. Raises ImageSetError for a set that another model has read.
        """
        if against is not None:
            return _leaks_between(self._core, against)
        return self._core.derived.get(leaks)


def _leaks_between(core: SetCore, other: SetCore) -> pd.DataFrame:
    if other.space.key != core.space.key:
        raise ImageSetError(
            f"{str(other.root)!r} was read with {other.source.title}, and {str(core.root)!r} with "
            f"{core.source.title}. Twins are told by one model: read both with the same."
        )
    both = core, other
    keys = [np.unique(each.contents) for each in both]
    embeddings = [each.store.embeddings(each.space.key, key).embedding for each, key in zip(both, keys, strict=True)]
    pixels = Pixels.joined(*(stored_pixels(each.store, key) for each, key in zip(both, keys, strict=True)))
    rows = positions_of(core.contents, keys[0]), len(keys[0]) + positions_of(other.contents, keys[1])
    mine, others = ((each.frame, each.contents) for each in both)
    names = core.root.name, other.root.name
    twins = twins_across(*embeddings, pixels=pixels).with_pairs(_same_files(*keys))
    return leaks_between_sets(mine, others, twins, rows, names)


def _same_files(mine: NDArray[np.int64], others: NDArray[np.int64]) -> Twins:
    """The contents that are in both, as pairs of copies: of blank pictures the pixels do not tell."""
    _, own, other = np.intersect1d(mine, others, return_indices=True)
    pair = np.stack([own, len(mine) + other], axis=1)
    every = np.ones(len(pair))
    return Twins(len(mine) + len(others), pair.astype(np.int32), every.astype(np.float32), every.astype(bool))
