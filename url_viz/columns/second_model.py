"""A second model that has read the same pictures: how easily it confuses them, and of which class they are."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

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


class SecondModel:
    """What a second model knows of the M contents of a first one's graph, in the order of that graph.

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


def find_second(store: Store, space: EmbeddingSpace, content: NDArray[np.int64]) -> SecondModel | None:
    """The other model that read a set last, of those whose graph has just the contents (M,); None if there is none.

    One whose tables are damaged is passed over; that is reported when the set is opened with it, and fixed by `mend`.
    """
    for other in store.about().other_spaces(space):
        with suppress(DamageError):
            columns = store.graph_columns(other.key)
            if columns is not None and np.array_equal(columns.content, content):
                return SecondModel(store, other, columns)
    return None


@dataclass(frozen=True)
class SecondModelChoice:
    """Which second model takes part in a snapshot that is looked at with the model of `space`, and which could.

    `available` has read all of the pictures, `active` is that one where it takes part: confusability and ambiguity are
    then by both.
    """

    store: Store
    space: EmbeddingSpace
    available: SecondModel | None
    active: SecondModel | None

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
            by_one = command("second", self.store.about().root, "--ask", "no")
            both = f"{first.title} and {self.active.title}"
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


def side_by_side(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """The rows of both models' whitened spaces as one (M, A + B), of length one."""
    return l2_normalize(np.hstack([first, second]))


def combined_confusability(graph: Graph, second: SecondModel) -> tuple[NDArray[np.float32], ConfusabilityReference]:
    """Confusability (M,) by two models, and what new pictures are ranked among."""
    witnesses, representative = second.lists(graph.position[:, 0]), twin_representatives(graph.twins)
    return confusability(graph.position, graph.similarity, second=witnesses, representative=representative)


@column()
def second_available(
    own_graph_columns: GraphColumns | None, second_model_of: ByContent[SecondModel | None]
) -> SecondModel | None:
    """The second model that could take part: it has read all of the pictures."""
    return None if own_graph_columns is None else second_model_of(own_graph_columns.content)


_CONFUSABILITY = pa.schema([("confusability", pa.float32())])


def _confusability_from(table: pa.Table, own_graph_columns: GraphColumns | None) -> NDArray[np.float32]:
    rows = 0 if own_graph_columns is None else len(own_graph_columns.content)
    return numbers_from_table(table, _CONFUSABILITY, rows)["confusability"].astype(np.float32, copy=False)


@column(
    digest=lambda value: b"" if value is None else value.tobytes(),
    on_disk=OnDisk(lambda value: pa.table({"confusability": value}), _confusability_from),
)
def confusability_by_both(
    second_available: SecondModel | None, graph: Lazy[Graph | None], *, uses_second_model: bool
) -> NDArray[np.float32] | None:
    """Confusability (M,) by two models; None if no second one takes part, or its tables are damaged or written."""
    if second_available is None or not uses_second_model:
        return None
    own = graph()
    return None if own is None or not second_available.is_whole else combined_confusability(own, second_available)[0]


@column()
def second(
    second_available: SecondModel | None, confusability_by_both: NDArray[np.float32] | None
) -> SecondModel | None:
    """The second model that takes part."""
    return None if confusability_by_both is None else second_available


@column()
def graph_columns(
    own_graph_columns: GraphColumns | None, confusability_by_both: NDArray[np.float32] | None
) -> GraphColumns | None:
    """What the graph says of each distinct content, with confusability by both models."""
    if own_graph_columns is None or confusability_by_both is None:
        return own_graph_columns
    return replace(own_graph_columns, confusability=confusability_by_both)
