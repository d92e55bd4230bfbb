"""What every subject of an image set stands on: tables at one version, derived columns, models, decisions."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DamageError, ImageSetError
from url_viz.base.wording import for_objects
from url_viz.base.workspace import Workspace
from url_viz.column_list import derived_columns
from url_viz.columns import table
from url_viz.columns.engine import Column
from url_viz.columns.filters import LABEL_CHECK, Filter, Kind, filterable
from url_viz.columns.measures import (
    ADAPTED_HEAD,
    AMBIGUITY,
    DISAGREEMENT,
    UNCERTAINTY,
    Measure,
    available_measures,
    has_values,
    measure_named,
    table_measures,
    title_of_column,
)
from url_viz.columns.second_model import SecondModelChoice, opinions, opinions_available
from url_viz.columns.sources import SetContext
from url_viz.columns.table import imported
from url_viz.evidence.compare import disagreement
from url_viz.evidence.order import Order, order, while_read
from url_viz.findings.reasons import reasons
from url_viz.imaging.rendering import Rendering
from url_viz.labels import apart
from url_viz.labels.doubtful_labels import label_checks
from url_viz.labels.label_choice import measured as measured_column
from url_viz.models.catalogue import has_learnt_from
from url_viz.models.model import EmbeddingSpace, Model, ModelSource, load_as
from url_viz.outside.new_pictures import Reference, reference
from url_viz.pipeline.nearest import UnitRows
from url_viz.store.about import embed_command
from url_viz.store.columns.source_columns import OBJECTS, PICTURE
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decisions import Decisions
from url_viz.store.tables.reader import Snapshot
from url_viz.store.tables.tables import positions_of
from url_viz.store.tables.writer import is_being_written

Value = TypeVar("Value")


class ColumnValue(Generic[Value]):
    """An attribute of a set that is one of its columns (`url_viz.column_list`)."""

    def __init__(self, column: Column[..., Value]) -> None:
        self._column = column

    def __get__(self, core: "SetCore", _: type | None = None) -> Value:
        return core.derived.get(self._column)


class SetCore:
    """The rows of one snapshot of an image set, in the order of its table, and what is derived from them.

    What `ImageSet` and the objects of its subjects stand on.
    """

    frame = ColumnValue(table.table)
    """The table of `ImageSet.table`; not to be changed."""
    measured = ColumnValue(measured_column)
    """The table before reasons and decisions are joined to it."""
    base = ColumnValue(table.base)
    """What is stored of the pictures, before anything is derived."""
    stored_rows = ColumnValue(table.rows)
    """The stored tables joined to one row per picture."""
    graph = ColumnValue(table.graph)
    """The neighbour graph of the distinct contents; None before it is made."""
    witnesses = ColumnValue(apart.witnesses)
    """The graph whose lists hold no picture that is kept apart from its row (`labels.set_apart`); None as above."""
    source_groups = ColumnValue(apart.sources)
    """The source group (N,) of each picture: twins, and what is kept apart, are no witnesses for each other."""
    whitened = ColumnValue(table.whitened)
    """The pictures in the set's whitened space, rows in the order of `table()`."""
    reasons = ColumnValue(reasons)
    """Why pictures are ambiguous: `.order()` has the names, what explains most first, `.shared` those of nearly all."""
    leading_order = ColumnValue(order)
    """The measure that leads, and why."""

    def __init__(
        self,
        store: Snapshot,
        space: EmbeddingSpace,
        source: ModelSource,
        workspace: Workspace,
        *,
        is_single_model: bool,
    ) -> None:
        """With `is_single_model` no second model takes part, whatever was chosen."""
        self.store, self.space, self.source, self.workspace = store, space, source, workspace
        self.is_single_model = is_single_model
        self.set_id, about = store.paths.folder.name, store.about()
        self.root, self.folder, self.is_of_objects = about.root, about.base, bool(about.objects_in)
        self.noun, self.named_classes = about.noun, about.classes
        self.answer_log = Answers(store.paths.decisions)
        self.context = SetContext(
            store,
            space,
            source.head,
            source.is_external,
            is_single_model,
            about.without_objects,
            self.answer_log,
            lambda: self.decisions,
            has_learnt_from(source.name, self.root),
        )
        self.derived = derived_columns(self.context)

    def in_words(self, words: str) -> str:
        """`words` about pictures, or the same about objects if the rows of this set are objects."""
        return words if not self.is_of_objects else for_objects(words)

    @cached_property
    def single_model(self) -> "SetCore":
        """The same snapshot by its own model only."""
        if self.is_single_model:
            return self
        return SetCore(self.store, self.space, self.source, self.workspace, is_single_model=True)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids (N,) int64, rows in the order of `table()`."""
        return self.base.table["id"].to_numpy(np.int64)

    @property
    def contents(self) -> NDArray[np.int64]:
        """Content keys (N,), rows in the order of `table()`: equal ones are copies of one file."""
        return self.base.contents

    def rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """The rows (M,) of pictures, in the order of `ids`. Raises ImageSetError for an id that is not in this set."""
        wanted = np.fromiter((int(i) for i in ids), np.int64)
        rows = positions_of(wanted, self.ids)
        if (rows < 0).any():
            raise ImageSetError(
                f"There is no picture with id {wanted[rows < 0][0]} in {str(self.root)!r}. Take ids from its `table()`."
            )
        return rows

    def row_of(self, image_id: int) -> int:
        """The row of a picture. Raises ImageSetError for an id that is not in this set."""
        return int(self.rows_of([image_id])[0])

    def paths_of(self, ids: Iterable[int]) -> list[bytes]:
        """Root-relative paths of pictures, as the file system has them, in the order of `ids`."""
        paths: list[bytes] = self.base.paths.take(self.rows_of(ids)).to_pylist()
        return paths

    def keep_mask(self) -> NDArray[np.bool_]:
        """Which pictures (N,) were not dropped, rows in the order of `table()`."""
        return np.asarray(self.frame["decision"] != "drop", bool)

    def filter_kinds(self) -> dict[str, Kind]:
        """The columns that can be filtered by, and how; those that only a filter needs (`for_filters`) last."""
        kinds: dict[str, Kind] = {**self.derived.result(table.table, filterable, filterable)}
        if has_values(self.measured, AMBIGUITY.name):
            kinds[LABEL_CHECK] = "several"
        return kinds | dict.fromkeys(self._disagreements, "numeric")

    def for_filters(self, rows: pd.DataFrame, filters: Sequence[Filter]) -> pd.DataFrame:
        """`rows`, all of the table, with what one of `filters` is on and only filters need.

        That is the check of their labels, and how far the leading order by another model is from that by this one.
        """
        asked = {rule.column for rule in filters}
        if LABEL_CHECK in asked:
            rows = rows.assign(**{LABEL_CHECK: self.derived.get(label_checks)})
        for column, space in self._disagreements.items():
            if column in asked and column not in rows:
                rows = rows.assign(**{column: self._disagreement(space)})
        return rows

    def disagreement_with(self, space: EmbeddingSpace) -> str | None:
        """The column that `for_filters` gives for the model of a space; None for one that has no order of its own."""
        return next((column for column, other in self._disagreements.items() if other.key == space.key), None)

    @cached_property
    def _disagreements(self) -> dict[str, EmbeddingSpace]:
        """The other spaces that have an order, each by the name of its column of disagreement."""
        found = dict[str, EmbeddingSpace]()
        for space in self.store.about().other_spaces(self.space):
            with suppress(DamageError):  # reported when the set is opened with that model
                if self.store.count(f"graph-{space.key}"):
                    found.setdefault(f"{DISAGREEMENT}{space.backbone}", space)
        return found

    def _disagreement(self, space: EmbeddingSpace) -> NDArray[np.float32]:
        """How far the leading order by another model is from that by this one (N,), each by itself."""

        def made(_: pd.DataFrame) -> NDArray[np.float32]:
            measure = self.leading_order.measure
            source = ModelSource(space.backbone, space.backbone, None)
            other = SetCore(self.store, space, source, self.workspace, is_single_model=True)
            mine, theirs = self.single_model.measured, other.measured
            if measure is None or measure not in mine or measure not in theirs:
                return np.full(len(mine), np.nan, np.float32)
            return disagreement(mine, theirs, measure=measure)

        result: NDArray[np.float32] = self.derived.result(measured_column, (DISAGREEMENT, space.key), made)
        return result

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph in the whitened space: pairs and names to ask about need one."""
        return self.derived.get(table.own_graph_columns) is not None

    def require_graph(self) -> None:
        """Raise ImageSetError if there is no graph in the whitened space."""
        if not self.has_graph:
            raise ImageSetError(
                f"{str(self.root)!r} has no neighbour graph yet. Read it again: {embed_command(self.root)}."
            )

    @cached_property
    def unit(self) -> UnitRows:
        """The rows of the whitened space to search among."""
        return UnitRows(self.whitened.rows)

    def measures(self) -> tuple[str, ...]:
        """Measures that this set can be ordered by, user columns of numbers last; `order()` tells which leads."""
        listed = self.derived.get(imported).listed
        brought = [column.name for column in listed if column.kind == "numeric" and column.source != OBJECTS]
        return available_measures(self.measured, brought)

    def reference(self, *, is_single_model: bool = False) -> Reference:
        """What pictures from outside are compared with: the distinct contents of this set.

        By both models only if the second can be loaded (`SecondModelChoice.name`): it must read each new picture too.
        """
        choice = self.second
        is_single = choice.active is not None and (is_single_model or choice.name is None)
        core = self.single_model if is_single else self
        return core.derived.get(reference)

    def measure(self, name: str) -> Measure:
        """A measure as this set has it: uncertainty may be by a head that has learnt from these pictures."""
        return ADAPTED_HEAD if name == UNCERTAINTY.name and self.context.has_learnt else measure_named(name)

    def title_of_column(self, column: str) -> str:
        """What pages call a column of this set."""
        return self.measure(column).title if column == UNCERTAINTY.name else title_of_column(column)

    def check_measure(self, by: str) -> None:
        """Raise ImageSetError if `by` is not a measure that this set has values of."""
        available = self.measures()
        if by not in available and not (by in table_measures() and has_values(self.measured, by)):
            raise ImageSetError(f"{by!r} is not a measure of this set. It has: {', '.join(available) or 'none yet'}.")

    def current_order(self) -> Order:
        """`leading_order`, whose reason says if pictures are still being read where none leads."""
        order = self.leading_order
        return while_read(order) if order.measure is None and is_being_written(self.store.paths) else order

    @cached_property
    def decisions(self) -> Decisions:
        """The decisions on pictures, their tags and corrected labels."""
        return Decisions(self.store.paths.decisions, self.derived.get(table.file_keys), noun=self.noun)

    def decisions_by(self, who: str | None) -> Decisions:
        """Decisions that stand in the log as made by `who`; by default the user of this process."""
        return self.decisions if who is None else self.decisions.by(who)

    @property
    def second(self) -> SecondModelChoice:
        """Which second model confusability and ambiguity are by, too, and which could be (`.active`, `.enable`)."""
        available = self.derived.get(opinions_available)
        return SecondModelChoice(
            self.store, self.space, available[0] if available else None, self.derived.get(opinions)
        )

    @property
    def rendering(self) -> Rendering | None:
        """How pictures of more than 8 bits, or of many bands, are seen; None where it does not matter."""
        return self.space.preprocessing.rendering

    @cached_property
    def model(self) -> Model:
        """The model that read this set, loaded when it is first needed for a new picture."""
        return load_as(self.source.name, self.space, workspace=self.workspace.root)

    @property
    def second_model(self) -> Model | None:
        """The second model, loaded when it is first needed for a new picture; None if it has no name."""
        name = self.second.name
        return None if name is None else self._loaded_second(name)

    @cached_property
    def _loaded_second(self) -> Callable[[str], Model]:
        return cache(lambda name: load_as(name, self.space, workspace=self.workspace.root))


class SetSubject:
    """One subject of an image set, such as its labels."""

    def __init__(self, core: SetCore) -> None:
        self._core = core


def require_same_kind(one: SetCore, other: SetCore) -> None:
    """Raise ImageSetError if one is of objects and the other of whole pictures, which are never the same."""
    if one.is_of_objects == other.is_of_objects:
        return
    objects, whole = (one, other) if one.is_of_objects else (other, one)
    pictures = _picture_folder(objects)
    how = "" if pictures is None else f"to compare pictures, take {str(pictures)!r} ({embed_command(pictures)}) "
    how += "" if pictures is None else f"in place of {str(objects.root)!r}; "
    raise ImageSetError(
        f"{str(objects.root)!r} was read as objects in pictures, and {str(whole.root)!r} as whole pictures: no object "
        f"is a picture. Read both in the same way: {how}to compare objects, take the annotation file of "
        f"{str(whole.root)!r}, if it has one."
    )


def _picture_folder(objects: SetCore) -> Path | None:
    """The folder in which the pictures of objects lie; None where reading it would give the objects again."""
    folders = {os.path.dirname(str(name)) for name in objects.frame[PICTURE]} if PICTURE in objects.frame else set()
    folder = objects.folder / os.path.commonpath(folders) if folders else objects.folder
    return None if folder == objects.root else folder
