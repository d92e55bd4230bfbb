"""A benchmark's records and tables (`python -m training.benchmark.benchmark_tables --json JSON`)."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.command import cell, command, markdown
from training.config import BenchmarkTableConfig
from url_viz.base.errors import FolderError
from url_viz.base.records import nan_for_null, read_plain
from url_viz.base.wording import MISSING, counted
from url_viz.evidence.order_metrics import Figure, Interval, holm, p_by_t

NO_FIGURE = Figure(math.nan, Interval(math.nan, math.nan))
OUTCOMES = ("nearest", "probe", "paper")
"""What orders predict: N, P, and the paper's outcome."""
AHEAD, BEHIND, LEVEL, UNKNOWN = "ahead", "behind", "level", "unknown"


@dataclass(frozen=True)
class OutcomeFigures:
    """How well one order predicts one outcome, with 95 % intervals over classes.

    `auroc`: R-AUROC. `within`: that of the ranks within the classes, so that their difficulty does not count;
    `by_class`: over pairs within one class. `aurc`: the mean error rate of the clearest pictures; lower is better.
    """

    auroc: Figure
    within: Figure
    by_class: Figure
    aurc: Figure


@dataclass(frozen=True)
class VotesFigures:
    """Agreement with people: Spearman with the entropy of their votes, and AUROC of the most ambiguous pictures.

    `tenth`: of the tenth with the highest entropy; `disagreed`: of all that people did not agree on.
    """

    spearman: float
    tenth: Figure
    disagreed: Figure


@dataclass(frozen=True)
class OrderFigures:
    """Every figure of one order on one set; None where there is no probe, and no vote.

    `unfamiliar`: the chance that a picture of this set stands above one of the upstream set, missing without one.
    """

    name: str
    knows: str
    nearest: OutcomeFigures
    probe: OutcomeFigures | None
    paper: OutcomeFigures
    votes: VotesFigures | None
    unfamiliar: Figure = NO_FIGURE

    def for_outcome(self, outcome: str) -> OutcomeFigures | None:
        figures: OutcomeFigures | None = getattr(self, outcome)
        return figures


@dataclass(frozen=True)
class Weight:
    """The weight of one baseline in a stack, on its values in units of their standard deviation."""

    name: str
    weight: float


@dataclass(frozen=True)
class BaselinesRecord:
    """What was fitted for one set, and the SPECs `on` which: never on the set itself.

    `temperature` is the entropy's, `stack` the weights on standardised values, `rank_stack` those on ranks in the set.
    """

    on: tuple[str, ...]
    temperature: float
    stack: tuple[Weight, ...]
    rank_stack: tuple[Weight, ...]


@dataclass(frozen=True)
class SetFigures:
    """Every figure of one set; `recall_at_1` is of the nearest without twins, `paper_recall_at_1` of raw cosine.

    `chosen` is None where there was no other set to choose on.
    """

    data: str
    pictures: int
    classes: int
    unreadable: int
    without_neighbour: int
    recall_at_1: Figure
    paper_recall_at_1: Figure
    probe_accuracy: float
    orders: tuple[OrderFigures, ...]
    chosen: BaselinesRecord | None = None


@dataclass(frozen=True)
class OutcomeMeans:
    """Means over sets of one order's figures for one outcome; `auroc` with Student's 95 % interval over sets."""

    auroc: Figure
    within: float
    by_class: float
    aurc: float


@dataclass(frozen=True)
class Means:
    """One order's means over the sets that have the figure."""

    name: str
    knows: str
    sets: int
    nearest: OutcomeMeans
    probe: OutcomeMeans
    paper: OutcomeMeans

    def for_outcome(self, outcome: str) -> OutcomeMeans:
        means: OutcomeMeans = getattr(self, outcome)
        return means


@dataclass(frozen=True)
class SetLead:
    """By how much an order's R-AUROC is ahead on one set, with an interval over classes.

    `verdict` follows from that interval alone, without correction.
    """

    data: str
    lead: Figure
    verdict: str


@dataclass(frozen=True)
class Verdict:
    """Whether an order is ahead of a baseline: the mean `lead` in R-AUROC with Student's 95 % interval over sets.

    `verdict` is "ahead" or "behind" where `holm_corrected` leaves it, else "level"; "unknown" without an interval.
    """

    order: str
    baseline: str
    outcome: str
    lead: Figure
    verdict: str
    sets: tuple[SetLead, ...]


@dataclass(frozen=True)
class Benchmark:
    """The whole table, and how it was made; `probe_model` is None where P is left out, `upstream` without one.

    `head` is the digest of the head that was measured, None without one. `seen_classes` are sets, by their SPEC, whose
    classes trained it: no zero-shot, so they have no part in `means` and `verdicts`.
    """

    model: str
    probe_model: str | None
    precision: str
    limit: int | None
    seed: int
    sets: tuple[SetFigures, ...]
    means: tuple[Means, ...]
    verdicts: tuple[Verdict, ...] = ()
    upstream: str | None = None
    head: str | None = None
    seen_classes: tuple[str, ...] = ()


def judge_lead(lead: Figure) -> str:
    """ "ahead" or "behind" where the interval of a lead excludes zero, "level" where it does not, else "unknown"."""
    if math.isnan(lead.interval.low):
        return UNKNOWN
    return {1: AHEAD, 0: LEVEL, -1: BEHIND}[lead.sign]


def holm_corrected(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts, corrected for their number: by Holm over all on the same outcome, at 5 %.

    Of forty orders that are no better and no worse than their baselines, two would otherwise differ by chance.
    """
    corrected = list(verdicts)
    for outcome in OUTCOMES:
        places = [place for place, verdict in enumerate(verdicts) if verdict.outcome == outcome]
        p_values = [p_by_t([on_set.lead.value for on_set in verdicts[place].sets]) for place in places]
        for place, is_refused in zip(places, holm(p_values), strict=True):
            verdict = judge_lead(verdicts[place].lead)
            corrected[place] = replace(verdicts[place], verdict=verdict if is_refused or verdict == UNKNOWN else LEVEL)
    return tuple(corrected)


def read_benchmark(path: Path) -> Benchmark:
    """A benchmark from the JSON that `write_json` wrote. Raises FolderError for a file that is none."""
    try:
        return read_plain(Benchmark, nan_for_null(Benchmark, json.loads(path.read_text("utf-8"))))
    except (OSError, ValueError) as error:
        raise FolderError(
            f"{str(path)!r} is no benchmark: {error}. Give a file that training.benchmark --json wrote."
        ) from error


LETTER = {"nearest": "N", "probe": "P", "paper": "paper"}
CORRECTED = (
    "Verdicts over sets are corrected for how many there are: ahead or behind only where Holm's procedure over all "
    "verdicts on the same outcome says so at 5 %. Leads and those by set have intervals of their own, not corrected."
)


def main(config: BenchmarkTableConfig) -> None:
    """Print the tables."""
    print(document(read_benchmark(config.json)))


def document(benchmark: Benchmark) -> str:
    """All tables of a benchmark, with headings."""
    limit = "" if benchmark.limit is None else f", whole classes up to {benchmark.limit:,} pictures"
    upstream = "" if benchmark.upstream is None else f" *Unfamiliar*: next to `{benchmark.upstream}`."
    probe = f" P by a probe of {benchmark.probe_model}." if benchmark.probe_model else ""
    head = f" (head `{benchmark.head}`)" if benchmark.head else ""
    seen = "".join(
        f" Classes of `{name}` trained the head: no part of means, verdicts." for name in benchmark.seen_classes
    )
    introduction = (
        f"{benchmark.model}{head}, precision {benchmark.precision}, seed {benchmark.seed}{limit}.{probe}{upstream}"
        f"{seen} R-AUROC with 95 % intervals: over sets for means, over classes for a set. [How to read it]"
        f"(benchmark.md)."
    )
    parts = [
        "# Figures of the benchmark",
        introduction,
        f"## Means\n\n{means_table(benchmark)}",
        f"## Verdicts\n\n{verdicts_table(benchmark)}",
        *(f"## {of_set.data}\n\n{set_table(of_set)}" for of_set in benchmark.sets),
    ]
    return "\n\n".join(parts)


def set_table(figures: SetFigures) -> str:
    """The figures of one set: a line about it, its orders, and their agreement with people's votes if there are any."""
    outcomes = [outcome for outcome in OUTCOMES if any(order.for_outcome(outcome) for order in figures.orders)]
    has_upstream = any(not math.isnan(order.unfamiliar.value) for order in figures.orders)
    header = ["order", "has seen", *_outcome_columns(outcomes), *(["unfamiliar"] if has_upstream else [])]
    rows = [
        [
            order.name,
            order.knows,
            *(cell for outcome in outcomes for cell in _outcome_cells(order.for_outcome(outcome))),
            *([cell(order.unfamiliar)] if has_upstream else []),
        ]
        for order in figures.orders
    ]
    parts = [_about(figures), markdown(header, rows), _people(figures.orders)]
    return "\n\n".join(part for part in parts if part)


def _about(figures: SetFigures) -> str:
    lines = [
        f"{figures.data}: {counted(figures.pictures, 'picture')}, {counted(figures.classes, 'class')}, "
        f"{figures.unreadable:,} unreadable. "
        f"Recall@1 {cell(figures.recall_at_1)}, by raw cosine with near copies "
        f"{cell(figures.paper_recall_at_1)}; the probe is right on {cell(figures.probe_accuracy)}."
    ]
    if figures.chosen is not None:
        chosen = figures.chosen
        lines.append(f"Temperature {chosen.temperature:g}, chosen on {', '.join(chosen.on)}.")
    return "\n".join(lines)


def _people(orders: Sequence[OrderFigures]) -> str:
    rows = [
        [order.name, order.knows, cell(votes.spearman), cell(votes.tenth), cell(votes.disagreed)]
        for order in orders
        if (votes := order.votes) is not None
    ]
    header = ["order", "has seen", "Spearman with people", "most ambiguous tenth", "any disagreement"]
    return markdown(header, rows) if rows else ""


def means_table(benchmark: Benchmark) -> str:
    """The means over all sets."""
    outcomes = [outcome for outcome in OUTCOMES if outcome != "probe" or benchmark.probe_model is not None]
    rows = [
        [
            mean.name,
            mean.knows,
            str(mean.sets),
            *(cell for name in outcomes for cell in _outcome_cells(mean.for_outcome(name))),
        ]
        for mean in benchmark.means
    ]
    return markdown(["order", "has seen", "sets", *_outcome_columns(outcomes)], rows)


def verdicts_table(benchmark: Benchmark) -> str:
    """Each order against its best baselines, over all sets and by set, with what the verdicts mean."""
    rows = [
        [
            verdict.order,
            verdict.baseline,
            LETTER[verdict.outcome],
            cell(verdict.lead, signed=True),
            verdict.verdict,
            ", ".join(
                MISSING if math.isnan(lead.lead.value) else f"{cell(lead.lead.value, signed=True)} {lead.verdict}"
                for lead in verdict.sets
            ),
        ]
        for verdict in benchmark.verdicts
    ]
    return f"{markdown(['order', 'baseline', 'on', 'lead', 'verdict', 'by set'], rows)}\n\n{CORRECTED}"


def _outcome_columns(outcomes: Sequence[str]) -> list[str]:
    return [f"{LETTER[outcome]}{part}" for outcome in outcomes for part in ("", ", within class", ", AURC")]


def _outcome_cells(figures: OutcomeFigures | OutcomeMeans | None) -> list[str]:
    if figures is None:
        return [MISSING] * 3
    return [
        cell(figures.auroc),
        *(cell(part.value if isinstance(part, Figure) else part) for part in (figures.by_class, figures.aurc)),
    ]


if __name__ == "__main__":
    sys.exit(command(BenchmarkTableConfig, main))
