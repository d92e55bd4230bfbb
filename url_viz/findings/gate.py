"""A gate: the findings of an image set judged by a policy, a TOML file; with a baseline, only what is new counts."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from url_viz.base.errors import ImageSetError, UsageError
from url_viz.columns.engine import Derived
from url_viz.columns.table import base, table
from url_viz.findings.checks import Check, Listed, Need
from url_viz.findings.findings import MISSING, rules
from url_viz.findings.label_findings import SMALL_CLASS
from url_viz.labels.doubtful_labels import PRIOR, Forecast
from url_viz.store.tables.tables import positions_of

NOT_OF_OBJECTS = "It is a rule on objects, and these are whole pictures. Leave it out."
EVERY_CLASS = "*"
"""Stands for all classes that are not named."""
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")


@dataclass(frozen=True)
class Bound:
    """The most that a rule allows, as `written`: a number, or a share of all such as "1%"."""

    written: int | str

    def holds(self, count: int, of: int) -> bool:
        """Whether `count` of `of` are no more than that, exactly: 7 of 100 are 7 %."""
        if isinstance(self.written, int):
            return count <= self.written
        return 100 * count <= Fraction(self.written.rstrip("% ")) * of


@dataclass(frozen=True)
class Policy:
    """The bound of each rule; `by_class` those of each rule on classes, by class or EVERY_CLASS.

    A class of fewer than `fewer_than` pictures is a small one.
    """

    bounds: Mapping[str, Bound]
    by_class: Mapping[str, Mapping[str, Bound]] = field(default_factory=dict)
    fewer_than: int = SMALL_CLASS


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file; UsageError if it cannot be read, and as `policy_of` raises it."""
    try:
        values = tomllib.loads(path.expanduser().read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError of TOML, and of UTF-8
        raise UsageError(
            f"Cannot read the policy {str(path)!r}: {error}. A rule is a line such as leaks = 0."
        ) from error
    return policy_of(values, source=path.name)


def policy_of(values: Mapping[str, Any], *, source: str = "The policy") -> Policy:
    """The policy in values as TOML has them: `{"leaks": 0, "unreadable": "1%", "ambiguous": {"kiwi": "30%"}}`.

    `source` names it in errors. Raises UsageError for an unknown rule, and for a value that is no bound.
    """
    if not values:
        raise UsageError(f"{source} has no rule. Write a line such as leaks = 0; there are {', '.join(rules())}.")
    bounds: dict[str, Bound] = {}
    by_class: dict[str, Mapping[str, Bound]] = {}
    fewer_than = SMALL_CLASS
    for rule, value in values.items():
        if rule not in rules():
            near = difflib.get_close_matches(rule.replace("_", "-"), rules(), 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(rules())}."
            raise UsageError(f"{source}: {rule!r} is not a rule. {hint}")
        if rules()[rule].by_class:
            by_class[rule] = _by_class(value, rule, source)
        elif rule == "small-classes" and isinstance(value, Mapping):
            bounds[rule], fewer_than = _small(value, source)
        else:
            bounds[rule] = _bound(value, rule, source)
    return Policy(bounds, by_class, fewer_than)


def _by_class(value: object, rule: str, source: str) -> dict[str, Bound]:
    if not isinstance(value, Mapping):
        return {EVERY_CLASS: _bound(value, rule, source)}
    if not value:
        raise UsageError(f'{source}: [{rule}] has no line. Write one such as "*" = "30%".')
    return {name: _bound(most, f"{rule}.{name}", source) for name, most in value.items()}


def _small(value: Mapping[str, Any], source: str) -> tuple[Bound, int]:
    unknown = [key for key in value if key not in ("most", "fewer-than")]
    if unknown:
        raise UsageError(
            f"{source}: small-classes.{unknown[0]} is unknown. It has most = 0 and fewer-than = {SMALL_CLASS}."
        )
    fewer = value.get("fewer-than", SMALL_CLASS)
    if type(fewer) is not int or fewer < 1:
        raise UsageError(f"{source}: small-classes.fewer-than is {fewer!r}. Give a whole number of pictures from 1 on.")
    return _bound(value.get("most", 0), "small-classes.most", source), fewer


def _bound(value: Any, key: str, source: str) -> Bound:
    share = _SHARE.fullmatch(value) if isinstance(value, str) else None
    is_number = type(value) is int and value >= 0  # true is an int, too
    if is_number or (share is not None and Fraction(share[1]) <= 100):
        return Bound(value)
    bound = 'a whole number from 0 on, or a share from "0%" to "100%"'
    raise UsageError(f"{source}: {key} is {value!r}. Give {bound}.")


State = Literal["passed", "broken", "not judged"]


@dataclass(frozen=True)
class RuleResult:
    """One rule of a policy on an image set: F things found, of which the `new` ones count.

    `paths` (F,) are of pictures (of classes, their names), with `contents`, digests in hexadecimal or None, and
    `details` in words; of labels that may be wrong, `chances` (F,) say how likely each is. `of` is how many pictures
    (files, classes) there are; `why_not` says what keeps a rule from being judged. `of_class` is the class of a rule on
    one class.
    """

    rule: str
    of_class: str | None
    most: int | str
    state: State
    of: int
    paths: tuple[str, ...] = ()
    contents: tuple[str | None, ...] = ()
    details: tuple[str, ...] = ()
    new: tuple[bool, ...] = ()
    why_not: str = ""
    chances: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """How many count: all, or the new ones with a baseline; for labels, how many are wrong at least."""
        if not self.chances:
            return sum(self.new)
        chances = np.array(self.chances)[list(self.new)]
        return int((chances == 1).sum() + Forecast(chances[chances < 1], PRIOR).among(slice(None)).low)

    @property
    def name(self) -> str:
        """For people: the rule, and its class."""
        return self.rule if self.of_class is None else f"{self.rule}: {self.of_class}"

    @property
    def found(self) -> str:
        """In words: "2 of 40, at most 0", or what keeps the rule from being judged."""
        new = sum(self.new)
        listed = f" (at least, among {new:,} that are doubtful)" if self.chances else ""
        listed_before = f"; {len(self.paths) - new:,} known" if len(self.paths) > new else ""
        return self.why_not or f"{self.count:,} of {self.of:,}{listed}, at most {self.most}{listed_before}"

    @property
    def words(self) -> str:
        """One line: "leaks: 2 of 40, at most 0"."""
        return f"{self.name}: {self.found}"

    @property
    def counted(self) -> tuple[tuple[str, str], ...]:
        """Path and details of each that counts."""
        listed = zip(self.paths, self.details, self.new, strict=True)
        return tuple((path, detail) for path, detail, is_new in listed if is_new)

    @property
    def keys(self) -> tuple[str, ...]:
        """What tells whether a thing was known before: its picture's content, else its path."""
        return tuple(content or path for path, content in zip(self.paths, self.contents, strict=True))


@dataclass(frozen=True)
class GateResult:
    """A policy on an image set. As JSON it is a baseline for later checks, by models of the same `space`."""

    folder: str
    pictures: int
    model: str
    space: str
    rules: tuple[RuleResult, ...]
    noun: str = "picture"

    @property
    def state(self) -> State:
        """Broken if any rule is; else not judged if one could not be."""
        states = [rule.state for rule in self.rules]
        return next((state for state in ("broken", "not judged") if state in states), "passed")

    @property
    def status(self) -> int:
        """The exit status: 0 passed, 1 broken, 2 not judged."""
        return {"passed": 0, "broken": 1, "not judged": 2}[self.state]

    @property
    def shown(self) -> tuple[RuleResult, ...]:
        """The rules that people read one by one: of classes, of which there may be many, only those that fail."""
        return tuple(rule for rule in self.rules if rule.state != "passed" or rule.of_class is None)

    @property
    def classes_passed(self) -> int:
        """How many classes passed the rule on them, and are not `shown`."""
        return len(self.rules) - len(self.shown)

    def against(self, baseline: "GateResult") -> "GateResult":
        """The same, but only what `baseline` did not find counts.

        Raises UsageError for a baseline by another model. A rule that it has not judged is not judged.
        """
        if baseline.space != self.space:
            raise UsageError(
                f"The baseline was read with {baseline.model!r}, and this with {self.model!r}, which find different "
                "things. Make the baseline again: url-viz check … --json FILE."
            )
        by_rule: dict[str, Counter[str]] = {}
        for rule in baseline.rules:
            if rule.state != "not judged":
                by_rule.setdefault(rule.rule, Counter()).update(rule.keys)
        rules = [_against(rule, by_rule.get(rule.rule), Bound(rule.most)) for rule in self.rules]
        return replace(self, rules=tuple(rules))


def judged(derived: Derived, policy: Policy, *, no_splits: str) -> tuple[RuleResult, ...]:
    """Judge each rule of a policy on an image set, by its columns; whatever has a decision already does not count.

    `no_splits` says what to do about a set without splits.
    """
    missing: Mapping[Need, str] = {**MISSING, "splits": no_splits, "objects": NOT_OF_OBJECTS}
    results = []
    for rule, bound in policy.bounds.items():
        rows, total, why_not = _listed(derived, rules()[rule], missing)
        if "size" in rows:
            rows = rows[rows["size"] < policy.fewer_than]
        results.append(_result(derived, (rule, None, bound), rows, total, why_not))
    for rule, bounds in policy.by_class.items():
        rows, counts, why_not = _listed(derived, rules()[rule], missing)
        classes = {} if why_not else counts
        for name, bound in _classes(bounds, sorted(classes)):
            of_class = rows if why_not else rows[rows["label"] == name]
            unknown = f"There is no class {name!r}. Correct the policy, or leave the line out."
            why = why_not or ("" if name in classes else unknown)
            results.append(_result(derived, (rule, name, bound), of_class, classes.get(str(name), 0), why))
    return tuple(results)


def _listed(derived: Derived, check: Check, missing: Mapping[Need, str]) -> tuple[pd.DataFrame, Any, str]:
    """What a rule lists, of how many, and what keeps it from being judged."""
    try:
        found: Listed | None = derived.get(check.columns["bound"])
    except ImageSetError as error:
        return pd.DataFrame(), 0, str(error)
    return (*found, "") if found is not None else (pd.DataFrame(), 0, missing[check.needs])


def _classes(bounds: Mapping[str, Bound], there: Sequence[str]) -> Iterator[tuple[str | None, Bound]]:
    """Each class that a policy bounds: those that it names, and those that are `there` if it bounds every class."""
    every = bounds.get(EVERY_CLASS)
    if every is not None and not there:
        yield None, every
    for name in dict.fromkeys([*(name for name in bounds if name != EVERY_CLASS), *(there if every else ())]):
        yield name, bounds.get(name) or bounds[EVERY_CLASS]


def _result(
    derived: Derived, rule: tuple[str, str | None, Bound], rows: pd.DataFrame, total: int, why_not: str
) -> RuleResult:
    """The result of a rule (its name, its class, its bound) by the rows that it lists of so many."""
    name, of_class, bound = rule
    if why_not:
        return RuleResult(name, of_class, bound.written, "not judged", 0, why_not=why_not)
    contents: Sequence[str | None] = [None] * len(rows)
    if "id" in rows:
        at = positions_of(rows["id"].to_numpy(np.int64), derived.get(table)["id"].to_numpy(np.int64))
        contents = [f"{key & (1 << 64) - 1:016x}" for key in derived.get(base).contents[at].tolist()]
        rows = rows.assign(path=derived.get(table)["path"].to_numpy(object)[at])
    paths, details = (tuple(map(str, rows[column])) for column in ("path", "detail"))
    result = RuleResult(name, of_class, bound.written, "passed", total, paths, tuple(contents), details)
    if "wrong" in rows:
        result = replace(result, chances=tuple(rows["wrong"].round(4).tolist()))
    return _counting(result, (True,) * len(rows), bound)


def _counting(result: RuleResult, new: tuple[bool, ...], bound: Bound) -> RuleResult:
    """The result with only the `new` ones counting."""
    counting = replace(result, new=new)
    return replace(counting, state="passed" if bound.holds(counting.count, result.of) else "broken")


def _against(result: RuleResult, accepted: Counter[str] | None, bound: Bound) -> RuleResult:
    """The result with only those counting that are not among `accepted`; of copies, as many as there are more."""
    if result.state == "not judged":
        return result
    if accepted is None:
        why = f"The baseline has not judged {result.rule}: make it again with this policy."
        return replace(result, state="not judged", why_not=why)
    left, new = accepted.copy(), []
    for key in result.keys:
        new.append(left[key] <= 0)
        left[key] -= 1
    return _counting(result, tuple(new), bound)
