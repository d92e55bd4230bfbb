"""Commands on models: the list of those here, and those that make a head: jobs, watched to their end."""

import json
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc
from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.jobs.configs import DEFAULT, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.models.catalogue import KnownModel


@app.command()
def models(
    *,
    as_json: Annotated[bool, arg(name="json"), Doc("as JSON, with the digest of each file")] = False,
    workspace: WorkspaceDir = None,
) -> None:
    """List the models that this machine knows: shipped ones, heads trained here, the paper's, and other checkpoints.

    Any other timm name is downloaded from the hub when online.
    """
    from url_viz.base.workspace import Workspace
    from url_viz.models.catalogue import EMPTY_KIND, KINDS, known_models
    from url_viz.models.precision import precision_words

    catalogue = known_models(Workspace.at(workspace))
    if as_json:
        print(json.dumps([model.as_record() for model in catalogue], indent=1))
        return
    for kind, title in KINDS.items():
        lines = [line for model in catalogue if model.kind == kind for line in _lines(model)]
        print("\n".join([f"{title}:", *(lines or [f"  {EMPTY_KIND[kind]}"]), ""]))
    print(f"Fast here is {precision_words('fast')}")
    print(f"The folder of checkpoints is {Workspace.at(workspace).checkpoints}")
    print("Any other timm name works too, without a head: entropy and 1/norm serve as baselines.")


@app.command()
def prepare() -> None:
    """Prepare this Python for reading on the CPU, so that the first folder need not wait: half a minute, once.

    The packaged models are converted, and the code that makes maps is compiled, for this processor and for every
    workspace. `make app` does it; nothing has to.
    """
    from url_viz.models.model import prepare_packaged
    from url_viz.models.model_names import PACKAGED
    from url_viz.pipeline.projection import compile_umap

    compile_umap()
    for model in PACKAGED.values():
        if model.is_installed:
            print(f"{model.name} is in {prepare_packaged(model.name)}.")


def _lines(model: "KnownModel") -> list[str]:
    """A model in a line, and in a second one what is to be done before it opens."""
    default = " (default)" if model.name == DEFAULT else ""
    line = f"{model.name}{default}: {model.state}, {', '.join(model.facts)}".removesuffix(", ")
    return [line, *([f"  {model.why}"] if model.why else [])]
