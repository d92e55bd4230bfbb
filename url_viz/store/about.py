"""The metadata of an image set (folder, name, spaces), its small records, and disk errors as errors for users."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from url_viz.base.errors import DamageError, ImageSetError, WorkspaceError
from url_viz.base.records import Record, RecordFile
from url_viz.base.wording import command
from url_viz.base.workspace import SetPaths, Workspace, address_in, root_of, set_id_of
from url_viz.imaging.containers.picture_lists import is_listing
from url_viz.imaging.containers.python_dataset import ENDING as DATASET
from url_viz.models.model import EXTERNAL, EmbeddingSpace, resolve

LANCE_ERRORS = (RuntimeError, ValueError, OSError, OverflowError, KeyError, IndexError, pa.ArrowException)
"""What LanceDB and Arrow raise for unreadable or inconsistent data; there is no common class."""
_PANIC = "pyo3"
"""The module of panics in native code, one of them no Exception; they cannot be imported."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
LOCK_S = 5.0


def was_written(table: Path) -> bool:
    """Whether a table's folder holds a version, so that one that cannot be opened is damaged, not new."""
    return any((table / "_versions").glob("*.manifest"))


@contextmanager
def raising_damage_errors(table: Path) -> Iterator[None]:
    """Raise a DamageError that names the repair for whatever LanceDB raises while `table` is read."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, LANCE_ERRORS) and not type(error).__module__.startswith(_PANIC):
            raise
        why = str(error).partition("\n")[0][:200]
        raise DamageError(
            f"The table {table} cannot be read ({why}). Run `url-viz sets repair FOLDER` on its folder "
            f"of pictures, then read that again: what is whole stays, what is not is made again."
        ) from error


@contextmanager
def raising_disk_errors(paths: SetPaths) -> Iterator[None]:
    """Raise a WorkspaceError for errors of a full or read-only disk; other errors pass."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        disk_error = find_disk_error(error, paths)
        if disk_error is None:
            raise
        raise disk_error from error


def find_disk_error(error: BaseException, paths: SetPaths) -> WorkspaceError | None:
    """The error for users if `error` came from a full, over-quota or read-only disk; None for any other."""
    if not isinstance(error, OSError | RuntimeError):
        return None
    numbers = {getattr(error, "errno", 0)}
    numbers |= {int(number) for number in re.findall(r"os error (\d+)\)", str(error))}  # LanceDB has them in words only
    folder = paths.folder
    if numbers & _FULL:
        home = next(path for path in (folder, *folder.parents) if path.exists())
        is_kept = any(map(was_written, paths.tables.glob("*.lance")))
        kept = "What was read is kept" if is_kept else "Nothing is kept yet"
        return WorkspaceError(
            f"The disk of the workspace folder {str(folder)!r} is full "
            f"({shutil.disk_usage(home).free / 2**20:,.1f} MiB are free). {kept}: make room and run the "
            f"same command again, or choose another disk with --workspace."
        )
    path = str(getattr(error, "filename", None) or error)
    if numbers & _CLOSED and str(folder.parent.parent) in path:  # another file's permissions are not ours
        return WorkspaceError(
            f"The workspace folder {str(folder)!r} may not be written to "
            f"({getattr(error, 'strerror', None) or str(error)[:200]}). "
            f"What is there stays: make it writable, or choose another workspace with --workspace."
        )
    return None


def set_record(
    paths: SetPaths, path: Path, kind: type[Record], advice: str, *, default: Record | None = None
) -> RecordFile[Record]:
    """The record in a file of an image set, changed under the set's lock of records."""
    return RecordFile(path, kind, advice, default, writing=partial(changing_records, paths))


@contextmanager
def changing_records(paths: SetPaths) -> Iterator[None]:
    """The lock under which records of an image set are changed; it waits for no reading of the folder.

    Raises WorkspaceError if the image set was forgotten meanwhile, another process holds the lock too long, or the disk
    is full or cannot be written.
    """
    lock = FileLock(paths.records_lock, timeout=LOCK_S)
    with raising_disk_errors(paths):
        try:
            if paths.folder.is_dir():
                lock.acquire()
        except Timeout as error:
            raise WorkspaceError(
                f"Another process has been writing to {str(paths.folder)!r} for {LOCK_S:.0f} s. Try again when it is "
                "done."
            ) from error
        try:
            if not paths.records_lock.exists():
                raise WorkspaceError(
                    f"The image set {paths.folder.name!r} was forgotten meanwhile, and all that was stored of it. Read "
                    "its folder again, or choose another image set."
                )
            yield
        finally:
            lock.release()


@dataclass(frozen=True)
class SecondModelSwitch:
    """Whether a second model is asked if there is one."""

    is_asked: bool = True


def second_model_switch(paths: SetPaths) -> RecordFile[SecondModelSwitch]:
    """The record of whether a second model takes part."""
    advice = "Choose again whether a second model is used: `url-viz models second FOLDER --ask yes`."
    return set_record(paths, paths.second, SecondModelSwitch, advice, default=SecondModelSwitch())


def is_second_model_used(paths: SetPaths) -> bool:
    """Whether a second model takes part if there is one: the default, also in place of a damaged choice."""
    if paths.second.exists():  # this is asked at each look for a column
        with suppress(DamageError):
            return second_model_switch(paths).read().is_asked
    return SecondModelSwitch().is_asked


def choose_second_model(paths: SetPaths, *, is_used: bool) -> None:
    """Store whether a second model takes part. Raises WorkspaceError for a full or read-only disk."""
    second_model_switch(paths).write(SecondModelSwitch(is_used))


ANNOTATED_IN = (".yaml", ".yml", ".json")
"""The endings of files that annotate objects."""
_OF_ALL = ("data", "dataset", "instances", "annotations")
_SPLITS = ("train", "val", "valid", "test")


def annotated_title(file: Path) -> str:
    """The folder of the data set that a file annotates; of a part of it that too: "coco128 · val"."""
    folder = file.parent.parent if file.parent.name == "annotations" else file.parent
    part = file.stem.removesuffix(".coco").strip("_").removeprefix("instances_")
    if part in (*_OF_ALL, folder.name):
        folder, part = (folder.parent, folder.name) if folder.name in _SPLITS else (folder, "")
    return " · ".join(filter(None, [folder.name, part]))


@dataclass(frozen=True)
class About:
    """The metadata of an image set: the folder (or address) of its pictures, and the spaces it was embedded in.

    - `name`: the user's name for it, "" for none
    - `skipped`: by extension, how many files of the folder the last scan ignored; `remarks`: its sentences
    - `read_at`: when a reading last finished, in Unix seconds; 0.0 for never
    - `begun`: how many files unfinished readings are to leave, by the key of their space
    - `objects_in`: of a set of objects, the folder that paths of pictures are relative to
    - `without_objects`: how many pictures hold none; `classes`: all that the annotations name
    """

    root: Path
    spaces: tuple[EmbeddingSpace, ...]
    name: str = ""
    skipped: tuple[tuple[str, int], ...] = ()
    read_at: float = 0.0
    begun: tuple[tuple[str, int], ...] = ()
    objects_in: str = ""
    without_objects: int = 0
    remarks: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", address_in(self.root) or self.root)

    @property
    def base(self) -> Path:
        """The folder that paths of pictures are relative to."""
        if self.objects_in:
            return Path(self.objects_in)
        return self.root.parent if is_listing(self.root) else self.root

    @property
    def noun(self) -> str:
        """The noun of its rows, for `counted`."""
        return "object" if self.objects_in else "picture"

    @property
    def title(self) -> str:
        """Its name, else that of its Dataset or of the folder of its annotations, else the end of its folder's path."""
        if self.name or self.root.suffix == DATASET:
            return self.name or self.root.stem
        if self.root.suffix.lower() in ANNOTATED_IN:
            return annotated_title(self.root)
        return f"{self.root.parent.name}/{self.root.name}"

    @property
    def space_keys(self) -> frozenset[str]:
        """The keys of all spaces that tables are kept of: of each model's, and of its other look at the pictures."""
        return frozenset(key for space in self.spaces for key in (space.key, space.squeezed.key))

    def files_begun(self, space_key: str) -> int | None:
        """How many files an unfinished reading in this space is to leave; None if every reading has finished."""
        return dict(self.begun).get(space_key)

    def space(self, backbone: str, *, weights_digest: str | None = None) -> EmbeddingSpace | None:
        """The latest space of this backbone and these weights; without `weights_digest`, of any but finetuned ones."""
        for space in reversed(self.spaces):
            fits = weights_digest == space.weights_digest if weights_digest else not space.is_finetuned
            if space.backbone == backbone and fits:
                return space
        return None

    def other_spaces(self, space: EmbeddingSpace) -> Iterator[EmbeddingSpace]:
        """The spaces of other models that the set was read with, the latest first; not of a user's embeddings."""
        for other in reversed(self.spaces):
            is_other = (other.backbone, other.weights_digest) != (space.backbone, space.weights_digest)
            if is_other and not any(model.backbone.startswith(EXTERNAL) for model in (space, other)):
                yield other


def find_set(root: Path, workspace: Workspace) -> str:
    """The id of the image set of the folder or address `root`, or the id for a new one."""
    resolved = root_of(root)
    labels = dict(known_sets(workspace))
    for set_id, about in labels.items():
        if about.root == resolved:
            return set_id
    # An image set whose folder was moved keeps its id, which comes from the old path: that id is taken.
    return next(set_id for set_id in map(partial(set_id_of, resolved), count()) if set_id not in labels)


def known_sets(workspace: Workspace) -> list[tuple[str, About]]:
    """Every image set of the workspace, by id, without those whose set.json and its copy are damaged."""
    sets = []
    for set_id in _set_ids(workspace):
        with suppress(DamageError, ImageSetError):
            sets.append((set_id, read_about(workspace.set_paths(set_id))))
    return sets


def sets_without_label(workspace: Workspace) -> list[str]:
    """The ids of image sets with stored tables whose set.json and its copy are damaged."""
    stored = [set_id for set_id in _set_ids(workspace) if has_tables(workspace.set_paths(set_id))]
    labels = dict(known_sets(workspace)) if stored else {}
    return [set_id for set_id in stored if set_id not in labels]


def _set_ids(workspace: Workspace) -> list[str]:
    ids = []
    for folder in sorted(workspace.sets.glob("*")):
        with suppress(WorkspaceError):  # a stray folder is not an image set
            ids.append(workspace.set_paths(folder.name).folder.name)
    return ids


def sets_with_pictures(workspace: Workspace) -> list[tuple[str, About]]:
    """The image sets with stored tables, by id; not those whose first reading stopped before that."""
    return [(set_id, about) for set_id, about in known_sets(workspace) if has_tables(workspace.set_paths(set_id))]


def has_tables(paths: SetPaths) -> bool:
    """Whether any table of an image set is stored, without opening it."""
    return paths.about.exists() and any(map(was_written, paths.tables.glob("*.lance")))


def read_about(paths: SetPaths) -> About:
    """Read an image set's set.json, or its copy if that is damaged.

    Raises ImageSetError if it does not exist, DamageError if both are damaged.
    """
    try:
        about = about_file(paths).find()
    except DamageError:
        with suppress(DamageError):
            return about_copy(paths).read()
        raise
    if about is None:
        raise ImageSetError(f"There is no image set {paths.folder.name!r}. `url-viz sets list` lists them.")
    return about


def about_file(paths: SetPaths) -> RecordFile[About]:
    """The record of an image set's metadata."""
    advice = (
        "Run `url-viz sets repair FOLDER` on the folder of pictures, then read that again: pictures, "
        "decisions and columns stay as they are."
    )
    return set_record(paths, paths.about, About, advice)


def about_copy(paths: SetPaths) -> RecordFile[About]:
    """The copy of that record."""
    return replace(about_file(paths), path=paths.about_copy)


def write_about(paths: SetPaths, about: About) -> None:
    """Write an image set's set.json and its copy; only for the holder of the set's lock."""
    for file in (about_file(paths), about_copy(paths)):
        file.write(about)


def space_read(set_id: str, model: str, workspace: Workspace) -> EmbeddingSpace | None:
    """The space in which an image set was read last with a model (of a head, with its backbone); None for none.

    Raises ModelError or a subclass if there is no such model.
    """
    source, paths = resolve(model, workspace=workspace), workspace.set_paths(set_id)
    about = read_about(paths) if paths.about.exists() else None
    return None if about is None else about.space(source.backbone, weights_digest=source.weights_digest)


def embed_command(folder: str | Path, *options: str) -> str:
    """The command that embeds a folder, for error messages."""
    return f"`{command('embed', folder, *options)}`"


def read_before(folder: str | Path, home: Workspace) -> str:
    """The id of the image set of a folder. Raises ImageSetError if it was never read."""
    set_id = find_set(Path(folder), home)
    if not home.set_paths(set_id).about.exists():
        raise ImageSetError(
            f"{str(folder)!r} was not read yet ({embed_command(folder)}). `url-viz sets list` lists what was."
        )
    return set_id
