"""Maps of an image set: pictures that stand for its regions, a map of some pictures, and fitting the map again."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.evidence.selective_retrieval import near_in_graph
from url_viz.analysis.representatives import representatives
from url_viz.models.imagenet import class_names
from url_viz.pipeline.postprocess import update_derived
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, project_selection, tsne_coordinates
from url_viz.pipeline.whitening import whitened_for
from url_viz.progress import ProgressCallback, silent
from url_viz.store.tables.tables import PLACED, TSNE, UMAP, positions_of
from url_viz.store.tables.writer import Writer
from url_viz.subjects.set_core import SetSubject

Method = Literal["UMAP", "t-SNE", "PCA"]
NAMED_FROM = 0.15
"""A class names a region from this mean share on: below it, names of regions of Places and Grocery were far-fetched."""
NEAR = 24
"""Nearest neighbours of a region's picture that are asked with it."""


@dataclass(frozen=True)
class Projection:
    """Pictures on a map of their own: `ids` (M,) int64 in the order of `table()`, `xy` (M, 2) float32.

    It is by UMAP or t-SNE, or by PCA alone, because they are few.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    by: Method

    def __len__(self) -> int:
        return len(self.ids)


class SetMaps(SetSubject):
    """The maps of an image set, as `image_set.maps`."""

    def representatives(self, count: int | None = None) -> pd.DataFrame:
        """Pictures that stand for the regions of the map: id, path, x, y, size, label, share; largest regions first.

        `looks_like` is the class of ImageNet that the backbone sees in a picture and its neighbours, with its
        `like_share`; None without a head that knows the classifier, or where no class is clear. `count` bounds their
        number; by default it follows that of the pictures (`url_viz.analysis.representatives`).
        """
        core = self._core
        pictures = representatives(core.frame, core.contents, core.graph, count=count, by=core.leading_order.measure)
        return self._with_looks(pictures)

    def _with_looks(self, pictures: pd.DataFrame) -> pd.DataFrame:
        names, head = class_names(), self._core.source.head
        functions = head.functions if head is not None else None
        if functions is None or len(functions.bias) != len(names):
            return pictures.assign(looks_like=None, like_share=np.nan)
        looks = [look_of(functions.shares(self._near_embeddings(int(each))), names) for each in pictures["id"]]
        return pictures.assign(
            looks_like=pd.Series([name for name, _ in looks], dtype=object, index=pictures.index),
            like_share=np.array([share for _, share in looks], np.float32),
        )

    def _near_embeddings(self, image_id: int) -> NDArray[np.float32]:
        """Embeddings (M, D) of a picture and its nearest in the graph, M at most NEAR + 1."""
        row, contents = self._core.row_of(image_id), self._core.contents
        near = near_in_graph(row, contents, self._core.graph)
        keys = np.unique(contents[[row] if near is None else [row, *near[0][:NEAR]]])
        return self._core.store.embeddings(self._core.space.key, keys).embedding.astype(np.float32)

    def project(self, ids: Iterable[int], *, method: Literal["umap", "tsne"] = "umap") -> Projection:
        """Some pictures on a map of their own: UMAP on the neighbours among them, PCA below 15; seeded.

        Beyond 20,000 a sample is fitted and the others are placed. `tsne` is t-SNE of the raw embeddings, as in the
        paper's figure; beyond 10,000 of a sample. Raises ImageSetError for an id that is not in this set.
        """
        store, key, graph = self._core.store, self._core.space.key, self._core.graph
        rows = np.unique(self._core.rows_of(ids))
        contents = np.unique(self._core.contents[rows])
        if method == "tsne" and len(contents) >= FEWEST_FOR_UMAP:
            read = store.embeddings(key, contents)
            coordinates = tsne_coordinates(read.content, read.embedding, graph)
        else:
            coordinates = project_selection(whitened_for(store, key, contents), graph)
        methods: dict[int, Method] = {TSNE: "t-SNE", UMAP: "UMAP"}
        by: Method = next((name for code, name in methods.items() if (coordinates.method == code).any()), "PCA")
        place = positions_of(self._core.contents[rows], coordinates.content)
        return Projection(self._core.ids[rows], coordinates.xy[place], by)

    def refit(self, progress: ProgressCallback | None = None) -> None:
        """Fit the map to all pictures again; everything moves. Seen by opening the set again.

        Raises WorkspaceError if another process writes.
        """
        with Writer(self._core.store.paths, self._core.root) as writer:
            update_derived(writer, self._core.space.key, report=progress or silent, refit=True)

    @cached_property
    def placed_fraction(self) -> float:
        """The fraction of the map's pictures that came after its fit, and were placed by their neighbours."""
        coordinates = self._core.store.coordinates(self._core.space.key)
        if coordinates is None or not (coordinates.method == UMAP).any():
            return 0.0
        return float((coordinates.method == PLACED).mean())


def look_of(shares: NDArray[np.floating], names: tuple[str, ...]) -> tuple[str | None, float]:
    """The class with the largest mean share among pictures, and that share; no name if it is below NAMED_FROM.

    `shares` (M, C) are the classifier's softmax, `names` its C classes.
    """
    mean = shares.mean(axis=0)
    best = int(mean.argmax())
    return (names[best] if mean[best] >= NAMED_FROM else None), float(mean[best])
