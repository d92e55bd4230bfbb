"""Types for the numeric options of commands: values that are not numbers, or out of bounds, are refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from url_viz.errors import UsageError

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

NAMES: dict[type, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Within:
    """The bounds of `Annotated[int, …]`, `Annotated[float, …]`, or of one of these or None, ends included.

    With `is_above`, `least` itself is out of bounds.
    """

    least: float
    most: float = 1_000_000_000
    is_above: bool = False

    def holds(self, value: float | None) -> bool:
        """Whether a value lies within; None does, nan does not."""
        return value is None or (self.least <= value <= self.most and not (self.is_above and value == self.least))

    def __str__(self) -> str:
        return f"{'above' if self.is_above else 'from'} {self.least:,.10g} to {self.most:,.10g}"


@dataclass(frozen=True)
class Output:
    """Marks `Annotated[Path, …]` as what a command writes: refused where it would change what the command reads."""


Count = Annotated[int, Within(1)]
OptionalCount = Annotated[int | None, Within(1)]
Seed = Annotated[int, Within(0, 2**32 - 1)]
Fraction = Annotated[float, Within(0, 1)]
Percentile = Annotated[float, Within(0, 100)]
OptionalPercentile = Annotated[float | None, Within(0, 100)]
PrecisionChoice = Literal["fast", "exact", "bf16", "float32"]
"""Fast is bf16 or float32, whichever was measured to be quicker here; bf16 on a GPU. Exact is float32."""
ZeroOrMore = Annotated[float, Within(0)]
AboveZero = Annotated[float, Within(0, is_above=True)]


def check_number(name: str, hint: Any, value: Any) -> None:
    """Raise UsageError for a value that is not within the bounds of its annotation, if that has any."""
    for bounds in getattr(hint, "__metadata__", ()):
        if isinstance(bounds, Within) and not bounds.holds(value):
            kind = NAMES[_kind(get_args(hint)[0]) or float]
            shown = value if isinstance(value, int) else f"{value:g}"
            raise UsageError(f"{name} is {shown}; give {kind} {bounds}.")


def is_output(hint: Any) -> bool:
    """Whether an annotation marks what a command writes."""
    return any(isinstance(extra, Output) for extra in getattr(hint, "__metadata__", ()))


class Checked:
    """A dataclass whose numbers are within the bounds of their annotations, however it is made; UsageError if not."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            check_number(name, hint, getattr(self, name))


def _kind(hint: Any) -> type | None:
    """`int` or `float` if a type is that, or that or None; None for all others."""
    kinds: Iterable[Any] = set(get_args(hint) or (hint,)) - {NoneType}
    return next((kind for kind in NAMES if kinds == {kind}), None)


def numbers() -> "ConstructorRegistry":
    """A context in which tyro reads numbers, and refuses other words with a sentence of our own."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def number(info: "PrimitiveTypeInfo") -> "PrimitiveConstructorSpec[Any] | None":
        kind = _kind(info.type)
        if kind is None:
            return None
        can_be_none = NoneType in get_args(info.type)
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=kind.__name__.upper(),
            instance_from_str=lambda words: None if can_be_none and words[0] == "None" else _read(kind, words[0]),
            is_instance=lambda value: isinstance(value, (int, kind)) or (can_be_none and value is None),
            str_from_instance=lambda value: [str(value)],
        )

    return registry


def _read(kind: type, word: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"give {NAMES[kind]}, not {word!r}.") from None
