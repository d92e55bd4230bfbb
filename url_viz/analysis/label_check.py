"""The labels of an image set checked: a table of suspects, classes taken for each other, and a headline in numbers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.suspects import ALONE, AMBIGUOUS, CONFLICTING, LABEL_ERROR, Judged, Kind, judge
from url_viz.errors import ImageSetError
from url_viz.index.neighbours import Array
from url_viz.index.tables import Graph, positions_of
from url_viz.index.twins import twin_groups

COLUMNS = ("id", "path", "label", "suggested", "score", "kind", "support", "neighbours", "spread")

_WORDS: tuple[tuple[Kind, str, str], ...] = (
    (LABEL_ERROR, "picture looks mislabelled", "pictures look mislabelled"),
    (AMBIGUOUS, "fits no class well", "fit no class well"),
    (CONFLICTING, "has a copy under another label", "have copies under another label"),
    (ALONE, "is out on its own", "are out on their own"),
)


@dataclass(frozen=True)
class LabelCheck:
    """What was found on the labels of an image set.

    `pictures` has one row a labelled picture that has neighbours, the most doubtful first; columns id, path, label,
    suggested (class to try, None where there is none), score (0 to 1, higher = the label is more to be doubted: an
    order), kind (of `suspects.KINDS`, "" where nothing is wrong), support of so many neighbours (votes for the
    strongest other class, twins once), spread (how many classes the neighbours amount to), and taken_for: the class
    that most speaks for, be it the label. `left_out` counts pictures without a label or not in the graph yet.
    """

    pictures: pd.DataFrame
    classes: tuple[str, ...]
    left_out: int

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """The pictures whose label is to be doubted, the most doubtful first: `COLUMNS`."""
        return self.pictures.loc[self.pictures["kind"] != "", list(COLUMNS)].reset_index(drop=True)

    def count(self, kind: str) -> int:
        """How many pictures are of a kind."""
        return int((self.pictures["kind"] == kind).sum())

    @property
    def headline(self) -> str:
        """What was found in a sentence or two: "12 pictures look mislabelled, 30 fit no class well."""
        counts = [(self.count(kind), one, several) for kind, one, several in _WORDS]
        told = [f"{count:,} {one if count == 1 else several}" for count, one, several in counts[:2] if count]
        more = [f"{count:,} {one if count == 1 else several}" for count, one, several in counts[2:] if count]
        sentences = [", ".join(told) or "No label looks wrong", " and ".join(more)]
        return " ".join(f"{sentence}." for sentence in sentences if sentence)

    @cached_property
    def confused(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other; see `confused_pairs`."""
        return confused_pairs(self.pictures)


def check_labels(
    table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph, unit: Callable[[], Array]
) -> LabelCheck | None:
    """Check the column `label` of `ImageSet.table()`, with content keys (N,) in its order.

    `unit` gives the normalised embeddings (N, D), where they are needed. None where fewer than two classes have
    pictures with neighbours.
    """
    row = positions_of(contents, graph.content)
    places = np.flatnonzero((row >= 0) & table["label"].notna().to_numpy())
    codes, names = pd.factorize(table["label"].iloc[places], sort=True)
    if len(names) < 2:
        return None
    judged = judge(
        row[places],
        codes.astype(np.int32),
        classes=len(names),
        graph=graph,
        twin_group=twin_groups(graph),
        embeddings=_in_order(unit(), contents, graph),
    )
    classes = tuple(str(name) for name in names)
    return LabelCheck(_as_table(table.iloc[places], judged, classes), classes, len(table) - len(places))


def _in_order(unit: Array, contents: NDArray[np.int64], graph: Graph) -> Array:
    """Embeddings in the order of the graph; zeros for a content that is in no picture any more."""
    place = positions_of(graph.content, contents)
    if np.array_equal(place, np.arange(len(unit))):
        return unit
    return np.where((place >= 0)[:, None], unit[place], np.float32(0))


def _as_table(rows: pd.DataFrame, judged: Judged, classes: tuple[str, ...]) -> pd.DataFrame:
    names = np.array([*classes, None], dtype=object)  # the code −1 finds the last
    opinion = judged.opinion
    taken_for = np.where(opinion.disagrees, names[opinion.suggested], rows["label"].to_numpy(dtype=object))
    pictures = rows[["id", "path", "label"]].assign(
        suggested=names[judged.suggested],
        score=opinion.score,
        kind=judged.kind,
        support=judged.support,
        neighbours=judged.voters,
        spread=opinion.spread,
        taken_for=taken_for,
    )
    return pictures.sort_values(["score", "path"], ascending=[False, True], ignore_index=True)


def confused_pairs(pictures: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of classes (columns label and taken_for of `pictures`), the most confused first.

    class_a and class_b (class_a the one that more is lost of), a_as_b: pictures of a that are taken for b, with
    a_as_b_share of all of a (0 to 1), b_as_a and b_as_a_share the other way, pictures: both together.
    """
    wrong = pictures[pictures["label"] != pictures["taken_for"]]
    sizes = pictures["label"].value_counts()
    counts = wrong.groupby(["label", "taken_for"], sort=True).size()
    rows = []
    for pair in sorted({(min(pair), max(pair)) for pair in counts.index}):
        a, b = pair if counts.get(pair, 0) >= counts.get(pair[::-1], 0) else pair[::-1]
        there, back = int(counts.get((a, b), 0)), int(counts.get((b, a), 0))
        rows.append((a, b, there, there / sizes[a], back, back / sizes[b], there + back))
    columns = ["class_a", "class_b", "a_as_b", "a_as_b_share", "b_as_a", "b_as_a_share", "pictures"]
    order = ["pictures", "class_a", "class_b"]
    return pd.DataFrame(rows, columns=columns).sort_values(order, ascending=[False, True, True], ignore_index=True)


NO_CLASSES = (
    "There are no labels to check: that takes pictures of at least two classes. Put the pictures into class folders "
    "(photos/cat/…, photos/dog/…), or bring a table that has a label column: "
    "python -m url_viz columns FOLDER add FILE --label COLUMN."
)


class WithLabels(ABC):
    """The part of an ImageSet that is about its labels."""

    _checked: tuple[pd.Series, LabelCheck | None] | None = None

    @property
    @abstractmethod
    def _frame(self) -> pd.DataFrame: ...

    @property
    @abstractmethod
    def contents(self) -> NDArray[np.int64]: ...

    @property
    @abstractmethod
    def graph(self) -> Graph | None: ...

    @property
    @abstractmethod
    def _unit(self) -> Array: ...

    def suspects(self) -> pd.DataFrame:
        """Pictures whose label is to be doubted, the most doubtful first; columns as in `LabelCheck`.

        Raises ImageSetError where there are no labels to check.
        """
        return self.checked_labels().suspects

    def confused_classes(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other, the most confused first; see `confused_pairs`.

        Raises ImageSetError where there are no labels to check.
        """
        return self.checked_labels().confused

    def checked_labels(self) -> LabelCheck:
        """All that was found on the labels. Raises ImageSetError where there are none to check."""
        found = self.find_suspects()
        if found is None:
            raise ImageSetError(NO_CLASSES)
        return found

    def find_suspects(self) -> LabelCheck | None:
        """Like `checked_labels`, None where there are no labels; worked out anew only where they have changed."""
        table, known = self._frame, self._checked
        if known is None or not known[0].equals(table["label"]):
            found = None if self.graph is None else check_labels(table, self.contents, self.graph, lambda: self._unit)
            known = self._checked = table["label"], found
        return known[1]
