"""Public names of the retrieval and uncertainty metrics: recall@1, R-AUROC, risk–coverage and others."""

from url_viz.base.rows import mid_ranks
from url_viz.evidence.order_metrics import (
    Interval,
    RiskCoverage,
    Scored,
    auroc,
    bootstrap_interval,
    classification_auroc,
    human_alignment,
    mixed_r_auroc,
    nearest_others,
    ood_auroc,
    r_auroc,
    recall_at_1,
    risk_coverage,
    spearman,
)

__all__ = [
    "Interval",
    "RiskCoverage",
    "Scored",
    "auroc",
    "bootstrap_interval",
    "classification_auroc",
    "human_alignment",
    "mid_ranks",
    "mixed_r_auroc",
    "nearest_others",
    "ood_auroc",
    "r_auroc",
    "recall_at_1",
    "risk_coverage",
    "spearman",
]
