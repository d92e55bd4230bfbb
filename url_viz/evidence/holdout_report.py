"""How well a finetuned head does on held-out pictures: figures with intervals, and sentences on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.base.files import record_in
from url_viz.base.records import nan_for_null, read_plain
from url_viz.base.wording import counted
from url_viz.evidence.order_metrics import MOST_LEFT_OUT, Figure, jackknife, without_each_block

AFTER, BEFORE = "after", "before"
TITLES = {
    "r_auroc": "R-AUROC",
    "agreement": "Rank agreement with what the head learns (task loss)",
    "accuracy": "Accuracy",
    "recall_at_1": "Recall@1",
    "classification_auroc": "AUROC of the classifier's errors",
}
"""What each measure is called, those that say most first."""
NO_EFFECT = {"r_auroc": 0.5, "agreement": 0.0, "classification_auroc": 0.5}
"""The figure that a random order has."""
Arrays = tuple[NDArray[np.generic], ...]
Statistic = Callable[..., float]


@dataclass(frozen=True)
class HoldoutFigure:
    """One measure on `count` held-out pictures; a figure without an interval has nan ends.

    `after` is of the new head, `before` of the one that the model had, None without one or if it cannot be computed.
    `others` are of orders that need no job, by the names of their columns, and `gains` what `after` is ahead of each
    of them and of `before`, on the same pictures.
    """

    measure: str
    count: int
    after: Figure | None
    before: Figure | None = None
    others: Mapping[str, Figure] = field(default_factory=dict)
    gains: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES.get(self.measure, self.measure)

    @property
    def is_of_use(self) -> bool:
        """Whether the new head orders these pictures better than chance, by the interval."""
        return self.after is not None and self.after.interval.low > NO_EFFECT.get(self.measure, -np.inf)


def holdout_figure(
    measure: str,
    orders: Mapping[str, Arrays],
    statistic: Statistic,
    block: NDArray[np.generic],
    *,
    count: int,
    most_left_out: int = MOST_LEFT_OUT,
) -> HoldoutFigure:
    """Measure `statistic(*arrays)` of each order, with 95 % intervals over blocks (M,), such as classes (`jackknife`).

    `orders` has AFTER, and BEFORE and others if there are any: arrays of M rows each, of the same pictures, of which
    there are `count`.
    """
    values = {name: statistic(*arrays) for name, arrays in orders.items()} if len(block) else {}
    values = {name: value for name, value in values.items() if not np.isnan(value)}
    left_out = {name: without_each_block(statistic, *orders[name], block=block, most=most_left_out) for name in values}
    figures = {name: jackknife(value, left_out[name]) for name, value in values.items()}
    after, before = figures.pop(AFTER, None), figures.get(BEFORE)
    gains = {
        name: jackknife(values[AFTER] - values[name], left_out[AFTER] - left_out[name])
        for name in figures
        if after is not None
    }
    figures.pop(BEFORE, None)
    return HoldoutFigure(measure, count, after, before, figures, gains)


def figures_from(report: Mapping[str, Any]) -> tuple[HoldoutFigure, ...]:
    """The figures in a run's report, from its JSON. Raises ValueError or LookupError for a report without them."""
    figures = tuple[HoldoutFigure, ...]
    return read_plain(figures, nan_for_null(figures, report["told"]))


def figures_at(path: Path) -> tuple[HoldoutFigure, ...]:
    """The figures in the report of a run at `path`; none if it cannot be read."""
    try:
        return figures_from(record_in(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()


def held_out_in_words(report: Path) -> str:
    """The new head's first figure in the report of a run, as a sentence; "" without one."""
    result = next((each for each in figures_at(report) if each.after is not None), None)
    return (
        ""
        if result is None
        else f"On {counted(result.count, 'picture')} held out: {result.title} {report_text(result.after)}."
    )


def headline(result: HoldoutFigure) -> str:
    """The new head's figure: "R-AUROC .71 [.64, .77], 130 pictures"."""
    return f"{result.title} {report_text(result.after)}, {counted(result.count, 'picture')}"


def details(result: HoldoutFigure) -> tuple[str, ...]:
    """The lines below the headline: comparisons, and a caution about a figure without an interval."""
    lines = []
    if result.before is not None:
        lines.append(f"Before: {report_text(result.before)}{_verdict(result.gains.get(BEFORE))}.")
    for name, figure in result.others.items():
        lines.append(f"{name.capitalize()}, without training: {report_text(figure)}{_verdict(result.gains.get(name))}.")
    if result.after is None:
        lines.append("Too few pictures to measure this, or all with the same outcome.")
    elif np.isnan(result.after.interval.low):
        lines.append("No interval: too few pictures.")
    return tuple(lines)


def _verdict(gain: Figure | None) -> str:
    """What the difference says: nothing, unless its interval excludes zero."""
    if gain is None or np.isnan(gain.interval.low):
        return ""
    if round(gain.interval.low, 2) <= 0 <= round(gain.interval.high, 2):  # as it is shown
        return "; too close to call on these pictures"
    which = "better" if gain.sign > 0 else "worse"
    return f"; the new one is {which} ({gain.text(signed=True)})"


def report_text(figure: Figure | None) -> str:
    """A figure with its interval, ".71 [.64, .77]"; "none" where there is none."""
    return "none" if figure is None else figure.text()


def advice(figures: Sequence[HoldoutFigure]) -> str:
    """In one sentence whether to use the new head, by the first measure that could be computed."""
    result = next((result for result in figures if result.after is not None), None)
    if result is None:
        return "too few pictures to tell how good the new head is: add pictures."
    figure = f"{headline(result)} held out from training"
    if not result.is_of_use:
        return f"of little use ({figure}): add pictures, or keep the previous head."
    gain = result.gains.get(BEFORE)
    if gain is not None and gain.sign < 0:
        return f"worse than the previous head ({figure}; {gain.text(signed=True)}): keep that one."
    is_unsure = gain is not None and gain.sign <= 0
    words = f"adapted{', but not clearly better than the previous head' if is_unsure else ''} ({figure})."
    ahead = [name for name in result.others if name in result.gains and result.gains[name].sign < 0]
    if not ahead:
        return words
    which = "is a better order" if len(ahead) == 1 else "are better orders"
    return f"{words} For the pictures of this set, {' and '.join(ahead)} {which}, without training."


def is_to_be_used(figures: Sequence[HoldoutFigure]) -> bool:
    """Whether `advice` is for the new head: by the first measure computed it orders, no worse than the one before."""
    result = next((result for result in figures if result.after is not None), None)
    gain = None if result is None else result.gains.get(BEFORE)
    return result is not None and result.is_of_use and not (gain is not None and gain.sign < 0)


def as_text(figures: Sequence[HoldoutFigure]) -> str:
    """Every figure with its comparisons, a line each, for a terminal."""
    return "\n".join(
        line for result in figures for line in (headline(result), *(f"  {line}" for line in details(result)))
    )
