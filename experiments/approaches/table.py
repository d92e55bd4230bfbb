"""The table of a comparison of approaches as Markdown."""

import math

from experiments.approaches.records import ApproachComparison, ApproachFigures
from url_viz.analysis.order_metrics import Figure

EMPTY = "–"


def table(comparison: ApproachComparison) -> str:
    """One line an approach, highest mean R-AUROC first, after a line on what was trained and measured."""
    names = [short(one.data) for one in comparison.sets]
    heading = ["approach", "R-AUROC, mean [seeds]", *names, "beside ours", "own R@1", "held-out upstream", "chosen"]
    lines = [_line(one) for one in comparison.approaches]
    sets = "; ".join(
        f"{short(one.data)}: {one.pictures:,} pictures, {one.classes:,} classes, R@1 {number(one.recall_at_1)}"
        for one in comparison.sets
    )
    about = (
        f"{comparison.backbone}, frozen, precision {comparison.precision}; {comparison.trained:,} pictures of "
        f"{comparison.trained_classes:,} classes train for {comparison.epochs} epochs in batches of "
        f"{comparison.batch:,}; {comparison.upstream.pictures:,} are held out (R@1 "
        f"{number(comparison.upstream.recall_at_1)}); {comparison.seeds} seeds. {sets}."
    )
    return "\n".join([about, "", *_rows([heading, ["---"] * len(heading), *lines])])


def short(spec: str) -> str:
    """The last name of a SPEC's path."""
    return spec.rstrip("/").rpartition(":")[2].rpartition("/")[2]


def number(value: float) -> str:
    """A figure with three digits, without a zero in front; a dash for none."""
    return EMPTY if math.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


def _line(one: ApproachFigures) -> list[str]:
    ahead = [part.beside_ours for part in one.sets]
    return [
        one.name,
        f"{number(one.mean)} [{number(one.least)}, {number(one.most)}]",
        *(_with_interval(part.r_auroc) for part in one.sets),
        EMPTY if math.isnan(ahead[0].value) else ", ".join(map(_verdict, ahead)),
        number(one.own_recall_at_1),
        number(one.chosen.held_out_r_auroc),
        f"{one.varies} {one.chosen.value:g}",
    ]


def _with_interval(figure: Figure) -> str:
    return f"{number(figure.value)} ({number(figure.interval.low)} to {number(figure.interval.high)})"


def _verdict(figure: Figure) -> str:
    """Whether an approach is ahead of ours on a set, behind, or neither."""
    return "ahead" if figure.interval.low > 0 else "behind" if figure.interval.high < 0 else "even"


def _rows(cells: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in cells]
