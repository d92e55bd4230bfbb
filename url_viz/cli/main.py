"""The entry of the command line: it finds the command that is meant, and runs it."""

import sys
from collections.abc import Sequence

from url_viz.base.command_line import CALL, exit_status
from url_viz.capabilities import places
from url_viz.cli.help import find_words, is_source, main_help, refuse_unknown, subject_help


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m url_viz", description: str | None = None
) -> int:
    """Run the command line → its exit status (`exit_status` in url_viz/base/command_line.py)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return exit_status(given, lambda: _run(given, prog=prog, description=description))


def _run(given: list[str], *, prog: str, description: str | None) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(main_help(prog, description))
        return 0 if given else 2
    if given[0] == CALL:
        from url_viz.cli.doors import run_call  # with what is slow to import, as below

        return run_call(given[1])
    if is_source(given[0]):
        given = ["open", *given]
    words = find_words(given)
    if words is not None:
        from url_viz.cli.doors import run_command

        return run_command(given, words, prog=prog)
    if (len(given) == 1 or given[1] in ("-h", "--help")) and any(each[0] == given[0] for each in places()):
        print(subject_help(given[0], prog))
        return 0
    return refuse_unknown(given, prog=prog)
