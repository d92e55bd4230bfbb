"""The folder of checkpoints in a workspace: its files, what each of them is, and which are the paper's models."""

import atexit
import os
import resource
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from url_viz.base.errors import UrlVizError, WeightsUnavailableError
from url_viz.base.limited_processes import LimitedProcesses
from url_viz.base.records import read_plain
from url_viz.base.wording import printable
from url_viz.base.workspace import Workspace, has_control_characters
from url_viz.models.model_names import FINETUNED_SUFFIXES, PAPERS, parse_paper_name

HEAD_BACKBONE = ".backbone.safetensors"
"""The ending of a backbone that belongs to the head of the same name, and is no separate model."""
MOST_S = 20.0
PAGE_TIMEOUT_S = 10.0
"""How long a page waits until new files are recognised: the process takes some seconds to start."""
IDLE_S = 60.0
"""How long the process stays alive for further new files."""
LETTERS_AT_MOST = 1_000
"""The limit of a reason, which quotes the file."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file in the folder is, or `why` this is unknown; `is_being_read` while it is inspected.

    `name` opens it, "" if nothing does; `paper` is the short name of the paper's model that it is, if it is one.
    """

    path: Path
    name: str = ""
    kind: Literal["authors", "own"] = "own"
    backbone: str = ""
    has_head: bool = False
    embedding_size: int = 0
    input_px: int | None = None
    paper: str = ""
    why: str = ""
    is_being_read: bool = False


@dataclass(frozen=True)
class _Inspection:
    """The inspection of a file in a state (`stamp`: size, time, inode), when it began, and its result."""

    path: Path
    stamp: tuple[int, ...]
    started_s: float
    result: Future[Checkpoint]


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
_inspections: dict[Path, _Inspection] = {}


def list_checkpoints(workspace: Workspace, *, timeout_s: float | None = None) -> tuple[Checkpoint, ...]:
    """Every file of weights in the folder of checkpoints and in the folders in it, by path.

    A new file is inspected in a process with limits, never in this one. Waits at most `timeout_s` since the start of
    each inspection, and without it to the end.
    """
    return tuple(_files(workspace, timeout_s))


def checkpoint_names(workspace: Workspace, *, timeout_s: float | None = None) -> list[str]:
    """The names that open the models in the folder of checkpoints, the paper's by their short names.

    `timeout_s` is as for `list_checkpoints`.
    """
    files = list_checkpoints(workspace, timeout_s=timeout_s)
    papers = papers_in(files)
    return [*papers, *(file.name for file in files if file.name and file.path not in papers.values())]


def papers_in(files: Sequence[Checkpoint]) -> dict[str, Path]:
    """The path of each of the paper's models, by its short name: the first path, where there are several."""
    paths = {file.paper: file.path for file in reversed(files)}
    return {paper: paths[paper] for paper in PAPERS if paper in paths}


def resolve_paper_name(name: str, workspace: Workspace) -> str:
    """`name`, or the path of its file where it is the short name of a paper's model.

    Raises WeightsUnavailableError if no such file is in the folder of checkpoints: what to download, and where to.
    """
    parsed = parse_paper_name(name)
    if parsed is None:
        return name
    paper, suffix = parsed
    path = next((file.path for file in _files(workspace) if file.paper == paper.name), None)
    if path is None:
        raise WeightsUnavailableError(
            f"{name!r} is not on this machine. {paper.how_to_get(workspace.checkpoints)} {paper.about}."
        )
    return f"{path}{suffix}"


def _files(workspace: Workspace, timeout_s: float | None = None) -> Iterator[Checkpoint]:
    paths, unlisted = _listing(workspace.checkpoints)
    for folder in filter(os.path.isdir, paths):
        inside, failed = _listing(folder)
        paths, unlisted = [*paths, *inside], [*unlisted, *failed]
    files = _inspected(sorted(path for path in paths if _is_weights(path)))
    for file in sorted([*files, *unlisted], key=lambda file: file.path):
        yield file if isinstance(file, Checkpoint) else _result(file, timeout_s)


def _listing(folder: Path) -> tuple[list[Path], list[Checkpoint]]:
    """The paths in a folder, and an entry with the reason if it cannot be listed."""
    try:
        return list(folder.iterdir()), []
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [_unreadable(folder, f"cannot be listed: {error.strerror}.")]


def _unreadable(path: Path, why: str) -> Checkpoint:
    return Checkpoint(path, why=f"{str(path)!r} {why}")


def _is_weights(path: Path) -> bool:
    is_named_so = path.name.endswith(FINETUNED_SUFFIXES) and not path.name.endswith(HEAD_BACKBONE)
    return is_named_so and not os.path.isdir(path)


def _inspected(paths: Sequence[Path]) -> list[Checkpoint | _Inspection]:
    """The latest inspection of each file; new and changed files are inspected from now on."""
    with _lock:
        inspections = [_latest(path) for path in paths]
        new = [i for i in inspections if isinstance(i, _Inspection) and _inspections.get(i.path) is not i]
        _inspections.update({inspection.path: inspection for inspection in new})
    if new:
        threading.Thread(target=_inspect_all, args=(new,), daemon=True).start()
    return inspections


def _latest(path: Path) -> Checkpoint | _Inspection:
    """The latest inspection of a file, or a new one; special files, on which reading may never end, are refused."""
    try:
        status = path.stat()
    except OSError as error:
        return _unreadable(path, f"cannot be read: {error.strerror}.")
    if not stat.S_ISREG(status.st_mode):
        return _unreadable(path, "is no plain file but a pipe, a socket or a device.")
    if has_control_characters(path):
        return _unreadable(path, "has control characters or bytes that are not UTF-8. Rename it.")
    stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
    last = _inspections.get(path)
    return last if last is not None and last.stamp == stamp else _Inspection(path, stamp, time.monotonic(), Future())


def _inspect_all(inspections: Sequence[_Inspection]) -> None:
    for inspection in inspections:
        inspection.result.set_result(_inspect(inspection.path))
    time.sleep(IDLE_S)
    _readers.close()  # torch takes some 300 MiB


def _inspect(path: Path) -> Checkpoint:
    try:
        facts, _ = _readers.ask("recognise", os.fsencode(path))
        checkpoint = read_plain(Checkpoint, facts | {"path": path})
    except (UrlVizError, OSError, ValueError) as error:
        checkpoint = Checkpoint(path, why=f"{str(path)!r} {error}.")
    return replace(checkpoint, why=printable(checkpoint.why[:LETTERS_AT_MOST]))


def _result(inspection: _Inspection, timeout_s: float | None) -> Checkpoint:
    left_s = None if timeout_s is None else max(0.0, inspection.started_s + timeout_s - time.monotonic())
    try:
        return inspection.result.result(left_s)
    except TimeoutError:
        why = "is still being looked at. Load this page again in a while."
        return replace(_unreadable(inspection.path, why), is_being_read=True)
