"""Commands whose numbers are checked and whose output is escaped: names, paths and columns may come from others."""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast, get_type_hints

from tyro.extras import SubcommandApp

from url_viz.options import check_number, numbers
from url_viz.progress import ProgressCallback, TerminalReport, command_report
from url_viz.roots import address_in
from url_viz.terminal_text import printable

Command = TypeVar("Command", bound=Callable[..., Any])
Config = TypeVar("Config")
OnConfig = Callable[[Config], Any]


class _Printable:
    """Standard output whose every line is printable."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(printable(text, allowed="\n"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class PrintingApp:
    """tyro's SubcommandApp whose commands print only printable text; its help keeps its colours.

    `commands` are the functions by name. A number that is out of the bounds of its annotation is refused first.
    """

    def __init__(self) -> None:
        self._app = SubcommandApp()
        self.commands: dict[str, Callable[..., Any]] = {}

    def command(self, *, name: str) -> Callable[[Command], Command]:
        """Register a function as a command."""

        def registered(function: Command) -> Command:
            @wraps(function)
            def run(*values: Any, **named: Any) -> Any:
                values, named = tuple(map(_addressed, values)), {name: _addressed(one) for name, one in named.items()}
                _check_numbers(function, *values, **named)
                with redirect_stdout(cast(TextIO, _Printable(sys.stdout))):
                    return function(*values, **named)

            self._app.command(name=name)(run)
            self.commands[name] = function
            return function

        return registered

    def command_on(self, config_type: type[Config], *, name: str) -> Callable[[OnConfig[Config]], OnConfig[Config]]:
        """Register a function of a configuration as a command: the fields are its arguments."""

        def registered(function: OnConfig[Config]) -> OnConfig[Config]:
            def run(*values: Any, **named: Any) -> Any:
                return function(config_type(*values, **named))

            run.__doc__ = config_type.__doc__
            run.__annotations__ = get_type_hints(config_type, include_extras=True)
            run.__signature__ = inspect.signature(config_type)  # type: ignore[attr-defined]
            self.command(name=name)(run)
            return function

        return registered

    def cli(self, *, prog: str, args: Sequence[str] | None, description: str | None = None) -> Any:
        """Run the command that `args` name; `prog` and `description` are for the help."""
        with numbers():
            return self._app.cli(prog=prog, args=args, description=description)


@contextmanager
def progress_shown() -> Iterator[ProgressCallback]:
    """How far the block is, on a terminal or as a job; the line is ended with the block."""
    report = command_report()
    yield report
    if isinstance(report, TerminalReport):
        report.close()


def _addressed(value: Any) -> Any:
    """The same value, a path that is an address in object storage (or several) as such: a Path takes one slash away."""
    if isinstance(value, tuple):
        return tuple(map(_addressed, value))
    return (address_in(value) or value) if isinstance(value, Path) else value


def _check_numbers(function: Callable[..., Any], *values: Any, **named: Any) -> None:
    hints = get_type_hints(function, include_extras=True)
    for name, value in inspect.signature(function).bind(*values, **named).arguments.items():
        check_number(f"--{name.replace('_', '-')}", hints[name], value)
