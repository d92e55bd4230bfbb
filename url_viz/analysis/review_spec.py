"""What a review is of: an order of an image set within a scope, also as parameters of an address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from url_viz.analysis.scope import CHOSEN, Scope, scope_as_query, scope_from_query


@dataclass(frozen=True)
class ReviewSpec:
    """What a review is of: the order `by` (a measure, or a key of `analysis.review.REVIEWS`), within a scope.

    `within_class` takes each picture's rank in its class; `per_class` the first of each class, class after
    class; `most` limits all.
    """

    by: str
    scope: Scope = field(default_factory=Scope)
    within_class: bool = False
    per_class: int | None = None
    most: int | None = None

    @property
    def is_of_decided(self) -> bool:
        """Whether the scope asks for decided pictures, or names its pictures: else decided ones are left out."""
        return self.scope.ids is not None or any(
            each.column in ("decision", "label_checked") for each in self.scope.filters
        )


def as_query(spec: ReviewSpec) -> dict[str, list[str]]:
    """A review as parameters of an address: `review=ambiguity&most=200&in.label=kiwi`."""
    numbers = {"each": spec.per_class, "most": spec.most}
    query = {"review": [spec.by], **{name: [str(number)] for name, number in numbers.items() if number is not None}}
    return query | ({"within": ["1"]} if spec.within_class else {}) | scope_as_query(spec.scope)


def from_query(query: Mapping[str, Sequence[str]]) -> ReviewSpec | None:
    """The review of an address; None if it names none, or more pictures than an address can.

    Invalid numbers are ignored.
    """
    by = query.get("review")
    if not by or not by[0]:
        return None
    scope = scope_from_query(query)
    if CHOSEN in query and scope.ids is None:
        return None
    within = query.get("within") == ["1"]
    return ReviewSpec(by[0], scope, within, _number(query.get("each")), _number(query.get("most")))


def _number(values: Sequence[str] | None) -> int | None:
    text = values[0] if values else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text) else None
