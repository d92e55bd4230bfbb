"""A second opinion on the same pictures: how easily another model confuses them, and of which class they are."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import DamageError
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import command
from url_viz.columns.engine import ByContent, Lazy, OnDisk, column
from url_viz.models.model import EmbeddingSpace, ModelSource, model_title, packaged_name
from url_viz.pipeline.confusability import ConfusabilityReference, Lists, confusability
from url_viz.pipeline.nearest import NONE, Nearest
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import whitened_for
from url_viz.store.about import choose_second_model, embed_command
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Store
from url_viz.store.tables.stored_arrow import numbers_from_table
from url_viz.store.tables.tables import Graph, GraphColumns

BLOCK = 4096


class Opinion:
    """What another space knows of the M contents of a first one's graph, in the order of that graph.

    `columns` are those of its own graph; lists and rows are read when they are first needed.
    """

    def __init__(self, store: Store, space: EmbeddingSpace, columns: GraphColumns) -> None:
        self._store, self.space, self.columns = store, space, columns

    @property
    def title(self) -> str:
        return model_title(self.space.backbone)

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
    def is_look(self) -> bool:
        """Whether it is the first model's other look at the pictures, not another network's."""
        return self.space.preprocessing.is_squeezed

    @property
    def is_whole(self) -> bool:
        """Whether lists and rows can be read, and are in one space; not while a writer refits that."""
        try:
            return self.graph.whitening == self.whitened.whitening.key
        except DamageError:
            return False

    @property
    def embeddings(self) -> NDArray[np.float16]:
        return self._store.embeddings(self.space.key, self.columns.content).embedding

    def lists(self, nearest: NDArray[np.integer]) -> Lists:
        """Its lists, and its cosine of each content and the one `nearest` (M,) by the first model, −1 for none."""
        rows = self.whitened.rows
        return Lists(self.graph.position, self.graph.similarity, row_cosines(rows, rows, nearest))


def voters(graph: Graph, group: NDArray[np.integer]) -> Nearest:
    """The lists of a graph without those of the row's own source group (`group` (M,)), which have no vote."""
    position = graph.position
    is_twin = (position >= 0) & (group[position] == group[:, None])
    return Nearest(np.where(is_twin, np.int32(NONE), position), graph.similarity)


def find_opinions(store: Store, space: EmbeddingSpace, content: NDArray[np.int64]) -> tuple[Opinion, ...]:
    """The second model, and behind it the other look of the model of `space`, if that was taken; () without a second.

    The second model is the other one that read a set last, of those whose graph has just the contents (M,). One whose
    tables are damaged is passed over; that is reported when the set is opened with it, and fixed by `sets repair`.
    """
    second = tuple(islice(_opinions(store, store.about().other_spaces(space), content), 1))
    return second and (*second, *_opinions(store, [space.squeezed], content))


def _opinions(store: Store, spaces: Iterable[EmbeddingSpace], content: NDArray[np.int64]) -> Iterator[Opinion]:
    for space in spaces:
        with suppress(DamageError):
            columns = store.graph_columns(space.key)
            if columns is not None and np.array_equal(columns.content, content):
                yield Opinion(store, space, columns)


@dataclass(frozen=True)
class SecondModelChoice:
    """Which second model takes part in a snapshot that is looked at with the model of `space`, and which could.

    `available` has read all of the pictures. Where it takes part, `opinions` are those that confusability and ambiguity
    are by, beside the first model's.
    """

    store: Store
    space: EmbeddingSpace
    available: Opinion | None
    opinions: tuple[Opinion, ...]

    @property
    def active(self) -> Opinion | None:
        """The available one where it takes part."""
        return self.opinions[0] if self.opinions else None

    @property
    def looks_twice(self) -> bool:
        """Whether the other look of the first model takes part, too."""
        return len(self.opinions) > 1

    @property
    def judges(self) -> str:
        """Another text where new pictures are judged by other models, or looks; "" by the first alone."""
        return f"{self.name} {self.looks_twice}" if self.name else ""

    @property
    def incomplete(self) -> EmbeddingSpace | None:
        """The space of another model that has read the set, where none has read all of its pictures."""
        return None if self.available else next(self.store.about().other_spaces(self.space), None)

    @property
    def name(self) -> str | None:
        """The name by which the active one is loaded; None if there is none, or its weights are in no package."""
        return None if self.active is None else packaged_name(self.active.space)

    def enable(self, *, is_enabled: bool = True) -> None:
        """Choose whether a second model takes part, which is seen at once; nothing is read again.

        Raises WorkspaceError if the disk is full or read-only.
        """
        choose_second_model(self.store.paths, is_used=is_enabled)

    def in_words(self, first: ModelSource) -> str:
        """By which models confusability and ambiguity are, and what could be done about it; `first` is looked at."""
        if self.active is not None:
            by_one = command("models", "second", self.store.about().root, "--ask", "no")
            both = f"{first.title}{', which looks twice,' if self.looks_twice else ''} and {self.active.title}"
            return f"Confusability and ambiguity are by two models: {both}. By one: `{by_one}`."
        words = f"Confusability and ambiguity are by {first.title} alone"
        if self.available is not None:
            return f"{words}; {self.available.title} has read the pictures too."
        if self.incomplete is None:
            return f"{words}."
        other = self.incomplete.backbone
        how = embed_command(self.store.about().root, "--model", first.name, "--also", other)
        return f"{words}. {other} has not read all of these pictures. Have it read the others: {how}."


def row_cosines(
    rows: NDArray[np.floating], among: NDArray[np.floating], other: NDArray[np.integer], *, block: int = BLOCK
) -> NDArray[np.float32]:
    """The cosine (Q,) of each row (Q, A) and that at `other` (Q,) of `among` (M, A), all of length one; −1 for none."""
    cosines = np.full(len(rows), -1, np.float32)
    for start in range(0, len(rows), block):
        part = np.arange(start, min(start + block, len(rows)))
        part = part[other[part] >= 0]
        cosines[part] = np.einsum("qa,qa->q", rows[part].astype(np.float32), among[other[part]].astype(np.float32))
    return cosines


def side_by_side(first: NDArray[np.floating], *others: NDArray[np.floating]) -> NDArray[np.floating]:
    """The rows of several whitened spaces as one (M, A + B + …), of length one."""
    return l2_normalize(np.hstack([first, *others])) if others else first


def combined_confusability(
    graph: Graph, opinions: Sequence[Opinion]
) -> tuple[NDArray[np.float32], ConfusabilityReference]:
    """Confusability (M,) by a graph and other opinions, and what new pictures are ranked among."""
    others = [each.lists(graph.position[:, 0]) for each in opinions]
    representative = twin_representatives(graph.twins)
    return confusability(graph.position, graph.similarity, others=others, representative=representative)


@column()
def opinions_available(
    own_graph_columns: GraphColumns | None, opinions_on: ByContent[tuple[Opinion, ...]]
) -> tuple[Opinion, ...]:
    """The second model that could take part, as it has read all of the pictures, and what does with it."""
    return () if own_graph_columns is None else opinions_on(own_graph_columns.content)


_CONFUSABILITY = pa.schema([("confusability", pa.float32())])


def _confusability_from(table: pa.Table, own_graph_columns: GraphColumns | None) -> NDArray[np.float32]:
    rows = 0 if own_graph_columns is None else len(own_graph_columns.content)
    return numbers_from_table(table, _CONFUSABILITY, rows)["confusability"].astype(np.float32, copy=False)


@column(
    digest=lambda value: b"" if value is None else value.tobytes(),
    on_disk=OnDisk(lambda value: pa.table({"confusability": value}), _confusability_from),
)
def confusability_by_both(
    opinions_available: tuple[Opinion, ...], graph: Lazy[Graph | None], *, uses_second_model: bool
) -> NDArray[np.float32] | None:
    """Confusability (M,) by two models; None if no second one takes part, or its tables are damaged or written."""
    if not opinions_available or not uses_second_model:
        return None
    own, are_whole = graph(), all(each.is_whole for each in opinions_available)
    return combined_confusability(own, opinions_available)[0] if own is not None and are_whole else None


@column()
def opinions(
    opinions_available: tuple[Opinion, ...], confusability_by_both: NDArray[np.float32] | None
) -> tuple[Opinion, ...]:
    """The second opinion that takes part; () for none."""
    return () if confusability_by_both is None else opinions_available


@column()
def other_networks(opinions: tuple[Opinion, ...]) -> tuple[Opinion, ...]:
    """The opinions that classes are judged by: another look helps confusability alone (docs/order.md)."""
    return tuple(opinion for opinion in opinions if not opinion.is_look)


@column()
def graph_columns(
    own_graph_columns: GraphColumns | None, confusability_by_both: NDArray[np.float32] | None
) -> GraphColumns | None:
    """What the graph says of each distinct content, with confusability by both models."""
    if own_graph_columns is None or confusability_by_both is None:
        return own_graph_columns
    return replace(own_graph_columns, confusability=confusability_by_both)
