"""The command line: it imports the modules of commands, and runs one."""

import sys
from collections.abc import Sequence
from importlib import import_module

from url_viz.cli.command_app import app
from url_viz.cli.printing import whole
from url_viz.command_line import exit_status

TOPICS = ("embed", "rank", "models", "sets", "decide", "review", "export", "columns", "map", "findings", "evaluate")
"""The modules of commands; each registers its commands when it is imported."""

for topic in TOPICS:
    import_module(f"url_viz.cli.{topic}_command")


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line → its exit status (`exit_status` in url_viz/command_line.py)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given in (["-h"], ["--help"]):
        print(whole(app.commands, prog=prog, description=description))
        return 0
    return exit_status(given, lambda: app.cli(prog=prog, args=given))
