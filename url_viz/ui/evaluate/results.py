"""Cached results of the Evaluate page, computed once per snapshot of an image set."""

from functools import lru_cache

from url_viz.analysis.evaluated import Evaluated
from url_viz.image_set import ImageSet


def results_of(image_set: ImageSet) -> Evaluated | None:
    """All results of a labelled snapshot; None if too few pictures have a class, or neighbours are not known yet."""
    return _results(image_set, image_set.version)


@lru_cache(maxsize=4)
def _results(image_set: ImageSet, version: str) -> Evaluated | None:
    """`version` is part of the key: user columns and labels change it for the same snapshot."""
    return image_set.evaluate()
