"""Suspects by hand, by naive loops on random sets, and by what must hold whatever the pictures are."""

import math

import numpy as np
import pandas as pd
import pytest

from url_viz.analysis.label_issues import (
    ALONE,
    AMBIGUOUS,
    COLUMNS,
    CONFLICTING,
    LABEL_ERROR,
    NEARNESS,
    NONE,
    Judged,
    LabelCheck,
    ballot,
    check_labels,
    confused_pairs,
    judge,
    left_out,
)
from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.twin_groups import twin_groups
from url_viz.rows import l2_normalize
from url_viz.store.tables import Embeddings, Graph

SIZE = 12


def clusters(
    per_class: int = 24, classes: int = 3, *, seed: int = 0, spread: float = 0.35
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around one centre a class, and their codes."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), per_class).astype(np.int32)
    centres = np.eye(SIZE)[:classes] * 2
    return (centres[label] + rng.normal(0, spread, (len(label), SIZE))).astype(np.float16), label


def graph_of(embedding: np.ndarray, k: int = 10) -> Graph:
    content = np.arange(len(embedding), dtype=np.int64) + 50
    return build_graph(Embeddings(content, embedding, np.zeros(len(embedding), np.float32)), k=k)


def judged(embedding: np.ndarray, label: np.ndarray, *, row: np.ndarray | None = None) -> Judged:
    graph = graph_of(embedding)
    return judge(
        np.arange(len(label)) if row is None else row,
        label,
        classes=int(label.max()) + 1,
        graph=graph,
        twin_group=twin_groups(graph),
        embeddings=l2_normalize(embedding),
    )


def test_votes_by_hand() -> None:
    # Row 0 sees 1 (cosine .9), its twin 2 (.8: no second voice) and 3 (.7): weights 1, 0, e^-2 by NEARNESS .1.
    position = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, -1]], np.int32)
    similarity = np.array([[0.9, 0.8, 0.7]] * 4, np.float32)
    graph = Graph(np.arange(4), position, similarity)
    votes = ballot(np.array([0, 1, 2, 0], np.int32), graph, twin_group=np.array([0, 1, 1, 3]))
    assert votes.label[0].tolist() == [1, NONE, 0]
    far = math.exp(-0.2 / NEARNESS)
    assert votes.shares(np.array([0]), 3)[0] == pytest.approx([far / (1 + far), 1 / (1 + far), 0])
    assert votes.label[3].tolist() == [0, 1, NONE]


def test_a_picture_without_a_label_has_no_vote() -> None:
    graph = Graph(np.arange(3), np.array([[1, 2], [0, 2], [0, 1]], np.int32), np.full((3, 2), 0.5, np.float32))
    votes = ballot(np.array([0, NONE, 1], np.int32), graph, twin_group=np.arange(3))
    assert votes.label[0].tolist() == [NONE, 1]
    assert votes.shares(np.array([0, 1]), 2).tolist() == [[0, 1], [0.5, 0.5]]


def test_votes_as_a_naive_loop_counts_them() -> None:
    embedding, label = clusters(spread=0.5)
    embedding[5] = embedding[4] * 1.01
    graph = graph_of(embedding)
    groups = twin_groups(graph)
    label[::7] = NONE
    shares = ballot(label, graph, twin_group=groups).shares(np.arange(len(label)), 3)
    for row in range(len(label)):
        seen: set[int] = set()
        expected = np.zeros(3)
        for place, cosine in zip(graph.position[row], graph.similarity[row], strict=True):
            if label[place] == NONE or int(groups[place]) in seen:
                continue
            seen.add(int(groups[place]))
            expected[label[place]] += math.exp((cosine - graph.similarity[row, 0]) / NEARNESS)
        assert shares[row] == pytest.approx(expected / expected.sum(), abs=1e-5)


def test_left_out_is_what_refitting_without_the_picture_gives() -> None:
    embedding, label = clusters(per_class=8)
    unit = l2_normalize(embedding)
    label[3] = NONE
    values = left_out(unit, label, 3, ridge=0.5).values(np.arange(len(label)))
    used = np.flatnonzero(label != NONE)
    for row in (0, 3, 10, 23):
        others = used[used != row]
        target = np.eye(3)[label[others]]
        centre, mean = unit[others].mean(axis=0), target.mean(axis=0)
        x = unit[others] - centre
        weights = np.linalg.solve(x.T @ x + 0.5 * np.eye(SIZE), x.T @ (target - mean))
        assert values[row] == pytest.approx((unit[row] - centre) @ weights + mean, abs=2e-4)


def test_a_changed_label_is_found_with_the_class_it_had_and_who_says_so() -> None:
    embedding, label = clusters()
    label[0], label[30] = 2, 0
    found = judged(embedding, label)
    assert np.flatnonzero(found.kind == LABEL_ERROR).tolist() == [0, 30]
    assert found.suggested[[0, 30]].tolist() == [0, 1]
    assert sorted(np.argsort(-found.opinion.score)[:2].tolist()) == [0, 30]
    assert (found.support[[0, 30]] >= 8).all()
    assert (found.voters == 10).all()
    assert (found.suggested[found.kind == ""] == NONE).all()


def test_pictures_between_all_classes_are_ambiguous_rather_than_label_errors() -> None:
    embedding, label = clusters(per_class=40, spread=0.4)
    between = np.random.default_rng(1).normal(0, 0.4, (6, SIZE))
    between[:, :3] += 1.2
    embedding = np.concatenate([embedding, between.astype(np.float16)])
    found = judged(embedding, np.concatenate([label, np.array([0, 0, 1, 1, 2, 2], np.int32)]))
    kinds = found.kind[-6:]
    assert (kinds == AMBIGUOUS).sum() >= 4
    assert (kinds == LABEL_ERROR).sum() <= 1


def test_a_picture_unlike_all_others_is_out_on_its_own() -> None:
    embedding, label = clusters()
    embedding[7] = -embedding[7]
    assert judged(embedding, label).kind[7] == ALONE


def test_copies_under_two_labels_are_a_case_of_their_own() -> None:
    embedding, label = clusters()
    # The picture of row 3 lies in two folders: its second file is class 1. It votes for neither.
    row = np.append(np.arange(len(label)), [3, 3])
    both = np.append(label, [1, 1]).astype(np.int32)
    found = judged(embedding, both, row=row)
    assert found.kind[[3, -1, -2]].tolist() == [CONFLICTING] * 3
    assert found.suggested[[3, -1]].tolist() == [1, 0]
    assert found.support[[3, -1]].tolist() == [2, 1]
    assert (found.kind == CONFLICTING).sum() == 3


def test_near_copies_under_two_labels_are_told_too() -> None:
    embedding, label = clusters()
    embedding[1] = embedding[0] * 1.01
    label[1] = 2
    found = judged(embedding, label)
    assert found.kind[[0, 1]].tolist() == [CONFLICTING, CONFLICTING]
    assert found.suggested[[0, 1]].tolist() == [2, 0]


def test_the_names_of_classes_make_no_difference() -> None:
    embedding, label = clusters(spread=0.6)
    label[::9] = (label[::9] + 1) % 3
    renamed = np.array([2, 0, 1], np.int32)
    first, second = judged(embedding, label), judged(embedding, renamed[label])
    assert second.opinion.score == pytest.approx(first.opinion.score, abs=1e-6)
    assert (first.kind == second.kind).all()
    assert ((first.opinion.score >= 0) & (first.opinion.score < 1)).all()


def test_a_class_of_one_picture_is_no_label_error() -> None:
    embedding, label = clusters()
    label[0] = 3
    assert judged(embedding, label).kind[0] != LABEL_ERROR


def table_of(label: np.ndarray) -> pd.DataFrame:
    names = np.array(["ant", "bee", "cat", None], dtype=object)[label]
    return pd.DataFrame(
        {"id": np.arange(len(label)) * 10, "path": [f"{i:03d}.jpg" for i in range(len(label))], "label": names}
    )


def test_the_table_names_classes_and_leaves_out_what_has_no_label() -> None:
    embedding, label = clusters()
    label[0], label[5] = 2, NONE
    graph = graph_of(embedding)
    check = check_labels(table_of(label), graph.content, graph, lambda: l2_normalize(embedding))
    assert check is not None
    assert check.classes == ("ant", "bee", "cat")
    assert check.left_out == 1
    assert len(check.pictures) == len(label) - 1
    first = check.suspects.iloc[0]
    assert tuple(check.suspects.columns) == COLUMNS
    assert (first["id"], first["label"], first["suggested"], first["kind"]) == (0, "cat", "ant", LABEL_ERROR)
    assert check.headline == "1 picture looks mislabelled."
    pair = check.confused.iloc[0]
    assert (pair["class_a"], pair["class_b"], pair["a_as_b"], pair["b_as_a"]) == ("cat", "ant", 1, 0)
    assert pair["a_as_b_share"] == pytest.approx(1 / 25)


def test_rows_in_another_order_than_the_graph_get_their_own_embedding() -> None:
    embedding, label = clusters()
    label[0] = 2
    graph = graph_of(embedding)
    turned = np.arange(len(label))[::-1]
    check = check_labels(
        table_of(label).iloc[turned], graph.content[turned], graph, lambda: l2_normalize(embedding[turned])
    )
    straight = check_labels(table_of(label), graph.content, graph, lambda: l2_normalize(embedding))
    assert check is not None
    assert straight is not None
    pd.testing.assert_frame_equal(check.pictures, straight.pictures, check_exact=False, atol=1e-5)


@pytest.mark.parametrize("contents", [[1, 1], [1, 1, 2, 2]])
def test_where_all_copies_conflict_nobody_votes(contents: list[int]) -> None:
    content = np.unique(contents)
    embedding = clusters()[0][: len(content)]
    graph = build_graph(Embeddings(content, embedding, np.zeros(len(content), np.float32)), k=10)
    unit = l2_normalize(embedding[np.searchsorted(content, contents)])
    label = np.arange(len(contents)) % 2
    check = check_labels(table_of(label), np.array(contents), graph, lambda: unit)
    assert check is not None
    assert check.pictures["kind"].tolist() == [CONFLICTING] * len(contents)
    assert (check.pictures["label"] != check.pictures["suggested"]).all()
    assert check.headline == f"No label looks wrong. {len(contents)} have copies under another label."


def test_one_class_is_nothing_to_check() -> None:
    embedding, label = clusters()
    graph = graph_of(embedding)
    assert check_labels(table_of(label * 0), graph.content, graph, lambda: l2_normalize(embedding)) is None


def test_the_headline_says_what_there_is() -> None:
    def said(**counts: int) -> str:
        kinds = [kind.replace("_", " ") for kind, count in counts.items() for _ in range(count)]
        return LabelCheck(pd.DataFrame({"kind": kinds}), ("a", "b"), left_out=0).headline

    assert said() == "No label looks wrong."
    assert said(label_error=12, ambiguous=30) == "12 pictures look mislabelled, 30 fit no class well."
    assert said(ambiguous=1, out_on_its_own=1) == "1 fits no class well. 1 is out on its own."
    assert said(conflicting_copies=2, out_on_its_own=3) == (
        "No label looks wrong. 2 have copies under another label and 3 are out on their own."
    )


def test_confused_pairs_by_hand() -> None:
    pictures = pd.DataFrame(
        {"label": ["a", "a", "a", "b", "b", "c", "c"], "taken_for": ["b", "a", "c", "a", "a", "c", "c"]}
    )
    pairs = confused_pairs(pictures)
    assert pairs.to_dict("records") == [
        {
            "class_a": "b",
            "class_b": "a",
            "a_as_b": 2,
            "a_as_b_share": 1.0,
            "b_as_a": 1,
            "b_as_a_share": 1 / 3,
            "pictures": 3,
        },
        {
            "class_a": "a",
            "class_b": "c",
            "a_as_b": 1,
            "a_as_b_share": 1 / 3,
            "b_as_a": 0,
            "b_as_a_share": 0.0,
            "pictures": 1,
        },
    ]
    assert confused_pairs(pictures.iloc[5:]).empty
