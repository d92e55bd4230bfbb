"""How every command runs and ends, and the types that check its numbers."""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, cast, get_args, get_type_hints

from url_viz.base.errors import UrlVizError, UsageError
from url_viz.base.wording import inert, printable
from url_viz.base.workspace import refuse_credentials

if TYPE_CHECKING:
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo


CALL = "--call"
"""The option by which a job gives the command line its call, as JSON."""
NAMES: dict[type, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Within:
    """The bounds of a number, `Annotated[int | None, …]`, ends included; with `is_above` without `least`."""

    least: float
    most: float = 1_000_000_000
    is_above: bool = False

    def holds(self, value: float | None) -> bool:
        """None is within, nan is not."""
        return value is None or (self.least <= value <= self.most and not (self.is_above and value == self.least))

    def __str__(self) -> str:
        return f"{'above' if self.is_above else 'from'} {self.least:,.10g} to {self.most:,.10g}"


@dataclass(frozen=True)
class Output:
    """Marks `Annotated[Path, …]` as a command's output: refused where it would change what the command reads."""


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
    """Raise UsageError for a value outside the bounds of its annotation."""
    for bounds in getattr(hint, "__metadata__", ()):
        if isinstance(bounds, Within) and not bounds.holds(value):
            kind = NAMES[_kind(get_args(hint)[0]) or float]
            shown = value if isinstance(value, int) else f"{value:g}"
            raise UsageError(f"{name} is {shown}; give {kind} {bounds}.")


def is_output(hint: Any) -> bool:
    """Whether an annotation marks a command's output."""
    return any(isinstance(extra, Output) for extra in getattr(hint, "__metadata__", ()))


class Checked:
    """A dataclass that raises UsageError for numbers outside the bounds of their annotations, however it is made."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            check_number(name, hint, getattr(self, name))


def _kind(hint: Any) -> type | None:
    """`int` or `float` if a type is that, or that or None; None for all others."""
    kinds: Iterable[Any] = set(get_args(hint) or (hint,)) - {NoneType}
    return next((kind for kind in NAMES if kinds == {kind}), None)


def numbers() -> "ConstructorRegistry":
    """A context in which tyro reads numbers, and refuses other words in a sentence of ours."""
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
            instance_from_str=lambda words: None if can_be_none and words[0] == "None" else _number(kind, words[0]),
            is_instance=lambda value: isinstance(value, (int, kind)) or (can_be_none and value is None),
            str_from_instance=lambda value: [str(value)],
        )

    return registry


def _number(kind: type, word: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"give {NAMES[kind]}, not {word!r}.") from None


FULL = (errno.ENOSPC, errno.EDQUOT)


class PrintableOutput:
    """Standard output whose lines are printable and no command of a pipeline: names may come from others.

    What its encoding does not have, where that is not UTF-8, is escaped.
    """

    def __init__(self, file: TextIO) -> None:
        self._file, self._is_blank = file, True

    def write(self, text: str) -> int:
        shown, before = printable(text, allowed="\n"), "" if self._is_blank else "…"
        last = (before + shown).rpartition("\n")[2]
        self._is_blank = not last.strip()
        encoding = self._file.encoding or "utf-8"
        line = inert(before + shown).removeprefix(before)
        return self._file.write(line.encode(encoding, "backslashreplace").decode(encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def printable_output() -> Iterator[None]:
    """Have the block print by `PrintableOutput`; the help of commands, printed before, keeps its colours."""
    with redirect_stdout(cast(TextIO, PrintableOutput(sys.stdout))):
        yield


def exit_status(words: Sequence[str], run: Callable[[], int | None]) -> int:
    """Run a command that was given `words`, and return its exit status.

    0, or the result of `run`; 2 after a UsageError, 1 after any other UrlVizError, a full disk or a full GPU, each with
    a line on stderr; 130 after Ctrl-C; 141 where nobody reads the output.
    """
    try:
        refuse_credentials(words)
        with numbers():
            status = run()
        sys.stdout.flush()
    except UrlVizError as error:
        return _failed(str(error), status=2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        print("\nStopped. What was read or written is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except (OSError, RuntimeError) as error:
        advice = _advice_on(error)
        if advice is None:
            raise
        _drop_output()
        return _failed(advice)
    return int(status or 0)


def _failed(words: str, *, status: int = 1) -> int:
    print(f"error: {inert(printable(' '.join(words.splitlines())))}", file=sys.stderr)
    return status


def _advice_on(error: Exception) -> str | None:
    """Advice on a full disk or a full GPU; None for any other error, which is a bug."""
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" ({error.filename})" if error.filename else ""
        return f"The disk is full{where}. What was written is whole: make room and run the same command again."
    if type(error).__name__ == "OutOfMemoryError":  # torch's; it is not imported here for the sake of --help
        return (
            f"The GPU's memory does not hold this ({str(error).partition('. ')[0]}). Close other programs that use the "
            f"GPU, choose --device cpu, or give a training a smaller --batch (--joint-batch with --mode full)."
        )
    return None


def _drop_output() -> None:
    """Drop output that cannot be printed any more: Python would report an error when it flushes at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
