"""Entry point of the command line: `python -m url_viz …`, and `url-viz`, which opens the app if no command is given."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from url_viz.processes.gc_settings import search_rarely

ABOUT = (
    "Without a command: open the app in the browser. Options that come first are Streamlit's then, such as "
    "--server.port=8502 (`streamlit run --help` lists them)."
)


def url_viz() -> int:
    """What the installed command `url-viz` does."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and not arguments[0].startswith(("-h", "--help", "--tyro-"))):
        _open_app(arguments)
    return _run(prog="url-viz", description=ABOUT)


def _open_app(options: Sequence[str]) -> NoReturn:
    """Become the app's server, with the settings in the .streamlit folder next to its script."""
    here = Path(__file__).resolve().parent
    scripts = (here / "_app" / "app.py", here.parent / "app.py")  # in the wheel, in a checkout
    script = next(path for path in scripts if path.exists())
    # -P: Python modules in the current folder are the user's, not what Streamlit imports.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "url_viz.ui.server", str(script), *options])


def _run(*, prog: str, description: str | None = None) -> int:
    """Run the command that the arguments name."""
    search_rarely()
    from url_viz.cli.main import main  # large, and the app's server begins without it

    return main(prog=prog, description=description)


if __name__ == "__main__":
    sys.exit(_run(prog="python -m url_viz"))
