"""A command that waits for its job (`python -m url_viz.cli.waiting`), and has imported what reading needs by then.

A runner starts it, which waits too (url_viz/jobs/start.py).
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from url_viz.base.processes import search_rarely
from url_viz.base.records import read_json
from url_viz.jobs.start import Task, write_to

if TYPE_CHECKING:
    from url_viz.models.model import Model

NEEDED = ("url_viz.cli.main", "url_viz.second_reading")


def run() -> int:
    """Run the command that standard input orders, as `url-viz` would; its exit status."""
    search_rarely()
    _model = prepare()  # what it compiled serves whoever loads it again
    words = sys.stdin.buffer.read()
    if not words:
        return 0
    task = read_json(Task, words)
    write_to(Path(task.log))
    os.chdir(task.folder)
    os.environ.update(task.variables)
    from url_viz.cli.main import main

    return main(task.arguments)


def prepare() -> "Model | None":
    """Import what reading needs, start a process that decodes, and open the default model if it was ever converted."""
    from url_viz.base.workspace import Workspace
    from url_viz.capabilities import places
    from url_viz.imaging.workers import decoders
    from url_viz.models.model import load_model, prepared_folder, resolve
    from url_viz.models.model_names import DEFAULT
    from url_viz.models.runtime import has_gpu
    from url_viz.models.runtime_openvino import openvino
    from url_viz.store.tables.tables import import_lancedb

    Thread(target=decoders.format_of, args=(b"",), daemon=True).start()
    places()
    for module in NEEDED:
        import_module(module)
    import_lancedb()
    openvino()
    is_converted = not has_gpu() and prepared_folder(resolve(DEFAULT), Workspace.at()).exists()
    return load_model(DEFAULT, device="cpu") if is_converted else None


if __name__ == "__main__":
    sys.exit(run())
