"""The command line: it imports the modules of commands, runs one, and turns errors into a line and a status."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from url_viz.cli.command_app import app
from url_viz.cli.printing import whole
from url_viz.errors import UrlVizError, UsageError
from url_viz.escaping import inert, printable
from url_viz.roots import refuse_credentials

TOPICS = ("embed", "rank", "models", "sets", "decide", "review", "export", "columns", "map", "findings", "evaluate")
"""The modules of commands; each registers its commands when it is imported."""

for topic in TOPICS:
    import_module(f"url_viz.cli.{topic}_command")


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line; users' errors are one line on stderr and status 1, or 2 for a wrong option."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given in (["-h"], ["--help"]):
        print(whole(app.commands, prog=prog, description=description))
        return 0
    try:
        refuse_credentials(given)
        status = app.cli(prog=prog, args=given)
        sys.stdout.flush()
    except UrlVizError as error:
        print(f"error: {inert(printable(' '.join(str(error).splitlines())))}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("\nStopped. What was read is kept; the same command goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or Python reports an error when it flushes at exit
        return 141
    return int(status or 0)
