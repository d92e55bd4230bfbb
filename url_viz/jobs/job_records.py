"""The JSON records of a job: read with every field checked, written atomically."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from url_viz.errors import JobError
from url_viz.files import replaced
from url_viz.jobs.process import ProcessMark
from url_viz.records import as_json, read_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class JobConfig:
    """The configuration of a job: `command` are arguments to this Python, `created` is Unix seconds.

    `queue` is None if the job does not wait for others; a job that `is_light` may run alongside another one. `env` is
    added to the environment at the start. A page finds its jobs by `about`.
    """

    command: tuple[str, ...]
    kind: str
    title: str
    created: float
    queue: str | None
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    is_light: bool = False


@dataclass(frozen=True)
class Processes:
    """The processes of a job: the runner, which leads the process group, and the command once it has started."""

    runner: ProcessMark
    command: ProcessMark | None = None
    started: float | None = None


@dataclass(frozen=True)
class Result:
    """The end of a job: `finished` is Unix seconds, `reason` one sentence for the user ("" after success).

    `exit_status` is the command's, negative the number of the signal that ended it, None if it never ran.
    """

    state: str
    exit_status: int | None
    finished: float
    reason: str = ""


@dataclass(frozen=True)
class StopRequest:
    """The content of the marker of a cancelled job: time for the command to finish before it is killed."""

    grace_s: float


def write_record(path: Path, record: "DataclassInstance") -> None:
    """Write one of these to `path` as JSON, in one step."""
    with replaced(path) as temporary:
        temporary.write_text(as_json(record), encoding="utf-8")


def read_record(kind: type[Kind], path: Path) -> Kind:
    """Read a record. Raises JobError if it is missing or damaged."""
    try:
        return read_json(kind, path.read_bytes())
    except FileNotFoundError as error:
        raise JobError(f"{path} is missing. Delete the job {path.parent.name} and start it again.") from error
    except (OSError, ValueError) as error:
        raise JobError(f"{path} is damaged ({error}). Delete the job {path.parent.name} and start it again.") from error


def find_record(kind: type[Kind], path: Path) -> Kind | None:
    """Read a record; None if its file is not there yet. Raises JobError if it is damaged."""
    return read_record(kind, path) if path.exists() else None
