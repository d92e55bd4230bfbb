"""Commands that read pictures: `embed` a folder, and the demo sets."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc

from url_viz.base.command_line import OptionalCount, PrecisionChoice
from url_viz.base.errors import DamageError, UsageError
from url_viz.base.progress import Progress, command_report
from url_viz.base.wording import command, counted, printable
from url_viz.capability import capability
from url_viz.cli.command_app import print_rest, progress_shown
from url_viz.jobs.configs import DEFAULT, EmbedConfig, bound
from url_viz.parameters import AllowedFolders, DeviceName, Folder, ModelName, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.imaging.rendering import Rendering
    from url_viz.models.model import Model
    from url_viz.pipeline.cluster.on_ray import OnRay

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
    one_model: Annotated[bool, Doc("no second model reads a new set unasked once it is read by the first")] = False,
    workspace: WorkspaceDir = None,
    device: DeviceName = "auto",
    precision: Annotated[
        PrecisionChoice | None,
        Doc(
            "fast: bf16 or float32, whichever was measured to be quicker here; exact: float32 (default: what the "
            "set was read in, else fast)"
        ),
    ] = None,
    limit: Annotated[OptionalCount, Doc("read at most this many pictures, spread over the folder")] = None,
    refit: Annotated[bool, Doc("make the map again")] = False,
    strict: Annotated[bool, Doc("exit with status 3 if any file could not be read")] = False,
    within: AllowedFolders = (),
    range: Annotated[  # noqa: A002
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
    ray: Annotated[
        Literal["auto", "local"] | None,
        Doc("have workers of Ray read: of the cluster of this machine (auto), or of one for this run (local)"),
    ] = None,
    workers: Annotated[OptionalCount, Doc("with --ray: how many (default: one a GPU, else one a machine)")] = None,
) -> int:
    """Embed the new and changed pictures of a folder; continues an earlier run that was stopped."""
    config = EmbedConfig(**locals())
    on_ray = _on_ray(config)
    image_set, loaded = read_pictures(config, on_ray)
    active = image_set.core.second.active
    if image_set.core.second.incomplete is not None or (active is not None and config.also is None):
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
    return STRICT_STATUS if _print_failures(image_set) and config.strict else 0


def read_pictures(config: EmbedConfig, on_ray: "OnRay | None" = None) -> "tuple[ImageSet, Model | None]":
    """Read what is new in a folder, with progress: the set, and the model, None with the user's embeddings."""
    from url_viz.base.workspace import address_in
    from url_viz.cli.columns_command import given_for
    from url_viz.models.model import load_model
    from url_viz.pipeline.ahead import prepare_reading
    from url_viz.reading import embed_folder
    from url_viz.second_reading import embed_by_two, is_on

    device = config.device if on_ray is None else "cpu"  # what the workers have is theirs
    root = address_in(config.folder) or config.folder.expanduser()
    precision = config.precision or _precision_read(root, config)
    _warn_of_slowness(config, precision, device)
    load = partial(load_model, device=device, workspace=config.workspace)
    given = None
    prepare_reading()
    with progress_shown() as report:
        report(Progress("prepare", 0))
        if config.embeddings is not None:
            given = given_for(config.folder, config.embeddings, paths=config.paths, model=config.model)
        loaded = load(config.model, precision=precision) if given is None else None
        if loaded is not None:
            load = partial(load, precision=loaded.space.precision)  # what was measured of the second may be another
        second = None if config.also is None else load(config.also)
        read = partial(
            embed_folder,
            config.folder,
            workspace=config.workspace,
            limit=config.limit,
            refit=config.refit,
            within=bound(config.within),
            rendering=_rendering(config),
        )
        if loaded is None or second is not None or on_ray is not None or config.one_model or not is_on():
            image_set = read(model=loaded or config.model, also=second, embeddings=given, progress=report, ray=on_ray)
        else:
            image_set = embed_by_two(read, root, model=loaded, load=load, progress=report, workspace=config.workspace)
    return image_set, loaded


def _rendering(config: EmbedConfig) -> "Rendering | None":
    """What was chosen of range and bands. Raises UsageError for what can be none."""
    from url_viz.imaging.rendering import Rendering, as_bands, as_range

    if config.range is None and config.bands is None and config.pages is None:
        return None
    black, white = as_range(config.range) if config.range is not None else (None, None)
    bands = as_bands(config.bands) if config.bands is not None else ()
    return Rendering(black, white, bands, is_chosen=config.range is not None, page=config.pages or "each")


def _precision_read(root: Path, config: EmbedConfig) -> "PrecisionChoice":
    """The precision in which the set of a folder was read with a model, else fast."""
    from url_viz.base.workspace import Workspace
    from url_viz.store.about import find_set, space_read

    home = Workspace.at(config.workspace)
    space = None if config.embeddings is not None else space_read(find_set(root, home), config.model, home)
    return "fast" if space is None else space.precision


def _warn_of_slowness(config: EmbedConfig, precision: "PrecisionChoice", device: str) -> None:
    from url_viz.base.workspace import Workspace
    from url_viz.models.model import times_here
    from url_viz.models.precision import slow_words
    from url_viz.store.about import embed_command

    times = times_here(config.model, Workspace.at(config.workspace))
    slow = "" if config.embeddings is not None else slow_words(precision, device, times)
    if slow:
        anew = embed_command(config.folder, "--precision", "fast")
        print(f"{slow} To read it anew in float32: {anew}.")


def _print_annotations(image_set: "ImageSet") -> None:
    """Say of whole pictures next to an annotation file how its objects are read."""
    from url_viz.imaging.annotations.formats import annotations_in

    for path in () if image_set.is_of_objects else annotations_in(image_set.root):
        print(f"{printable(path.name)} marks objects in pictures. To read these: {command('embed', path)}")


def _print_damage(image_set: "ImageSet") -> None:
    """Say of damaged labels or columns that they are, and what to do: all that was read is stored."""
    try:
        image_set.order()
    except DamageError as error:
        print(printable(str(error)))


def _print_failures(image_set: "ImageSet") -> int:
    """Print the files that could not be read, and give how many they are."""
    failures = image_set.failures()
    if len(failures):
        print(f"{counted(len(failures), 'file')} could not be read:")
        for path, reason in failures.head(FAILURES_SHOWN).itertuples(index=False):
            print(f"  {path} {reason}")
        print_rest(len(failures), FAILURES_SHOWN, "python -m url_viz export table --failures")
    return len(failures)


def _on_ray(config: EmbedConfig) -> "OnRay | None":
    """The workers that were asked for. Raises ClusterError or UsageError for what can be seen before a model loads."""
    from url_viz.pipeline.cluster.on_ray import OnRay

    if config.ray is None:
        if config.workers is not None:
            raise UsageError(f"--workers is {config.workers}, of Ray's workers. Give --ray local or --ray auto too.")
        return None
    on_ray = OnRay(config.ray, config.workers, config.device)
    on_ray.check(is_external=config.embeddings is not None)
    return on_ray


@capability("demo")
def demo(
    *,
    model: ModelName = DEFAULT,
    spoiled: Annotated[
        bool,
        Doc("photographs of scikit-image, cropped, blurred and darkened; prints whether values find by how much"),
    ] = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Build and read the demo image set, 500 handwritten digits, and print how well its order holds."""
    from url_viz.base.workspace import Workspace
    from url_viz.demo import build_demo, build_spoiled, measure
    from url_viz.reading import embed_folder

    root = (build_spoiled if spoiled else build_demo)(Workspace.at(workspace))
    image_set = embed_folder(root, model=model, workspace=workspace, progress=command_report())
    print(f"{counted(len(image_set), image_set.noun)} in {root}.")
    if not spoiled:
        print(image_set.order().reason)
        return
    print("Spearman of value and strength of degradation within a photograph, mean over photographs (1 is perfect):")
    columns = ("uncertainty", "confusability", "entropy", "inverse_norm")
    print(measure(image_set.table(), columns=columns).round(2).to_string())
