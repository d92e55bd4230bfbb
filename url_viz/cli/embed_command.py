"""The commands `embed`, which reads a folder, and `demo`, which builds sets and reads them."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from typing_extensions import Doc

from url_viz.base.command_line import OptionalCount, PrecisionChoice
from url_viz.base.errors import DamageError, UsageError
from url_viz.base.progress import Progress, command_report
from url_viz.base.wording import command, counted, printable
from url_viz.base.workspace import Workspace, address_in, root_of
from url_viz.capability import capability
from url_viz.cli.doors import progress_shown
from url_viz.demo import build_demo, build_spoiled, measure
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.formats import annotations_in
from url_viz.imaging.rendering import Rendering, as_bands, as_range
from url_viz.imaging.source import source_of
from url_viz.models.model import EXTERNAL, Model, load_model, times_here
from url_viz.models.model_names import DEFAULT
from url_viz.models.precision import slow_words
from url_viz.parameters import AllowedFolders, DeviceName, Folder, ModelName, WorkspaceDir
from url_viz.pipeline.ahead import prepare_reading
from url_viz.pipeline.cluster.on_ray import OnRay
from url_viz.pipeline.embedded import Given, given_embeddings
from url_viz.reading import embed_folder
from url_viz.second_reading import embed_by_two, is_on
from url_viz.store.about import embed_command, find_set, space_read

OneModel = Annotated[bool, Doc("no second model reads a new set unasked once it is read by the first")]
STRICT_STATUS = 3
FAILURES_SHOWN = 20


@capability("embed")
def embed(
    folder: Folder,
    *,
    model: ModelName = DEFAULT,
    also: Annotated[
        str | None, Doc("a second model that reads the same pictures: confusability and ambiguity are by both then")
    ] = None,
    one_model: OneModel = False,
    limit: Annotated[OptionalCount, Doc("read at most this many pictures, spread over the folder")] = None,
    refit: Annotated[bool, Doc("make the map again")] = False,
    strict: Annotated[bool, Doc("exit with status 3 if any file could not be read")] = False,
    within: AllowedFolders = (),
    range_: Annotated[
        str | None,
        Doc("what is black and white of more than 8 bits, as 0:4095 (default: as a sample of the pictures says)"),
    ] = None,
    pages: Annotated[
        Literal["each", "first", "middle", "brightest"] | None,
        Doc("of files with several pages: each is a picture (default), or one of them"),
    ] = None,
    bands: Annotated[str | None, Doc("which bands are red, green and blue, as 4,3,2; or one")] = None,
    embeddings: Annotated[Path | None, Doc("your embeddings as .npy, .npz or .parquet; no model runs then")] = None,
    paths: Annotated[Path | None, Doc("the paths of the rows of --embeddings, one per line or a table")] = None,
    precision: Annotated[
        PrecisionChoice | None,
        Doc(
            "fast: bf16 or float32, whichever was measured to be quicker here; exact: float32 (default: what the "
            "set was read in, else fast)"
        ),
    ] = None,
    device: DeviceName = "auto",
    ray: Annotated[
        Literal["auto", "local"] | None,
        Doc("have workers of Ray read: of the cluster of this machine (auto), or of one for this run (local)"),
    ] = None,
    workers: Annotated[OptionalCount, Doc("with --ray: how many (default: one a GPU, else one a machine)")] = None,
    workspace: WorkspaceDir = None,
) -> int:
    """Embed the new and changed pictures of a folder.

    An earlier run that was stopped is continued.
    """
    on_ray = _on_ray(ray, workers, device, is_external=embeddings is not None)
    rendering = _rendering(range_, bands, pages)
    how_read = ReadingOptions(
        model, also, one_model, limit, refit, within, rendering, embeddings, paths, precision, device, workspace
    )
    image_set, loaded = read_pictures(folder, how_read, on_ray)
    active = image_set.core.second.active
    if image_set.core.second.incomplete is not None or (active is not None and also is None):
        print(image_set.core.second.in_words(image_set.source))
    where = f"Ray ({on_ray.where})" if on_ray else loaded.runtime.device if loaded else ""
    how = (
        f"read with {loaded.name} on {where} in {loaded.space.precision}"
        if loaded
        else f"under {image_set.source.name!r}"
    )
    how += f", and with {active.title} beside it" if active and loaded else ""
    print(f"{counted(len(image_set), image_set.noun)} in {printable(str(image_set.root))}, {how}.")
    _print_annotations(image_set)
    print("".join(f"{remark}\n" for remark in image_set.core.store.about().remarks), end="")
    _print_damage(image_set)
    return STRICT_STATUS if _print_failures(image_set) and strict else 0


@dataclass(frozen=True)
class ReadingOptions:
    """How a folder is read: the arguments of `embed` that several commands share."""

    model: str = DEFAULT
    also: str | None = None
    one_model: bool = False
    limit: int | None = None
    refit: bool = False
    within: tuple[Path, ...] = ()
    rendering: Rendering | None = None
    embeddings: Path | None = None
    paths: Path | None = None
    precision: PrecisionChoice | None = None
    device: str = "auto"
    workspace: Path | None = None


def read_pictures(folder: Path, how: ReadingOptions, on_ray: OnRay | None = None) -> tuple[ImageSet, Model | None]:
    """Read what is new in a folder, with progress: the set, and the model, None with the user's embeddings."""
    device = how.device if on_ray is None else "cpu"  # what the workers have is theirs
    root = address_in(folder) or folder.expanduser()
    precision = how.precision or _precision_read(root, how)
    _warn_of_slowness(folder, how, precision, device)
    load = partial(load_model, device=device, workspace=how.workspace)
    given = None
    prepare_reading()
    with progress_shown() as report:
        report(Progress("prepare", 0))
        if how.embeddings is not None:
            given = given_for(folder, how.embeddings, paths=how.paths, model=how.model)
        loaded = load(how.model, precision=precision) if given is None else None
        if loaded is not None:
            load = partial(load, precision=loaded.space.precision)  # what was measured of the second may be another
        second = None if how.also is None else load(how.also)
        read = partial(
            embed_folder,
            folder,
            workspace=how.workspace,
            limit=how.limit,
            refit=how.refit,
            within=[path.absolute() for path in how.within] or None,  # a link stays one, which then leads nowhere
            rendering=how.rendering,
        )
        if loaded is None or second is not None or on_ray is not None or how.one_model or not is_on():
            image_set = read(model=loaded or how.model, also=second, embeddings=given, progress=report, ray=on_ray)
        else:
            image_set = embed_by_two(read, root, model=loaded, load=load, progress=report, workspace=how.workspace)
    return image_set, loaded


def given_for(folder: Path, embeddings: Path, *, paths: Path | None, model: str) -> Given:
    """The user's embeddings of a folder's pictures; prints what was matched. A model `own:NAME` names them."""
    name = model if model.startswith(EXTERNAL) else None
    given = given_embeddings(embeddings, source_of(root_of(folder)).list(), paths=paths, name=name)
    print("\n".join(given.words))
    return given


def _rendering(range_: str | None, bands: str | None, pages: str | None) -> Rendering | None:
    """What was chosen of range and bands. Raises UsageError for what can be none."""
    if range_ is None and bands is None and pages is None:
        return None
    black, white = as_range(range_) if range_ is not None else (None, None)
    chosen = as_bands(bands) if bands is not None else ()
    page: Any = pages or "each"
    return Rendering(black, white, chosen, is_chosen=range_ is not None, page=page)


def _precision_read(root: Path, how: ReadingOptions) -> PrecisionChoice:
    """The precision in which the set of a folder was read with a model, else fast."""
    home = Workspace.at(how.workspace)
    space = None if how.embeddings is not None else space_read(find_set(root, home), how.model, home)
    return "fast" if space is None else space.precision


def _warn_of_slowness(folder: Path, how: ReadingOptions, precision: PrecisionChoice, device: str) -> None:
    times = times_here(how.model, Workspace.at(how.workspace))
    slow = "" if how.embeddings is not None else slow_words(precision, device, times)
    if slow:
        print(f"{slow} To read it anew in float32: {embed_command(folder, '--precision', 'fast')}.")


def _print_annotations(image_set: ImageSet) -> None:
    """Say of whole pictures next to an annotation file how its objects are read."""
    for path in () if image_set.is_of_objects else annotations_in(image_set.root):
        print(f"{printable(path.name)} marks objects in pictures. To read these: {command('embed', path)}")


def _print_damage(image_set: ImageSet) -> None:
    """Say of damaged labels or columns that they are, and what to do: all that was read is stored."""
    try:
        image_set.order()
    except DamageError as error:
        print(printable(str(error)))


def _print_failures(image_set: ImageSet) -> int:
    """Print the files that could not be read, and give how many they are."""
    failures = image_set.failures()
    if len(failures):
        print(f"{counted(len(failures), 'file')} could not be read:")
        for path, reason in failures.head(FAILURES_SHOWN).itertuples(index=False):
            print(f"  {path} {reason}")
        if len(failures) > FAILURES_SHOWN:
            print(f"… and {len(failures) - FAILURES_SHOWN:,} more (url-viz export table --failures)")
    return len(failures)


def _on_ray(
    ray: Literal["auto", "local"] | None, workers: int | None, device: str, *, is_external: bool
) -> OnRay | None:
    """The workers that were asked for. Raises ClusterError or UsageError for what can be seen before a model loads."""
    if ray is None:
        if workers is not None:
            raise UsageError(f"--workers is {workers}, of Ray's workers. Give --ray local or --ray auto too.")
        return None
    on_ray = OnRay(ray, workers, device)
    on_ray.check(is_external=is_external)
    return on_ray


@capability("demo")
def demo(
    *,
    spoiled: Annotated[
        bool, Doc("photographs of scikit-image, cropped, blurred and darkened; prints whether values find by how much")
    ] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Read the demo, 500 handwritten digits, and test its order."""
    root = (build_spoiled if spoiled else build_demo)(Workspace.at(workspace))
    image_set = embed_folder(root, model=model, workspace=workspace, progress=command_report())
    print(f"{counted(len(image_set), image_set.noun)} in {root}.")
    if not spoiled:
        print(image_set.order().reason)
        return
    print("Spearman of value and strength of degradation within a photograph, mean over photographs (1 is perfect):")
    columns = ("uncertainty", "confusability", "entropy", "inverse_norm")
    print(measure(image_set.table(), columns=columns).round(2).to_string())
