"""The metadata of an image set (folder, name, embedding spaces) in set.json, and the lookup of known sets."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

from url_viz.errors import DamageError, ImageSetError, WorkspaceError
from url_viz.escaping import command
from url_viz.imaging.containers.picture_lists import is_listing
from url_viz.imaging.containers.python_dataset import ENDING as DATASET
from url_viz.models.model import EmbeddingSpace, resolve
from url_viz.records import RecordFile
from url_viz.roots import address_in, root_of
from url_viz.store.damage import was_written
from url_viz.store.set_records import set_record
from url_viz.workspace import SetPaths, Workspace, set_id_of


@dataclass(frozen=True)
class About:
    """The metadata of an image set: the folder (or address) of its pictures, and the spaces it was embedded in.

    `name` is the user's name for it ("" for none); `skipped` counts, by extension, the files of the folder that the
    last scan ignored, `remarks` are its sentences on what the source says. `read_at` is when a reading came to its end
    last, in Unix seconds (0.0: none did). `begun` are readings that have not come to their
    end, by the key of their space: how many files the set has at that end. `objects_in` is, of a set of objects in
    pictures, the folder that paths of pictures are relative to, `without_objects` counts pictures in which there
    are none, and `classes` are those that its annotations name, also without an object.
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
        folder = self.root.parent if is_listing(self.root) else self.root
        return Path(self.objects_in) if self.objects_in else folder

    @property
    def noun(self) -> str:
        """What its rows are, as `counted` takes it."""
        return "object" if self.objects_in else "picture"

    @property
    def title(self) -> str:
        """Its name, else that of its Dataset, else the last two parts of its folder's path."""
        end = self.root.stem if self.root.suffix == DATASET else f"{self.root.parent.name}/{self.root.name}"
        return self.name or end

    def files_begun(self, space_key: str) -> int | None:
        """How many files a reading in this space that has not come to its end was to leave; None if it has."""
        return dict(self.begun).get(space_key)

    def space(self, backbone: str, *, weights_digest: str | None = None) -> EmbeddingSpace | None:
        """The latest space of this backbone and these weights; without `weights_digest`, of any but finetuned ones."""
        for space in reversed(self.spaces):
            fits = weights_digest == space.weights_digest if weights_digest else not space.is_finetuned
            if space.backbone == backbone and fits:
                return space
        return None


def find_set(root: Path, workspace: Workspace) -> str:
    """The id of the image set of the folder or address `root`: of a known one, else the id for a new one."""
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
    """The ids of image sets of which something is kept, but set.json and its copy are damaged."""
    stored = [set_id for set_id in _set_ids(workspace) if has_tables(workspace.set_paths(set_id))]
    labels = dict(known_sets(workspace)) if stored else {}
    return [set_id for set_id in stored if set_id not in labels]


def _set_ids(workspace: Workspace) -> list[str]:
    """The names of folders that may hold image sets."""
    ids = []
    for folder in sorted(workspace.sets.glob("*")):
        with suppress(WorkspaceError):  # a stray folder is not an image set
            ids.append(workspace.set_paths(folder.name).folder.name)
    return ids


def sets_with_pictures(workspace: Workspace) -> list[tuple[str, About]]:
    """The image sets that anything is kept of, by id; not those whose first reading was ended before that."""
    return [(set_id, about) for set_id, about in known_sets(workspace) if has_tables(workspace.set_paths(set_id))]


def has_tables(paths: SetPaths) -> bool:
    """Whether anything that was read is kept of an image set, without opening it."""
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
        raise ImageSetError(f"There is no image set {paths.folder.name!r}. `python -m url_viz sets` lists them.")
    return about


def about_file(paths: SetPaths) -> RecordFile[About]:
    """The record of an image set's metadata."""
    advice = (
        "Run `python -m url_viz mend FOLDER` on the folder of pictures, then read that again: pictures, decisions and "
        "columns stay as they are."
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
    """The space in which an image set was read last with a model, a head's with its backbone; None if in none.

    Raises ModelError or a subclass for a model that is none.
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
            f"{str(folder)!r} was not read yet ({embed_command(folder)}). `python -m url_viz sets` lists what was."
        )
    return set_id
