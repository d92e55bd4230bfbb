"""Which order leads, row by row of the table of rules, what it is told by, and what is said without a graph."""

import shutil
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.given import by_turns, given_set
from tests.labels.classed import LabelledNumbers, labelled_numbers
from tests.read_sets import opened_again
from url_viz.base.wording import decimal
from url_viz.columns.measures import in_text
from url_viz.evidence.order import (
    BEING_READ,
    NO_GRAPH,
    Order,
    grade,
    is_beyond_chance,
    leading_order,
    plain_words,
    verdict_in_words,
)
from url_viz.evidence.order_metrics import Figure, Interval, auroc, auroc_by_blocks, share_by_blocks
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.classes import coded_labels, labels_by_content
from url_viz.store.tables.tables import GraphColumns, positions_of
from url_viz.store.tables.writer import Writer


def without_classes(numbers: LabelledNumbers) -> LabelledNumbers:
    return LabelledNumbers(numbers.folder, numbers.embeddings, [None] * len(numbers.label), numbers.contents)


def test_labels_without_meaning_lead_one_time_in_forty() -> None:
    """Two folders, split by dice: an interval of 1.96 standard errors over two classes said yes nine times in 100."""
    leads = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        near = (np.arange(300) + rng.integers(1, 300, 300)) % 300
        columns = GraphColumns(
            np.arange(300),
            near.astype(np.int32),
            np.ones(300, np.float32),
            np.zeros(300, np.float32),
            np.arange(300, dtype=np.int32),
            np.arange(300, dtype=np.int32),
        )
        leads.append(is_beyond_chance(columns, rng.integers(0, 2, 300).astype(np.int32), seed=seed))
    assert np.mean(leads) <= 0.03


def test_a_burst_in_one_folder_bears_no_classes_out() -> None:
    """Twins count once: the frames of five bursts, each in one folder, whose nearest is of the next burst."""
    group = np.repeat(np.arange(6, dtype=np.int32), 20)
    near = (np.arange(120) + 20) % 120
    columns = GraphColumns(
        np.arange(120), near.astype(np.int32), np.ones(120, np.float32), np.zeros(120, np.float32), group, group
    )
    assert not is_beyond_chance(columns, (group % 2).astype(np.int32))
    assert not is_beyond_chance(columns, np.array([0, 0, 1, 1, 1, 0], np.int32)[group])


def test_classes_that_pictures_bear_out_lead_to_ambiguity(tmp_path: Path) -> None:
    order = labelled_numbers(tmp_path, 160).order()
    assert (order.measure, order.classes) == ("ambiguity", 4)
    assert order.recall is not None
    assert order.recall.interval.low > order.by_chance == pytest.approx(0.25)


def test_what_it_tells_is_what_the_metrics_say_of_the_set(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 160, spread=1.2)
    order = numbers.order()
    table = numbers.classed().joined(numbers.plain_table())
    code = pd.factorize(table["label"])[0]
    theirs = numbers.columns.content[numbers.columns.nearest[positions_of(numbers.contents, numbers.columns.content)]]
    is_wrong = code[positions_of(theirs, numbers.contents)] != code
    assert 5 < is_wrong.sum() < 150
    recall = share_by_blocks(~is_wrong, code)
    assert order.recall is not None
    assert [order.recall.value, *astuple(order.recall.interval)] == pytest.approx(
        [recall.value, *astuple(recall.interval)]
    )
    assert order.evidence is not None
    assert order.evidence.value == pytest.approx(auroc(table["ambiguity"], is_wrong))
    expected = auroc_by_blocks(table["ambiguity"], is_wrong, code).interval
    assert (order.evidence.interval.low, order.evidence.interval.high) == pytest.approx((expected.low, expected.high))
    assert order.within is not None
    of_classes = [np.flatnonzero(code == one) for one in np.unique(code)]
    pairs = [is_wrong[rows].sum() * (~is_wrong[rows]).sum() for rows in of_classes]
    within = [auroc(table["ambiguity"].to_numpy()[rows], is_wrong[rows]) for rows in of_classes]
    known = np.array(pairs) > 0
    assert order.within.value == pytest.approx(np.average(np.array(within)[known], weights=np.array(pairs)[known]))
    assert list(order.others) == ["confusability", "uncertainty"]
    for name, figure in order.others.items():
        assert figure.value == pytest.approx(auroc(table[name], is_wrong))
    others = ", ".join(f"{in_text(name)} {decimal(figure.value)}" for name, figure in order.others.items())
    assert order.reason == (
        f"Ordered by ambiguity between your 4 classes: R-AUROC {order.evidence.text()}; without classes, {others}."
    )


def test_without_a_head_only_what_there_is_stands_beside_it(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 160)
    classed, table = numbers.classed(), numbers.plain_table().assign(uncertainty=np.nan)
    order = leading_order(classed.joined(table), numbers.contents, numbers.columns, classed.labels(table))
    assert list(order.others) == ["confusability"]
    assert "uncertainty" not in order.reason


@pytest.mark.parametrize("kind", ["shuffled labels", "no labels, 50 pictures"])
def test_where_pictures_bear_no_classes_out_confusability_leads(tmp_path: Path, kind: str) -> None:
    numbers = labelled_numbers(tmp_path, 160 if kind == "shuffled labels" else 50)
    np.random.default_rng(0).shuffle(numbers.label)
    order = (numbers if kind == "shuffled labels" else without_classes(numbers)).order()
    assert (order.measure, order.evidence) == ("confusability", None)
    assert "needs no classes" in order.reason


@pytest.mark.parametrize("sizes", [[160], [158, 2], [2] * 80])
def test_one_class_or_classes_of_two_lead_to_confusability(tmp_path: Path, sizes: list[int]) -> None:
    numbers = labelled_numbers(tmp_path, 160)
    numbers.label = [f"c{number}" for number, size in enumerate(sizes) for _ in range(size)]
    order = numbers.order()
    assert (order.measure, order.classes) == ("confusability", 0)


@pytest.mark.parametrize("count", [3, 49])
def test_fewer_are_ordered_by_how_far_the_nearest_is(tmp_path: Path, count: int) -> None:
    numbers = without_classes(labelled_numbers(tmp_path, count))
    order = numbers.order()
    assert order.measure == "confusability"
    assert "how far away the nearest one is" in order.reason
    value = numbers.columns
    assert np.array_equal(np.argsort(value.confusability), np.argsort(-value.nearest_similarity))


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pictures_have_no_order(tmp_path: Path, count: int) -> None:
    order = without_classes(labelled_numbers(tmp_path, count)).order()
    assert order.measure is None
    assert "listed by name" in order.reason


def test_a_set_without_a_graph_says_so(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 160)
    order = leading_order(numbers.plain_table(), numbers.contents, numbers.columns, None)
    assert order.measure is None
    assert "no neighbour graph, so pictures are listed by name" in order.reason


def test_while_pictures_are_read_the_order_says_so(tmp_path: Path) -> None:
    image_set = given_set(tmp_path, by_turns(6))
    shutil.rmtree(image_set.core.store.paths.tables / f"graph-{image_set.space.key}.lance")
    known = opened_again(image_set)
    assert known.order().reason == NO_GRAPH
    with Writer(known.core.store.paths, known.root):
        assert known.order().reason == BEING_READ
        assert image_set.order().measure is not None, "what is known stays"
    assert known.order().reason == NO_GRAPH


def test_pictures_that_left_the_folder_take_no_part(tmp_path: Path) -> None:
    """The graph may know contents that the table has not."""
    numbers = labelled_numbers(tmp_path, 160)
    table, kept = numbers.plain_table(), np.arange(160) % 10 != 0
    left = numbers.contents[kept]
    rows = table[kept].reset_index(drop=True)
    classed = LabelledNumbers(tmp_path, numbers.embeddings, numbers.label, numbers.contents).classed()
    joined = classed.joined(table)[kept].reset_index(drop=True)
    labels = labels_by_content(coded_labels(rows["label"]), numbers.columns.rows_of(left), len(numbers.columns.content))
    order = leading_order(joined, left, numbers.columns, labels)
    assert order.measure == "ambiguity"
    assert order.recall is not None
    assert order.recall.value > 0.8


def test_copies_count_once(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 160, spread=1.2)
    once = numbers.order()
    doubled = LabelledNumbers(
        tmp_path,
        np.concatenate([numbers.embeddings, numbers.embeddings[:30]]),
        [*numbers.label, *numbers.label[:30]],
        np.concatenate([numbers.contents, numbers.contents[:30]]),
    ).order()
    assert doubled.recall == once.recall
    assert doubled.evidence == once.evidence


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (0.89, 0.87, 0.91, "Order: good (89 of 100)"),
        (0.7, 0.66, 0.74, "Order: fair (70 of 100)"),
        (0.55, 0.51, 0.6, "Order: weak (55 of 100)"),
        (0.53, 0.44, 0.61, "Order: no better than chance here (53, 44 to 61)"),
        (0.6, 0.45, 0.75, "Order: uncertain (60 of 100, 45 to 75)"),
        (0.83, 0.69, 0.97, "Order: uncertain (83 of 100, 69 to 97)"),
        (0.9, float("nan"), float("nan"), "Order: uncertain (90 of 100)"),
        (float("nan"), 0.1, 0.2, ""),
    ],
)
def test_how_well_an_order_holds_is_said_in_a_few_words(value: float, low: float, high: float, words: str) -> None:
    assert grade(Order("ambiguity", "Why.", Figure(value, Interval(low, high)))) == words
    assert grade(Order("confusability", "Why.")) == ""


@pytest.mark.slow
def test_each_order_has_a_figure_of_its_own_by_the_same_pictures(tmp_path: Path) -> None:
    code = np.arange(160) % 4
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 32))[code] + 1.2 * rng.normal(size=(160, 32)) + 0.5
    image_set = given_set(tmp_path, [f"{'abcd'[c]}/{number:03d}.jpg" for number, c in enumerate(code)], rows)
    table, leading = image_set.table(), image_set.order()
    columns = table[["path"]].assign(same=table["ambiguity"], dice=rng.random(160))
    image_set.columns.add(IncomingFile("mine.csv", columns.to_csv(index=False).encode()))
    assert leading.evidence is not None
    assert image_set.order("confusability").evidence == leading.others["confusability"]
    same, dice = image_set.order("same"), image_set.order("dice")
    assert same.evidence is not None
    assert same.evidence.value == pytest.approx(leading.evidence.value)
    assert plain_words(same) == plain_words(leading)
    assert dice.evidence is not None
    assert dice.evidence.interval.low < 0.5 < dice.evidence.interval.high
    assert dice.reason.startswith("Dice: A column you added")


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (0.866, 0.84, 0.89, "“Torn between classes” orders these pictures well: of two pictures, the one whose"),
        (0.7, 0.68, 0.72, "orders these pictures fairly well: "),
        (0.6, 0.55, 0.65, "orders these pictures only weakly: "),
        (0.52, 0.46, 0.58, "orders these pictures no better than chance: "),
        (0.4, 0.36, 0.44, "orders these pictures worse than chance: "),
        (0.9, 0.7, 0.95, "How well “Torn between classes” orders these pictures is uncertain: "),
        (0.9, float("nan"), float("nan"), "is uncertain: "),
    ],
)
def test_a_verdict_says_no_more_than_the_interval(value: float, low: float, high: float, words: str) -> None:
    said = verdict_in_words("ambiguity", Figure(value, Interval(low, high)))
    assert words in said
    assert f"ranks higher in {round(100 * value)} of 100 cases" in said
    assert ("to" in said.partition("cases (")[2]) == np.isfinite(low)
    assert verdict_in_words("ambiguity", Figure(float("nan"), Interval(low, high))) == ""


def test_few_wrong_pictures_make_a_figure_uncertain_however_narrow_its_interval() -> None:
    figure = Figure(0.95, Interval(0.89, 1.0))
    order = Order("ambiguity", "why", figure, classes=6, wrong=5, judged=200)
    assert grade(order) == "Order: uncertain (95 of 100, from only 5 wrong)"
    assert "from only 5 such pictures of 200" in plain_words(order)
    assert "is uncertain" in verdict_in_words("ambiguity", figure, wrong=5, judged=200)
    assert grade(replace(order, wrong=20)) == "Order: good (95 of 100)"
    assert "orders these pictures well" in verdict_in_words("ambiguity", figure, wrong=20, judged=200)
