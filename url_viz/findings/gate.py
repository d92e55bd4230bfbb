"""A gate: the findings of an image set judged by a policy, a TOML file; with a baseline, only what is new counts."""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError, UsageError
from url_viz.columns.measures import AMBIGUITY, has_values
from url_viz.columns.twin_groups import COPIES, group_codes
from url_viz.findings.findings import SMALL_CLASS, FindingInputs, open_leaks, small_classes
from url_viz.findings.leaks import APART, SAME_FILE, SCENE, leaked_pictures
from url_viz.findings.object_findings import double_boxes, outside, tiny
from url_viz.findings.reasons import useless
from url_viz.findings.shortcuts import NOT_JUDGED
from url_viz.labels.doubtful_labels import PRIOR, Forecast
from url_viz.labels.label_issues import NO_CLASSES, LabelCheck
from url_viz.review.review_queue import is_resolved
from url_viz.runs.model_accuracy import CLEAR
from url_viz.store.columns.source_columns import PICTURE

RULES = (
    *("leaks", "wrong-labels", "mixed-up", "ambiguous", "copies", "useless", "unreadable", "small-classes"),
    *("double-boxes", "tiny", "outside", "shortcuts"),
)
"""What a policy can bound; findings have the same names."""
EVERY_CLASS = "*"
"""Stands for all classes that are not named."""
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


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
    """The bound of each rule; `by_class` those of ambiguous pictures, by class or EVERY_CLASS.

    A class of fewer than `fewer_than` pictures is a small one.
    """

    bounds: Mapping[str, Bound]
    by_class: Mapping[str, Bound] = field(default_factory=dict)
    fewer_than: int = SMALL_CLASS


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file; UsageError if it cannot be read, and as `policy_of` raises it."""
    try:
        values = tomllib.loads(path.expanduser().read_text("utf-8"))
    except (OSError, ValueError) as error:  # ValueError of TOML, and of UTF-8
        raise UsageError(
            f"Cannot read the policy {str(path)!r}: {error}. A rule is a line such as leaks = 0."
        ) from error
    return policy_of(values, source=path.name)


def policy_of(values: Mapping[str, Any], *, source: str = "The policy") -> Policy:
    """The policy in values as TOML has them: `{"leaks": 0, "unreadable": "1%", "ambiguous": {"kiwi": "30%"}}`.

    `source` names it in errors. Raises UsageError for an unknown rule, and for a value that is no bound.
    """
    if not values:
        raise UsageError(f"{source} has no rule. Write a line such as leaks = 0; there are {', '.join(RULES)}.")
    bounds: dict[str, Bound] = {}
    by_class: dict[str, Bound] = {}
    fewer_than = SMALL_CLASS
    for rule, value in values.items():
        if rule not in RULES:
            near = difflib.get_close_matches(rule.replace("_", "-"), RULES, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(RULES)}."
            raise UsageError(f"{source}: {rule!r} is not a rule. {hint}")
        if rule == "ambiguous":
            by_class = _by_class(value, source)
        elif rule == "small-classes" and isinstance(value, Mapping):
            bounds[rule], fewer_than = _small(value, source)
        else:
            bounds[rule] = _bound(value, rule, source)
    return Policy(bounds, by_class, fewer_than)


def _by_class(value: object, source: str) -> dict[str, Bound]:
    if not isinstance(value, Mapping):
        return {EVERY_CLASS: _bound(value, "ambiguous", source)}
    if not value:
        raise UsageError(f'{source}: [ambiguous] has no line. Write one such as "*" = "30%".')
    return {name: _bound(most, f"ambiguous.{name}", source) for name, most in value.items()}


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


@dataclass(frozen=True)
class GateInputs:
    """The inputs of rules: `seen`, those of findings; content keys (N,) of its table; and files that cannot be read.

    `no_splits` says what to do about a set without splits.
    """

    seen: FindingInputs
    contents: NDArray[np.int64]
    failures: pd.DataFrame
    no_splits: str

    @cached_property
    def table(self) -> pd.DataFrame:
        """Pictures that are not dropped; `is_open` where nothing is decided yet."""
        table = self.seen.table
        return table.assign(is_open=~is_resolved(table))[(table["decision"] != "drop").to_numpy(bool)]

    @cached_property
    def named(self) -> pd.DataFrame:
        """Path and content of each picture (N,), by id."""
        paths = self.seen.table["path"].to_numpy(object)
        return pd.DataFrame({"path": paths, "content": self.contents}, index=self.seen.table["id"])

    @cached_property
    def classes(self) -> Mapping[str | None, NDArray[np.intp]]:
        """The rows of `table` of each class."""
        groups = self.table.groupby("label").indices
        return {str(name): np.asarray(rows, np.intp) for name, rows in groups.items()}

    @property
    def check(self) -> LabelCheck:
        """The check of labels. Raises ImageSetError where there are none, or the model does not know the classes."""
        if self.seen.check is None:
            raise ImageSetError(NO_CLASSES)
        if not self.seen.check.agreement.is_known:
            raise ImageSetError(
                f"{self.seen.check.agreement.words}. Correct them, read the pictures with another model (--model), or "
                "leave this rule out."
            )
        return self.seen.check


Listed = tuple[pd.DataFrame, int]
"""What a rule finds: `id` (or `path`, of what are no pictures) and `detail` in words; and how many it looked at."""


def judged(inputs: GateInputs, policy: Policy) -> tuple[RuleResult, ...]:
    """Judge each rule of a policy on an image set; whatever has a decision already does not count."""
    finders: list[tuple[str, str | None, Bound, Callable[[], Listed]]] = [
        (rule, None, bound, partial(_FINDERS[rule], inputs, policy)) for rule, bound in policy.bounds.items()
    ]
    if policy.by_class:
        finders += [
            ("ambiguous", name, bound, partial(_ambiguous, inputs, name)) for name, bound in _classes(inputs, policy)
        ]
    return tuple(_result(inputs, *each) for each in finders)


def _classes(inputs: GateInputs, policy: Policy) -> Iterator[tuple[str | None, Bound]]:
    """Each class that a policy bounds: those that it names, and those of the set if it bounds every class."""
    every = policy.by_class.get(EVERY_CLASS)
    is_judged = inputs.seen.check is not None and inputs.seen.check.agreement.is_known
    there = sorted(filter(None, inputs.classes)) if every is not None and is_judged else []
    if every is not None and not there:
        yield None, every
    for name in dict.fromkeys([*(name for name in policy.by_class if name != EVERY_CLASS), *there]):
        yield name, policy.by_class.get(name) or policy.by_class[EVERY_CLASS]


def _result(
    inputs: GateInputs, rule: str, of_class: str | None, bound: Bound, find: Callable[[], Listed]
) -> RuleResult:
    try:
        rows, total = find()
    except ImageSetError as error:
        return RuleResult(rule, of_class, bound.written, "not judged", 0, why_not=str(error))
    contents: Sequence[str | None] = [None] * len(rows)
    if "id" in rows:
        named = inputs.named.loc[rows["id"]]
        contents = [f"{key & (1 << 64) - 1:016x}" for key in named["content"].tolist()]
        rows = rows.assign(path=named["path"].to_numpy(object))
    paths, details = (tuple(map(str, rows[name])) for name in ("path", "detail"))
    result = RuleResult(rule, of_class, bound.written, "passed", total, paths, tuple(contents), details)
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


def _undecided(inputs: GateInputs, rows: pd.DataFrame) -> pd.DataFrame:
    undecided: pd.DataFrame = rows[rows["id"].isin(inputs.table.loc[inputs.table["is_open"], "id"])]
    return undecided


def _leaks(inputs: GateInputs, policy: Policy) -> Listed:
    if inputs.seen.leaks is None:
        raise ImageSetError(inputs.no_splits)
    leaks = inputs.seen.leaks
    if inputs.seen.is_of_objects:
        return _leaked_objects(leaks), inputs.seen.table[PICTURE].nunique()
    rows = pd.concat([leaks[leaks["kind"] == SAME_FILE], open_leaks(leaks, inputs.seen.table)])
    kind = np.where(rows["kind"] == SCENE, ", with another view ", ", with a copy ").astype(object)
    twin = np.where(rows["kind"] == SAME_FILE, " and", kind + rows["twin_path"])
    return rows.assign(detail="in " + rows["split"].astype(str) + twin + " in " + rows["twin_split"]), len(inputs.table)


def _leaked_objects(leaks: pd.DataFrame) -> pd.DataFrame:
    """The pictures in two splits, or with objects that are in another split, whatever is decided on these."""
    rows = leaked_pictures(leaks[leaks["kind"] != APART], is_of_objects=True).drop_duplicates("picture")
    twin = np.where(rows["kind"] == SAME_FILE, " and", ", with objects of " + rows["twin_picture"])
    return pd.DataFrame({"path": rows["picture"], "detail": "in " + rows["split"] + twin + " in " + rows["twin_split"]})


def _doubtful(inputs: GateInputs, policy: Policy) -> Listed:
    """The doubtful labels; what counts is how many of them are wrong, at least."""
    doubtful = inputs.seen.doubtful
    if doubtful is None or not inputs.check.agreement.is_known:  # `check` raises where it is not
        raise ImageSetError(NO_CLASSES)
    rows = doubtful.pictures[doubtful.is_doubtful]
    detail = rows["label"].astype(str) + " or " + rows["suggested"].astype(str) + "? Labelled " + rows["label"]
    chance = np.where(doubtful.is_conflict, 1, doubtful.forecast.expected)[doubtful.is_doubtful]  # one of two is wrong
    return rows.assign(detail=detail, wrong=chance), int(inputs.table["label"].notna().sum())


def _overlapping(inputs: GateInputs, policy: Policy) -> Listed:
    """Pairs of classes."""
    pairs = inputs.check.mixed
    names = [f"{a} ↔ {b}" for a, b in pairs[["class_a", "class_b"]].to_numpy()]
    details = [f"{inputs.seen.counted(count, 'looks', 'look')} like the other" for count in pairs["pictures"]]
    return pd.DataFrame({"path": names, "detail": details}), inputs.table["label"].nunique()


def _ambiguous(inputs: GateInputs, name: str | None) -> Listed:
    if not inputs.check.classes or not has_values(inputs.seen.table, AMBIGUITY.name):
        raise ImageSetError(NO_CLASSES)
    if name not in inputs.classes:
        raise ImageSetError(f"There is no class {name!r}. Correct the policy, or leave the line out.")
    rows = inputs.table.iloc[inputs.classes[name]]
    between = rows[(rows[AMBIGUITY.name] >= CLEAR) & rows["is_open"]]
    detail = "between " + between["first_class"].astype(str) + " and " + between["second_class"].astype(str)
    return between.assign(detail=detail), len(rows)


def _copies(inputs: GateInputs, policy: Policy) -> Listed:
    """All but the first by path of each group of copies that is not resolved."""
    group = group_codes(inputs.table, COPIES)
    first = pd.Series(inputs.table["path"].to_numpy(object)).groupby(group).transform("first")
    is_open = np.bincount(group, weights=inputs.table["is_open"], minlength=1)[group] > 0
    rows = inputs.table.assign(detail=("copy of " + first).to_numpy(object))
    return rows[is_open & pd.Series(group).duplicated().to_numpy()], len(rows)


def _useless(inputs: GateInputs, policy: Policy) -> Listed:
    rows = _undecided(inputs, useless(inputs.seen.table, inputs.seen.reasons))
    return rows.assign(detail=rows["suggested"]), len(inputs.table)


def _unreadable(inputs: GateInputs, policy: Policy) -> Listed:
    return inputs.failures.rename(columns={"reason": "detail"}), len(inputs.seen.table) + len(inputs.failures)


def _small_classes(inputs: GateInputs, policy: Policy) -> Listed:
    labels = inputs.table["label"].dropna()
    if labels.empty:
        raise ImageSetError(NO_CLASSES)
    rows = small_classes(inputs.table, policy.fewer_than).drop_duplicates("label")
    detail = [inputs.seen.counted(size) for size in rows["size"]]
    return pd.DataFrame({"path": rows["label"].astype(str), "detail": detail}), labels.nunique()


def _boxes(rows: Callable[[pd.DataFrame], pd.DataFrame], inputs: GateInputs, policy: Policy) -> Listed:
    if not inputs.seen.is_of_objects:
        raise ImageSetError("It is a rule on objects, and these are whole pictures. Leave it out.")
    undecided = _undecided(inputs, rows(inputs.seen.table))
    return undecided.assign(detail=undecided["suggested"].fillna("").astype(str)), len(inputs.table)


def _second_boxes(table: pd.DataFrame) -> pd.DataFrame:
    """All but the largest box on each object."""
    rows = [(row, members[0]) for members in double_boxes(table) for row in members[1:]]
    paths = table["path"].to_numpy(object)
    suggested = [f"on the same object as {paths[first]}" for _, first in rows]
    return pd.DataFrame({"id": table["id"].to_numpy()[[row for row, _ in rows]], "suggested": suggested})


def _shortcuts(inputs: GateInputs, policy: Policy) -> Listed:
    """Classes, each with what tells it."""
    found = inputs.seen.shortcuts
    if found is None:
        raise ImageSetError(NOT_JUDGED)
    rows = found.findings
    detail = rows["property"].str.cat(rows["here"], sep=" ")
    told = pd.DataFrame({"path": rows["label"], "detail": "told by " + detail})
    return told.groupby("path", sort=False, as_index=False).agg({"detail": ", ".join}), found.of


_FINDERS: dict[str, Callable[[GateInputs, Policy], Listed]] = {
    "leaks": _leaks,
    "wrong-labels": _doubtful,
    "mixed-up": _overlapping,
    "copies": _copies,
    "useless": _useless,
    "unreadable": _unreadable,
    "small-classes": _small_classes,
    "double-boxes": partial(_boxes, _second_boxes),
    "tiny": partial(_boxes, tiny),
    "outside": partial(_boxes, outside),
    "shortcuts": _shortcuts,
}
