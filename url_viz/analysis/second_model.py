"""A second model that has read the same pictures: asked how easily they are confused, and of which class they are."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.errors import DamageError
from url_viz.models.model import EmbeddingSpace, ModelSource, packaged_name, title_of
from url_viz.pipeline.confusability import ReferenceOfBoth, SecondLists, confusability_by_both
from url_viz.pipeline.nearest import NONE, Nearest
from url_viz.pipeline.twins import leaders
from url_viz.pipeline.whitening import whitened_for
from url_viz.rows import l2_normalize
from url_viz.store.about import embed_command
from url_viz.store.kept_columns import read_kept, write_kept
from url_viz.store.reader import Store
from url_viz.store.second_model import is_asked, other_spaces
from url_viz.store.tables import Graph, GraphColumns
from url_viz.store.whitening import WhitenedRows

VERSION = 1
"""Of confusability by both: what another version kept is worked out again."""
BLOCK = 4096
_KEPT = pa.schema([("confusability", pa.float32())])


class SecondModel:
    """What a second model knows of the M contents of a first one's graph, all in the order of that graph.

    Lists and rows are read when they are first needed. `columns` are those of its graph.
    """

    def __init__(self, store: Store, space: EmbeddingSpace, columns: GraphColumns) -> None:
        self.space = space
        self.columns = columns
        self._store = store

    @property
    def title(self) -> str:
        """Its name for people."""
        return title_of(self.space.backbone)

    @cached_property
    def graph(self) -> Graph:
        graph = self._store.graph(self.space.key)
        if graph is None:
            raise DamageError(f"The graph of {self.title!r} is gone. Read the folder with this model again.")
        return graph

    @cached_property
    def whitened(self) -> WhitenedRows:
        return whitened_for(self._store, self.space.key, self.columns.content)

    @property
    def is_whole(self) -> bool:
        """Whether lists and rows can be read, and are in one space; not while a writer fits that anew."""
        try:
            return self.graph.whitening == self.whitened.whitening.key
        except DamageError:
            return False

    def about(self, nearest: NDArray[np.integer]) -> SecondLists:
        """Its lists, and how near that is to each which is `nearest` (M,) to the first model, −1 for none."""
        rows = self.whitened.rows
        return SecondLists(self.graph.position, self.graph.similarity, cosines_of(rows, rows, nearest))

    def voters(self, group: NDArray[np.integer]) -> Nearest:
        """Its lists without those who are twins to the first model (`group` (M,), twins alike): they have no vote."""
        position = self.graph.position
        is_twin = (position >= 0) & (group[position] == group[:, None])
        return Nearest(np.where(is_twin, np.int32(NONE), position), self.graph.similarity)


def find_second(store: Store, space: EmbeddingSpace, content: NDArray[np.int64]) -> SecondModel | None:
    """The other model that read a set last, of those whose graph has just the contents (M,); None if there is none.

    One whose tables are damaged has no say; that is told to who opens the set with it, and mended by `mend`.
    """
    for other in other_spaces(store, space):
        with suppress(DamageError):
            known = store.graph_columns(other.key)
            if known is not None and np.array_equal(known.content, content):
                return SecondModel(store, other, known)
    return None


class Seconds:
    """Which second model has its say in a snapshot that is looked at with the model of `space`, and which could."""

    def __init__(self, store: Store, space: EmbeddingSpace, *, own: GraphColumns | None, is_alone: bool) -> None:
        """`own` is what the graph of the model of `space` says."""
        self._store, self._space, self._own, self._is_alone = store, space, own, is_alone

    @property
    def asked(self) -> SecondModel | None:
        """The one that has its say: `at_hand`, if it is asked and can be read."""
        return None if self.columns is None else self.at_hand

    @cached_property
    def at_hand(self) -> SecondModel | None:
        """The one that has read all of the pictures, whether it is asked or not."""
        return None if self._own is None else find_second(self._store, self._space, self._own.content)

    @property
    def behind(self) -> EmbeddingSpace | None:
        """The space of another model that has read the set, where none has read all of its pictures."""
        return None if self.at_hand else next(self._others, None)

    @cached_property
    def columns(self) -> GraphColumns | None:
        """The columns of the graph by two models; None if no second one is asked."""
        known, found = self._own, self.at_hand
        if self._is_alone or known is None or found is None or not is_asked(self._store.paths):
            return None
        return columns_by_both(self._store, self._space, known, found)

    @property
    def is_settled(self) -> bool:
        """Whether what has its say stays so until a table changes: not while what a second model read is written."""
        is_none = self._is_alone or not is_asked(self._store.paths) or next(self._others, None) is None
        return is_none or self.columns is not None

    @property
    def _others(self) -> Iterator[EmbeddingSpace]:
        return other_spaces(self._store, self._space)

    @cached_property
    def name(self) -> str | None:
        """The name by which the asked one is loaded; None if there is none, or its weights are in no package."""
        return None if self.asked is None else packaged_name(self.asked.space)

    def in_words(self, first: ModelSource) -> str:
        """By which models confusability and ambiguity are, and what could be done about it; `first` is looked at."""
        if self.asked is not None:
            return f"Confusability and ambiguity are by two models: {first.title} and {self.asked.title}."
        words = f"Confusability and ambiguity are by {first.title} alone"
        if self.at_hand is not None:
            return f"{words}; {self.at_hand.title} has read the pictures too."
        if self.behind is None:
            return f"{words}."
        other = self.behind.backbone
        how = embed_command(self._store.about().root, "--model", first.name, "--also", other)
        return f"{words}. {other} has not read all of these pictures. Have it read the others: {how}."


def cosines_of(
    rows: NDArray[np.floating], among: NDArray[np.floating], other: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The cosine (Q,) of each row (Q, A) and that at `other` (Q,) of `among` (M, A), all of length one; −1 for none."""
    found = np.full(len(rows), -1, np.float32)
    for start in range(0, len(rows), BLOCK):
        part = np.arange(start, min(start + BLOCK, len(rows)))
        part = part[other[part] >= 0]
        found[part] = np.einsum("qa,qa->q", rows[part].astype(np.float32), among[other[part]].astype(np.float32))
    return found


def side_by_side(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """The rows of both models' whitened spaces as one (M, A + B), of length one."""
    return l2_normalize(np.hstack([first, second]))


def by_both(graph: Graph, second: SecondModel) -> tuple[NDArray[np.float32], ReferenceOfBoth]:
    """Confusability (M,) by two models, and what new pictures are ranked among."""
    about = second.about(graph.position[:, 0])
    return confusability_by_both(graph.position, graph.similarity, about, leader=leaders(graph.twins))


def columns_by_both(
    store: Store, space: EmbeddingSpace, columns: GraphColumns, second: SecondModel
) -> GraphColumns | None:
    """The columns of a graph with confusability by two models: as it was kept, else worked out and kept.

    None if what it is worked out from cannot be read, or is being written.
    """
    folder, key = store.paths.class_shares / "second", _key(columns, second.columns)
    kept = read_kept(folder, space.key, key, _KEPT, len(columns.content))
    if kept is not None:
        return replace(columns, confusability=kept["confusability"].astype(np.float32, copy=False))
    graph = store.graph(space.key)
    if graph is None or not second.is_whole:
        return None
    value, _ = by_both(graph, second)
    write_kept(folder, space.key, key, {"confusability": value})
    return replace(columns, confusability=value)


def _key(*of: GraphColumns) -> str:
    """A digest of where two models put the pictures."""
    digest = hashlib.blake2b(str(VERSION).encode(), digest_size=12)
    for columns in of:
        for part in (columns.content, columns.nearest, columns.nearest_similarity, columns.confusability):
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
