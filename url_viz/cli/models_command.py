"""The commands `models list` and `models prepare`."""

from url_viz.base.printout import Printout
from url_viz.base.workspace import Workspace
from url_viz.capability import capability
from url_viz.models.catalogue import EMPTY_KIND, KINDS, KnownModel, known_models
from url_viz.models.model import prepare_packaged
from url_viz.models.model_names import DEFAULT, PACKAGED
from url_viz.models.precision import precision_words
from url_viz.parameters import WorkspaceDir
from url_viz.pipeline.projection import compile_umap


@capability("models list")
def list_models(*, workspace: WorkspaceDir = None) -> Printout:
    """List the models that this machine knows: shipped ones, heads trained here, the paper's, and other checkpoints.

    Any other timm name is downloaded from the hub when online. `--json` has the digest of each file.
    """
    home = Workspace.at(workspace)
    catalogue, lines = known_models(home), list[str]()
    for kind, title in KINDS.items():
        of_kind = [line for model in catalogue if model.kind == kind for line in _lines(model)]
        lines += [f"{title}:", *(of_kind or [f"  {EMPTY_KIND[kind]}"]), ""]
    lines += [
        f"Fast here is {precision_words('fast')}",
        f"The folder of checkpoints is {home.checkpoints}",
        "Any other timm name works too, without a head: entropy and 1/norm serve as baselines.",
    ]
    return Printout(lines, figures=[model.as_record() for model in catalogue])


@capability("models prepare")
def prepare() -> list[str]:
    """Prepare this Python for reading on the CPU, so that the first folder need not wait: half a minute, once.

    The packaged models are converted, and the code that makes maps is compiled, for this processor and for every
    workspace. `make app` does it; nothing has to.
    """
    compile_umap()
    return [f"{model.name} is in {prepare_packaged(model.name)}." for model in PACKAGED.values() if model.is_installed]


def _lines(model: KnownModel) -> list[str]:
    """A model in a line, and in a second one what is to be done before it opens."""
    default = " (default)" if model.name == DEFAULT else ""
    line = f"{model.name}{default}: {model.state}, {', '.join(model.facts)}".removesuffix(", ")
    return [line, *([f"  {model.why}"] if model.why else [])]
