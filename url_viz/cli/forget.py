"""The command `sets forget`, which asks on the terminal first."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typing_extensions import Doc

from url_viz.base.errors import UsageError
from url_viz.capability import capability
from url_viz.jobs.kinds import forget_plan, forget_set
from url_viz.parameters import Folder, WorkspaceDir


@capability("sets forget")
def forget(
    folder: Folder,
    *,
    yes: Annotated[bool, Doc("do not ask: needed where there is no terminal, as in a script")] = False,
    workspace: WorkspaceDir = None,
) -> int:
    """Remove everything stored for a folder, after a question; the pictures themselves are not touched."""
    words = forget_plan(folder, workspace=workspace).words
    if not yes and not _is_sure(folder, words):
        print("Nothing was removed.")
        return 1
    print(f"Forgot {forget_set(folder, workspace=workspace)}. Its pictures are where they were.")
    return 0


def _is_sure(folder: Path, words: Sequence[str]) -> bool:
    """Ask on the terminal. Raises UsageError if there is none."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"There is no terminal to ask on whether to forget {str(folder)!r}, decisions included. "
            "If you are sure, give --yes."
        )
    print("\n".join((str(folder), *words)))
    try:
        return input("Forget it? [y/N] ").strip().casefold() in ("y", "yes")
    except EOFError:
        return False
