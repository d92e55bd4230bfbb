"""What a finetuned head is told to be worth: figures of pictures that took no part in it, with intervals, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.order_metrics import Figure, Interval, bootstrap_figures, percentile_interval
from url_viz.sealed import record_in

AFTER, BEFORE = "after", "before"
TITLES = {
    "r_auroc": "R-AUROC",
    "agreement": "Rank agreement with the task loss",
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
class Told:
    """One measure on `count` pictures that neither trained nor chose; a figure without an interval has nan ends.

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


def told_of(
    measure: str, orders: Mapping[str, Arrays], statistic: Statistic, block: NDArray[np.generic], *, count: int
) -> Told:
    """Measure `statistic(*arrays)` of each order, with 95 % intervals over blocks (M,), such as classes.

    `orders` has AFTER, and BEFORE and others if there are any: arrays of M rows each, of the same pictures, of which
    there are `count`.
    """
    values = {name: statistic(*arrays) if len(block) else float("nan") for name, arrays in orders.items()}
    drawn = _drawn({name: orders[name] for name, value in values.items() if not np.isnan(value)}, statistic, block)
    figures = {name: Figure(float(values[name]), percentile_interval(of_one)) for name, of_one in drawn.items()}
    gains = {
        name: Figure(float(values[AFTER] - values[name]), percentile_interval(drawn[AFTER] - of_one))
        for name, of_one in drawn.items()
        if name != AFTER and AFTER in drawn
    }
    others = {name: one for name, one in figures.items() if name not in (AFTER, BEFORE)}
    return Told(measure, count, figures.get(AFTER), figures.get(BEFORE), others, gains)


def _drawn(
    orders: Mapping[str, Arrays], statistic: Statistic, block: NDArray[np.generic]
) -> dict[str, NDArray[np.float64]]:
    """The statistic of each order in each of R resamples (R,), the same pictures of all orders; nan of a lone block."""
    if len(np.unique(block)) < 2 or not orders:
        return dict.fromkeys(orders, np.full(1, np.nan))
    ends = np.cumsum([len(arrays) for arrays in orders.values()]).tolist()
    parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def of_each(*arrays: NDArray[np.generic]) -> list[float]:
        return [statistic(*arrays[part]) for part in parts]

    figures = bootstrap_figures(of_each, *(array for arrays in orders.values() for array in arrays), block=block)
    return dict(zip(orders, figures.T, strict=True))


def told_from(report: Mapping[str, Any]) -> tuple[Told, ...]:
    """What a run's report tells, from its JSON; a report of an older version has figures without intervals."""
    if "told" in report and isinstance(report["told"], list):
        return tuple(_from_record(record) for record in report["told"])
    after, before = report.get("after") or {}, report.get("before") or {}
    names = [name for name in TITLES if after.get(name) is not None]
    count = int(report.get("held_out", 0))
    return tuple(Told(name, count, _bare(after[name]), _bare(before.get(name))) for name in names)


def told_at(path: Path) -> tuple[Told, ...]:
    """What the report of a run at `path` tells; nothing if it cannot be read."""
    try:
        return told_from(record_in(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()


def _from_record(record: Mapping[str, Any]) -> Told:
    others, gains = (
        {name: one for name, value in record[part].items() if (one := _read(value)) is not None}
        for part in ("others", "gains")
    )
    return Told(record["measure"], record["count"], _read(record["after"]), _read(record["before"]), others, gains)


def _read(record: Mapping[str, Any] | None) -> Figure | None:
    if record is None or record["value"] is None:
        return None
    low, high = (float("nan") if end is None else end for end in record["interval"].values())
    return Figure(record["value"], Interval(low, high))


def _bare(value: float | None) -> Figure | None:
    return None if value is None else Figure(value, Interval(float("nan"), float("nan")))


def headline(told: Told) -> str:
    """The new head's figure: "R-AUROC .71 (.64 to .77), 130 pictures"."""
    return f"{told.title} {words_of(told.after)}, {told.count:,} picture{'s' * (told.count != 1)}"


def details(told: Told) -> tuple[str, ...]:
    """What stands below the headline: the comparisons, and what is to be known of a figure without an interval."""
    return (*_comparisons(told), *_caution(told))


def _comparisons(told: Told) -> tuple[str, ...]:
    """Sentences that put the figure beside that of before, and of orders that need no job; each says what is sure."""
    lines = []
    if told.before is not None:
        lines.append(f"Before: {words_of(told.before)}{_verdict(told.gains.get(BEFORE))}.")
    for name, figure in told.others.items():
        lines.append(f"{name.capitalize()}, without any job: {words_of(figure)}{_verdict(told.gains.get(name))}.")
    return tuple(lines)


def _caution(told: Told) -> tuple[str, ...]:
    """What is to be known of a figure without an interval; nothing of others."""
    if told.after is None:
        return ("Too few pictures, or all of one outcome: nothing can be told.",)
    if np.isnan(told.after.interval.low):
        return ("No interval: of an older version, whose pictures also chose the epoch, or of too few pictures.",)
    return ()


def _verdict(gain: Figure | None) -> str:
    """What the difference says: nothing, unless its interval leaves zero out."""
    if gain is None or np.isnan(gain.interval.low):
        return ""
    if gain.interval.low <= 0 <= gain.interval.high:
        return "; these pictures do not tell which is better"
    which = "better" if gain.interval.low > 0 else "worse"
    return f"; the new one is {which} ({words_of(gain, signed=True)})"


def words_of(figure: Figure | None, *, signed: bool = False) -> str:
    """A figure with its interval: ".71 (.64 to .77)"; "none" where there is none."""
    if figure is None:
        return "none"
    if np.isnan(figure.interval.low):
        return _short(figure.value, signed=signed)
    value, low, high = (_short(one, signed=signed) for one in (figure.value, figure.interval.low, figure.interval.high))
    return f"{value} ({low} to {high})"


def _short(value: float, *, signed: bool) -> str:
    digits = f"{abs(value):.2f}"
    digits = digits.removeprefix("0") if abs(value) < 1 else digits
    sign = "−" if round(value, 2) < 0 else "+" if signed and round(value, 2) > 0 else ""
    return sign + digits


def advice(told: Sequence[Told]) -> str:
    """In one sentence whether to use the new head, by the first measure that could be computed."""
    one = next((one for one in told if one.after is not None), None)
    if one is None:
        return "too few pictures to tell what the new head is worth: add pictures."
    figure = f"{headline(one)} that neither trained nor chose"
    if not one.is_of_use:
        return f"of little use ({figure}): add pictures, or keep the head before."
    gain = one.gains.get(BEFORE)
    if gain is not None and gain.interval.high < 0:
        return f"worse than the head before ({figure}; {words_of(gain, signed=True)}): keep that one."
    is_unsure = gain is not None and not gain.interval.low > 0
    unsure = ", but not surely better than the head before" if is_unsure else ""
    ahead = [name for name in one.others if name in one.gains and one.gains[name].interval.high < 0]
    which = f"{' and '.join(ahead)} {'is a better order' if len(ahead) == 1 else 'are better orders'}"
    stay = f" For the pictures of this set {which}, without any job." if ahead else ""
    return f"adapted{unsure} ({figure}).{stay}"


def as_text(told: Sequence[Told]) -> str:
    """Every figure with its comparisons, a line each, for a terminal."""
    return "\n".join(line for one in told for line in (headline(one), *(f"  {line}" for line in details(one))))
