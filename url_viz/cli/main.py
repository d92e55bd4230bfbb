"""The command line: it imports the modules of commands, and runs one."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from url_viz.base.command_line import exit_status
from url_viz.cli.command_app import app, whole

TOPICS = (
    "open",
    "embed",
    "rank",
    "models",
    "sets",
    "decide",
    "review",
    "export",
    "columns",
    "map",
    "findings",
    "evaluate",
)
"""The modules of commands; each registers its commands when it is imported."""

for topic in TOPICS:
    import_module(f"url_viz.cli.{topic}_command")


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line → its exit status (`exit_status` in url_viz/base/command_line.py)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given in (["-h"], ["--help"]):
        print(whole(app.commands, prog=prog, description=description))
        return 0
    words = ["open", *given] if given and _is_source(given[0]) else given
    return exit_status(given, lambda: app.cli(prog=prog, args=words))


def _is_source(word: str) -> bool:
    """Whether the first word is no command but a path or an address: what it names is opened."""
    return word not in app.commands and not word.startswith("-") and ("/" in word or os.path.exists(word))
