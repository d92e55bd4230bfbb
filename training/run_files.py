"""The files of a run: its folder, locked against other processes, and records as JSON and CSV, written in one step."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from training.config import PretrainConfig
from url_viz.errors import FolderError
from url_viz.files import replaced
from url_viz.models.head import HeadProvenance
from url_viz.records import RecordFile

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class RunPaths:
    """The files of a training run; only finetuning writes the report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head = folder / "head.safetensors"
        self.history = folder / "history.csv"
        self.config = folder / "config.json"
        self.metrics = folder / "metrics.json"
        self.report = folder / "report.json"


def pretrain_record(folder: Path) -> RecordFile[PretrainConfig]:
    """The options of a run of `training.pretrain`."""
    return RecordFile(RunPaths(folder).config, PretrainConfig, "Give another --out.", error=FolderError)


@contextmanager
def locked(folder: Path, *, part: str = "run") -> Iterator[None]:
    """Lock `folder` (created if missing), or that part of it; raises FolderError if another process holds the lock."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{part}.lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FolderError(
            f"Another process writes to {str(folder)!r}. Wait until it is done, stop it, or choose another --out."
        ) from error
    except OSError as error:
        raise FolderError(f"Cannot write to {str(folder)!r} ({error.strerror}). Choose another --out.") from error
    try:
        yield
    finally:
        lock.release()


def write_run_records(
    paths: RunPaths, config: object, history: Sequence["DataclassInstance"], provenance: HeadProvenance
) -> None:
    """Write configuration, history and metrics of a run."""
    write_csv(history, paths.history)
    write_json(config, paths.config)
    write_json(dict(provenance.metrics), paths.metrics)


def write_json(record: Any, path: Path) -> None:
    """Write a dataclass or plain values as JSON; nan becomes null, a path text."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(_plain(record), indent=1))


def write_csv(lines: Sequence["DataclassInstance"], path: Path) -> None:
    """Write dataclasses of one kind, at least one, as CSV with a header."""
    with replaced(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(lines[0])])
        writer.writeheader()
        writer.writerows(map(asdict, lines))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, Path) else value
