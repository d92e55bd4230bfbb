"""Torn pictures: by hand, and the numbers of all sets: pairs add up, and each is the number that its filter leaves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.given import given_set
from url_viz.columns.filters import OneOf, passes_all
from url_viz.findings.reasons import BETWEEN_CLASSES
from url_viz.labels.torn import torn_filters, torn_in

NAMES = ("apple", "pear", "plum")


def table_of(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["reasons", "first_class", "second_class"])


def test_each_torn_picture_is_of_the_pair_of_its_two_classes_whichever_is_first() -> None:
    torn = torn_in(
        table_of(
            [
                (BETWEEN_CLASSES, "pear", "apple"),
                (f"dark; {BETWEEN_CLASSES}", "apple", "pear"),
                (f"{BETWEEN_CLASSES}; twin", "plum", "pear"),
                ("dark", "plum", "apple"),
                ("", "apple", "plum"),
            ]
        )
    )
    assert torn.count == 3
    assert torn.pairs.to_numpy().tolist() == [["apple", "pear", 2], ["pear", "plum", 1]]


PICTURE = st.tuples(
    st.sampled_from(["", "dark", BETWEEN_CLASSES, f"dark; {BETWEEN_CLASSES}"]), st.permutations(NAMES)
).map(lambda drawn: (drawn[0], drawn[1][0], drawn[1][1]))


@given(st.lists(PICTURE, max_size=30), st.booleans())
def test_pairs_add_up_and_each_number_is_what_its_filter_leaves(
    rows: list[tuple[str, str, str]], is_part: bool
) -> None:
    table = table_of(rows)
    among = (OneOf("first_class", NAMES[:2]),) if is_part else ()
    torn = torn_in(table, among)
    assert torn.count == torn.pairs["pictures"].sum() == passes_all(table, (*among, *torn_filters())).sum()
    for pair in torn.pairs.itertuples():
        a, b = str(pair.class_a), str(pair.class_b)
        assert a < b
        filters = torn_filters((a, b))
        assert pair.pictures == passes_all(table, (*among, *filters)).sum()
    assert torn.pairs["pictures"].is_monotonic_decreasing


@pytest.mark.slow
def test_a_set_counts_its_own_and_one_without_classes_has_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = np.random.default_rng(0)
    centre = np.repeat(np.eye(2), 30, axis=0) * 2
    rows = np.concatenate([centre, np.full((20, 2), 1.0)]) + rng.normal(size=(80, 2)) * 0.4
    rows = np.concatenate([rows, rng.normal(size=(80, 6)) * 0.1], axis=1)
    folders = ["cat"] * 30 + ["dog"] * 30 + ["cat", "dog"] * 10
    paths = [f"{folder}/{number:04d}.jpg" for number, folder in enumerate(folders)]
    image_set = given_set(tmp_path_factory.mktemp("torn"), paths, rows)
    torn, table = image_set.labels.torn(), image_set.table()
    assert 0 < torn.count == torn.pairs["pictures"].sum() == passes_all(table, torn_filters()).sum()
    assert torn.pairs[["class_a", "class_b"]].to_numpy().tolist() == [["cat", "dog"]]
    image_set.labels.use(None)
    assert image_set.labels.torn().count == 0
