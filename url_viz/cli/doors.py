"""The command line, made of the signatures of capabilities: parsing, and what a command prints."""

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import tyro
from typing_extensions import Doc
from tyro.conf import Positional, arg

from url_viz.base.command_line import Count, Output, printable_output
from url_viz.base.errors import UsageError
from url_viz.base.printout import Printout, Table
from url_viz.base.progress import ProgressCallback, TerminalReport, command_report
from url_viz.base.wording import counted, inert, printable
from url_viz.capabilities import places
from url_viz.capability import Argument, Capability, kind_of
from url_viz.export.table_files import write_bytes, write_table
from url_viz.jobs.calls import Call, addressed, parameters, read_call


@contextmanager
def progress_shown() -> Iterator[ProgressCallback]:
    """How far the block is, on a terminal or as a job; the line is ended with the block."""
    report = command_report()
    yield report
    if isinstance(report, TerminalReport):
        report.close()


def run_command(arguments: Sequence[str], words: tuple[str, ...], *, prog: str) -> int:
    """Run the command that is called `words` → its exit status."""
    call, how = parse(places()[words].load(), arguments[len(words) :], prog=prog)
    return show(done(call), **how)


def run_call(text: str) -> int:
    """Do what a job was given as JSON → exit status."""
    call = read_call(text)
    return show(done(call), out=call.out)


def done(call: Call) -> Printout:
    """Do a call with its progress on the terminal; what it prints meanwhile is made printable."""
    with printable_output():
        if "progress" not in call.what.takes:
            return call.run()
        with progress_shown() as report:
            return call.run(progress=report)


SHOWING = (
    Argument("top", Annotated[Count, Doc("how many rows to print")], 20),
    Argument("out", Annotated[Path | None, Doc("write a .csv, .parquet or .json file instead"), Output()], None),
    Argument("json", Annotated[bool, Doc("print JSON instead")], False),
)


def parse(what: Capability, arguments: Sequence[str], *, prog: str) -> tuple[Call, dict[str, Any]]:
    """The call that a command line says, and how its result is to be shown. Raises UsageError, or ends with a usage."""
    call, how = _parsed(what, arguments, prog=prog)
    call.check(*((each, how[each.name]) for each in showing(what)), dashes="--")
    return call, how


def parse_words(what: Capability, arguments: Sequence[str]) -> Call:
    """The call that a command line says; files and folders need not be there."""
    return _parsed(what, arguments, prog="url-viz")[0]


def _parsed(what: Capability, arguments: Sequence[str], *, prog: str) -> tuple[Call, dict[str, Any]]:
    every, how_shown = parameters(what), showing(what)
    signature = inspect.Signature([_for_tyro(each) for each in (*every, *how_shown)])

    def taken(**given: Any) -> dict[str, Any]:
        return given

    taken.__doc__ = for_commands(inspect.getdoc(what.function) or "")
    taken.__signature__ = signature  # type: ignore[attr-defined]
    taken.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    flat = (tyro.conf.OmitArgPrefixes, tyro.conf.UseAppendAction, tyro.conf.FlagCreatePairsOff)
    given = tyro.cli(taken, prog=f"{prog} {' '.join(what.words)}", args=list(arguments), config=flat)
    given = {name: addressed(value) for name, value in given.items()}
    how = {each.name: given.pop(each.name) for each in how_shown}
    return Call(what, given), how


def showing(what: Capability) -> list[Argument]:
    """The parameters by which a command says how the result is to be shown; its own of the same name come first."""
    return [
        replace(each, default=what.top) if each.name == "top" else each
        for each in SHOWING
        if each.name not in {own.name for own in what.parameters}
        and (not what.is_plain if each.name == "json" else what.top is not None)
    ]


def for_commands(text: str) -> str:
    """A docstring without what it says of Python alone: its paragraphs from one on that begins "In Python"."""
    return "\n\n".join(takewhile(lambda part: not part.startswith("In Python"), text.split("\n\n")))


def _for_tyro(parameter: Argument) -> inspect.Parameter:
    hint: Any = parameter.plain_hint
    if parameter.word != parameter.name.replace("_", "-"):
        hint = Annotated[hint, arg(name=parameter.word)]
    if parameter.is_positional:
        hint = Annotated[hint, Positional, arg(metavar=_metavar(parameter))]
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=parameter.default, annotation=hint)


def _metavar(parameter: Argument) -> str | None:
    """What stands for a positional parameter in a usage: FOLDER, [PICTURE], [PATHS ...]; None for choices."""
    kind, name = get_origin(kind_of(parameter.hint)), parameter.name.upper()
    if kind is Literal:
        return None
    many = f"{name} ..." if kind is tuple else name
    return many if parameter.is_required else f"[{many}]"


def show(printout: Printout, *, top: int | None = None, out: Path | None = None, json: bool = False) -> int:
    """Print a printout, or write it to a file → exit status."""
    with printable_output():
        for note in printout.notes:
            print(inert(printable(note)), file=sys.stderr)
        if json:
            print(printout.as_json())
        elif out is not None:
            print("".join(f"{line}\n" for line in printout.words) + _written(printout, out))
        else:
            _print(printout, top)
    return printout.status


def _written(printout: Printout, out: Path) -> str:
    if out.suffix.lower() == ".json":
        return f"All of it is in {write_bytes(printout.as_json(whole=True).encode(), out)}."
    table = printout.file or next(iter(printout.tables), None)
    if table is None:
        raise UsageError(f"There is no table to write to {str(out)!r}. Give a .json file.")
    return f"{counted(len(table.rows), table.noun, table.plural)} in {write_table(table.rows, out)}."


def _print(printout: Printout, top: int | None) -> None:
    for line in printout.words:
        print(line)
    for table in printout.tables:
        if len(table.rows):
            print("".join(f"{line}\n" for line in filter(None, [table.title])) + table_text(table, top))
            if top is not None and len(table.rows) > top:
                print(f"… and {len(table.rows) - top:,} more (--top, --out)")
    for line in printout.closing:
        print(line)


def table_text(table: Table, top: int | None = None) -> str:
    """The rows of a table in columns, as a screen shows them."""
    rows = table.shown().head(len(table.rows) if top is None else top)
    rows = rows.assign(**{str(name): rows[name].fillna("–") for name in rows if rows[name].dtype.kind == "O"})
    return str(rows.to_string(index=False, na_rep="–", float_format=table.number.format))
