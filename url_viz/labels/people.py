"""Where several people answered one label: how far they agree, by ambiguity too, and on which pictures they differ."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted, decimal, percent
from url_viz.columns.engine import column
from url_viz.columns.table import Frame
from url_viz.evidence.order_metrics import share_of
from url_viz.store.decisions.decision_rows import LabelAnswer

AMBIGUOUS_FROM, CLEAR_BELOW = 90, 50
"""Percentiles of ambiguity by which agreement is told apart: the last tenth, what is between, the clear half."""
PARTS = ("all", "most ambiguous tenth", "between", "clear half")
COLUMNS = ("first", "second", "of", "pictures", "agree", "agreement", "low", "high", "kappa")

Said = Sequence[Mapping[str, LabelAnswer] | None]
Flags = NDArray[np.bool_]


def said_in_words(answer: LabelAnswer) -> str:
    """An answer as one word to compare: its class, or both, in one order."""
    return answer if isinstance(answer, str) else " or ".join(sorted(answer))


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """How far two people agree beyond chance: (p − e) / (1 − e), e by how often each says what; nan where e is 1."""
    if not first:
        return float("nan")
    agree = sum(one == other for one, other in zip(first, second, strict=True)) / len(first)
    ours, theirs = Counter(first), Counter(second)
    by_chance = sum(count * theirs[said] for said, count in ours.items()) / len(first) ** 2
    return float("nan") if by_chance == 1 else (agree - by_chance) / (1 - by_chance)


def differ(people: Said) -> Flags:
    """On which pictures (N,) two people or more answered, and no answer is that of more than half of them."""
    return np.array([_is_split(said) for said in people], bool)


def _is_split(said: Mapping[str, LabelAnswer] | None) -> bool:
    counts = Counter(map(said_in_words, said.values())) if said is not None and len(said) > 1 else Counter[str]()
    return bool(counts) and 2 * max(counts.values()) <= counts.total()


@dataclass(frozen=True, eq=False)
class PeopleAgreement:
    """How far people agree on the labels of a set.

    `table` (COLUMNS) has a row for each two people and each part `of` the order by ambiguity in which both answered a
    picture: how many, how many alike, that share with Wilson's 95 % interval, and Cohen's kappa. `pictures` were
    answered by several, and on `differing` of these no answer is that of most.
    """

    table: pd.DataFrame
    pictures: int
    differing: int

    @property
    def words(self) -> str:
        """For people: "anna and ben agree on 38 of 40 (95 %, 84 to 99 %; Cohen's kappa .89)."."""
        if not self.pictures:
            return "No label was answered by two people yet: the other one answers as another user, or by --as NAME."
        whole = self.table[self.table["of"] == PARTS[0]]
        each = [_in_words(row) for row in whole.to_dict("records")]
        on = f"They differ on {counted(self.differing, 'picture')}."
        return f"{'. '.join(each)}. {on}"

    def printout(self) -> Printout:
        """The words, the table, and what comes next."""
        return Printout([self.words], [Table(self.table, number="{:.2f}", noun="row")] if self.pictures else [])


def _in_words(row: Mapping[Hashable, Any]) -> str:
    kappa = "" if np.isnan(row["kappa"]) else f"; Cohen's kappa {decimal(row['kappa'])}"
    return (
        f"{row['first'] or 'nobody'} and {row['second'] or 'nobody'} agree on {row['agree']:,} of {row['pictures']:,} "
        f"({percent(row['agreement'])}, {100 * row['low']:.0f} to {100 * row['high']:.0f} %{kappa})"
    )


def agreement(people: Said, percentile: NDArray[np.floating]) -> PeopleAgreement:
    """How far people agree; `percentile` (N,) of each picture by ambiguity, nan for none."""
    parts = dict(
        zip(
            PARTS,
            (
                np.ones(len(percentile), bool),
                percentile >= AMBIGUOUS_FROM,
                (percentile >= CLEAR_BELOW) & (percentile < AMBIGUOUS_FROM),
                percentile < CLEAR_BELOW,
            ),
            strict=True,
        )
    )
    several = [row for row, said in enumerate(people) if said is not None and len(said) > 1]
    names = sorted({*chain.from_iterable(people[row] or () for row in several)})
    rows = []
    for first, second in combinations(names, 2):
        both = [row for row in several if {first, second} <= (people[row] or {}).keys()]
        for part, is_in in parts.items():
            said = [(people[row] or {}) for row in both if is_in[row]]
            ours, theirs = ([said_in_words(each[name]) for each in said] for name in (first, second))
            alike = sum(one == other for one, other in zip(ours, theirs, strict=True))
            figure = share_of(alike, len(said))
            ends = figure.interval.low, figure.interval.high
            if said:
                kappa = cohens_kappa(ours, theirs)
                rows.append((first, second, part, len(said), alike, figure.value, *ends, kappa))
    return PeopleAgreement(pd.DataFrame(rows, columns=COLUMNS), len(several), int(differ(people).sum()))


@column()
def disagreed(label_people: NDArray[np.object_], base: Frame) -> pd.DataFrame:
    """The pictures on which people differ: id, path, and what each says in words, `said`."""
    rows = np.flatnonzero(differ(label_people.tolist()))
    said = [
        " · ".join(f"{name or 'nobody'}: {said_in_words(answer)}" for name, answer in sorted(label_people[row].items()))
        for row in rows
    ]
    return base.table[["id", "path"]].iloc[rows].assign(said=pd.Series(said, index=rows, dtype=object))


def classes_said(said: Mapping[str, LabelAnswer]) -> list[str]:
    """The classes that people named, those named by most first."""
    named = chain.from_iterable([each] if isinstance(each, str) else each for each in said.values())
    return [name for name, _ in Counter(named).most_common()]
