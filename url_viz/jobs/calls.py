"""Every capability of the package by its words, and calls of them: what a command, a job and a form all say."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import Doc

from url_viz.base.errors import JobError
from url_viz.base.printout import Printout
from url_viz.base.progress import ProgressCallback, silent
from url_viz.base.workspace import address_in
from url_viz.capabilities import places
from url_viz.capability import Argument, AsPath, Capability, check_given, kind_of
from url_viz.image_set import ImageSet, open_image_set, open_latest
from url_viz.parameters import AllowedFolders, Folder, WorkspaceDir

FOLDER = Argument("folder", Folder, is_positional=True)
MODEL = Argument(
    "model",
    Annotated[
        str | None,
        Doc(
            "packaged or timm name, a model of the paper (authors/vit-tiny), or the path of a checkpoint (default: the "
            "packaged one if it read the folder, else the one that read it last)"
        ),
    ],
    None,
)
WORKSPACE = Argument("workspace", WorkspaceDir, None)
WITHIN = Argument("within", AllowedFolders, ())


_DO, _OUT = ":do", ":out"
"""What the JSON of a call has besides arguments, whose names have no colon."""


def reach(what: Capability) -> list[Argument]:
    """The parameters by which a door opens the image set of a capability; none for one that needs no set."""
    opening = (MODEL, *((WITHIN,) if what.reads_files else ()), WORKSPACE)
    return [FOLDER, *(each for each in opening if each.name not in what.takes)] if what.is_on_set else []


def parameters(what: Capability) -> list[Argument]:
    """What a command line gives to a capability: what is positional first, how the set is reached last."""
    own, opening = what.parameters, reach(what)
    named = [each for each in (*own, *opening) if not each.is_positional]
    return [*(each for each in (*opening, *own) if each.is_positional), *named]


@dataclass(frozen=True)
class Call:
    """A capability with its arguments by name, those that open its image set among them.

    Its result goes to the file `out`, if one is named: a record as sealed JSON.
    """

    what: Capability
    given: Mapping[str, Any]
    out: Path | None = None

    def check(self, *more: tuple[Argument, Any], dashes: str = "") -> None:
        """Raise UsageError as `Capability.check` does, before anything is opened; `more` are parameters of the door."""
        every = [*parameters(self.what), *(each for each, _ in more)]
        check_given(every, {**self.given, **{each.name: value for each, value in more}}, dashes=dashes)

    def run(self, *, progress: ProgressCallback = silent) -> Printout:
        """Open the image set, if there is one, and do it."""
        what, named = self.what, dict(self.given)
        for each in what.parameters:
            if each.mark(AsPath) and named.get(each.name) is not None:
                opening: dict[str, Any] = {name: named.get(name) for name in ("model", "workspace")}
                named[each.name] = opened(named[each.name], **opening)
        if "progress" in what.takes:
            named["progress"] = progress
        if not what.is_on_set:
            return what.printout(named, what.function(**named))
        image_set = opened(**{each.name: named.pop(each.name, each.default) for each in reach(what)})
        owner = image_set if "image_set" in what.takes else _owner(image_set, what)
        return what.printout(owner, what.function(owner, **named))

    def as_json(self) -> str:
        """The call as text from which `read_call` makes it again; what is as by default is left out."""
        usual = {each.name: each.default for each in parameters(self.what)}
        given = {name: _plain(value) for name, value in self.given.items() if value != usual[name]}
        out = {} if self.out is None else {_OUT: str(self.out)}
        return json.dumps({_DO: " ".join(self.what.words), **given, **out})


def read_call(text: str) -> Call:
    """The call that a JSON text says, each value checked against its annotation. Raises JobError for any other text."""
    try:
        said = json.loads(text)
        what, out = places()[tuple(said.pop(_DO).split())].load(), said.pop(_OUT, None)
        known = {each.name: each for each in parameters(what)}
        given = {name: addressed(_typed(known[name].plain_hint, value)) for name, value in said.items()}
        if left_out := [name for name, each in known.items() if each.is_required and name not in given]:
            raise ValueError(f"without {', '.join(left_out)}")
        return Call(what, given, None if out is None else Path(out))
    except (ValueError, LookupError, AttributeError, TypeError, ValidationError, RecursionError) as error:
        raise JobError(f"This is no call of a capability ({error}): {text[:200]!r}.") from error


def call(words: str, *, result: Path | None = None, **given: Any) -> Call:
    """A call of the capability that is called `words`, whose `result` goes to a file.

    Raises LookupError for unknown words and arguments.
    """
    what = places()[tuple(words.split())].load()
    unknown = given.keys() - {each.name for each in parameters(what)}
    if unknown:
        raise LookupError(f"{words!r} takes no {', '.join(sorted(unknown))}.")
    return Call(what, given, result)


def opened(
    folder: str | Path,
    *,
    model: str | None = None,
    workspace: str | Path | None = None,
    within: tuple[Path, ...] = (),
) -> ImageSet:
    """The image set of a folder: of its model, by default of the packaged one or else of the one that read it last."""
    folder = (address_in(folder) or folder) if isinstance(folder, Path) else folder
    if model is None:
        return open_latest(folder, workspace=workspace, within=bound(within))
    return open_image_set(folder, model=model, workspace=workspace, within=bound(within))


def bound(within: tuple[Path, ...]) -> list[Path] | None:
    """The folders of `AllowedFolders`, absolute; None without any. A link stays one, which then leads nowhere."""
    return [path.absolute() for path in within] or None


def _owner(image_set: ImageSet, what: Capability) -> Any:
    """The object whose method a capability is: the set, or one of its subjects."""
    name = what.function.__qualname__.rpartition(".")[0]
    if name in {each.__name__ for each in type(image_set).__mro__}:
        return image_set
    subjects = (*vars(image_set).values(), image_set.decisions)
    return next(each for each in subjects if name in {kind.__name__ for kind in type(each).__mro__})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(each) for name, each in asdict(value).items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def addressed(value: Any) -> Any:
    """The same value, a path that is an address in object storage (or several) as such: a Path takes one slash away."""
    if isinstance(value, tuple):
        return tuple(map(addressed, value))
    return (address_in(value) or value) if isinstance(value, Path) else value


def _typed(hint: Any, value: Any) -> Any:
    has_own = is_dataclass(kind_of(hint))
    config = None if has_own else ConfigDict(arbitrary_types_allowed=True)
    return TypeAdapter(hint, config=config).validate_python(value)
