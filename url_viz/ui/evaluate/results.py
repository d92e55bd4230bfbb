"""Cached results of the Evaluate page, computed once per snapshot of an image set."""

from dataclasses import dataclass
from functools import lru_cache

from url_viz.analysis.evaluation import Counted, Measured, counted, lead_over, measured
from url_viz.analysis.metrics import Interval
from url_viz.image_set import ImageSet


@dataclass(frozen=True)
class Lead:
    """How far the R-AUROC of one measure is ahead of another's, with the 95 % interval of the difference."""

    ahead: str
    behind: str
    by: float
    interval: Interval


@dataclass(frozen=True)
class Results:
    """The counted pictures of a set, every measure's figures, and the lead of confusability over uncertainty."""

    pictures: Counted
    measures: tuple[Measured, ...]
    lead: Lead | None


def results_of(image_set: ImageSet) -> Results | None:
    """All results of a labelled snapshot; None if too few pictures have a class, or neighbours are not known yet."""
    return _results(image_set, image_set.version)


@lru_cache(maxsize=4)
def _results(image_set: ImageSet, version: str) -> Results | None:
    """`version` is part of the key: user columns and labels change it for the same snapshot."""
    if image_set.graph is None:
        return None
    pictures = counted(
        image_set.table(),
        image_set.contents,
        graph=image_set.graph,
        embeddings=lambda: image_set.whitened.rows,
        user_measures=[column.name for column in image_set.user_columns() if column.is_uncertainty],
    )
    return None if pictures is None else Results(pictures, measured(pictures), _lead(pictures))


def _lead(pictures: Counted) -> Lead | None:
    if not {"uncertainty", "confusability"} <= pictures.values.keys():
        return None
    lead = lead_over(pictures, "confusability", "uncertainty")
    return Lead("confusability", "uncertainty", lead.value, lead.interval)
