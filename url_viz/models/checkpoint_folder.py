"""The folder of checkpoints in a workspace: its files, what each of them is, and which are the paper's models."""

import atexit
import os
import resource
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from url_viz.errors import UrlVizError, WeightsUnavailableError
from url_viz.limited_processes import LimitedProcesses
from url_viz.models.model_names import FINETUNED_SUFFIXES, PAPERS, parse_paper_name
from url_viz.records import read_plain
from url_viz.terminal_text import printable
from url_viz.workspace import Workspace, has_control_characters

BESIDE_A_HEAD = ".backbone.safetensors"
"""The ending of a backbone that belongs to the head beside it, and is no model of its own."""
MOST_S = 20.0
PAGE_TIMEOUT_S = 10.0
"""How long a page waits for what new files are: the process takes some seconds to start."""
IDLE_S = 60.0
"""How long the process stays for files that are put there next."""
LETTERS_AT_MOST = 1_000
"""Of a reason, which quotes what a file says."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file is: `name` opens it, and `paper` is the name of the paper's model that it is, if it is one."""

    name: str
    kind: Literal["authors", "own"]
    backbone: str
    has_head: bool
    embedding_size: int
    input_px: int | None
    paper: str = ""


@dataclass(frozen=True)
class CheckpointFile:
    """A file of the folder: what it is, or `why` it cannot be read, or not yet while it is looked at."""

    path: Path
    is_what: CheckpointInfo | None
    why: str = ""
    is_being_read: bool = False


@dataclass(frozen=True)
class _Look:
    """A file that is looked at, or was: as it was written then, since when, and what comes of it."""

    path: Path
    written: tuple[int, ...]
    since_s: float
    outcome: Future[CheckpointFile]


_readers = LimitedProcesses(
    "url_viz.models.recognise",
    most=1,
    most_s=MOST_S,
    most_memory_bytes=resource.RLIM_INFINITY,  # it limits itself by the size of each file
    error=UrlVizError,
)
atexit.register(_readers.close)
os.register_at_fork(after_in_child=_readers.forget)
_lock = threading.Lock()
_looks: dict[Path, _Look] = {}


def list_checkpoints(workspace: Workspace, *, timeout_s: float | None = None) -> tuple[CheckpointFile, ...]:
    """Every file of weights in the folder of checkpoints and in the folders in it, by path.

    A new file is looked at in a process with limits, and never in this one. A page waits no longer than `timeout_s`
    after that has begun; the others wait to the end.
    """
    return tuple(_found(workspace, timeout_s))


def checkpoint_names(workspace: Workspace, *, timeout_s: float | None = None) -> list[str]:
    """The names that open what lies in the folder of checkpoints; `timeout_s` as for `list_checkpoints`."""
    return names_in(list_checkpoints(workspace, timeout_s=timeout_s))


def papers_in(found: Sequence[CheckpointFile]) -> dict[str, Path]:
    """The file of each of the paper's models, by its short name: the first by its path, where there are several."""
    files = {one.is_what.paper: one.path for one in reversed(found) if one.is_what is not None}
    return {paper: files[paper] for paper in PAPERS if paper in files}


def names_in(found: Sequence[CheckpointFile]) -> list[str]:
    """The names that open these files; the paper's models by their short names."""
    papers = papers_in(found)
    others = (one.is_what for one in found if one.path not in papers.values())
    return [*papers, *(what.name for what in others if what is not None)]


def resolve_paper_name(name: str, workspace: Workspace) -> str:
    """`name`, or the path of its file where it is the short name of a paper's model.

    Raises WeightsUnavailableError if no such file is in the folder of checkpoints: what to download, and where to.
    """
    named = parse_paper_name(name)
    if named is None:
        return name
    paper, more = named
    names = (one.path for one in _found(workspace) if one.is_what is not None and one.is_what.paper == paper.name)
    path = next(names, None)
    if path is None:
        raise WeightsUnavailableError(
            f"{name!r} is not on this machine. {paper.how_to_get(workspace.checkpoints)} {paper.about}."
        )
    return f"{path}{more}"


def _found(workspace: Workspace, timeout_s: float | None = None) -> Iterator[CheckpointFile]:
    inside, closed = _listing(workspace.checkpoints)
    for folder in filter(os.path.isdir, inside):
        deeper, more = _listing(folder)
        inside, closed = [*inside, *deeper], [*closed, *more]
    files = _looks_at(sorted(path for path in inside if _is_weights(path)))
    for one in sorted([*files, *closed], key=lambda one: one.path):
        yield one if isinstance(one, CheckpointFile) else _outcome(one, timeout_s)


def _listing(folder: Path) -> tuple[list[Path], list[CheckpointFile]]:
    """What lies in a folder; and why it cannot be listed, if there is one."""
    try:
        return list(folder.iterdir()), []
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [CheckpointFile(folder, None, f"{str(folder)!r} cannot be listed: {error.strerror}.")]


def _is_weights(path: Path) -> bool:
    is_named_so = path.name.endswith(FINETUNED_SUFFIXES) and not path.name.endswith(BESIDE_A_HEAD)
    return is_named_so and not os.path.isdir(path)


def _looks_at(paths: Sequence[Path]) -> list[CheckpointFile | _Look]:
    """Each file as it was looked at last; those that are new, or were written again, are looked at from now on."""
    with _lock:
        looks = [_last_look(path) for path in paths]
        new = [look for look in looks if isinstance(look, _Look) and _looks.get(look.path) is not look]
        _looks.update({look.path: look for look in new})
    if new:
        threading.Thread(target=_look_at, args=(new,), daemon=True).start()
    return looks


def _last_look(path: Path) -> CheckpointFile | _Look:
    """How a file was looked at last, or a new look; no look at what is no plain file, and may never end."""
    try:
        status = path.stat()
    except OSError as error:
        return CheckpointFile(path, None, f"{str(path)!r} cannot be read: {error.strerror}.")
    if not stat.S_ISREG(status.st_mode):
        return CheckpointFile(path, None, f"{str(path)!r} is no plain file but a pipe, a socket or a device.")
    if has_control_characters(path):
        return CheckpointFile(
            path, None, f"{str(path)!r} has control characters, or bytes that are no UTF-8. Rename it."
        )
    written = (status.st_size, status.st_mtime_ns, status.st_ino)
    last = _looks.get(path)
    return last if last is not None and last.written == written else _Look(path, written, time.monotonic(), Future())


def _look_at(looks: Sequence[_Look]) -> None:
    for look in looks:
        look.outcome.set_result(_outcome_of(look.path))
    time.sleep(IDLE_S)
    _readers.close()  # torch takes some 300 MiB


def _outcome_of(path: Path) -> CheckpointFile:
    try:
        facts, _ = _readers.ask("recognise", os.fsencode(path))
        if "why" not in facts:
            return CheckpointFile(path, read_plain(CheckpointInfo, facts))
        why = facts["why"]
    except (UrlVizError, OSError, ValueError) as error:
        why = f"{str(path)!r} {error}."
    return CheckpointFile(path, None, printable(why[:LETTERS_AT_MOST]))


def _outcome(look: _Look, timeout_s: float | None) -> CheckpointFile:
    left_s = None if timeout_s is None else max(0.0, look.since_s + timeout_s - time.monotonic())
    try:
        return look.outcome.result(left_s)
    except TimeoutError:
        return CheckpointFile(
            look.path,
            None,
            f"{str(look.path)!r} is still being looked at. Load this page again in a while.",
            is_being_read=True,
        )
