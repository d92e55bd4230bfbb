"""Schema migration of a workspace, step by step, with a backup of the files that each step changes."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.errors import WorkspaceError
from url_viz.files import replaced
from url_viz.sealed import sealed, unsealed

BACKUPS = "backups"
_WHOLE = ".whole"
"""Marks a complete backup: without it the step has not begun."""


@dataclass(frozen=True)
class Step:
    """From schema `to` − 1 to `to`. `changes` names the files of a workspace that `run` writes over or removes.

    Both get the workspace's folder. `run` always starts from the original files: if it was stopped halfway, its
    changes are undone first. It must be able to overwrite files that it adds.
    """

    to: int
    changes: Callable[[Path], Iterable[Path]]
    run: Callable[[Path], None]


STEPS: tuple[Step, ...] = ()
"""In order; the last one leads to workspace.SCHEMA_VERSION."""


def migrate(root: Path, *, steps: Sequence[Step] = STEPS) -> int:
    """Run the missing steps on the workspace `root`, under its locks; returns its schema afterwards.

    What a step changes stays as it was in backups/schema-N. Raises WorkspaceError if another process writes to an
    image set, or the disk is full.
    """
    with _alone(root):
        version = version_of(root)
        for step in steps:
            if step.to == version + 1:
                try:
                    _run_step(root, step)
                except OSError as error:
                    raise WorkspaceError(
                        f"The workspace {root} cannot be brought from schema {version} to {step.to} "
                        f"({error.strerror or error}). Nothing is lost; mend that, and start again."
                    ) from error
                version = step.to
    return version


def version_of(root: Path) -> int:
    """The schema of a workspace, from workspace.json."""
    return int(unsealed((root / "workspace.json").read_bytes())["schema_version"])


def _run_step(root: Path, step: Step) -> None:
    backup = root / BACKUPS / f"schema-{step.to - 1}"
    if (backup / _WHOLE).exists():
        _copy(backup, root)
    else:
        shutil.rmtree(backup, ignore_errors=True)
        _copy(root, backup, only=step.changes(root))
        (backup / _WHOLE).touch()
    step.run(root)
    with replaced(root / "workspace.json") as temporary:
        temporary.write_text(sealed({"schema_version": step.to}))


def _copy(source: Path, target: Path, *, only: Iterable[Path] | None = None) -> None:
    """Copy files of one folder to the same relative paths in another, each whole or not at all."""
    target.mkdir(parents=True, exist_ok=True)
    files = (path for path in sorted(source.rglob("*")) if path.is_file()) if only is None else only
    for path in files:
        if path.name != _WHOLE:
            with replaced(target / path.relative_to(source)) as temporary:
                shutil.copy2(path, temporary)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Lock the workspace and every image set in it against writers."""
    with FileLock(root / "migration.lock"), ExitStack() as held:
        for folder in sorted((root / "sets").glob("*")):
            if folder.is_dir():
                try:
                    held.enter_context(FileLock(os.path.join(folder, "writer.lock"), timeout=0))
                except Timeout as error:
                    raise WorkspaceError(
                        f"The workspace {root} is of an older version and must be brought up to date, but another "
                        f"process reads a folder into it. Wait until that is done, or stop it first."
                    ) from error
        yield
