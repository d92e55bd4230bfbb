"""The help of the whole command line: every command in its group, with the first sentence of its own help."""

import inspect
import shutil
from collections.abc import Callable, Mapping
from textwrap import fill
from typing import Any

GROUPS = {
    "Read and look": ("demo", "embed", "rank", "search", "findings", "check", "reasons", "why", "representatives"),
    "Review and decide": ("review", "decide", "undo", "redo", "decisions", "twins", "leakage", "answers"),
    "Labels": ("labels", "suspects", "relabel", "confused", "names", "columns", "worth"),
    "Take away": ("choose", "export", "report", "share", "sort", "figure", "project"),
    "Models and how well they do": ("models", "evaluate", "compare", "second", "adapt", "pretrain"),
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
