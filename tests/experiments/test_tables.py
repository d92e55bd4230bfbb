"""The tables of docs/training.md are those that the studies print from their figures."""

import json
from pathlib import Path

from experiments import head_functions, safe_retrieval, shipped_heads, unfamiliar, wrong_labels

ROOT = Path(__file__).parents[2]


def test_the_docs_have_the_tables_of_the_figures() -> None:
    told = (ROOT / "docs" / "training.md").read_text("utf-8")
    assert head_functions.table(json.loads(head_functions.FIGURES.read_text())) in told
    assert shipped_heads.table_of_reports() in told


def test_what_becomes_of_planted_label_errors_is_told_from_its_figures() -> None:
    figures = json.loads(wrong_labels.FIGURES.read_text("utf-8"))
    assert wrong_labels.tables(figures) in (ROOT / "docs" / "labels.md").read_text("utf-8")


def test_what_the_head_says_of_the_unfamiliar_is_told_from_its_figures() -> None:
    figures = json.loads(unfamiliar.FIGURES.read_text("utf-8"))
    assert unfamiliar.table(figures) in (ROOT / "docs" / "benchmark.md").read_text("utf-8")


def test_the_cards_are_of_the_reports_that_are_kept() -> None:
    for path in sorted(shipped_heads.FIGURES.glob("lite?-report.json")):
        digest = json.loads(path.read_text())["head"]
        card = ROOT / "url_viz" / "models" / "heads" / f"tf_efficientnet_{path.name[:5]}.md"
        assert f"Digest `{digest}`" in card.read_text("utf-8")


def test_what_the_gate_is_worth_is_told_and_drawn_from_its_figures() -> None:
    figures = json.loads(safe_retrieval.FIGURES.read_text("utf-8"))
    told = (ROOT / "docs" / "safe_retrieval.md").read_text("utf-8")
    assert safe_retrieval.table(figures) in told
    assert (ROOT / "docs" / "safe_retrieval.svg").read_text("utf-8") == safe_retrieval.drawing(figures)
