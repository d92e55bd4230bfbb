"""What a heat map explains: why a picture stands where it does in an order, as a value of covered copies of it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import shares_of_new
from url_viz.analysis.measures import AMBIGUITY, CONFUSABILITY, ENTROPY, TUNED, UNCERTAINTY
from url_viz.analysis.new_pictures import Reference, nearest_without_twins
from url_viz.analysis.occlusion import Explained
from url_viz.analysis.votes import NONE

Floats = NDArray[np.float32]


def explained_measure(row: Mapping[str, object], *names: str | None) -> str:
    """The first of these measures that a heat map can explain and the picture of a table's `row` has a value of.

    `tuned` is explained by confusability, which answers made it of. Without any it is the head's value, or the entropy.
    """
    known = (CONFUSABILITY.name if name == TUNED.name else name for name in (*names, UNCERTAINTY.name))
    can_be = (AMBIGUITY.name, CONFUSABILITY.name, UNCERTAINTY.name, ENTROPY.name)
    return next((name for name in known if name in can_be and row[name] == row[name]), ENTROPY.name)


def explained(measure: str, row: Mapping[str, object], place: int, reference: Reference) -> Explained:
    """What explains where a measure puts a picture: of ambiguity the lead of its first class over its second, −1 to 1.

    Of confusability it is the similarity of the nearest, else what the model says of the picture by itself. `row` is
    the picture's of `ImageSet.table()`, `place` its row of the reference (by one model), NONE for none.
    """
    among, rows_of = reference.confusability, reference.whitened.whitening.transform
    if measure == AMBIGUITY.name and reference.model is not None and place != NONE:
        without, classes = reference.without(place), (str(row["first_class"]), str(row["second_class"]))
        columns = np.searchsorted(reference.model.classes, [reference.class_names.index(name) for name in classes])
        return Explained(measure, classes, lambda copies: _lead(copies, without, columns))
    if measure == CONFUSABILITY.name and among is not None and place != NONE:
        nearest = among.models[0].first[place, 0]
        path = str(reference.table["path"].iloc[nearest])
        to = reference.whitened.rows[nearest].astype(np.float32)
        return Explained(measure, (path,), lambda copies: np.asarray(rows_of(copies).astype(np.float32) @ to))
    return Explained(measure if measure == ENTROPY.name else explained_measure(row))


def _lead(copies: NDArray[np.floating], without: Reference, columns: NDArray[np.int64]) -> Floats:
    """By how much the share of one class exceeds that of another (Q,), for embeddings (Q, D) of copies."""
    assert without.model is not None
    rows = without.whitened.whitening.transform(copies)
    near, _ = nearest_without_twins(copies, np.full(len(copies), NONE), without, rows)
    first, second = shares_of_new([near], np.arange(len(rows)), rows, without.model)[:, columns].T
    return np.asarray(first - second, np.float32)
