"""What the columns of an image set are made of: its stored tables, what the user brought, decisions and answers.

A source gives the value of its table or file, or reads it by content. It is read for each column that is made of it,
and not kept.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import DamageError
from url_viz.columns.engine import ByContent, source
from url_viz.columns.second_model import Opinion, find_opinions
from url_viz.columns.table import FILES
from url_viz.models.head import Head
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline.near_copies import Pixels, stored_pixels
from url_viz.pipeline.whitening import whitened_for
from url_viz.store.about import is_second_model_used
from url_viz.store.columns import imported_columns as user_files
from url_viz.store.columns.imported_columns import Import
from url_viz.store.decisions.answers import Answered, Answers
from url_viz.store.decisions.decision_rows import Decided
from url_viz.store.decisions.decisions import Decisions
from url_viz.store.tables.embedding_rows import WhitenedRows, Whitening
from url_viz.store.tables.reader import ENCODING_TABLE, HASH_TABLE, QUALITY_TABLE, EmbeddedContents, Snapshot
from url_viz.store.tables.tables import Coordinates, Graph, GraphColumns
from url_viz.store.training_records import RecordedRuns, read_runs, run_version


@dataclass(frozen=True)
class SetContext:
    """One snapshot: its tables, the model that it is looked at with, and what is decided.

    With `is_single_model` no second model takes part. `is_external` is for embeddings from a file, which no head
    of ours reads: the first uncertainty column of the user takes the place of `uncertainty`. A head that `has_learnt`
    from these pictures is not judged on them.
    """

    store: Snapshot
    space: EmbeddingSpace
    head: Head | None
    is_external: bool
    is_single_model: bool
    without_objects: int
    answers: Answers
    decisions: Callable[[], Decisions]
    has_learnt: bool = False

    @property
    def key(self) -> str:
        return self.space.key

    @property
    def uses_second_model(self) -> bool:
        """Whether a second model takes part if there is one."""
        return not self.is_single_model and is_second_model_used(self.store.paths)

    @property
    def imports_version(self) -> str:
        """Another text once what the user brought, or chose as the label, has changed."""
        return user_files.columns_version(self.store.paths)

    @property
    def labels_version(self) -> int:
        """Rises with the labels that somebody gave, and with names and tags where these are the labels."""
        decided, is_by_words = self.decisions(), False
        with suppress(DamageError):  # reported where labels are made
            is_by_words = user_files.label_choice(self.store.paths).read().label in (user_files.TAGS, user_files.NAMES)
        return decided.version if is_by_words else decided.labels_version


def _tables(*names: str) -> Callable[[SetContext], str]:
    """The fingerprint of tables; a name that ends with "-" is followed by the key of the space."""
    return lambda context: context.store.digest_of(
        [f"{name}{context.key}" if name.endswith("-") else name for name in names]
    )


@source(_tables("images"))
def stored_files(context: SetContext) -> pa.Table:
    """FILES of each file of the folder."""
    return context.store.images(FILES)


@source(_tables("images"))
def file_count(context: SetContext) -> int:
    return context.store.count("images")


@source(_tables(QUALITY_TABLE))
def stored_quality(context: SetContext) -> pa.Table:
    return context.store.quality()


@source(_tables(ENCODING_TABLE))
def encodings(context: SetContext) -> pa.Table:
    return context.store.encodings()


@source(_tables("images"))
def thumbnails_of(context: SetContext) -> Callable[[Iterable[int]], dict[int, bytes]]:
    """Reads thumbnails by id."""
    return context.store.thumbnails


@source(_tables("images", HASH_TABLE))
def pixels_of(context: SetContext) -> ByContent[Pixels]:
    return partial(stored_pixels, context.store)


@source(_tables("embeddings-"))
def embedded(context: SetContext) -> EmbeddedContents:
    return context.store.embedded(context.key)


@source(_tables("embeddings-"))
def embeddings_of(context: SetContext) -> ByContent[NDArray[np.float16]]:
    return lambda contents: context.store.embeddings(context.key, contents).embedding


@source(lambda context: context.head.digest if context.head else "")
def head(context: SetContext) -> Head | None:
    return context.head


@source(lambda context: context.store.digest_of([f"scores-{context.key}-{context.head and context.head.digest}"]))
def scores(context: SetContext) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """The contents that the head has scored, and their uncertainty; None without a head."""
    return None if context.head is None else context.store.scores(context.key, context.head.digest)


@source(_tables("coordinates-"))
def coordinates(context: SetContext) -> Coordinates | None:
    """The map; None before it was made."""
    return context.store.coordinates(context.key)


@source(_tables("graph-"))
def stored_graph(context: SetContext) -> Graph | None:
    """The neighbour graph of the distinct contents; None before it is made."""
    return context.store.graph(context.key)


@source(_tables("graph-"))
def stored_graph_columns(context: SetContext) -> GraphColumns | None:
    """What the graph says of each content, without its lists."""
    return context.store.graph_columns(context.key)


@source(_tables("graph-"))
def graph_size(context: SetContext) -> int:
    return context.store.count(f"graph-{context.key}")


@source(_tables("whitening-"))
def whitening(context: SetContext) -> Whitening | None:
    return context.store.whitening(context.key)


@source(_tables("whitening-", "whitened-", "embeddings-"))
def whitened_of(context: SetContext) -> ByContent[WhitenedRows]:
    """Rows in the whitened space."""
    return partial(whitened_for, context.store, context.key)


@source(lambda context: context.store.others_version(context.space))
def opinions_on(context: SetContext) -> ByContent[tuple[Opinion, ...]]:
    """What reads the opinions of other spaces on just the contents of a graph."""
    return partial(find_opinions, context.store, context.space)


@source(lambda context: str(context.uses_second_model), is_live=True)
def uses_second_model(context: SetContext) -> bool:
    return context.uses_second_model


@source(lambda context: str(context.is_external))
def is_external(context: SetContext) -> bool:
    return context.is_external


@source(lambda context: str(context.has_learnt))
def has_learnt(context: SetContext) -> bool:
    """Whether the head has learnt from these pictures."""
    return context.has_learnt


@source(lambda context: str(context.without_objects))
def without_objects(context: SetContext) -> int:
    return context.without_objects


@source(lambda context: context.imports_version, is_live=True)
def imports(context: SetContext) -> tuple[Import, ...]:
    return user_files.read_imports(context.store.paths)


@source(lambda context: context.imports_version, is_live=True)
def stored_label(context: SetContext) -> str | None:
    """The choice of the label on disk."""
    return user_files.label_choice(context.store.paths).read().label


@source(lambda context: context.imports_version, is_live=True)
def stored_apart(context: SetContext) -> str | None:
    """The choice on disk of what is kept apart."""
    return user_files.label_choice(context.store.paths).read().apart


@source(lambda context: run_version(context.store.paths), is_live=True)
def runs(context: SetContext) -> RecordedRuns:
    """What was recorded of the user's own models."""
    return read_runs(context.store.paths)


@source(lambda context: str(context.decisions().version), is_live=True)
def decisions(context: SetContext) -> Decided:
    """What is decided of each file."""
    return context.decisions().now()


@source(lambda context: str(context.labels_version), is_live=True)
def given_labels(context: SetContext) -> Decided:
    """As `decisions`, where only labels that somebody gave matter."""
    return context.decisions().now()


@source(lambda context: str(context.decisions().version), is_live=True)
def answers(context: SetContext) -> Answered:
    """What was answered on pairs."""
    return context.answers.now()


def user_version(context: SetContext) -> str:
    """A short text that changes with what the user brought, chose and labelled; "" if there is nothing; cheap."""
    is_second_off = not context.is_single_model and not context.uses_second_model
    parts = context.imports_version, context.labels_version or "", "alone" if is_second_off else ""
    return ".".join(map(str, parts)).rstrip(".")
