"""The registry of commands, and what they print."""

import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter
from itertools import chain
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from tyro.conf import Positional
from tyro.extras import SubcommandApp

from url_viz.base.command_line import check_number, is_output, printable_output
from url_viz.base.errors import FolderError, UsageError
from url_viz.base.progress import ProgressCallback, TerminalReport, command_report
from url_viz.base.wording import counted
from url_viz.base.workspace import Workspace, address_in
from url_viz.jobs.configs import DEFAULT, Folder, ModelName, WorkspaceDir

if TYPE_CHECKING:
    import pandas as pd


Command = TypeVar("Command", bound=Callable[..., Any])
Config = TypeVar("Config")
OnConfig = Callable[[Config], Any]

FOLDER = Parameter("folder", Parameter.POSITIONAL_OR_KEYWORD, annotation=Positional[Folder])
OF_A_SET = (
    Parameter("model", Parameter.KEYWORD_ONLY, default=DEFAULT, annotation=ModelName),
    Parameter("workspace", Parameter.KEYWORD_ONLY, default=None, annotation=WorkspaceDir),
)


class CommandApp:
    """tyro's SubcommandApp whose commands print only printable text; its help keeps its colours.

    `commands` are the functions by name. A number that is out of the bounds of its annotation is refused first, and an
    output that is, or lies in, what the command reads.
    """

    def __init__(self) -> None:
        self._app = SubcommandApp()
        self.commands: dict[str, Callable[..., Any]] = {}

    def command(self, name: str | None = None) -> Callable[[Command], Command]:
        """Register a function as a command, by default under its own name."""

        def registered(function: Command) -> Command:
            @wraps(function)
            def run(*values: Any, **named: Any) -> Any:
                values = tuple(map(_addressed, values))
                named = {name: _addressed(value) for name, value in named.items()}
                _check(function, *values, **named)
                with printable_output():
                    return function(*values, **named)

            self._app.command(name=name or function.__name__)(run)
            self.commands[name or function.__name__] = function
            return function

        return registered

    def on_set(self) -> Callable[[Command], Command]:
        """Register a function of an open image set, its first parameter: the command takes folder, model, workspace."""

        def registered(function: Command) -> Command:
            def run(folder: Path, *values: Any, model: str, workspace: Path | None, **named: Any) -> Any:
                from url_viz.image_set import open_image_set

                return function(open_image_set(folder, model=model, workspace=workspace), *values, **named)

            _, *others = inspect.signature(function).parameters.values()
            _declare(run, inspect.Signature([FOLDER, *others, *OF_A_SET]), doc=function.__doc__)
            self.command(function.__name__)(run)
            return function

        return registered

    def command_on(self, config_type: type[Config]) -> Callable[[OnConfig[Config]], OnConfig[Config]]:
        """Register a function of a configuration as a command: the fields are its arguments."""

        def registered(function: OnConfig[Config]) -> OnConfig[Config]:
            def run(*values: Any, **named: Any) -> Any:
                return function(config_type(*values, **named))

            _declare(run, inspect.signature(config_type), doc=config_type.__doc__)
            self.command(function.__name__)(run)
            return function

        return registered

    def cli(self, *, prog: str, args: Sequence[str]) -> Any:
        """Run the command that `args` name; `prog` is for the help."""
        return self._app.cli(prog=prog, args=args)


app = CommandApp()


def _declare(run: Callable[..., Any], signature: inspect.Signature, *, doc: str | None) -> None:
    """Give a function the parameters that are read from the command line, and the text of its help."""
    run.__doc__ = doc
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    run.__signature__ = signature  # type: ignore[attr-defined]


def _addressed(value: Any) -> Any:
    """The same value, a path that is an address in object storage (or several) as such: a Path takes one slash away."""
    if isinstance(value, tuple):
        return tuple(map(_addressed, value))
    return (address_in(value) or value) if isinstance(value, Path) else value


NO_SOURCES = ("workspace", "within", "baseline")
"""Arguments that are paths and not what a command reads; a baseline may be made anew by the result of a check."""


def _check(function: Callable[..., Any], *values: Any, **named: Any) -> None:
    """Raise UsageError for a number out of bounds, and an output that would change what is read or has no folder."""
    hints = get_type_hints(function, include_extras=True)
    given = inspect.signature(function).bind(*values, **named).arguments
    for name, value in given.items():
        check_number(f"--{name.replace('_', '-')}", hints[name], value)
    outputs = {name for name in given if given[name] is not None and is_output(hints[name])}
    if outputs:
        from url_viz.imaging.outputs import require_outside

        read = [value for name, value in given.items() if name not in (*outputs, *NO_SOURCES)]
        sources = list(chain.from_iterable(map(paths_in, read)))
        for name in outputs:
            try:
                require_outside(given[name], *sources, home=Workspace.at(given.get("workspace")).root)
            except FolderError as error:  # of a folder that is missing
                raise UsageError(str(error)) from error


def paths_in(value: object) -> Iterator[Path]:
    """The paths among the values of an argument; text is one where a file or folder of that name is there."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, Path) or (isinstance(item, str) and item and os.path.exists(item)):
            yield Path(item) if isinstance(item, str) else item


@contextmanager
def progress_shown() -> Iterator[ProgressCallback]:
    """How far the block is, on a terminal or as a job; the line is ended with the block."""
    report = command_report()
    yield report
    if isinstance(report, TerminalReport):
        report.close()


def table_text(table: "pd.DataFrame", number: str = "{:.3f}") -> str:
    """The rows of a table in columns, its floats in the format `number`; "(none)" if it has no rows."""
    return table.to_string(index=False, na_rep="–", float_format=number.format) if len(table) else "(none)"


def write_rows(table: "pd.DataFrame", file: Path | None, noun: str, plural: str | None = None) -> bool:
    """Write a table to `file` and print how many rows it has; False without a file."""
    from url_viz.export.table_files import write_table

    if file is not None:
        print(f"{counted(len(table), noun, plural)} in {write_table(table, file)}.")
    return file is not None


def print_rest(count: int, shown: int, options: str) -> None:
    """Say how many of `count` rows were not shown, and which options show them."""
    if count > shown:
        print(f"… and {count - shown:,} more ({options})")


GROUPS = {
    "Read and look": (
        "open",
        "demo",
        "embed",
        "rank",
        "search",
        "findings",
        "check",
        "reasons",
        "why",
        "representatives",
    ),
    "Review and decide": ("review", "decide", "undo", "redo", "decisions", "twins", "leakage", "answers"),
    "Labels": ("labels", "suspects", "relabel", "confused", "names", "columns", "worth"),
    "Take away": ("choose", "measure", "export", "report", "share", "sort", "figure", "project"),
    "Models and how well they do": ("models", "prepare", "evaluate", "compare", "second", "adapt", "pretrain"),
    "Your own model": ("runs", "predictions"),
    "Versions": ("versions", "diff"),
    "Image sets": ("sets", "rename", "repoint", "refit", "mend", "compact", "drop-model", "pack", "unpack", "forget"),
}
CLOSING = """\
Every command has --help. Training heads, step by step: python -m training.pretrain --help
Completion: eval "$(url-viz --tyro-print-completion bash)", or zsh, tcsh"""


def whole(commands: Mapping[str, Callable[..., Any]], *, prog: str, description: str | None) -> str:
    """The help that `--help` prints without a command, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 120)
    parts = [f"usage: {prog} COMMAND …"] + ([fill(description, width)] if description else [])
    for heading, names in GROUPS.items():
        parts.append("\n".join([f"{heading}:", *(_line(name, commands[name], width) for name in names)]))
    return "\n\n".join([*parts, *(fill(line, width) for line in CLOSING.splitlines())])


def _line(name: str, command: Callable[..., Any], width: int) -> str:
    summary = " ".join((inspect.getdoc(command) or "").split("\n\n")[0].split())
    return fill(f"{name:16} {summary}", width, initial_indent="  ", subsequent_indent=" " * 19)
