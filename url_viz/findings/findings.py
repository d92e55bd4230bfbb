"""Findings: what a careful colleague would say of an image set first, each with its count and the queue it opens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

import pandas as pd

from url_viz.base.plugins import plugged_in
from url_viz.base.wording import for_objects
from url_viz.columns.engine import Column, Derived, column
from url_viz.columns.filters import ReviewSpec
from url_viz.findings import file_findings, label_findings, leaks, object_findings, reasons, shortcuts
from url_viz.findings.checks import Check, Need, Said, has_boxes
from url_viz.findings.reasons import Reason
from url_viz.labels.label_issues import NO_CLASSES
from url_viz.review import naming, tuned
from url_viz.runs import detections, model_accuracy

MODULES = (
    *(label_findings, leaks, shortcuts, object_findings, detections, file_findings),
    *(tuned, naming, reasons, model_accuracy),
)
"""The files that declare checks, as values or in a tuple."""


def _declared() -> Iterator[Check]:
    values = chain.from_iterable(vars(module).values() for module in MODULES)
    each = chain.from_iterable(value if isinstance(value, tuple) else (value,) for value in values)
    return iter({id(one): one for one in each if isinstance(one, Check)}.values())


@cache
def every_check() -> tuple[Check, ...]:
    """Every check, of findings what matters most first, with `Check`s of other packages. Raises PluginError."""
    ours = tuple(_declared())
    added: tuple[Check, ...] = plugged_in("url_viz.checks", Check, tuple(each.name for each in ours))
    return tuple(sorted((*ours, *(each.guarded() for each in added)), key=attrgetter("place")))


MISSING: Mapping[Need, str] = {
    "labels": NO_CLASSES,
    "objects": "This is asked of objects, and these are whole pictures. Read an annotation file to have objects.",
    "classes": shortcuts.NOT_JUDGED,
}
"""What to do about a set without what a check needs."""


@column()
def reason_checks() -> tuple[Reason, ...]:
    """The checks that are reasons of pictures."""
    return tuple(each for each in every_check() if isinstance(each, Reason))


def reviews() -> dict[str, Check]:
    """What can be reviewed besides the measures, by its name in addresses and commands."""
    return {each.name: each for each in every_check() if each.title}


def rules() -> dict[str, Check]:
    """What a policy can bound, by its key there."""
    return {each.name: each for each in every_check() if each.bound}


def check_of(kind: str) -> Check:
    """The check of a kind of findings."""
    return next(each for each in every_check() if each.says and each.name == kind)


def check_columns() -> Iterator[Column[..., Any]]:
    """The columns of all checks, and the findings that are made of them."""
    for each in every_check():
        yield from each.columns.values()
    said = (each.columns["said"].name for each in every_check() if each.says)
    yield Column("findings", _in_order, renamed={name: name for name in said})


@dataclass(frozen=True)
class Finding:
    """One finding: how many (`count`), in `words` "10 pictures show hardly anything (dark)", and `why` it matters.

    Its `kind` is the name of its check. One that `is_listed` opens a list, whatever its kind; one `of_order` counts the
    first of an order, which may be all right.
    """

    kind: str
    count: int
    words: str
    why: str
    is_listed: bool = False
    of_order: bool = False

    @property
    def short(self) -> str:
        """What it counts, in a word or two after the number: "labels to check", "leaks"."""
        words = "most doubtful label{s}" if self.of_order else check_of(self.kind).short
        return words.format(**{ending: "" if self.count == 1 else ending for ending in ("s", "es")})

    @property
    def opens(self) -> ReviewSpec | None:
        """The review that the finding opens; None where no decision on a picture can help."""
        review = check_of(self.kind).review
        return None if self.is_listed or not review else ReviewSpec(review)


def _finding(check: Check, said: Said | None, *, is_of_objects: bool) -> Finding | None:
    """A finding of a check; None where it has found nothing."""
    if said is None or not said.count:
        return None
    why = said.why or check.why
    is_of_labels = check.needs == "labels"  # those of objects and files say for themselves what they are of
    why = for_objects(why) if is_of_objects and is_of_labels else why
    return Finding(check.name, said.count, said.words, why, said.is_listed, said.of_order)


def _in_order(table: pd.DataFrame, **said: Said | None) -> tuple[Finding, ...]:
    """The findings, what matters most first, without those that are empty or decided on already."""
    is_of_objects = has_boxes(table)
    every = ((each, said[each.columns["said"].name]) for each in every_check() if each.says)
    there = [one for each in every if (one := _finding(*each, is_of_objects=is_of_objects)) is not None]
    labels = next((each for each in there if each.kind == "wrong-labels"), None)
    if labels is not None:  # among the first two, but a lone label leads nothing
        place = min(1 if labels.count == 1 else there.index(labels), 1)
        there.remove(labels)
        there.insert(place, labels)
    return tuple(there)


def findings(derived: Derived) -> tuple[Finding, ...]:
    """The findings of an image set, by its columns."""
    found: tuple[Finding, ...] = derived.get(Column("findings", _in_order))
    return found


def findings_that_need(derived: Derived, need: Need) -> tuple[Finding, ...]:
    """Those of the checks that need one thing, by themselves: of splits without a look at labels."""
    asked = (each for each in every_check() if each.says and each.needs == need)
    found = (_finding(each, derived.get(each.columns["said"]), is_of_objects=False) for each in asked)
    return tuple(each for each in found if each is not None)
