"""The table of a comparison of approaches as Markdown."""

import math

from experiments.approaches.records import ApproachComparison, ApproachFigures
from training.benchmark.benchmark_tables import cell, markdown
from url_viz.analysis.order_metrics import Figure
from url_viz.wording import MISSING, with_interval


def table(comparison: ApproachComparison) -> str:
    """One line an approach, highest mean R-AUROC first, after a line on what was trained and measured."""
    names = [short(one.data) for one in comparison.sets]
    heading = ["approach", "R-AUROC, mean [seeds]", *names, "beside ours", "own R@1", "held-out upstream", "chosen"]
    lines = [_line(one) for one in comparison.approaches]
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


def short(spec: str) -> str:
    """The last name of a SPEC's path."""
    return spec.rstrip("/").rpartition(":")[2].rpartition("/")[2]


def _line(one: ApproachFigures) -> list[str]:
    ahead = [part.beside_ours for part in one.sets]
    return [
        one.name,
        with_interval(one.mean, one.least, one.most, digits=3),
        *(cell(part.r_auroc) for part in one.sets),
        MISSING if math.isnan(ahead[0].value) else ", ".join(map(_verdict, ahead)),
        cell(one.own_recall_at_1),
        cell(one.chosen.held_out_r_auroc),
        f"{one.varies} {one.chosen.value:g}",
    ]


def _verdict(figure: Figure) -> str:
    """Whether an approach is ahead of ours on a set, behind, or neither."""
    return "ahead" if figure.interval.low > 0 else "behind" if figure.interval.high < 0 else "even"
