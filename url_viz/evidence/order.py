"""The leading order: by which measure an image set is ordered when it is opened, why, and how well that order holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.records import as_json, read_json
from url_viz.base.wording import counted, decimal
from url_viz.columns.engine import Lazy, OnDisk, column
from url_viz.columns.measures import (
    ADAPTED_HEAD,
    AMBIGUITY,
    CONFUSABILITY,
    NOT_JUDGED,
    TUNED,
    UNCERTAINTY,
    Measure,
    has_values,
    in_text,
    is_measure,
    quoted,
    title_of_column,
)
from url_viz.columns.ranking import NONE
from url_viz.columns.second_model import Opinion
from url_viz.columns.table import Frame
from url_viz.evidence.order_metrics import Figure, auroc_by_blocks, auroc_within_blocks, share_by_blocks
from url_viz.labels.ambiguity import LEAST_OF_A_CLASS
from url_viz.labels.classes import CodedLabels
from url_viz.labels.votes import Codes
from url_viz.pipeline.confusability import FEWEST_RANKED
from url_viz.pipeline.twins import source_groups
from url_viz.review.tuned import FEW_ANSWERS, Tuned
from url_viz.store.tables.stored_arrow import require
from url_viz.store.tables.tables import Graph, GraphColumns

SHUFFLES = 39
"""Labels without meaning are ahead of this many shuffles of themselves one time in forty."""
FEWEST = 3
"""With fewer pictures that have a neighbour, no measure leads."""
LEADING = (AMBIGUITY.name, TUNED.name, CONFUSABILITY.name, UNCERTAINTY.name)
"""The measures that an order may be by, or compare with."""
NO_GRAPH = (
    "There is no neighbour graph, so pictures are listed by name. Read the folder again to order them: no picture is "
    "embedded again."
)
BEING_READ = "Pictures are still being read: until all are there, the order knows each picture by itself alone."
_ORDER = b"order"


@dataclass(frozen=True)
class Order:
    """The measure by which an image set is ordered, and why.

    `measure` is a column of the table, None if nothing leads; `reason` a sentence. `evidence` is the measure's R-AUROC
    on classes, with an interval over them, or on answers, and `others` those of measures that know neither. With
    classes, `within` is the same within classes, where their difficulty does not count; `recall` how often the nearest
    picture has the same class, `by_chance` how often under shuffled labels, `classes` how many there are;
    `wrong` of the `judged` pictures have a nearest of another class (None: the evidence does not rest on classes).
    """

    measure: str | None
    reason: str
    evidence: Figure | None = None
    within: Figure | None = None
    others: Mapping[str, Figure] = field(default_factory=dict)
    recall: Figure | None = None
    by_chance: float = float("nan")
    classes: int = 0
    wrong: int | None = None
    judged: int = 0


@dataclass(frozen=True)
class LabelledNearest:
    """The L contents with a class whose nearest has one too: `rows` of the table, `code` and `is_wrong` (L,)."""

    rows: NDArray[np.int64]
    code: Codes
    is_wrong: NDArray[np.bool_]


def while_read(order: Order) -> Order:
    """The order as described while pictures are being read: a missing graph is made at the end."""
    return replace(order, reason=BEING_READ) if order.reason == NO_GRAPH else order


def leading_order(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    columns: GraphColumns | None,
    labels: CodedLabels | None,
    *,
    tuned: Tuned | None = None,
    second: str | None = None,
    has_learnt: bool = False,
) -> Order:
    """The order of `ImageSet.table()`, with content keys (N,) in its order; `labels` are of the graph's contents.

    Ambiguity leads if the pictures bear the classes out: two or more with three pictures each, and the nearest picture
    of the same class more often than under any of SHUFFLES shuffles of the labels. Else what answers made of it
    (`tuned`), else confusability, from three pictures on. `second` names the second model by which these are too, if
    there is one. Uncertainty by a head that `has_learnt` from these pictures is not judged on them.
    """
    by = f", by two models (also {second})" if second else ""
    if columns is not None and labels is not None and has_values(table, AMBIGUITY.name):
        order = _by_classes(table, contents, columns, labels, by, has_learnt=has_learnt)
        if order is not None:
            return order
    if labels is None:
        return Order(None, NO_GRAPH)
    valued = int(np.isfinite(table[CONFUSABILITY.name].to_numpy(float)).sum())
    if valued < FEWEST:
        return Order(None, "Fewer than three pictures have a neighbour, so they are listed by name.")
    if tuned is not None:
        others = {} if tuned.before is None else {CONFUSABILITY.name: tuned.before}
        return Order(TUNED.name, order_in_words(tuned, by), evidence=tuned.evidence, others=others)
    if valued < FEWEST_RANKED:
        reason = f"Fewer than {FEWEST_RANKED} pictures: ordered by how far away the nearest one is{by}."
        return Order(CONFUSABILITY.name, f"{reason} Without classes, nothing shows how well that works.")
    return Order(
        CONFUSABILITY.name, f"Ordered by how easily a picture is mistaken for another here{by}, which needs no classes."
    )


def _to_table(order: Order) -> pa.Table:
    """An order as a table to be cached, which has no rows."""
    return pa.table({}).replace_schema_metadata({_ORDER: as_json(order)})


def _from_table(table: pa.Table) -> Order:
    """What `_to_table` was given. Raises ValueError for an order that there is not."""
    order = read_json(Order, table.schema.metadata[_ORDER])
    require({order.measure, *order.others} <= {None, *LEADING})
    return order


@column(on_disk=OnDisk(_to_table, _from_table, only_large=True))
def order(
    measured: pd.DataFrame,
    base: Frame,
    graph_columns: GraphColumns | None,
    content_labels: CodedLabels | None,
    content_apart: Codes | None,
    witnesses: Lazy[Graph | None],
    tuned_order: Tuned | None,
    opinions: tuple[Opinion, ...],
    *,
    has_learnt: bool,
) -> Order:
    """The measure that leads, and why; the nearest picture that tells of the classes is of another source group."""
    columns = _with_witnesses(graph_columns, content_apart, witnesses)
    title = opinions[0].title if opinions else None
    return leading_order(
        measured,
        base.contents,
        columns,
        content_labels,
        tuned=tuned_order,
        second=title,
        has_learnt=has_learnt,
    )


def _with_witnesses(
    columns: GraphColumns | None, content_apart: Codes | None, witnesses: Lazy[Graph | None]
) -> GraphColumns | None:
    graph = None if columns is None or content_apart is None else witnesses()
    if columns is None or graph is None:
        return columns
    return replace(columns, nearest=graph.position[:, 0], twin_group=source_groups(graph.twins, graph.apart))


@column()
def nearest_labelled(
    base: Frame,
    graph_columns: GraphColumns | None,
    content_labels: CodedLabels | None,
    content_apart: Codes | None,
    witnesses: Lazy[Graph | None],
) -> LabelledNearest | None:
    """The pictures whose nearest of another source has another class, by which any order is judged."""
    columns = _with_witnesses(graph_columns, content_apart, witnesses)
    return None if columns is None or content_labels is None else _labelled(base.contents, columns, content_labels)


def order_by(measure: Measure, leading: Order, table: pd.DataFrame, nearest: Lazy[LabelledNearest | None]) -> Order:
    """The order by a measure that does not lead, with the evidence on the classes, or else the answers, that lead."""
    title = measure.title if is_measure(measure.name) else title_of_column(measure.name)
    if measure == ADAPTED_HEAD:
        return Order(measure.name, f"{title}: {measure.meaning} {NOT_JUDGED} them.")
    evidence = leading.others.get(measure.name)
    if evidence is None and leading.classes and (judged := nearest()) is not None:
        evidence = _figure(table, measure.name, judged)
    return Order(
        measure.name,
        f"{title}: {measure.meaning}",
        evidence,
        classes=leading.classes,
        wrong=leading.wrong,
        judged=leading.judged,
    )


GOOD, FAIR, CHANCE = 0.8, 0.65, 0.5
"""The R-AUROC from which an order is called good, and fair; and that of a random order."""
WIDE = 0.2
"""Figures with a wider interval than this are uncertain, whatever they are."""
FEWEST_WRONG = 20
"""So are figures that rest on fewer pictures whose nearest is of another class: their intervals are too narrow."""

Grade = Literal["good", "fair", "weak", "no better than chance", "worse than chance", "uncertain"]
_HOW: dict[Grade, str] = {"good": "well", "fair": "fairly well", "weak": "only weakly"}


def graded(figure: Figure, *, wrong: int | None = None) -> Grade:
    """What an R-AUROC is called, by its value and its interval, and by how many pictures are `wrong`, if known."""
    value, low, high = figure.value, figure.interval.low, figure.interval.high
    if not np.isfinite(low + high) or high - low > WIDE or (wrong is not None and wrong < FEWEST_WRONG):
        return "uncertain"
    if low <= CHANCE:
        return "no better than chance" if high >= CHANCE else "worse than chance"
    return "good" if value >= GOOD else "fair" if value >= FAIR else "weak"


def grade(order: Order) -> str:
    """How well an order holds, in a few words: "Order: good (89 of 100)"; nothing without evidence.

    With the interval where that is the message: no better than chance, or uncertain; and with how few are wrong.
    """
    if order.measure is None or order.evidence is None or np.isnan(order.evidence.value):
        return ""
    word, value = graded(order.evidence, wrong=order.wrong), order.evidence.value
    interval, is_from_few = order.evidence.interval, order.wrong is not None and order.wrong < FEWEST_WRONG
    if is_from_few:
        return f"Order: {word} ({round(100 * value)} of 100, from only {order.wrong} wrong)"
    if not np.isfinite(interval.low + interval.high):
        return f"Order: {word} ({round(100 * value)} of 100)"
    between = f"{round(100 * interval.low)} to {round(100 * interval.high)}"
    if "chance" in word:
        return f"Order: {word} here ({round(100 * value)}, {between})"
    return f"Order: {word} ({round(100 * value)} of 100{f', {between}' if word == 'uncertain' else ''})"


def plain_words(order: Order) -> str:
    """The order in one sentence for people who know none of the figures; `reason` where no classes bear it out.

    So it is too where every nearest picture is of the same class: then nothing was mistaken that an order could find.
    """
    if not order.classes or order.evidence is None or np.isnan(order.evidence.value):
        return order.reason
    return f"Most ambiguous first: {_in_cases(order.evidence, order.wrong, order.judged)}."


def verdict_in_words(measure: str, figure: Figure, *, wrong: int | None = None, judged: int = 0) -> str:
    """How well a measure orders a set, as a sentence, by its R-AUROC on the classes; nothing where that is nan.

    It rests on the `wrong` of the `judged` pictures, if these are given.
    """
    if np.isnan(figure.value):
        return ""
    word, cases = graded(figure, wrong=wrong), _in_cases(figure, wrong, judged)
    if word == "uncertain":
        return f"How well {quoted(measure)} orders these pictures is uncertain: {cases}."
    return f"{quoted(measure)} orders these pictures {_HOW.get(word, word)}: {cases}."


def _in_cases(figure: Figure, wrong: int | None, judged: int) -> str:
    low, high = 100 * figure.interval.low, 100 * figure.interval.high
    between = f"{low:.0f} to {high:.0f}; " if np.isfinite(low + high) else ""
    few = f"; from only {wrong} such pictures of {judged:,}" if wrong is not None and wrong < FEWEST_WRONG else ""
    return (
        "of two pictures, the one whose nearest look-alike is of another class ranks higher in "
        f"{round(100 * figure.value)} of 100 cases ({between}chance: 50{few})"
    )


def _by_classes(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    columns: GraphColumns,
    labels: CodedLabels,
    by: str,
    *,
    has_learnt: bool,
) -> Order | None:
    """The order by ambiguity; None if the pictures do not bear the classes out."""
    classes = int((np.bincount(labels.codes[labels.codes != NONE], minlength=1) >= LEAST_OF_A_CLASS).sum())
    labelled = _labelled(contents, columns, labels)
    if classes < 2 or not len(labelled.rows) or not is_beyond_chance(columns, labels.codes):
        return None
    share = np.bincount(labelled.code) / len(labelled.code)
    evidence = _figure(table, AMBIGUITY.name, labelled)
    without_classes = (CONFUSABILITY,) if has_learnt else (CONFUSABILITY, UNCERTAINTY)
    others = {m.name: _figure(table, m.name, labelled) for m in without_classes if has_values(table, m.name)}
    return Order(
        AMBIGUITY.name,
        _words(classes, evidence, others, by),
        evidence=evidence,
        within=_figure(table, AMBIGUITY.name, labelled, is_within=True),
        others=others,
        recall=share_by_blocks(~labelled.is_wrong, labelled.code),
        by_chance=float((share**2).sum()),
        classes=classes,
        wrong=int(labelled.is_wrong.sum()),
        judged=len(labelled.is_wrong),
    )


def is_beyond_chance(columns: GraphColumns, codes: Codes, *, seed: int = 0) -> bool:
    """Whether the nearest has the same class more often than under each of SHUFFLES shuffles of the labels.

    `codes` (M,) are the labels of the graph's contents, NONE for none. Pictures of one label among twins, or among
    what is kept apart, count as one, and are shuffled as one: a burst in one folder bears no classes out.
    """
    labelled = np.flatnonzero(codes != NONE)
    number = columns.twin_group.astype(np.int64) * (int(codes.max(initial=0)) + 2) + codes + 1  # of group and label
    group, first, unit, size = np.unique(number[labelled], return_index=True, return_inverse=True, return_counts=True)
    own, near = codes[labelled[first]], columns.nearest[labelled]
    place = np.searchsorted(group, number[near])
    place = np.where(near >= 0, np.minimum(place, len(group) - 1), 0)
    is_known = (near >= 0) & (group[place] == number[near])
    weight, rng = is_known / size[unit], np.random.default_rng(seed)

    def hits(shuffled: Codes) -> float:
        return round(float(weight @ (shuffled[unit] == shuffled[place])), 6)

    return all(hits(own) > hits(rng.permutation(own)) for _ in range(SHUFFLES))


def _labelled(contents: NDArray[np.int64], columns: GraphColumns, labels: CodedLabels) -> LabelledNearest:
    theirs = np.where(columns.nearest >= 0, labels.codes[columns.nearest], NONE)
    is_known = (labels.codes != NONE) & (theirs != NONE)
    picture = np.arange(len(contents))[::-1]  # of copies the first one, which is put there last
    place, row = columns.rows_of(contents)[::-1], np.full(len(columns.content), -1)
    row[place[place >= 0]] = picture[place >= 0]
    is_known &= row >= 0
    return LabelledNearest(row[is_known], labels.codes[is_known], (theirs != labels.codes)[is_known])


def _figure(table: pd.DataFrame, name: str, labelled: LabelledNearest, *, is_within: bool = False) -> Figure:
    values = table[name].to_numpy(float)[labelled.rows]
    has = np.isfinite(values)
    values, code, is_wrong = values[has], labelled.code[has], labelled.is_wrong[has]
    return (auroc_within_blocks if is_within else auroc_by_blocks)(values, is_wrong, code)


def _words(classes: int, evidence: Figure, others: Mapping[str, Figure], by: str) -> str:
    words = f"Ordered by ambiguity between your {counted(classes, 'class')}{by}"
    if np.isfinite(evidence.value):
        words += f": R-AUROC {evidence.text()}"
        values = {in_text(name): figure.value for name, figure in others.items() if np.isfinite(figure.value)}
        figures = [f"{name} {decimal(value)}" for name, value in values.items()]
        words += f"; without classes, {', '.join(figures)}" if figures else ""
    return f"{words}."


def order_in_words(tuned: Tuned, by: str = "") -> str:
    """How many answers were used, and how well the order holds on those drawn uniformly; `by` names the models."""
    words = f"Ordered by confusability{by}{',' if by else ''} adjusted to {counted(tuned.answers, 'answer')}"
    if tuned.evidence is None or tuned.before is None:
        return f"{words}: too few to tell how well that works."
    few = "few answers: " if tuned.answers < FEW_ANSWERS else ""
    return (
        f"{words}: R-AUROC {tuned.evidence.text()} on {tuned.uniform_answers:,} drawn at random, each judged without "
        f"itself ({few}confusability {tuned.before.text()} on the same)."
    )
