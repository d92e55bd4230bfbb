"""Groups of pictures without classes: what they are called, which two a picture is like, and when nothing is said."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.examples import graph_of
from url_viz.columns.table import Frame
from url_viz.drawing.tiles import tiles
from url_viz.labels.ambiguity import heading_of, question_of
from url_viz.labels.questions import between_classes
from url_viz.models.classifier_functions import ClassifierFunctions, class_names
from url_viz.models.head import Head
from url_viz.pictures.named_groups import (
    CLEAR_FROM,
    CLEAR_SHARE,
    NAMED_FROM,
    NamedGroups,
    classifier,
    is_like,
    look_of,
    named_groups,
    with_groups,
)
from url_viz.store.tables.tables import Embeddings

ALP, SEASHORE, VALLEY = (class_names().index(name) for name in ("alp", "seashore", "valley"))
AXES = (ALP, SEASHORE, VALLEY)
"""The classes that the classifier of these tests reads off an embedding, an axis each."""
HEAP = 12


class ReadsAxes:
    """A classifier that gives each class of AXES the share that the embedding has along its axis, all the rest."""

    def __init__(self) -> None:
        self.bias = np.zeros(len(class_names()), np.float32)

    def shares(self, embedding: np.ndarray) -> np.ndarray:
        own = np.clip(embedding[:, :3], 0, 1) / np.maximum(embedding[:, :3].sum(axis=1, keepdims=True), 1)
        shares = np.repeat((1 - own.sum(axis=1, keepdims=True)) / len(self.bias), len(self.bias), axis=1)
        shares[:, AXES] += own
        return shares.astype(np.float32)


def pictures(*between: tuple[float, float], noise: float = 0.05, strength: float = 1.0) -> np.ndarray:
    """Embeddings (N, 8): a heap for each of the first two classes, and some `between` them with these two shares."""
    rng = np.random.default_rng(0)
    rows = np.zeros((2 * HEAP + len(between), 8))
    rows[:HEAP, 0] = rows[HEAP : 2 * HEAP, 1] = strength
    rows[2 * HEAP :, :2] = np.array(between).reshape(-1, 2)
    return rows + np.concatenate([np.zeros((len(rows), 3)), rng.normal(0, noise, (len(rows), 5))], axis=1)


def frame(count: int, twins: list[int | None] | None = None) -> Frame:
    table = pd.DataFrame({"twin_group": pd.array(twins or [None] * count, dtype="Int64")})
    return cast(Frame, SimpleNamespace(table=table, contents=np.arange(count)))


def grouped(rows: np.ndarray, twins: list[int | None] | None = None) -> NamedGroups | None:
    embeddings = Embeddings(np.arange(len(rows)), rows.astype(np.float16), np.zeros(len(rows), np.float32))
    by = cast(ClassifierFunctions, ReadsAxes())
    return named_groups(frame(len(rows), twins), graph_of(embeddings), by, lambda of: rows[of].astype(np.float16))


def test_a_picture_between_two_heaps_is_like_both_and_others_like_their_own_every_time() -> None:
    groups, again = (grouped(pictures((0.55, 0.45), (0.45, 0.55))) for _ in range(2))
    assert groups is not None
    assert again is not None
    assert all(np.array_equal(getattr(groups, name), getattr(again, name)) for name in ("member", "first", "second"))
    assert groups.names == ("alp", "seashore")
    assert groups.member[: 2 * HEAP].tolist() == [0] * HEAP + [1] * HEAP
    assert groups.first[: 2 * HEAP].tolist() == [0] * HEAP + [1] * HEAP
    assert (groups.second[: 2 * HEAP] == -1).all(), "a picture that is seen as one thing is not asked about"
    assert {frozenset(pair) for pair in zip(groups.first[-2:], groups.second[-2:], strict=True)} == {frozenset({0, 1})}
    assert is_like(groups, "seashore", 26)[:24].tolist() == [False] * HEAP + [True] * HEAP
    assert not is_like(groups, "tench", 26).any()
    assert not is_like(None, "alp", 26).any()


def test_two_pictures_are_no_group_nor_are_twins_of_one() -> None:
    rows = pictures()
    rows[-1, :3] = rows[-2, :3] = rows[-3, :3] = (0, 0, 1)
    of_three = grouped(rows)
    assert of_three is not None
    assert "valley" in of_three.names
    twins: list[int | None] = [None] * (len(rows) - 2) + [7, 7]
    of_twins = grouped(rows, twins)
    assert of_twins is not None
    assert "valley" not in of_twins.names


def test_pictures_that_are_scattered_are_no_group_whatever_they_look_like() -> None:
    rows = pictures(strength=0.4)
    rows[:4, :3] = (0, 0, 1)
    together = grouped(rows)
    rows[:4, 3:] = 40 * np.eye(5)[:4]
    scattered = grouped(rows)
    assert together is not None
    assert scattered is not None
    assert ("valley" in together.names, "valley" in scattered.names) == (True, False)


def test_without_a_graph_or_a_classifier_there_are_none() -> None:
    rows = pictures()
    embeddings = Embeddings(np.arange(len(rows)), rows.astype(np.float16), np.zeros(len(rows), np.float32))
    assert named_groups(frame(len(rows)), graph_of(embeddings), None, lambda of: rows[of]) is None
    assert named_groups(frame(len(rows)), None, cast(ClassifierFunctions, ReadsAxes()), lambda of: rows[of]) is None


@pytest.mark.parametrize(("clear", "speaks"), [(CLEAR_SHARE - 0.1, False), (CLEAR_SHARE + 0.1, True)])
def test_classes_are_no_words_where_few_pictures_are_clearly_any(clear: float, speaks: bool) -> None:
    rows = np.zeros((100, 8), np.float16)
    rows[:, :3] = 0.5 * CLEAR_FROM
    rows[: round(100 * clear), 0] = 1
    rows[: round(100 * clear), 1:3] = 0
    rows[round(100 * clear) :, :3] = 1e-5
    by = cast(Head, SimpleNamespace(functions=ReadsAxes()))
    assert (classifier(frame(100), by, lambda of: rows[of]) is not None) == speaks
    assert classifier(frame(100), None, lambda of: rows[of]) is None


def test_what_is_cached_is_read_again_and_of_other_pictures_refused() -> None:
    groups = grouped(pictures((0.5, 0.5)))
    assert groups is not None
    on_disk: Any = named_groups.on_disk
    table = on_disk.write(groups)
    again = on_disk.read(table, base=frame(25))
    assert again.names == groups.names
    assert np.array_equal(again.second, groups.second)
    with pytest.raises(ValueError, match="not of this set"):
        on_disk.read(table, base=frame(24))


def rows_of(**columns: Any) -> pd.DataFrame:
    usual = {"id": [1, 2, 3], "path": ["a.jpg", "b.jpg", "c.jpg"], "label": None, "confusability": [0.9, 0.5, 0.1]}
    return pd.DataFrame(usual | {"first_class": None, "second_class": None, "ambiguity": np.nan} | columns)


OF_THREE = NamedGroups(("alp", "steel arch bridge"), *np.array([[0, 1, -1], [0, 1, -1], [1, -1, -1]]))


def test_the_table_names_them_where_there_are_no_classes() -> None:
    table = with_groups(rows_of(), lambda: OF_THREE)
    assert table["first_like"].tolist() == ["alp", "steel arch bridge", None]
    assert table["second_like"].tolist() == ["steel arch bridge", None, None]
    records = cast(list[dict[str, Any]], table.to_dict("records"))
    asked = [question_of(row) for row in records]
    assert asked == ["like: alp or steel arch bridge?", None, None]
    headings = [heading_of(row) for row in records]
    assert headings == ["Like: alp or steel arch bridge?", "Like: steel arch bridge", None]
    cards = [between_classes(row) for row in records]
    assert [card.text for card in cards] == ["Like: alp or steel arch bridge?", *["Like this one?"] * 2]
    assert [card.groups for card in cards] == [("alp", "steel arch bridge"), (), ()]
    assert not any(card.choices for card in cards), "they are no classes that one could choose"


def test_with_classes_nothing_is_made() -> None:
    def never() -> NamedGroups:
        raise AssertionError("groups are made only where there are no classes")

    table = with_groups(rows_of(ambiguity=0.5), never)
    assert table[["first_like", "second_like"]].isna().all(axis=None)


def test_a_tile_asks_in_two_lines_and_cuts_no_word_in_its_middle() -> None:
    rows = with_groups(rows_of(rank_percentile=[99.0, 50, 1]), lambda: OF_THREE)
    asks, *others = tiles(rows, set_id="set", measure="confusability")
    assert asks.question == "like: alp or steel arch bridge?"
    assert asks.asked == ("like: alp", "steel…bridge")
    assert [(tile.question, tile.asked) for tile in others] == [(None, None)] * 2


def test_the_largest_mean_share_names_a_region() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.0, 0.5, 0.5], [0.3, 0.4, 0.3]])
    name, share = look_of(shares, ("tench", "goldfish", "shark"))
    assert name == "goldfish"
    assert share == pytest.approx(0.4)


def test_what_is_not_clear_has_no_name() -> None:
    shares = np.full((3, 8), 1 / 8)
    assert NAMED_FROM > 1 / 8
    assert look_of(shares, tuple("abcdefgh"))[0] is None


def test_the_classes_of_imagenet_are_in_the_classifier_s_order() -> None:
    names = class_names()
    assert len(names) == 1000
    assert (names[0], names[1], names[281], names[999]) == ("tench", "goldfish", "tabby", "toilet tissue")
