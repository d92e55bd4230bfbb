"""Sets too large to be held: embeddings stay on disk, and rows, twins and lists are those of sets in memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.imaging.pictures import write_folder
from tests.pipeline.whitened_examples import classes, listed, pictures
from url_viz.base.workspace import Workspace
from url_viz.models.model import Model
from url_viz.pipeline import graph as graph_module
from url_viz.pipeline import postprocess
from url_viz.pipeline.graph import build_graph, extended
from url_viz.pipeline.whitening import whitened_rows
from url_viz.reading import embed_folder
from url_viz.store.tables.reader import RawRows, in_parts
from url_viz.store.tables.tables import Embeddings
from url_viz.store.tables.writer import Writer

KEY = "0" * 16
COUNT = 1200
KEYS = np.arange(COUNT) * 7 + 1


@pytest.fixture(scope="module")
def embeddings() -> NDArray[np.float16]:
    """Pictures of a few kinds, every tenth of them there twice."""
    rows = classes(COUNT - COUNT // 10, size=128)[0]
    copies = rows[:: len(rows) // (COUNT // 10)][: COUNT // 10].astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 0.01, copies.shape)
    return np.concatenate([rows, copies + noise]).astype(np.float16)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer(Workspace.at(tmp_path / "workspace").set_paths("0" * 16), tmp_path) as opened:
        yield opened


def on_disk(writer: Writer, embeddings: NDArray[np.float16]) -> RawRows:
    """Written in another order than the one they are asked for in."""
    shuffled = np.random.default_rng(0).permutation(len(embeddings))
    for part in np.array_split(shuffled, 3):
        writer.add_embeddings(KEY, Embeddings(KEYS[part], embeddings[part], np.zeros(len(part), np.float32)))
    return RawRows(writer, KEY, KEYS)


def test_rows_are_taken_as_from_an_array(writer: Writer, embeddings: NDArray[np.float16]) -> None:
    rows = on_disk(writer, embeddings)
    assert rows.shape == embeddings.shape
    assert len(rows) == COUNT
    some = np.array([5, 0, 5, COUNT - 1])
    np.testing.assert_array_equal(rows[some], embeddings[some])
    np.testing.assert_array_equal(rows[:], embeddings)
    for kind in (rows, embeddings):
        back = np.zeros_like(embeddings)
        for position, part in in_parts(kind):
            back[position] = part
        np.testing.assert_array_equal(back, embeddings)


def test_the_whitened_space_is_the_one_of_rows_in_memory(writer: Writer, embeddings: NDArray[np.float16]) -> None:
    keys = np.arange(COUNT)
    one, other = (whitened_rows(keys, rows) for rows in (embeddings, on_disk(writer, embeddings)))
    assert one.whitening.key == other.whitening.key
    np.testing.assert_allclose(one.rows.astype(np.float32), other.rows.astype(np.float32), atol=5e-4)


@pytest.mark.slow
def test_a_graph_of_rows_on_disk_is_that_of_rows_in_memory(
    writer: Writer, embeddings: NDArray[np.float16], monkeypatch: pytest.MonkeyPatch
) -> None:
    whitened = whitened_rows(np.arange(COUNT), embeddings)
    on = build_graph(whitened, on_disk(writer, embeddings), k=10)
    exact = build_graph(whitened, embeddings, k=10)
    monkeypatch.setattr(graph_module, "EXACT_ROWS", 1000)
    held = build_graph(whitened, embeddings, k=10)
    assert on.is_approximate
    np.testing.assert_array_equal(on.position, held.position)
    assert listed(on.twins) == listed(held.twins) == listed(exact.twins)
    assert len(on.twins) >= COUNT // 10
    np.testing.assert_allclose(on.twins.cosine, held.twins.cosine, atol=1e-6)


@pytest.mark.slow
def test_new_rows_find_their_twins_and_their_places(writer: Writer, embeddings: NDArray[np.float16]) -> None:
    rows, new = on_disk(writer, embeddings), np.arange(COUNT - 60, COUNT)
    whitened = whitened_rows(KEYS, embeddings)
    before = replace(whitened, content=whitened.content[:-60], rows=whitened.rows[:-60])
    first = build_graph(before, RawRows(writer, KEY, before.content), k=10)
    grown = extended(first, whitened, rows)
    assert grown.is_approximate
    exact = build_graph(whitened, embeddings, k=10)
    assert listed(grown.twins) == listed(exact.twins)
    np.testing.assert_array_equal(grown.position[new], exact.position[new])


@pytest.mark.slow
def test_a_folder_beyond_the_bound_is_read_and_grows_as_one_below(
    bare_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(name: str) -> pd.DataFrame:
        workspace, root = tmp_path / "workspace", tmp_path / name
        write_folder(root, 11)
        embed_folder(root, model=bare_model, workspace=workspace)
        write_folder(root, 14)
        table = embed_folder(root, model=bare_model, workspace=workspace).table()
        return table.sort_values("path").reset_index(drop=True)

    held = read("held")
    for module in (graph_module, postprocess):
        monkeypatch.setattr(module, "EXACT_ROWS", 5)
    large = read("large")
    assert len(large) == 14
    told = ["path", "nearest_similarity", "twin_group"]
    pd.testing.assert_frame_equal(large[told], held[told], check_exact=False, atol=1e-5)
    ranked = held["twin_group"].isna().sum() + held["twin_group"].nunique()  # twins are one
    one_rank = 1 / ranked  # two nearest to each other are as similar, but for rounding
    np.testing.assert_allclose(large["confusability"], held["confusability"], atol=one_rank)


@pytest.mark.slow
def test_copies_are_all_found_on_disk(writer: Writer, embeddings: NDArray[np.float16]) -> None:
    """Those whose embeddings are far apart too, which are among no candidates; made at once or bit by bit."""
    which = np.arange(COUNT)
    which[:200] = which[1000:]
    pixels, rows = pictures(which), on_disk(writer, embeddings)
    whitened = whitened_rows(KEYS, embeddings)
    expected = {(row, 1000 + row) for row in range(200)}
    assert listed(build_graph(whitened, rows, k=10, pixels=pixels).twins.copies) == expected
    before = np.sort(np.random.default_rng(3).permutation(COUNT)[:1150])
    some = replace(whitened, content=whitened.content[before], rows=whitened.rows[before])
    first = build_graph(some, RawRows(writer, KEY, some.content), k=10, pixels=pixels.take(before))
    grown = extended(first, whitened, rows, pixels=pixels)
    assert listed(grown.twins.copies) == expected
