"""The JSON records of a job: read with every field checked, written atomically."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from url_viz.errors import JobError
from url_viz.files import replaced
from url_viz.jobs.process import ProcessMark


@dataclass(frozen=True)
class JobConfig:
    """The configuration of a job: `command` are arguments to this Python, `created` is Unix seconds.

    `queue` is None if the job does not wait for others. `env` is added to the environment at the start. A page finds
    its jobs by `about`.
    """

    command: tuple[str, ...]
    kind: str
    title: str
    created: float
    queue: str | None
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


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


def write_record(path: Path, record: JobConfig | Processes | Result | StopRequest) -> None:
    """Write `record` to `path` as JSON, in one step."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def read_config(path: Path) -> JobConfig:
    """Read job.json. Raises JobError if it is missing or damaged."""
    with _naming_the_file(path):
        record = _object(path)
        return JobConfig(
            command=tuple(_text(part) for part in record["command"]),
            kind=_text(record["kind"]),
            title=_text(record["title"]),
            created=float(record["created"]),
            queue=None if record["queue"] is None else _text(record["queue"]),
            cwd=_text(record["cwd"]),
            env=_texts(record["env"]),
            about=_texts(record["about"]),
        )


def read_processes(path: Path) -> Processes | None:
    """Read process.json; None if it is not there yet. Raises JobError if it is damaged."""
    if not path.exists():
        return None
    with _naming_the_file(path):
        record = _object(path)
        command, started = record["command"], record["started"]
        return Processes(
            runner=_mark(record["runner"]),
            command=None if command is None else _mark(command),
            started=None if started is None else float(started),
        )


def read_result(path: Path) -> Result | None:
    """Read result.json; None if it is not there yet. Raises JobError if it is damaged."""
    if not path.exists():
        return None
    with _naming_the_file(path):
        record = _object(path)
        status = record["exit_status"]
        return Result(
            state=_text(record["state"]),
            exit_status=None if status is None else int(status),
            finished=float(record["finished"]),
            reason=_text(record["reason"]),
        )


def read_stop_request(path: Path) -> StopRequest | None:
    """Read the marker of a cancelled job; None if it was not cancelled. Raises JobError if it is damaged."""
    if not path.exists():
        return None
    with _naming_the_file(path):
        return StopRequest(grace_s=float(_object(path)["grace_s"]))


@contextmanager
def _naming_the_file(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(
            f"{path} is missing or damaged ({error!r}). Delete the job {path.parent.name} and start it again."
        ) from error


def _object(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise TypeError(f"expected an object, found {type(record).__name__}")
    return record


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r}")
    return value


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {value!r}")
    return {_text(name): _text(part) for name, part in value.items()}


def _mark(value: Any) -> ProcessMark:
    return ProcessMark(pid=int(value["pid"]), started=_text(value["started"]), machine=_text(value["machine"]))
