"""What a cut or lost file of a table looks like, and the sentence that says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from url_viz.errors import WorkspaceError

LANCE_ERRORS = (RuntimeError, ValueError, OSError)
"""What LanceDB raises where it cannot read; it has no class of its own."""


def was_written(table: Path) -> bool:
    """Whether a table's folder holds a version, so that one that cannot be opened is damaged, not new."""
    return any((table / "_versions").glob("*.manifest"))


@contextmanager
def damage_is_told(table: Path) -> Iterator[None]:
    """Turn what LanceDB raises while `table` is read into a WorkspaceError that says how to mend it."""
    try:
        yield
    except LANCE_ERRORS as error:
        why = str(error).partition("\n")[0][:200]
        raise WorkspaceError(
            f"The table {table} cannot be read ({why}). Run `python -m url_viz mend FOLDER` on its folder of pictures, "
            f"then read that again: what is whole stays, what is not is made anew."
        ) from error
