"""Evidence from an image set's classes agrees with plain recall on its distinct pictures."""

import numpy as np
import pandas as pd
import pytest

from url_viz.analysis.order_metrics import r_auroc, recall_at_1
from url_viz.analysis.selective_retrieval import Evidence, evidence
from url_viz.pipeline.graph import build_graph
from url_viz.store.tables import Embeddings, Graph

COUNT = 60


def evidence_of(table: pd.DataFrame, embeddings: np.ndarray, contents: np.ndarray, *, graph: Graph) -> Evidence:
    found = evidence(table, embeddings, contents, graph=graph, measure="uncertainty")
    assert found is not None
    return found


@pytest.fixture
def embeddings() -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(3, 6)), COUNT // 3, axis=0)
    return (centres + rng.normal(0, 1.4, (COUNT, 6))).astype(np.float32)


def without_twins(stored: Embeddings, *, k: int = 4, twins_of: int = 0) -> Graph:
    """The graph of rows none of which are twins, but for the first `twins_of`, which all are."""
    raw = np.eye(len(stored), dtype=np.float32)
    raw[:twins_of] = raw[0]
    return build_graph(stored.embedding, raw, k=k, content=stored.content)


def table_of() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "label": [f"c{i}" for i in range(3) for _ in range(COUNT // 3)],
            "uncertainty": np.random.default_rng(1).random(COUNT),
        }
    )
    table["label"] = table["label"].astype(object)
    return table


def test_short_lists_and_whole_ones_give_the_same_and_agree_with_plain_recall(embeddings: np.ndarray) -> None:
    table, contents = table_of(), np.arange(COUNT) + 7
    order = np.random.default_rng(2).permutation(COUNT)
    stored = Embeddings(np.arange(COUNT)[order] + 7, embeddings[order], np.zeros(COUNT, np.float32))
    with_graph = evidence_of(table, embeddings, contents, graph=without_twins(stored, k=4))
    searched = evidence_of(table, embeddings, contents, graph=without_twins(stored, k=59))
    share, is_correct = recall_at_1(embeddings, table["label"].to_numpy(dtype=str))
    assert with_graph.recall == searched.recall == pytest.approx(share)
    assert with_graph.auroc.value == pytest.approx(r_auroc(table["uncertainty"], is_correct))
    assert (with_graph.class_wise, with_graph.overall) == (searched.class_wise, searched.overall)
    assert with_graph.curve.recall[-1] == pytest.approx(share)
    assert with_graph.oracle.recall[0] == 1
    assert (with_graph.oracle.recall >= with_graph.curve.recall - 1e-9).all()
    assert (with_graph.pictures, with_graph.classes, with_graph.left_out) == (COUNT, 3, 0)


def test_copies_count_once_and_pictures_without_class_or_value_do_not(embeddings: np.ndarray) -> None:
    contents = np.arange(COUNT)
    contents[1], embeddings[1] = contents[0], embeddings[0]
    table = table_of()
    table.loc[5, "label"] = None
    table.loc[6, "uncertainty"] = np.nan
    stored = Embeddings(*(each[contents != 1] for each in (np.arange(COUNT), embeddings, np.zeros(COUNT, np.float32))))
    found = evidence_of(table, embeddings, contents, graph=without_twins(stored))
    kept = np.setdiff1d(np.arange(COUNT), [1, 5, 6])
    share, _ = recall_at_1(embeddings[kept], table["label"].to_numpy(dtype=object)[kept].astype(str))
    assert (found.pictures, found.left_out) == (COUNT - 3, 3)
    assert found.recall == pytest.approx(share)


def test_pictures_that_are_not_in_the_graph_yet_take_no_part(embeddings: np.ndarray) -> None:
    table, contents = table_of(), np.arange(COUNT)
    part = Embeddings(contents[:50], embeddings[:50], np.zeros(50, np.float32))
    found = evidence_of(table, embeddings, contents, graph=without_twins(part, k=4))
    share, _ = recall_at_1(embeddings[:50], table["label"].to_numpy(dtype=str)[:50])
    assert (found.pictures, found.left_out) == (50, 10)
    assert found.recall == pytest.approx(share)
    few = without_twins(part.rows_at(np.arange(10)), k=4)
    assert evidence(table, embeddings, contents, graph=few, measure="uncertainty") is None


def test_too_few_or_unlabelled_pictures_have_no_evidence(embeddings: np.ndarray) -> None:
    table, contents = table_of(), np.arange(COUNT)
    stored = Embeddings(contents, embeddings, np.zeros(COUNT, np.float32))
    measured = {"graph": without_twins(stored), "measure": "uncertainty"}
    for lacking in (table.assign(label=None), table.assign(label="one"), table.assign(uncertainty=np.nan)):
        assert evidence(lacking, embeddings, contents, **measured) is None
    assert evidence(table.iloc[::6], embeddings[::6], contents[::6], **measured) is None
    assert evidence(table, embeddings, contents % 5, **measured) is None
    burst = table.assign(label=[f"c{i % 2}" if i < 30 else None for i in range(COUNT)])
    for twins, has_some in ((30, False), (29, True)):
        graph = without_twins(stored, twins_of=twins)
        assert (evidence(burst, embeddings, contents, graph=graph, measure="uncertainty") is not None) == has_some


def test_twins_are_nobodys_nearest_whether_listed_or_searched(embeddings: np.ndarray) -> None:
    """The first five are a burst under five labels; lists of two often hold no picture with a class."""
    contents, table = np.arange(COUNT), table_of()
    embeddings[:5] = embeddings[0]
    table.loc[np.arange(COUNT) % 2 == 1, "label"] = None
    graph = without_twins(Embeddings(contents, embeddings, np.zeros(COUNT, np.float32)), k=2, twins_of=5)
    found = evidence_of(table, embeddings, contents, graph=graph)
    kept = np.arange(0, COUNT, 2)
    unit = embeddings[kept].astype(float) / np.linalg.norm(embeddings[kept], axis=1, keepdims=True)
    cosine = unit @ unit.T
    burst = kept < 5
    cosine[np.eye(len(kept), dtype=bool) | (burst[:, None] & burst[None, :])] = -1
    label = table["label"].to_numpy()[kept]
    assert (graph.position % 2 == 1).all(axis=1)[kept].any(), "some have to be searched for"
    assert found.recall == pytest.approx((label[cosine.argmax(axis=1)] == label).mean())
