"""The files of caches and runs: shards written atomically, a manifest, records, locks."""

import csv
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from training.config import PretrainConfig
from url_viz.base.errors import CacheError, FolderError
from url_viz.base.files import replaced
from url_viz.base.records import RecordFile, as_json, read_plain
from url_viz.models.head import HeadProvenance
from url_viz.models.runtime import Precision

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class RunPaths:
    """The files of a training run; only finetuning writes a report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head = folder / "head.safetensors"
        self.history = folder / "history.csv"
        self.config = folder / "config.json"
        self.metrics = folder / "metrics.json"
        self.report = folder / "report.json"


def pretrain_record(folder: Path) -> RecordFile[PretrainConfig]:
    """The record of the options of `training.pretrain`."""
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
    """Write configuration, history (at least one line) and metrics of a run."""
    with replaced(paths.history) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(history[0])])
        writer.writeheader()
        writer.writerows(map(asdict, history))
    write_json(config, paths.config)
    write_json(dict(provenance.metrics), paths.metrics)


def write_json(record: Any, path: Path) -> None:
    """Write a dataclass or plain values as JSON; nan becomes null, a path text."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(_plain(record), indent=1))


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


FORMAT_VERSION = 1
LONGEST_SHOWN = 200
"""Characters of a value in an error: a list of all classes or tars would fill the screen."""
ROW = np.dtype(
    [
        ("id", "<i8"),
        ("picture", "<i4"),
        ("view", "<i2"),
        ("label", "<i4"),
        ("own_loss", "<f4"),
        ("resolution", "<i1"),
        ("folder", "<u4"),
    ]
)
"""A row: id, position in the picture list, view, label (−1 none), loss of the backbone's classifier, by how many
halvings the view was shrunk (0 not), and a number that names the folder of the file (0 of an HDF5 file)."""


@dataclass(frozen=True)
class Manifest:
    """What the embeddings of a cache depend on.

    A streamed cache has a shard for each of `tars`; its number of pictures is unknown before reading, so `pictures` and
    `shard_pictures` are 0.
    """

    backbone: str
    weights_digest: str
    preprocessing: dict[str, Any]
    precision: Precision
    views: dict[str, Any]
    seed: int
    pictures_digest: str
    pictures: int
    classes: tuple[str, ...]
    shard_pictures: int
    format_version: int = FORMAT_VERSION
    tars: tuple[str, ...] = ()

    @property
    def shards(self) -> int:
        return len(self.tars) or -(-self.pictures // self.shard_pictures)


@dataclass(frozen=True)
class Shard:
    """A part of a cache: `embedding` (R, D) and `rows` (R,) of its views, `clean` (P, D) of the unvaried pictures.

    `pictures` (P,) are their positions in the picture list.
    """

    embedding: NDArray[np.float16]
    rows: NDArray[np.void]
    clean: NDArray[np.float16]
    pictures: NDArray[np.int64]


class CachePaths:
    """The files of a cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "manifest.json"
        self.failures = folder / "failures.json"
        self.loss = folder / "loss.npy"
        self.about_loss = folder / "loss.json"

    def shard(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}"


def open_for_writing(folder: Path, manifest: Manifest) -> CachePaths:
    """Create or continue the cache in `folder`; raises CacheError, naming the differences, if it holds another one."""
    paths = CachePaths(folder)
    if not paths.manifest.exists():
        write_json(manifest, paths.manifest)
        return paths
    stored, wanted = (json.loads(as_json(record)) for record in (read_manifest(paths), manifest))
    differ = [
        f"{name}: {_shown(stored[name])} there, {_shown(wanted[name])} asked"
        for name in wanted
        if stored[name] != wanted[name]
    ]
    if differ:
        raise CacheError(f"The cache {folder} is of something else ({'; '.join(differ)}). Choose another --out.")
    return paths


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def read_manifest(paths: CachePaths) -> Manifest:
    """The manifest of a cache; raises CacheError if it is missing, damaged or from a newer version."""
    try:
        record = json.loads(paths.manifest.read_text())
        if record["format_version"] > FORMAT_VERSION:
            raise CacheError(f"{paths.folder} was written by a newer version. Update URL-Viz.")
        return read_plain(Manifest, record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CacheError(
            f"{paths.folder} holds no cache ({error!r}). Write one with python -m training.cache --out {paths.folder}."
        ) from error


def write_shard(paths: CachePaths, number: int, shard: Shard) -> None:
    """Write one shard: its folder appears complete or not at all."""
    temporary = Path(tempfile.mkdtemp(prefix=".shard.", dir=paths.folder))
    try:
        for name in ("embedding", "rows", "clean", "pictures"):
            np.save(temporary / f"{name}.npy", getattr(shard, name))
        os.replace(temporary, paths.shard(number))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_failures(paths: CachePaths, failures: dict[str, str]) -> None:
    """Add unreadable pictures, name → reason, to those of earlier runs and other processes."""
    with FileLock(paths.failures.with_suffix(".lock")):
        write_json(read_failures(paths) | failures, paths.failures)


def read_failures(paths: CachePaths) -> dict[str, str]:
    """Pictures that could not be read, name → reason."""
    try:
        return dict(json.loads(paths.failures.read_text())) if paths.failures.exists() else {}
    except (OSError, ValueError) as error:
        raise _damaged(paths.failures, error) from error


def write_loss(paths: CachePaths, loss: NDArray[np.float32], about: dict[str, Any]) -> None:
    """Store the task loss (R,) of all rows, after what it is: no loss is left without its description."""
    paths.loss.unlink(missing_ok=True)
    write_json(about, paths.about_loss)
    with replaced(paths.loss) as temporary, temporary.open("wb") as file:
        np.save(file, loss)


class MappedRows:
    """Memory-mapped arrays (·, D) as one array: `mapped[rows]` reads the rows (B, D) at `rows` (B,) from disk."""

    def __init__(self, parts: Sequence[NDArray[np.float16]]) -> None:
        self.parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def width(self) -> int:
        return int(self.parts[0].shape[1])

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        taken = np.empty((len(rows), self.width), np.float16)
        order = np.argsort(rows, kind="stable")  # each part is read from front to back
        ends = np.searchsorted(rows, self._starts, sorter=order)
        for part, start, first, end in zip(self.parts, self._starts, ends, ends[1:], strict=False):
            here = order[first:end]
            taken[here] = part[rows[here] - start]
        return taken


class Cache:
    """A complete cache of R views of P pictures, opened by `open_cache`.

    `embeddings` (R, D) of the views and `mapped_clean` (P, D) of the pictures stay on disk until they are indexed.
    """

    def __init__(self, paths: CachePaths, manifest: Manifest) -> None:
        self.paths = paths
        self.manifest = manifest
        folders = [paths.shard(number) for number in range(manifest.shards)]
        self.embeddings = MappedRows([_read(folder / "embedding.npy", in_place=True) for folder in folders])
        self.mapped_clean = MappedRows([_read(folder / "clean.npy", in_place=True) for folder in folders])
        self.rows = _read_rows([folder / "rows.npy" for folder in folders], len(self.embeddings))
        self.pictures: NDArray[np.int64] = np.concatenate([_read(folder / "pictures.npy") for folder in folders])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def embedding_size(self) -> int:
        return self.mapped_clean.width

    @cached_property
    def clean(self) -> NDArray[np.float16]:
        """The clean embedding (P, D) of every picture, in memory."""
        return self.mapped_clean[np.arange(len(self.pictures))]

    @cached_property
    def clean_rows(self) -> NDArray[np.int64]:
        """For each row (R,) the row of its picture in `clean`."""
        return np.searchsorted(self.pictures, self.rows["picture"].astype(np.int64))

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """The label (P,) of each picture of `clean`, −1 for none."""
        return self.by_picture("label", without=-1)

    def by_picture(self, name: str, *, without: int) -> NDArray[Any]:
        """A column of the rows as one value per picture (P,), `without` where a picture has no rows."""
        values = np.full(len(self.pictures), without, self.rows.dtype[name])
        values[self.clean_rows] = self.rows[name]
        return values

    @property
    def about_loss(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.paths.about_loss.read_text()))
        except (OSError, ValueError) as error:
            raise _damaged(self.paths.about_loss, error) from error

    def loss(self) -> NDArray[np.float32]:
        """Task loss (R,) float32, nan for rows without one; raises CacheError if it was not computed yet."""
        if not self.paths.loss.exists():
            raise CacheError(f"The cache {self.paths.folder} has no task loss yet. Run training.cache to its end.")
        losses: NDArray[np.float32] = _read(self.paths.loss)
        if len(losses) != len(self):
            raise CacheError(
                f"{self.paths.loss} has {len(losses)} losses for {len(self)} rows. Run training.cache again."
            )
        return losses


def _read(path: Path, *, in_place: bool = False) -> NDArray[Any]:
    try:
        return np.asanyarray(np.load(path, mmap_mode="r" if in_place else None))
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, error) from error


def _read_rows(files: Sequence[Path], count: int) -> NDArray[np.void]:
    rows = np.zeros(count, ROW)
    start = 0
    for file in files:
        part = _read(file)
        if part.dtype != ROW or start + len(part) > count:
            raise _damaged(file, ValueError(f"{len(part)} rows do not belong to its embeddings"))
        rows[start : start + len(part)] = part
        start += len(part)
    return rows


def _damaged(path: Path, error: Exception) -> CacheError:
    part = path.parent if path.parent.name.startswith("shard-") else path
    return CacheError(
        f"{path} is damaged or gone ({error}). Delete {part} and run the same training.cache command again; "
        f"it writes that part again."
    )


def open_cache(folder: Path) -> Cache:
    """Open a complete cache; raises CacheError if it is missing or incomplete."""
    paths = CachePaths(folder)
    manifest = read_manifest(paths)
    missing = [number for number in range(manifest.shards) if not paths.shard(number).is_dir()]
    if missing:
        raise CacheError(
            f"The cache {folder} lacks {len(missing)} of {manifest.shards} shards. "
            f"Run the same training.cache command again; it goes on where it stopped."
        )
    return Cache(paths, manifest)
