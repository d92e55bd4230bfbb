"""URL-Viz shows which of your pictures are ambiguous, before you train on them."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from url_viz.base.processes import search_rarely

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet, diff, open_image_set
    from url_viz.models.model import Model, load_model
    from url_viz.reading import embed_dataset, embed_folder
    from url_viz.recording import record

__version__ = "0.1.0"
__all__ = ["ImageSet", "Model", "__version__", "diff", "embed_dataset", "embed_folder", "load_model"]
__all__ += ["open_image_set", "record"]

_HOMES = {
    "ImageSet": "url_viz.image_set",
    "Model": "url_viz.models.model",
    "diff": "url_viz.image_set",
    "embed_dataset": "url_viz.reading",
    "embed_folder": "url_viz.reading",
    "load_model": "url_viz.models.model",
    "open_image_set": "url_viz.image_set",
    "record": "url_viz.recording",
}


if sys.platform == "win32":
    raise ImportError("URL-Viz does not run on native Windows: install and run it in WSL 2, which is a Linux.")

if sys.argv[:1] == ["-m"]:  # as Python has it while it looks for the module of a `python -m url_viz…` or `training…`
    search_rarely()


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import url_viz` stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'url_viz' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
