"""How a command becomes the app's server: this process goes on as `streamlit run app.py`, with settings of ours."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from url_viz.processes.child_environment import child_variables

ROOTS_VARIABLE = "URL_VIZ_ROOTS"
"""The folders and addresses that the app may read, separated as in $PATH."""
GIVEN_VARIABLE = "URL_VIZ_GIVEN"
"""More folders, files or addresses, of what a command was given, as a JSON list: whatever a path holds."""
OPENED_VARIABLE, BROWSER_VARIABLE = "URL_VIZ_OPENED", "URL_VIZ_BROWSER"
"""The query of the app's address at which it begins; and, if set, that it is opened in the browser."""


def become_app(options: Sequence[str], variables: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by the app's server, with options of Streamlit and more variables in its environment."""
    package = Path(__file__).resolve().parents[1]
    scripts = (package / "_app" / "app.py", package.parent / "app.py")  # in the wheel, in a checkout
    script = next(path for path in scripts if path.exists())
    sys.stdout.flush()
    # -P: Python modules in the current folder are the user's, not what Streamlit imports.
    words = [sys.executable, "-P", "-m", "url_viz.ui.server", str(script), *options]
    os.execve(sys.executable, words, {**os.environ, **child_variables(), **(variables or {})})
