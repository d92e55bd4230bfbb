"""Regions are the heaps one sees, and what stands for each is among its most central pictures, and clear."""

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.examples import graph_of
from tests.twin_groups import twin_column
from url_viz.pictures.set_maps import centrality, count_for, regions_of, representatives
from url_viz.store.tables.tables import Embeddings


def heaps(sizes: list[int], *, seed: int = 0, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) in heaps around far places, and the heap of each."""
    rng = np.random.default_rng(seed)
    places = np.array([[0, 0], [20, 0], [0, 20], [20, 20], [40, 0]], float)[: len(sizes)]
    heap = np.repeat(np.arange(len(sizes)), sizes)
    return places[heap] + rng.normal(0, spread, (len(heap), 2)), heap


class TestRegions:
    """Which points lie together."""

    def test_heaps_are_regions_the_largest_first(self) -> None:
        xy, heap = heaps([30, 300, 100])
        region = regions_of(xy, 3)
        assert {(int(r), int(h)) for r, h in zip(region, heap, strict=True)} == {(2, 0), (0, 1), (1, 2)}

    def test_fewer_are_kept_than_there_are(self) -> None:
        xy, heap = heaps([30, 300, 100, 50, 20])
        region = regions_of(xy, 2)
        assert region[heap == 1].tolist() == [0] * 300
        assert region[heap == 2].tolist() == [1] * 100
        assert (region[(heap != 1) & (heap != 2)] == -1).all()

    def test_two_touching_heaps_are_told_apart_or_joined_by_count(self) -> None:
        rng = np.random.default_rng(1)
        xy = np.concatenate([rng.normal([0, 0], 1, (500, 2)), rng.normal([5, 0], 1, (500, 2))])
        both = regions_of(xy, 2)
        left, right = np.bincount(both[:500]).argmax(), np.bincount(both[500:]).argmax()
        assert left != right
        assert (both[:500] == left).mean() > 0.95
        assert (regions_of(xy, 1) == 0).all()

    @pytest.mark.parametrize("count", [1, 5, 30])
    def test_never_more_than_asked_for_and_numbered_by_size(self, count: int) -> None:
        region = regions_of(np.random.default_rng(2).normal(size=(2000, 2)), count)
        sizes = np.bincount(region[region >= 0])
        assert 1 <= len(sizes) <= count
        assert (np.diff(sizes) <= 0).all()
        assert (sizes > 0).all()

    @pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
    def test_any_handful(self, n: int) -> None:
        region = regions_of(np.arange(2 * n).reshape(n, 2).astype(float), 4)
        assert len(region) == n
        assert (region >= 0).any() == (n > 0)

    def test_points_on_one_place_are_one_region(self) -> None:
        assert (regions_of(np.ones((50, 2)), 5) == 0).all()

    def test_moving_and_scaling_the_map_changes_nothing(self) -> None:
        xy, _ = heaps([80, 200, 50])
        assert regions_of(xy, 6).tolist() == regions_of(xy * 4 + 64, 6).tolist()


class TestCentrality:
    """PageRank within regions, without the votes of twins."""

    def test_the_one_that_all_resemble_is_the_most_central(self) -> None:
        position = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [0, 2]])
        rank = centrality(position, np.full((5, 2), 0.5), np.zeros(5, int), np.arange(5))
        assert rank.argmax() == 0
        assert rank[3] == rank[4] == pytest.approx(0.15)

    def test_neither_twins_nor_other_regions_vote(self) -> None:
        position = np.array([[1, -1], [0, 2], [0, 1], [0, 1]])
        region, twin = np.array([0, 0, 1, -1]), np.array([7, 7, 8, 9])
        assert centrality(position, np.full((4, 2), 0.5), region, twin) == pytest.approx([0.15] * 4)

    def test_it_agrees_with_a_loop(self) -> None:
        rng = np.random.default_rng(3)
        position = np.stack([rng.choice([j for j in range(40) if j != i], 5, replace=False) for i in range(40)])
        similarity, region, twin = rng.random((40, 5)), rng.integers(0, 3, 40), rng.integers(0, 30, 40)
        edges = [
            (i, int(j), similarity[i, c])
            for i in range(40)
            for c, j in enumerate(position[i])
            if region[i] == region[j] and twin[i] != twin[j]
        ]
        rank = [1.0] * 40
        for _ in range(15):
            total = [sum(w for i, _, w in edges if i == k) for k in range(40)]
            rank = [0.15 + 0.85 * sum(rank[i] * w / total[i] for i, j, w in edges if j == k) for k in range(40)]
        assert centrality(position, similarity, region, twin) == pytest.approx(rank)


def set_of(sizes: list[int]) -> tuple[pd.DataFrame, Embeddings]:
    """A table of heaps with classes a and b, whose embeddings lie as the map does."""
    xy, heap = heaps(sizes)
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(len(sizes), 16))[heap] * 3 + rng.normal(size=(len(heap), 16))
    n = len(heap)
    table = pd.DataFrame(
        {
            "id": np.arange(n) + 1000,
            "path": [f"{row}.jpg" for row in range(n)],
            "label": [("ab"[h % 2] if row % 4 else "c") if row % 3 else None for row, h in enumerate(heap)],
            "x": xy[:, 0].astype(np.float32),
            "y": xy[:, 1].astype(np.float32),
            "percentile": rng.permutation(n) * 100 / n,
            "twin_group": twin_column(np.arange(n)),
        }
    )
    return table, Embeddings(np.arange(n) * 7, vectors.astype(np.float16), np.zeros(n, np.float32))


class TestRepresentatives:
    """One picture a region."""

    def test_each_stands_for_its_heap_and_is_among_its_clear_and_central(self) -> None:
        table, embeddings = set_of([120, 60, 30])
        graph = graph_of(embeddings)
        found = representatives(table, embeddings.content, graph, count=3, by="uncertainty")
        assert found.columns.tolist() == ["id", "path", "x", "y", "size", "label", "share"]
        assert found["size"].tolist() == [120, 60, 30]
        assert found["label"].tolist() == ["a", "b", "a"]
        assert ((found["share"] > 0.5) & (found["share"] < 1)).all()
        row = table.set_index("id").loc[found["id"]]
        assert (row["percentile"] < 20).all()
        without = representatives(table, embeddings.content, graph, count=3)
        assert (table.set_index("id").loc[without["id"], "percentile"] > 20).all(), "only the measure asked for counts"
        assert representatives(table, embeddings.content, graph, count=3, by="uncertainty").equals(found)

    def test_without_a_graph_or_labels_or_places(self) -> None:
        table, embeddings = set_of([40, 20])
        table["label"] = None
        table.loc[:9, "x"] = np.nan
        found = representatives(table, embeddings.content, None, count=2)
        assert found["size"].tolist() == [30, 20]
        assert found["label"].isna().all()
        assert found["share"].isna().all()
        assert representatives(table.iloc[:0], embeddings.content[:0], None).empty

    def test_the_count_follows_the_map(self) -> None:
        assert [count_for(n) for n in (0, 1, 4, 361, 100_000)] == [0, 1, 2, 19, 32]
