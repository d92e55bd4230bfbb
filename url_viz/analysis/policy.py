"""A gate's policy: how many or which share of each finding an image set may have, read from a TOML file."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from url_viz.analysis.findings import FEW
from url_viz.errors import UsageError

RULES = (
    *("leaks", "wrong-labels", "mixed-up", "ambiguous", "twins", "useless", "unreadable", "small-classes"),
    *("double-boxes", "tiny", "outside"),
)
"""What a policy can bound; findings have the same names."""
EVERY_CLASS = "*"
"""Stands for all classes that are not named."""
BOUND = 'a whole number from 0 on, or a share from "0%" to "100%"'
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Bound:
    """At most so many, as `written`: a number, or a share of all such as "1%". Raises ValueError for anything else."""

    written: int | str

    def __post_init__(self) -> None:
        value = self.written
        share = _SHARE.fullmatch(value) if isinstance(value, str) else None
        is_number = type(value) is int and value >= 0  # true is an int, too
        if not is_number and (share is None or Fraction(share[1]) > 100):
            raise ValueError(f"{value!r} is not {BOUND}")

    def holds(self, count: int, of: int) -> bool:
        """Whether `count` of `of` are no more than that; exactly, so that 7 of 100 are 7 %."""
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
    fewer_than: int = FEW


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
    fewer_than = FEW
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
        raise UsageError(f"{source}: small-classes.{unknown[0]} is unknown. It has most = 0 and fewer-than = {FEW}.")
    fewer = value.get("fewer-than", FEW)
    if type(fewer) is not int or fewer < 1:
        raise UsageError(f"{source}: small-classes.fewer-than is {fewer!r}. Give a whole number of pictures from 1 on.")
    return _bound(value.get("most", 0), "small-classes.most", source), fewer


def _bound(value: Any, key: str, source: str) -> Bound:
    try:
        return Bound(value)
    except ValueError:
        raise UsageError(f"{source}: {key} is {value!r}. Give {BOUND}.") from None
