"""Label issues by hand, by naive loops on random sets, and by what must hold whatever the pictures are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from tests.pipeline import examples
from tests.pipeline.examples import embeddings_of
from tests.twin_groups import twins_of
from url_viz.columns.ranking import NONE
from url_viz.labels.ambiguity import LabelEvidence, classify
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.classes import agreed_label, coded_labels, labels_by_content
from url_viz.labels.label_issues import (
    BETWEEN,
    COLUMNS,
    CONFLICTING,
    LIKELY,
    LIKELY_WRONG,
    OUTLIER,
    UNSEEN,
    Judged,
    LabelCheck,
    _is_outlier,
    acceptable,
    check_labels,
    confused_pairs,
    judge_labels,
)
from url_viz.labels.votes import VOTERS
from url_viz.pipeline.twins import twin_groups
from url_viz.store.tables.tables import Graph, no_twins, positions_of

SIZE = 12


def clusters(
    per_class: int = 24, classes: int = 3, *, seed: int = 0, spread: float = 0.35
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around one centre a class, and their codes."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), per_class).astype(np.int32)
    centres = np.eye(SIZE)[:classes] * 2
    return (centres[label] + rng.normal(0, spread, (len(label), SIZE))).astype(np.float16), label


def graph_of(embedding: np.ndarray, k: int = 20, *, which: np.ndarray | None = None) -> Graph:
    return examples.graph_of(embeddings_of(embedding, first=50), k=k, which=which)


def evidence_of(embedding: np.ndarray, voter: np.ndarray, graph: Graph) -> LabelEvidence:
    """What votes and classifier say; of no class that counts, nothing."""
    found = classify(graph.position, graph.similarity, embedding, voter, twin_groups(graph.twins))
    if found is not None:
        return found.evidence
    empty, none = np.full(len(graph), np.nan, np.float32), np.full(len(graph), NONE, np.int32)
    return LabelEvidence(empty, none, empty, empty, empty)


def judged(
    embedding: np.ndarray, label: np.ndarray, *, row: np.ndarray | None = None, which: np.ndarray | None = None
) -> Judged:
    graph = graph_of(embedding, which=which)
    rows = np.arange(len(label)) if row is None else row
    voter = agreed_label(rows, label, len(graph))
    return judge_labels(rows, label, graph=graph, voter=voter, evidence=evidence_of(embedding, voter, graph))


def check(
    table: pd.DataFrame, contents: np.ndarray, graph: Graph, embedding: np.ndarray, *, useless: tuple[int, ...] = ()
) -> LabelCheck:
    row = positions_of(contents, graph.content)
    labels = labels_by_content(coded_labels(table["label"]), row, len(graph))
    classified = classify(graph.position, graph.similarity, embedding, labels.codes, twin_groups(graph.twins))
    names = np.array([*labels.names, None], object)
    first = np.full(len(contents), NONE) if classified is None else classified.shares.first_class[row]
    table = table.assign(first_class=names[np.where(row >= 0, first, NONE)])
    evidence = evidence_of(embedding, labels.codes, graph)
    known = LabelAgreement(1.0, 0.0, len(table))
    return check_labels(table, contents, graph, labels, evidence, agreement=known, useless=useless)


def test_a_changed_label_is_found_with_the_class_it_had_and_who_says_so() -> None:
    embedding, label = clusters()
    label[0], label[30] = 2, 0
    found = judged(embedding, label)
    assert np.flatnonzero(found.kind == LIKELY_WRONG).tolist() == [0, 30]
    assert found.suggested[[0, 30]].tolist() == [0, 1]
    assert sorted(np.argsort(-found.score)[:2].tolist()) == [0, 30]
    assert (found.support[[0, 30]] >= 16).all()
    assert (found.voters == VOTERS).all()
    assert (found.suggested != label).all(), "of every picture another class can be asked about"


def planted(classes: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters with one label in twelve wrong: embeddings, labels, and which labels are wrong."""
    embedding, label = clusters(per_class=40, classes=classes, seed=seed, spread=spread)
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(len(label))[: len(label) // 12]
    label[wrong] = (label[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return embedding, label, np.isin(np.arange(len(label)), wrong)


def out_of_fold(embedding: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The probabilities that cleanlab asks for: of a classifier that has not seen the picture."""
    found: np.ndarray = cross_val_predict(LogisticRegression(), embedding, label, cv=5, method="predict_proba")
    return found


def test_where_classes_lie_apart_ours_and_cleanlab_call_wrong_labels_alone_and_suggest_one_class() -> None:
    embedding, label, is_wrong = planted(classes=4, spread=0.3, seed=0)
    probability = out_of_fold(embedding, label)
    theirs = find_label_issues(label, probability, n_jobs=1)
    ours = judged(embedding, label)
    called = ours.kind == LIKELY_WRONG
    assert not (theirs & ~is_wrong).any()
    assert not (called & ~is_wrong).any()
    assert (theirs & called).sum() >= 7
    assert np.array_equal(ours.suggested[called], probability[called].argmax(axis=1))


@pytest.mark.parametrize("seed", [0, 1])
def test_where_classes_overlap_the_doubt_orders_no_worse_than_cleanlab(seed: int) -> None:
    embedding, label, is_wrong = planted(classes=8, spread=0.75, seed=seed)
    theirs = 1 - get_label_quality_scores(label, out_of_fold(embedding, label), method="self_confidence")
    ours = judged(embedding, label).score
    assert 0.4 < average_precision_score(is_wrong, theirs) < 1
    assert average_precision_score(is_wrong, ours) > average_precision_score(is_wrong, theirs) - 0.05


def test_votes_as_a_naive_loop_counts_them() -> None:
    embedding, label = clusters(spread=0.6)
    label[::7] = (label[::7] + 1) % 3
    graph = graph_of(embedding, k=30)
    voter = label.copy()
    voter[::5] = NONE
    found = judge_labels(
        np.arange(len(label)), label, graph=graph, voter=voter, evidence=evidence_of(embedding, voter, graph)
    )
    for row in np.flatnonzero(voter != NONE):
        asked = [voter[place] for place in graph.position[row] if voter[place] != NONE][:VOTERS]
        assert found.voters[row] == len(asked)
        assert found.support[row] == sum(code == found.other[row] for code in asked)


def test_a_label_is_likely_wrong_from_one_half_on() -> None:
    embedding, label = clusters(per_class=30, classes=10, spread=0.55)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(len(label))[:60]
    label[wrong] = (label[wrong] + rng.integers(1, 10, 60)) % 10
    found = judged(embedding, label)
    is_case = (found.kind != OUTLIER) & (found.kind != CONFLICTING)
    is_error = (found.wrong >= LIKELY) & is_case
    assert np.array_equal(found.kind == LIKELY_WRONG, is_error)
    assert np.isin(np.flatnonzero(is_error), wrong).mean() > 0.85
    assert is_error.sum() > 40
    is_ambiguous = ~is_error & (np.maximum(found.own, found.best) < LIKELY) & is_case
    assert np.array_equal(found.kind == BETWEEN, is_ambiguous)
    expected = found.wrong[np.isfinite(found.wrong)].sum()
    assert expected == pytest.approx(60, rel=0.2), "the probabilities add up to how many labels are wrong"


def test_right_labels_of_a_rare_class_are_not_called_wrong() -> None:
    """Four pictures of one class among hundreds of others: rare, not wrong."""
    embedding, label = clusters(per_class=120, classes=4, spread=0.75)
    rows = np.concatenate([np.flatnonzero(label < 3), np.flatnonzero(label == 3)[:5]])
    found = judged(embedding[rows], label[rows])
    assert not (found.kind[-5:] == LIKELY_WRONG).any()
    assert (found.kind == LIKELY_WRONG).mean() < 0.01


def test_the_score_is_the_doubt_and_the_shares_are_the_evidences() -> None:
    embedding, label = clusters(spread=0.6)
    graph = graph_of(embedding)
    evidence = evidence_of(embedding, label, graph)
    row = np.array([5, 3, 70])
    found = judge_labels(row, label[row], graph=graph, voter=label, evidence=evidence)
    assert found.own.tolist() == evidence.own_share[row].tolist()
    assert found.best.tolist() == evidence.other_share[row].tolist()
    assert found.score.tolist() == evidence.doubt[row].tolist()
    assert found.wrong.tolist() == evidence.label_wrong[row].tolist()
    assert found.other.tolist() == evidence.other_class[row].tolist()


def test_pictures_between_all_classes_are_ambiguous_rather_than_label_errors() -> None:
    embedding, label = clusters(per_class=40, spread=0.4)
    between = np.random.default_rng(1).normal(0, 0.4, (6, SIZE))
    between[:, :3] += 1.2
    embedding = np.concatenate([embedding, between.astype(np.float16)])
    found = judged(embedding, np.concatenate([label, np.array([0, 0, 1, 1, 2, 2], np.int32)]))
    kinds = found.kind[-6:]
    assert (kinds == BETWEEN).sum() >= 2
    assert not (kinds == LIKELY_WRONG).any()


def test_a_picture_unlike_all_others_is_out_on_its_own() -> None:
    embedding, label = clusters()
    embedding[7] = -embedding[7]
    assert judged(embedding, label).kind[7] == OUTLIER


def test_the_fence_is_a_quartile_range_below_the_quartile() -> None:
    near = np.array([0.5] * 3 + [0.6] * 3 + [0.7] * 3 + [0.42, 0.38], np.float32)  # quartiles .5 and .65, fence .35
    position = np.where(np.arange(11) == 10, 0, 10)[:, None].astype(np.int32)
    alone = [_is_outlier(Graph(np.arange(11), position, at[:, None], no_twins(11))).tolist() for at in (near, near - 1)]
    assert alone == [[False] * 11] * 2
    near[10] = 0.34
    graph = Graph(np.arange(11), position, near[:, None], no_twins(11))
    assert np.flatnonzero(_is_outlier(graph)).tolist() == [10]


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


def test_copies_of_other_bytes_under_two_labels_are_told_too() -> None:
    embedding, label = clusters()
    label[1] = 2
    which = np.where(np.arange(len(label)) == 1, 0, np.arange(len(label)))
    found = judged(embedding, label, which=which)
    assert found.kind[[0, 1]].tolist() == [CONFLICTING, CONFLICTING]
    assert found.suggested[[0, 1]].tolist() == [2, 0]


def test_views_under_two_labels_are_no_conflict() -> None:
    """Two frames may show two things, however alike they are."""
    embedding, label = clusters()
    embedding[1] = embedding[0] * 1.01
    label[1] = 2
    graph = replace(graph_of(embedding), twins=twins_of(len(label), (0, 1, 0.999), views=1))
    rows = np.arange(len(label))
    found = judge_labels(rows, label, graph=graph, voter=label, evidence=evidence_of(embedding, label, graph))
    assert not (found.kind == CONFLICTING).any()


def test_the_names_of_classes_make_no_difference() -> None:
    embedding, label = clusters(spread=0.6)
    label[::9] = (label[::9] + 1) % 3
    renamed = np.array([2, 0, 1], np.int32)
    first, second = judged(embedding, label), judged(embedding, renamed[label])
    assert second.score == pytest.approx(first.score, abs=1e-6)
    assert (first.kind == second.kind).all()
    assert ((first.score >= 0) & (first.score <= 1)).all()
    assert first.score.std() > 0.01


def test_a_class_of_one_picture_is_no_label_error() -> None:
    embedding, label = clusters()
    label[0] = 3
    assert judged(embedding, label).kind[0] != LIKELY_WRONG


def table_of(label: np.ndarray) -> pd.DataFrame:
    names = np.array(["ant", "bee", "cat", None], dtype=object)[label]
    about = {"id": np.arange(len(label)) * 10, "path": [f"{i:03d}.jpg" for i in range(len(label))], "label": names}
    return pd.DataFrame(about).assign(label_checked=None, twin_group=None)


def test_the_table_names_classes_and_leaves_out_what_has_no_label() -> None:
    embedding, label = clusters(seed=3)
    label[0], label[5] = 2, NONE
    graph = graph_of(embedding)
    found = check(table_of(label), graph.content, graph, embedding)
    assert found.classes == ("ant", "bee", "cat")
    assert found.left_out == 1
    assert len(found.pictures) == len(label) - 1
    first = found.pictures.iloc[0]
    assert (first["id"], first["label"], first["suggested"], first["kind"]) == (0, "cat", "ant", LIKELY_WRONG)
    assert first["wrong"] > 0.9
    assert tuple(found.of_kind(LIKELY_WRONG).columns) == COLUMNS
    assert found.of_kind(LIKELY_WRONG)["id"].tolist() == acceptable(found.pictures)["id"].tolist() == [0]
    assert found.pictures["score"].is_monotonic_decreasing
    assert found.pictures["answer"].isna().all()
    useless = check(table_of(label), graph.content, graph, embedding, useless=(0, 10))
    assert useless.of_kind(UNSEEN)["id"].tolist() == [0, 10]
    checked = table_of(label)
    checked.loc[[0, 1], "label_checked"] = ["corrected", "confirmed"]
    answered = check(checked, graph.content, graph, embedding, useless=(0,)).pictures.set_index("id")
    assert answered.loc[[0, 10], "kind"].tolist() == ["", ""]
    assert answered.loc[[0, 10], "answer"].tolist() == [1, 0]
    assert len(acceptable(answered)) == 0
    pair = found.confused.iloc[0]
    assert (pair["class_a"], pair["class_b"], pair["a_as_b"], pair["b_as_a"]) == ("cat", "ant", 1, 0)
    assert pair["a_as_b_share"] == pytest.approx(1 / 25)


def test_the_order_of_rows_makes_no_difference() -> None:
    embedding, label = clusters()
    label[0] = 2
    graph = graph_of(embedding)
    turned = np.arange(len(label))[::-1]
    straight = check(table_of(label), graph.content, graph, embedding)
    found = check(table_of(label).iloc[turned], graph.content[turned], graph, embedding)
    pd.testing.assert_frame_equal(found.pictures, straight.pictures)
    assert straight.count(LIKELY_WRONG) == 1


def test_pictures_that_are_not_in_the_graph_are_left_out() -> None:
    embedding, label = clusters()
    graph = graph_of(embedding)
    contents = np.append(graph.content, 7)
    found = check(table_of(np.append(label, 1)), contents, graph, embedding)
    assert (found.left_out, len(found.pictures)) == (1, len(label))


@pytest.mark.parametrize("contents", [[1, 1], [1, 1, 2, 2]])
def test_where_all_copies_conflict_nobody_votes(contents: list[int]) -> None:
    content = np.unique(contents)
    embedding = clusters()[0][: len(content)]
    graph = examples.graph_of(embeddings_of(embedding, first=1))
    label = np.arange(len(contents)) % 2
    found = check(table_of(label), np.array(contents), graph, embedding)
    assert found.pictures["kind"].tolist() == [CONFLICTING] * len(contents)
    assert (found.pictures["label"] != found.pictures["suggested"]).all()
    assert (found.pictures["wrong"] >= LIKELY).all(), "one of two is wrong"


def test_confused_pairs_by_hand() -> None:
    pictures = pd.DataFrame(
        {"label": ["a", "a", "a", "b", "b", "c", "c"], "taken_for": ["b", "a", "c", "a", "a", "c", "c"]}
    )
    columns = ["class_a", "class_b", "a_as_b", "a_as_b_share", "b_as_a", "b_as_a_share", "pictures"]
    pairs = confused_pairs(pictures)
    assert pairs.columns.tolist() == columns
    assert pairs.to_numpy().tolist() == [["b", "a", 2, 1, 1, 1 / 3, 3], ["a", "c", 1, 1 / 3, 0, 0, 1]]
    assert confused_pairs(pictures.iloc[5:]).empty
