"""Selected pictures as a file: in the order that leads, as a table or as paths."""

import io

import pandas as pd

from url_viz.export.selection import leading_first, selection_file
from url_viz.image_set import ImageSet


def test_tables_and_paths_have_the_most_ambiguous_first(shared_set: ImageSet) -> None:
    table = shared_set.table().assign(rank_percentile=1.0)
    ordered = leading_first(shared_set, table)
    measure = str(shared_set.order().measure)
    assert ordered[measure].is_monotonic_decreasing
    assert ordered["id"].tolist() != table["id"].tolist()
    rows = pd.read_csv(io.BytesIO(selection_file(shared_set, table, ".csv")))
    assert rows["path"].tolist() == ordered["path"].tolist()
    assert "rank_percentile" not in rows
    packed = pd.read_parquet(io.BytesIO(selection_file(shared_set, table, ".parquet")))
    assert packed["path"].tolist() == ordered["path"].tolist()
    two = ordered[~ordered["path"].str.contains("\\s", regex=True)].iloc[:2][::-1]
    paths = selection_file(shared_set, two, ".txt").decode().splitlines()
    assert paths == [str(shared_set.folder / path) for path in two["path"][::-1]]
