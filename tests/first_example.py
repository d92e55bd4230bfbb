"""Make the example of the first page from the demo set: `python -m tests.first_example`."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.conftest import SECOND
from url_viz.base.workspace import Workspace
from url_viz.demo import build_demo
from url_viz.reading import embed_folder
from url_viz.ui.first_page import STORED, example_of


def main() -> None:
    """Read the digits by two models, as the app does, and store both ends of their order with thumbnails."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.at(Path(home))
        example = example_of(embed_folder(build_demo(workspace), also=SECOND, workspace=workspace.root))
    assert example is not None
    stored = asdict(example) | {"of": "the demo pictures, 500 handwritten digits"}
    STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
