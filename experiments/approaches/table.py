"""The table of a comparison of approaches as Markdown."""

import math
from collections.abc import Sequence

from scipy.special import stdtr

from experiments.approaches.records import ApproachComparison, ApproachFigures
from training.benchmark.benchmark_tables import LEVEL, judge_lead
from training.command import cell, markdown
from url_viz.base.wording import MISSING, with_interval
from url_viz.evidence.order_metrics import Figure, holm, student_975


def table(comparison: ApproachComparison) -> str:
    """One line an approach, highest mean R-AUROC first, after a line on what was trained and measured."""
    names = [short(one.data) for one in comparison.sets]
    heading = ["approach", "R-AUROC, mean [seeds]", *names, "beside ours", "held-out"]
    beside = verdicts(comparison)
    lines = [_line(one, beside[one.name]) for one in comparison.approaches]
    sets = "; ".join(
        f"{short(one.data)}: {one.pictures:,} pictures, {one.classes:,} classes, R@1 {cell(one.recall_at_1)}"
        for one in comparison.sets
    )
    about = (
        f"{comparison.backbone}, frozen, precision {comparison.precision}; {comparison.trained:,} pictures of "
        f"{comparison.trained_classes:,} classes train for {comparison.epochs} epochs in batches of "
        f"{comparison.batch:,}; {comparison.upstream.pictures:,} are held out (R@1 "
        f"{cell(comparison.upstream.recall_at_1)}); {comparison.seeds} seeds. {sets}."
    )
    return f"{about}\n\n{markdown(heading, lines)}"


def verdicts(comparison: ApproachComparison) -> dict[str, list[str]]:
    """Whether each approach is ahead of ours on each set, behind or level, told together: by Holm over all, at 5 %."""
    leads = [part.beside_ours for one in comparison.approaches for part in one.sets]
    classes = [part.classes for _ in comparison.approaches for part in comparison.sets]
    p_values = [_p_value(lead, count) for lead, count in zip(leads, classes, strict=True)]
    told = iter(judge_lead(lead) if sure else LEVEL for lead, sure in zip(leads, holm(p_values), strict=True))
    return {one.name: [next(told) for _ in one.sets] for one in comparison.approaches}


def _p_value(lead: Figure, classes: int) -> float:
    """Student's two-sided p-value of a lead whose 95 % interval is over so many classes; nan without an interval."""
    half = (lead.interval.high - lead.interval.low) / 2
    return float(2 * stdtr(classes - 1, -student_975(classes) * abs(lead.value) / half))


def short(spec: str) -> str:
    """The last name of a SPEC's path."""
    return spec.rstrip("/").rpartition(":")[2].rpartition("/")[2]


def _line(one: ApproachFigures, beside: Sequence[str]) -> list[str]:
    return [
        one.name,
        with_interval(one.mean, one.least, one.most, digits=3),
        *(cell(part.r_auroc) for part in one.sets),
        MISSING if math.isnan(one.sets[0].beside_ours.value) else ", ".join(beside),
        cell(one.chosen.held_out_r_auroc),
    ]
