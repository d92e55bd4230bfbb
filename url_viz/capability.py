"""A capability is one typed, documented function: the command, the job and the call from Python are made of it.

What stands before `*` in its signature is positional on a command line. Each parameter is
`Annotated[type, Doc("its one text"), …]`, with its bounds (`Within`) and a mark if it is written (`Output`); both are
checked whichever door is used. A parameter without a text is Python's alone. The first sentence of the docstring is
the help.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from typing_extensions import Doc

from url_viz.base.command_line import Output, Within, check_number
from url_viz.base.errors import FolderError, ImageSetError, UsageError
from url_viz.base.printout import Printout, TableStyle, printout_of
from url_viz.base.workspace import Workspace
from url_viz.capabilities import MARK, first_sentence
from url_viz.imaging.outputs import require_outside

Function = TypeVar("Function", bound=Callable[..., Any])
NO_SOURCES = ("workspace", "within", "baseline")
"""Paths that a capability does not read, or may write: the result of a check may become its own baseline."""


@dataclass(frozen=True)
class AsPath:
    """Marks a parameter that takes an image set from Python and the path of its folder from a command."""


@dataclass(frozen=True)
class AsKind:
    """Marks a parameter of which a command and a job give this kind alone: a path where Python takes pictures, too."""

    kind: Any


@dataclass(frozen=True)
class Word:
    """The name of a parameter on a command line, where Python's cannot be that: `--from`, `--as`."""

    name: str


@dataclass(frozen=True)
class Argument:
    """A parameter of a capability, with all of its annotation."""

    name: str
    hint: Any
    default: Any = inspect.Parameter.empty
    is_positional: bool = False

    @property
    def word(self) -> str:
        """Its name on a command line, without dashes: `max_percentile` is max-percentile."""
        marked = self.mark(Word)
        return marked.name if marked else self.name.rstrip("_").replace("_", "-")

    @property
    def is_required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def text(self) -> str:
        """What it is, in words."""
        doc = self.mark(Doc)
        return doc.documentation if doc else ""

    def mark(self, kind: type[Any]) -> Any:
        """What stands in its annotation besides the type, of one kind; None without one."""
        return next((each for each in getattr(self.hint, "__metadata__", ()) if isinstance(each, kind)), None)

    @property
    def plain_hint(self) -> Any:
        """Its annotation as a command line or JSON can give it."""
        given = AsKind(Path) if self.mark(AsPath) else self.mark(AsKind)
        if given is None:
            return self.hint
        kind: Any = given.kind | None if self.default is None else given.kind
        return Annotated[kind, *self.hint.__metadata__]

    @property
    def group(self) -> tuple["Argument", ...]:
        """The parameters that it groups, where it is a dataclass of them; else none."""
        kind = kind_of(self.plain_hint)
        if not is_dataclass(kind):
            return ()
        hints = get_type_hints(kind, include_extras=True)
        return tuple(Argument(each.name, hints[each.name], each.default) for each in fields(kind))


@dataclass(frozen=True)
class Capability:
    """A function that users reach by the `words` of a command, such as ("labels", "doubtful").

    `shown` says how a table that it returns is printed, `show` makes more of what it returns: from the image set or
    subject (without one, from what was given by name) and the result; `missing` says what is wrong where it returns
    None, and the next step; `top` how many rows a command prints at first, None where there is no list. One that
    `reads_files` of an image set may be kept within some folders.
    """

    words: tuple[str, ...]
    function: Callable[..., Any]
    shown: TableStyle = field(default_factory=TableStyle)
    missing: str | Callable[[Any], str] = ""
    top: int | None = None
    show: Callable[[Any, Any], Printout] | None = None
    reads_files: bool = False

    @cached_property
    def parameters(self) -> tuple[Argument, ...]:
        """What a user gives it."""
        every = inspect.signature(self.function).parameters.values()
        found = [
            Argument(each.name, each.annotation, each.default, is_positional=each.kind is not each.KEYWORD_ONLY)
            for each in every
        ]
        return tuple(each for each in found if each.text)

    @cached_property
    def takes(self) -> frozenset[str]:
        """The names of all its parameters, those that a door gives too."""
        return frozenset(inspect.signature(self.function).parameters)

    @property
    def is_on_set(self) -> bool:
        """Whether it is of an image set, which a door opens: a method of it or of a subject, or takes it first."""
        return bool({"self", "image_set"} & self.takes)

    @property
    def is_plain(self) -> bool:
        """Whether it prints by itself, and gives nothing but an exit status."""
        return self.show is None and inspect.signature(self.function).return_annotation in (None, int)

    @property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return first_sentence(inspect.getdoc(self.function) or "")

    def printout(self, owner: Any, result: Any) -> Printout:
        """What it returned, to be shown. Raises ImageSetError where that is None and something must be there."""
        if result is None and self.missing:
            raise ImageSetError(self.missing(owner) if callable(self.missing) else self.missing)
        return printout_of(result, self.shown) if self.show is None else self.show(owner, result)

    def check(self, given: Mapping[str, Any], *, owner: Any = None, dashes: str = "") -> None:
        """Raise UsageError for a number out of bounds, and an output that would change what is read.

        `owner` is the image set or its subject; `dashes` stand before names in errors, for a command.
        """
        check_given(self.parameters, given, owner=owner, dashes=dashes)


def capability(
    words: str,
    *,
    columns: Sequence[str] = (),
    number: str = "{:.3f}",
    noun: str = "row",
    plural: str | None = None,
    empty: str = "(none)",
    missing: str | Callable[[Any], str] = "",
    top: int | None = None,
    show: Callable[[Any, Any], Printout] | None = None,
    reads_files: bool = False,
) -> Callable[[Function], Function]:
    """Make a function a capability that is called `words` ("labels doubtful"); see `Capability` and `Table`."""

    def marked(function: Function) -> Function:
        guarded = [
            name
            for name, each in inspect.signature(function).parameters.items()
            if any(isinstance(mark, Within | Output) for mark in getattr(each.annotation, "__metadata__", ()))
        ]

        @wraps(function)
        def run(*values: Any, **named: Any) -> Any:
            if guarded:
                given = inspect.signature(function).bind(*values, **named).arguments
                owner = next((given[name] for name in ("self", "image_set") if name in given), None)
                made.check(given, owner=owner)
            return function(*values, **named)

        shown = TableStyle(columns, number, noun, plural, empty)
        made = Capability(tuple(words.split()), run, shown, missing, top, show, reads_files)
        setattr(run, MARK, made)
        return run  # type: ignore[return-value]

    return marked


def check_given(
    parameters: Sequence[Argument], given: Mapping[str, Any], *, owner: Any = None, dashes: str = ""
) -> None:
    """As `Capability.check`, of any parameters."""
    every = [(each, given[each.name]) for each in parameters if each.name in given]
    for each, value in every:
        check_number(f"{dashes}{each.word}" if dashes else each.name, each.hint, value)
    outputs = [value for each, value in every if each.mark(Output) and value is not None]
    if not outputs:
        return
    core = getattr(owner, "_core", owner)
    sources = [] if core is None else [core.root]
    read = (value for each, value in every if not each.mark(Output) and each.name not in NO_SOURCES)
    sources += [path for value in read for path in paths_in(value)]
    home = core.workspace if core is not None else Workspace.at(given.get("workspace"))
    for out in outputs:
        if str(out) == "-":
            continue
        try:
            require_outside(out, *sources, home=home.root)
        except FolderError as error:  # of a folder that is missing
            raise UsageError(str(error)) from error


def kind_of(hint: Any) -> Any:
    """The type of an annotation, without what stands beside it and without None."""
    while hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    inner = [kind for kind in get_args(hint) if kind is not type(None)]
    is_one_or_none = len(inner) == 1 and get_origin(hint) not in (tuple, Literal)
    return kind_of(inner[0]) if is_one_or_none else hint


def paths_in(value: object) -> Iterator[Path]:
    """The paths among the values of an argument; text is one where a file or folder of that name is there."""
    if is_dataclass(value) and not hasattr(value, "root"):
        value = [getattr(value, each.name) for each in fields(value)]
    for item in value if isinstance(value, tuple | list) else (value,):
        if isinstance(item, Path) or (isinstance(item, str) and item and os.path.exists(item)):
            yield Path(item) if isinstance(item, str) else item
        elif hasattr(item, "root") and isinstance(item.root, Path):
            yield item.root
