"""What a check of an image set is: what it finds, and what findings, reviews and policies make of that."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, Literal

import pandas as pd

from url_viz.base.plugins import guarded
from url_viz.base.wording import counted
from url_viz.columns.engine import Column
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.undecided import Ids, make_queue
from url_viz.labels.questions import Ask, between_classes
from url_viz.store.columns.source_columns import BOX_COLUMNS, PICTURE

NAMED = 3
"""How many classes, or pairs of them, a finding names."""
Need = Literal["nothing", "labels", "classes", "splits", "objects", "predictions", "graph", "people"]
Found = pd.DataFrame | Sequence[Ids] | None
"""A list of pictures (id, what is `suggested` of each), or groups of rows; None where the set lacks what it takes."""
Listed = tuple[pd.DataFrame, Any]
"""What a policy bounds: `id` (or `path`, of what are no pictures) and `detail` in words; and of how many, or of how
many of each class. With `wrong`, the chance of each, what counts is how many are wrong at least."""


@dataclass(frozen=True)
class Said:
    """What is said of what was found: how many, in words, and `why` it matters where that is not always the same.

    What `is_listed` opens a list, whatever its check opens; what is `of_order` are the first of an order.
    """

    count: int
    words: str
    why: str = ""
    is_listed: bool = False
    of_order: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Check:
    """Something to look for in an image set, declared once, in the file of its subject.

    `finds`, `says` and `bound` are functions of columns, which their parameters name (`url_viz.columns.engine`);
    besides, `found` is what `finds` gives, and `left` of how many of that list a review still asks. Any may be missing.

    What it `says` is a finding; of several the one with the lowest `place` comes first. `short` is what that counts, in
    a word or two ({s} and {es} are endings of more than one); `listed_by` is the command that lists what no review
    opens. One with a `title` is a review, which asks `ask` of each picture that was found, or which to keep of each
    group (None), the first as a suggestion if it `suggests`; `opens` names the review of another check. A policy can
    bound what has a `bound`, `by_class` if that is a list of each class.
    """

    name: str = field(kw_only=False)
    needs: Need = "nothing"
    finds: Callable[..., Found] | None = None
    place: float = math.inf
    says: Callable[..., Said | None] | None = None
    short: str = ""
    why: str = ""
    listed_by: str = ""
    title: str = ""
    ask: Ask | None = between_classes
    suggests: bool = False
    opens: str = ""
    bound: Callable[..., Listed | None] | None = None
    by_class: bool = False

    @property
    def review(self) -> str:
        """The name of the review that settles it; "" for none."""
        return self.opens or (self.name if self.title else "")

    @cached_property
    def columns(self) -> Mapping[str, Column[..., Any]]:
        """Its functions as columns: found, left, said and bound, those that it has."""
        left = None if self.finds is None or self.ask is None else self._left
        made = {"found": self.finds, "left": left, "said": self.says, "bound": self.bound}
        names = {each: f"{each} by {self.name}" for each in made}
        return {each: Column(names[each], make, renamed=names) for each, make in made.items() if make is not None}

    def guarded(self) -> "Check":
        """The same of another package: an error of its functions names it."""

        def safe(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
            return None if function is None else guarded(function, name=self.name)

        finds = self.finds if self.finds is None or self.ask is None else with_each_once(self.finds)
        return replace(self, finds=safe(finds), says=safe(self.says), bound=safe(self.bound))

    def _left(self, table: pd.DataFrame, found: pd.DataFrame | None) -> int:
        return 0 if found is None else len(make_queue(table, ReviewSpec(self.name), found))


def with_each_once(finds: Callable[..., Found]) -> Callable[..., Found]:
    """The same function; it raises ValueError for a list that a review cannot ask: without `id`, or with one twice."""

    @wraps(finds)
    def checked(*args: Any, **named: Any) -> Found:
        found = finds(*args, **named)
        if isinstance(found, pd.DataFrame) and ("id" not in found or found["id"].duplicated().any()):
            raise ValueError("its list of pictures has no column `id`, or one of them twice")
        return found

    return checked


def undecided(found: pd.DataFrame | None, undropped: pd.DataFrame) -> Listed | None:
    """A bound on the pictures of a list that nobody has decided on, with what is suggested of each."""
    if found is None:
        return None
    rows = found[found["id"].isin(undropped.loc[undropped["is_open"], "id"])]
    return rows.assign(detail=rows["suggested"].fillna("").astype(str)), len(undropped)


def has_boxes(table: pd.DataFrame) -> bool:
    """Whether `table`, of `ImageSet.table()`, is of objects in pictures."""
    return {PICTURE, *BOX_COLUMNS} <= set(table.columns)


def counted_rows(table: pd.DataFrame, count: int, verb: str = "", plural_verb: str = "") -> str:
    """A number of pictures, or objects, and what they do: "1 picture shows", "2 objects show"."""
    noun = "object" if has_boxes(table) else "picture"
    return counted(count, f"{noun} {verb}".strip(), f"{noun}s {plural_verb}".strip())
