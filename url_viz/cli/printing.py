"""What commands print: tables, how far they are, and the help of all of them."""

import inspect
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from url_viz.progress import ProgressCallback, TerminalReport, command_report
from url_viz.wording import counted

if TYPE_CHECKING:
    import pandas as pd


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
